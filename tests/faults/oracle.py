"""The oracle: looks at a repo after a fault and says everything that is wrong with it.

Runs in a child of the fork server, on a copy that it may use up. After a fault it demands

- that ``fsck --full`` finds nothing, at once and after recovery;
- that every commit acknowledged before is reachable and has the same files, rows and schema;
- that both sides are the old state or the new one once a command that writes has looked after what was left; at
  once after an error exit the old one, and after a command that ended well the new one;
- that history agrees with it: the operation log, ``status``;
- that the same command then succeeds and leads to the new state;
- that no temporary file, no journal and no lock is left.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import pickle
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from epicvc.base import TEMPORARY_SUFFIX
from epicvc.cli.edge import run_application
from epicvc.store.store import Store
from faults.scenes import Expected, summary
from faults.state import Sides, commits, observe

UNFINISHED = "the operation is unfinished"
"""What the message says where only the next command can finish or undo it, once the disk works again."""


class End(StrEnum):
    """How the command ended."""

    CRASH = "crash"
    """It was killed, or the power went."""
    ERROR = "error"
    """It said that it failed."""
    FAILING = "failing"
    """It said so, on a disk that went on failing, so that it could tidy nothing up."""
    DONE = "done"
    """It said that it is done."""
    DONE_UNTIDY = "done, untidily"
    """It said so; what it need not tidy up may be there, since the disk went on failing or lost power then."""


def judge(repo: str, expected: str, end: str, said: str = "", *, direct: bool = False) -> list[str]:
    """What is wrong with a repo; an empty list if nothing.

    Args:
        repo: the repo.
        expected: the file that :func:`faults.scenes.expect` wrote.
        end: how the command ended.
        said: what it said.
        direct: have the same command look after what was left, instead of ``doctor --repair``.
    """
    with open(expected, "rb") as file:
        wanted: Expected = pickle.load(file)
    return list(_Judgement(Path(repo), wanted, End(end), said, direct).problems())


class _Judgement:
    def __init__(self, repo: Path, expected: Expected, end: End, said: str, direct: bool) -> None:
        self.repo = repo
        self.expected = expected
        self.end = end
        self.said = said
        self.direct = direct
        self.new = expected.new.masked()
        self.is_new: bool | None = None  # whether it was found to be in the new state; ``None``: not looked

    def problems(self) -> Iterator[str]:
        failed = self.end in (End.ERROR, End.FAILING)
        if failed and UNFINISHED in self.said:
            # Nobody can tidy up on a disk that refuses everything, and nothing else is an excuse.
            if self.end is End.ERROR:
                yield "it left the operation unfinished"
            self.end, failed = End.CRASH, False
        if failed:
            yield from self._same(self._without_temporaries(), self.expected.old, "after the error exit")
        if self.end in (End.ERROR, End.DONE):
            yield from self._leftovers("after the command")
        if self.end in (End.DONE, End.DONE_UNTIDY):
            yield from self._same(observe(self.repo).masked(), self.new, "after success")
            yield from self._history("after success", new=True)
        yield from self._store("after the fault")
        if not self.direct and self._initialised():
            self._run("doctor", "--repair")
            yield from self._recovered()
            yield from self._leftovers("after recovery")
        yield from self._again()
        yield from self._store("at the end")
        yield from self._leftovers("at the end")
        yield from self._lock()

    def _recovered(self) -> Iterator[str]:
        sides = observe(self.repo)
        if self.expected.operations is None and not self._has_commit():
            # An `init` that was rolled back, or never got that far; the configuration and the database may be made.
            if sides.files != self.expected.old.files:
                yield from self._same(sides, self.expected.old, "after recovery")
            return
        new = self._is_new(sides)
        done = self.end in (End.DONE, End.DONE_UNTIDY)
        failed = self.end in (End.ERROR, End.FAILING) and sides != self.expected.old
        if new is None or (done and not new) or (failed and new):
            yield from self._same(sides.masked(), self.new, f"after recovery ({self.end})")
            yield from self._same(sides, self.expected.old, f"after recovery ({self.end})")
            yield f"after recovery ({self.end}): neither"
            return
        self.is_new = new
        yield from self._history("after recovery", new=new)

    def _again(self) -> Iterator[str]:
        """The same command then succeeds."""
        code, out, err = self._run(*self.expected.command)
        if code not in (0, *(self.expected.again if self.is_new is not False else ())):
            yield f"the same command then ends with {code}: {(err or out).strip()}"
            return
        if self.expected.command[0] == "undo" and self.is_new is not False:
            return  # it has undone something else
        yield from self._same(observe(self.repo).masked(), self.new, "after the same command")
        yield from self._status("after the same command", 1)

    def _is_new(self, sides: Sides) -> bool | None:
        """Whether it is the new state; ``None`` if it is neither."""
        if sides == self.expected.old and sides.masked() == self.new:
            # Only history can tell: nothing but a commit is made, or rubbish dropped.
            with self._open() as store:
                count = sum(1 for _ in store.operations())
            return {self.expected.operations or 0: False, self.expected.operations_after: True}.get(count)
        if sides == self.expected.old:
            return False
        return True if sides.masked() == self.new else None

    def _without_temporaries(self) -> Sides:
        """Both sides; on a disk that goes on failing, temporary files cannot be removed."""
        found = observe(self.repo)
        if self.end is not End.FAILING:
            return found
        files = {name: data for name, data in found.files.items() if not name.endswith(TEMPORARY_SUFFIX)}
        return Sides(files, found.databases)

    def _same(self, found: Sides, wanted: Sides, when: str) -> Iterator[str]:
        if found == wanted:
            return
        for name in sorted(found.files.keys() | wanted.files.keys()):
            have, want = found.files.get(name), wanted.files.get(name)
            if have != want:
                yield f"{when}: file {name} is {_short(have)}, not {_short(want)}"
        for name in sorted(found.databases.keys() | wanted.databases.keys()):
            have_lines, want_lines = (set(sides.databases.get(name, ())) for sides in (found, wanted))
            for line in sorted(have_lines ^ want_lines)[:4]:
                yield f"{when}: {name} {'has' if line in have_lines else 'lacks'} {line[:160]}"

    def _initialised(self) -> bool:
        return (self.repo / "epicvc.toml").exists() and self._has_commit()

    def _has_commit(self) -> bool:
        if not (self.repo / ".epicvc/store.db").exists():
            return False
        if self.expected.operations is not None:
            return True
        try:
            with self._open() as store:
                return bool(store.refs("refs/heads/")) or store.pending() is not None
        except Exception:  # noqa: BLE001  # a store that a crash left half made is what `init` has to cope with
            return False

    def _history(self, when: str, *, new: bool) -> Iterator[str]:
        if not (self.repo / ".epicvc/store.db").exists():
            return
        with self._open() as store:
            if store.pending() is not None:
                yield f"{when}: an intent is left"
            count = sum(1 for _ in store.operations())
        wanted = self.expected.operations_after if new else self.expected.operations or 0
        if count != wanted:
            yield f"{when}: the operation log has {count} entries, not {wanted}, in the {'new' if new else 'old'} state"
        yield from self._status(when, int(new))

    def _status(self, when: str, which: int) -> Iterator[str]:
        wanted = self.expected.statuses[which]
        if wanted is None:
            return
        code, out, err = self._run("status", "--json")
        if code:
            yield f"{when}: status ends with {code}: {(err or out).strip()}"
        elif summary(json.loads(out)) != wanted:
            yield f"{when}: status says {out.strip()[:300]}"

    def _store(self, when: str) -> Iterator[str]:
        if not self._initialised():
            return
        code, out, err = self._run("fsck", "--full")
        if code:
            yield f"{when}: fsck --full ends with {code}: {(err or out).strip()[:300]}"
        try:
            with self._open() as store:
                found = commits(store, of_operations=self.expected.keeps_log)
        except Exception as error:  # noqa: BLE001  # whatever it is, the store cannot be read
            yield f"{when}: the store cannot be read: {error!r}"
            return
        for name, commit in self.expected.acknowledged.items():
            if name not in found:
                yield f"{when}: commit {name[:12]} is lost"
            elif found[name] != commit:
                yield f"{when}: commit {name[:12]} is not what it was"

    def _leftovers(self, when: str) -> Iterator[str]:
        for path in sorted(self.repo.rglob("*")):
            name = path.relative_to(self.repo).as_posix()
            if name in self.expected.paths or name.endswith("-shm") or (name.endswith("-wal") and self.expected.wal):
                continue
            if path.is_dir() and any(other.startswith(f"{name}/") for other in self.expected.paths):
                continue
            yield f"{when}: {name} is left"

    def _lock(self) -> Iterator[str]:
        path = self.repo / ".epicvc/lock"
        if path.exists():
            with path.open("rb+") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    yield "the lock is held"

    def _open(self) -> Store:
        return Store.open(self.repo / ".epicvc/store.db")

    def _run(self, *arguments: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.chdir(self.repo):
            code = run_application(arguments)
        return code, out.getvalue(), err.getvalue()


def _short(data: bytes | None) -> str:
    return "absent" if data is None else f"{len(data)} bytes {data[:60]!r}"
