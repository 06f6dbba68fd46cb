"""Runs commands on a mutated repo in a forked child that may take only so much memory and time."""

from __future__ import annotations

import os
import re
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

SECONDS = 20
"""Of a processor, for all commands on one input."""

PATIENCE = 120
"""Seconds on the clock: on a busy machine they are many."""

MEMORY = 2 << 30
"""Bytes of address space beyond what a child begins with."""

RESIDENT = 400_000
"""KiB that a child may really use, beyond what it shares with the process that it was forked from."""

_ENDS = frozenset({0, 1, 2, 3, 4, 5, 6})
_TRACEBACK = re.compile(r"Traceback \(most recent|internal error|^\s+File \".*\", line \d+", re.MULTILINE)


@dataclass(frozen=True)
class Done:
    """How commands ended.

    Attributes:
        problems: what is wrong with it.
        codes: the exit codes.
        said: their output.
    """

    problems: list[str]
    codes: list[int]
    said: str


def run(root: Path, commands: Sequence[Sequence[str]], prepare: Callable[[], None], *, seconds: int = SECONDS) -> Done:
    """Run commands in one child.

    Args:
        root: where they are run.
        commands: one after the other.
        prepare: called in the child before them; damages the repo.
        seconds: of a processor that all of them may take.
    """
    outputs = [os.memfd_create(name) for name in ("said", "ends")]
    shared = _resident()  # the kernel counts a forked child's peak from there, and the tests before this one filled it
    child = os.fork()
    if not child:
        _child(root, commands, prepare, seconds, *outputs)
    _, status, usage = os.wait4(child, 0)
    said, ends = map(_drained, outputs)
    last = ends.rsplit("\n", 1)[-1]
    problems = []
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        problems.append(f"{last}: ended by {name}" + (", it hangs" if name in ("SIGALRM", "SIGXCPU") else ""))
    elif os.waitstatus_to_exitcode(status):
        problems.append(f"{last}: the child itself failed: {said[-2000:]}")
    codes = [int(code) for code in re.findall(r": exit code (-?\d+)$", ends, re.MULTILINE)]
    problems += [
        line for line in ends.split("\n") if ": exit code" in line and int(line.rsplit(" ", 1)[1]) not in _ENDS
    ]
    if _TRACEBACK.search(said):
        problems.append(f"traceback: {said[-3000:]}")
    if usage.ru_maxrss - shared > RESIDENT:
        problems.append(f"{usage.ru_maxrss - shared} KiB of memory")
    return Done(problems, codes, said)


def _child(
    root: Path, commands: Sequence[Sequence[str]], prepare: Callable[[], None], seconds: int, said: int, ends: int
) -> None:  # never returns
    code = 99
    try:
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(said, 1)
        os.dup2(said, 2)
        sys.stdin = os.fdopen(0, encoding="utf-8")
        sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8", errors="replace") for number in (1, 2))
        _bound(seconds)
        prepare()
        os.chdir(root)
        for words in commands:
            os.write(ends, f"\n{' '.join(words)}".encode())
            os.write(ends, f": exit code {_command(words)}".encode())
        sys.stdout.flush()
        sys.stderr.flush()
        code = 0
    except BaseException as error:  # noqa: BLE001  # it must be seen, and must not go on in the test
        os.write(2, f"\nTraceback (most recent call last): {error!r}".encode("utf-8", "replace"))
    finally:
        os._exit(code)


def _bound(seconds: int) -> None:
    """Let this process take so much time and memory, and no more."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(PATIENCE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    with open("/proc/self/statm") as statm:
        held = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))


def _resident() -> int:
    """Return the KiB of memory that this process holds now; pages of files are not in a forked child at first."""
    with open("/proc/self/statm") as statm:
        resident, of_files = map(int, statm.read().split()[1:3])
    return (resident - of_files) * resource.getpagesize() // 1024


def _command(words: Sequence[str]) -> int:
    from epicvc.__main__ import main

    sys.argv = ["epicvc", *words]
    try:
        return main()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 0


def _drained(descriptor: int) -> str:
    with os.fdopen(descriptor, "rb") as file:
        file.seek(0)
        return file.read().decode("utf-8", "replace")
