"""Runs a scene's command once for each fault, has the oracle judge each outcome, and counts."""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from epicvc.repo.home import stores
from faults import scenes
from faults.client import Answer, Call, Fault, Kind, Mode, Server, read_log
from faults.oracle import End
from faults.powerloss import Disk, digest, write_state
from faults.work import copy

_UNAVAILABLE = 6
_WORDS = {
    Mode.KILL: "processes killed before a call",
    Mode.TORN: "processes killed in a write",
    Mode.FAIL_ONCE: "calls that failed once",
    Mode.FAIL_ON: "calls that failed from then on",
    Mode.DISK_FULL: "calls on a full disk",
}


@dataclass
class Tally:
    """How often what was tried, and what went wrong.

    Attributes:
        runs: how many, by what was tried.
        failures: what was wrong, with what it takes to try it again.
    """

    runs: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, what: str, label: str, problems: Iterable[str]) -> None:
        """Count one run."""
        self.runs[what] = self.runs.get(what, 0) + 1
        self.failures += [f"{label}: {problem}" for problem in problems]


@dataclass(frozen=True)
class Stage:
    """A scene made ready.

    Attributes:
        name: the scene and the database's journal mode.
        root: the state before the command; copied for each run.
        expected: the oracle's file.
        calls: the calls of an undisturbed run.
        form: the scene's own form of the command.
    """

    name: str
    command: tuple[str, ...]
    root: Path
    expected: Path
    calls: list[Call]
    form: str | None


def make_stage(server: Server, name: str, base: Path, *, wal: bool) -> Stage:
    """Make a scene ready below ``base``."""
    scene = scenes.SCENES[name]
    title = f"{name}, {'wal' if wal else 'delete'}"
    root = base / title.replace(", ", "-").replace(" ", "-")
    scenes.make(scene, root, wal=wal)
    work, log = base / "work", base / f"{root.name}.log"
    expected = scenes.expect(server, scene, root, work, wal=wal)
    copy(root, work)
    answer = server.run(work, scene.command, Fault(), log=log, preparation=scene.form)
    assert answer.code == 0, answer
    return Stage(title, scene.command, root, expected, read_log(log), scene.form)


def process_faults(calls: list[Call]) -> list[Fault]:
    """Every way in which a process can be killed at a call: before each, and in the middle of each write."""
    found = [Fault(Mode.KILL, call.point) for call in calls]
    writes = [call for call in calls if call.kind is Kind.WRITE]
    return found + [Fault(Mode.TORN, call.point, cut=cut) for call in writes for cut in (1, 3, 5, 7)]


def error_faults(calls: list[Call]) -> list[Fault]:
    """Every way in which a call can fail: once, from then on, or for want of space."""
    return [
        fault
        for call in calls
        for fault in (
            Fault(Mode.FAIL_ONCE, call.point, errno.EIO),
            Fault(Mode.FAIL_ON, call.point, errno.EIO),
            Fault(Mode.FAIL_ONCE, call.point, errno.ENOSPC),
            Fault(Mode.DISK_FULL, call.point),
        )
    ]


def sampled(faults: list[Fault], count: int, seed: str) -> list[Fault]:
    """Some of the faults, spread evenly over all of them, others with each seed."""
    if count >= len(faults):
        return faults
    start = random.Random(seed).random()
    return [faults[int((start + number) * len(faults) / count) % len(faults)] for number in range(count)]


def run_faults(
    server: Server, stage: Stage, faults: Iterable[Fault], work: Path, tally: Tally, *, mutant: str = ""
) -> None:
    """Run the command with each fault in a copy of its own, and judge.

    Args:
        server: runs it.
        stage: the scene.
        faults: what to inject.
        work: where the copies go, one after the other.
        tally: where it is counted.
        mutant: ``module:function`` that takes a safety out of the command, and of the oracle's recovery.
    """
    for fault in faults:
        copy(stage.root, work)
        answer = server.run(work, stage.command, fault, preparation=mutant or stage.form)
        tally.add(_WORDS[fault.mode], f"{stage.name}, {fault}", _judge(server, stage, fault, answer, work, mutant))


