"""Runs a command and says what it took: wall time, processor time, peak memory.

Memory is the kernel's peak for the child, or what the child and its own children have together where that is more:
their shares of it are added up ten times a second. A child begins with the peak of the process that started it, so this
process stays small: loads and references are made by others, and nothing large is read here.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024  # getrusage(2): kilobytes, on a Mac bytes


class CommandFailed(Exception):
    """A command that is to be measured failed, so that there is nothing to measure."""

    def __init__(self, command: Sequence[str], code: int, said: str) -> None:
        super().__init__(f"{' '.join(command)}: exit {code}\n{said}")


@dataclass(frozen=True)
class Sample:
    """One run.

    Attributes:
        wall: seconds that passed.
        cpu: seconds of processor time, user and system, over all threads and children.
        peak: bytes of memory at most.
    """

    wall: float
    cpu: float
    peak: int


@dataclass(frozen=True)
class Command:
    """A command to measure.

    Attributes:
        words: the program and its arguments.
        directory: where it runs.
        environment: all of its environment.
        ends: the exit codes of a run that did its work.
    """

    words: Sequence[str]
    directory: Path
    environment: Mapping[str, str]
    ends: Collection[int] = (0,)

    def run(self) -> Sample:
        """Run it once.

        Raises:
            CommandFailed: it ended with another code.
        """
        with tempfile.TemporaryFile() as said:
            started = time.perf_counter()
            child = subprocess.Popen(
                self.words,
                cwd=self.directory,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
            )
            with _watching(child.pid) as seen:
                _, status, used = os.wait4(child.pid, 0)
                wall = time.perf_counter() - started
            child.returncode = os.waitstatus_to_exitcode(status)
            if child.returncode not in self.ends:
                said.seek(0)
                raise CommandFailed(self.words, child.returncode, said.read().decode(errors="replace"))
        return Sample(wall, used.ru_utime + used.ru_stime, max(used.ru_maxrss * _PEAK_UNIT, *seen))


_LOOK_EVERY_S = 0.1


@contextmanager
def _watching(process: int) -> Iterator[list[int]]:
    """Look now and then how much memory a process and all below it have together (on Linux)."""
    seen, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(_LOOK_EVERY_S):
            seen.append(sum(map(_share, _tree(process))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()


def _tree(process: int) -> Iterator[int]:
    yield process
    try:
        below = Path(f"/proc/{process}/task/{process}/children").read_text("ascii")
    except OSError:
        return
    for child in below.split():
        yield from _tree(int(child))


def _share(process: int) -> int:
    """A process's proportional share of memory, in bytes; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text("ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def median(samples: Sequence[Sample]) -> Sample:
    """The middle of each figure; of memory the most."""
    return Sample(
        statistics.median(sample.wall for sample in samples),
        statistics.median(sample.cpu for sample in samples),
        max(sample.peak for sample in samples),
    )


def interleave(
    runs: int, ours: Callable[[], Sample], reference: Callable[[], Sample] | None
) -> tuple[list[Sample], list[Sample]]:
    """Run both in turn, each first as often as the other, so that what else the machine does hits both alike."""
    mine: list[Sample] = []
    theirs: list[Sample] = []
    for turn in range(runs):
        if reference is not None and turn % 2 == 0:
            theirs.append(reference())
        mine.append(ours())
        if reference is not None and turn % 2:
            theirs.append(reference())
    return mine, theirs