def lose_power(
    server: Server, stage: Stage, count: int, work: Path, tally: Tally, *, mutant: str = "", seed: str = ""
) -> None:
    """Cut the power at points all over the command, and judge what may be found then.

    Args:
        server: runs the command and judges.
        stage: the scene.
        count: how many states, each different from the others.
        work: where they go, one after the other.
        tally: where it is counted.
        mutant: ``module:function`` that takes a safety out of the command.
        seed: other states with each.
    """
    copy(stage.root, work)
    disk = Disk(work)
    log = work.with_name(f"{work.name}.log")
    answer = server.run(work, stage.command, Fault(), log=log, preparation=mutant or stage.form)
    assert answer.code == 0, answer
    calls = read_log(log)
    log.unlink()
    listing = Path(stores.directory(os.environ), stores.FILE)
    listed = listing.read_bytes()  # with the store of this run; an `init` that judges one state lists another
    rng = random.Random(f"{stage.name} {count}{seed}")
    # The end counts for more: whatever is lost there was acknowledged. Many states are alike, and count once.
    picks = [len(calls) if rng.random() < 0.2 else rng.randint(1, len(calls)) for _ in range(6 * count)]
    known: set[bytes] = set()
    for number, call in enumerate(calls, 1):
        disk.apply(call)
        left = count * number // len(calls) + 1 - len(known)
        for _ in range(picks.count(number)):
            state = disk.after_power_loss(rng)
            if left <= 0 or (name := digest(state)) in known:
                continue
            known.add(name)
            left -= 1
            shutil.rmtree(work)
            write_state(state, work)
            listing.write_bytes(listed)
            end = End.DONE_UNTIDY if number == len(calls) else End.CRASH
            label = f"{stage.name}, power loss after {number} of {len(calls)} calls"
            tally.add(
                "states after a power loss",
                label,
                verdict(server, stage, end, "", work, direct=len(known) % 4 == 0, mutant=""),
            )


def _judge(server: Server, stage: Stage, fault: Fault, answer: Answer, work: Path, mutant: str) -> Iterator[str]:
    end = _end(fault, answer)
    if end is None:
        yield f"it ended with {answer.signal or answer.code}: {(answer.err or answer.out)[-500:]}"
        return
    if end in (End.ERROR, End.FAILING):
        yield from _message(answer)
    for problem in verdict(server, stage, end, answer.err, work, direct=fault.at % 4 == 0, mutant=mutant):
        yield f"{problem}{f' (it said: {answer.err.strip()})' if answer.err else ''}"


def verdict(
    server: Server, stage: Stage, end: End, said: str, work: Path, *, direct: bool = False, mutant: str = ""
) -> list[str]:
    """Everything that the oracle finds wrong with a repo, which it uses up; see :func:`faults.oracle.judge`."""
    answer = server.call(
        work,
        "faults.oracle:judge",
        Fault(),
        preparation=mutant or None,
        repo=str(work / "repo"),
        expected=str(stage.expected),
        end=end.value,
        said=said,
        direct=direct,
    )
    return [f"the oracle broke: {answer}"] if answer.value is None else answer.value


def _end(fault: Fault, answer: Answer) -> End | None:
    if answer.signal:
        return End.CRASH if answer.signal == 9 and fault.mode in (Mode.KILL, Mode.TORN) else None
    if answer.code == 0:
        return End.DONE_UNTIDY if fault.mode is Mode.FAIL_ON else End.DONE
    if answer.code != _UNAVAILABLE or fault.mode in (Mode.KILL, Mode.TORN):
        return None
    return End.FAILING if fault.mode is Mode.FAIL_ON else End.ERROR


def _message(answer: Answer) -> Iterator[str]:
    """One line that says what happened, and at most one that says what to do."""
    lines = answer.err.splitlines()
    if not lines or not lines[0].startswith("epicvc: ") or len(lines) > 2 or "Traceback" in answer.err:
        yield f"its message is {answer.err!r}"
