"""The checker: what was acknowledged must be found again, once.

Checked after all clients have ended and every repo has been synchronised until nothing moves:

- **Every acknowledged token** is in the final state of the side where it was written, exactly once; a counter is as
  high as its acknowledged increments. Since every writer reads and writes back what it read, a writer whose state was
  overwritten unseen takes the tokens of others with it: a lost update shows as a missing token.
- Where both sides have the place, it is on **both sides**, unless the place is reported as a conflict.
- **Every acknowledged commit** is in the history of the branch, whose commits form one line; every acknowledged tag,
  branch and checkpoint exists.
- **The operation log is a chain**: each operation found the refs that the one before it left.
- **Exit codes** are documented ones, and of those only what can happen to a valid repo in use: done, conflicts, and
  locked past the timeout. SQLite's own words never come out.
- An **editor** that takes no lock finds in its file what it saved last, whenever it looks.
- The **store is sound** (``fsck --full``), nothing temporary is left.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

from concurrency.clients import read_epics, run_forked
from concurrency.history import History
from concurrency.places import FILE_PLACES, FILE_READERS, ROW_PLACES, ROW_READERS
from epicvc.store.store import Store

DONE, CONFLICTS, UNAVAILABLE = 0, 1, 6


class Unusable(Exception):
    """A repo in which commands fail when nobody disturbs them any more."""


class Checker:
    """Checks a run.

    Args:
        history: what the clients wrote down.
        roots: the repos.
        database: their database.
        codes: the exit codes that commands may have ended with.
    """

    def __init__(
        self,
        history: History,
        roots: list[Path],
        database: Path,
        codes: frozenset[int] = frozenset({DONE, CONFLICTS, UNAVAILABLE}),
    ) -> None:
        self.history = history
        self.roots = roots
        self.database = database
        self.codes = codes
        self.conflicts: set[str] = set()

    def problems(self) -> list[str]:
        """All that is wrong."""
        found = [*self.failures(), *self.unsound()]
        try:
            return [*found, *self.settle(), *self.lost_tokens(), *self.lost_commits(), *self.broken_logs()]
        except Unusable as unusable:
            return [*found, str(unusable)]

    def counts(self) -> dict[str, int]:
        """How much of what happened."""
        counted = Counter(f"exit {event.code}" for event in self.history.commands())
        counted.update(event.action for event in self.history.events)
        return dict(sorted(counted.items()))

    def failures(self) -> Iterator[str]:
        """Commands that failed as none may."""
        for event in self.history.commands():
            text = event.value + event.said
            if event.code is not None and event.code not in self.codes:
                yield f"{event.client}: `{event.what}` ended with {event.code}: {text}"
            if "database is locked" in text or "Traceback" in text:
                yield f"{event.client}: `{event.what}` said {text}"
        for event in self.history.events:
            if event.action == "editor" and event.said:
                yield f"{event.client}: {event.said}"

    # Until nothing moves

    def ask(self, root: Path, *words: str) -> Any:
        """A command's answer."""
        code, out, err = run_forked(root, [*words, "--json"])
        if code not in (DONE, CONFLICTS):
            raise Unusable(f"{root.name}: afterwards `{' '.join(words)}` ends with {code}: {out}{err}")
        return json.loads(out)

    def settle(self) -> Iterator[str]:
        """Synchronise every repo until none moves anything."""
        for _ in range(2 * len(self.roots) + 2):
            answers = [self.ask(root, "sync") for root in self.roots]
            if not any(answer["to_files"] or answer["to_db"] for answer in answers):
                self.conflicts = {conflict["label"] for answer in answers for conflict in answer["conflicts"]}
                return
        yield "the repos never come to rest"

    # Tokens

    def lost_tokens(self) -> Iterator[str]:
        """Tokens and counts that are not where they must be."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            rows = {place: read(connection) for place, read in ROW_READERS.items()}
        connection.close()
        files = {}
        for root in self.roots:
            epics = {epic: value.get("epic", value) for epic, (_, value) in read_epics(root / "epics").items()}
            files[root.name] = {place: read(epics) for place, read in FILE_READERS.items()}
        written: dict[tuple[str, str, str], list[str]] = {}
        for event in self.history.tokens():
            written.setdefault((event.what, event.action, event.repo), []).append(event.value)
        for (place, action, repo), tokens in written.items():
            if action == "application" and not ROW_PLACES[place].kept:
                continue
            shared = (FILE_PLACES if action == "author" else ROW_PLACES)[place].shared
            own = {repo: files[repo][place]} if action == "author" else {"database": rows[place]}
            others = {"database": rows[place]} if action == "author" and shared else {}
            others |= {name: found[place] for name, found in files.items() if shared}
            if self._in_conflict(place):
                others = {}
            for name, found in {**own, **others}.items():
                yield from _missing(place, name, tokens, found)

    def _in_conflict(self, place: str) -> bool:
        fields = {"both goals": "2:goals", "labels": "1:labels"}
        return any(label.startswith(fields.get(place, "-")) for label in self.conflicts)

    # History

    def lost_commits(self) -> Iterator[str]:
        """Acknowledged commits and names that are not there."""
        for root in self.roots:
            log = self.ask(root, "log")["commits"]
            known = {commit["id"] for commit in log}
            for event, answer in self.history.answers("sync", "push", "pull", "commit", "checkpoint"):
                commit = answer.get("commit")
                if event.repo == root.name and commit and "--dry-run" not in event.what and commit not in known:
                    yield f"{event.client}: commit {commit} of `{event.what}` is not in the history of {root.name}"
            for older, newer in zip(log[1:], log[:-1], strict=True):
                if newer["parents"] != [older["id"]]:
                    yield f"{root.name}: the history forks at {newer['id']}"
                if newer["time"] < older["time"]:
                    yield f"{root.name}: {newer['id']} is older than its parent"
            with Store.open(root / ".epicvc" / "store.db") as store:
                refs = store.refs()
            for event in self.history.commands():
                kind, name = event.what.split()[0], event.what.split()[-1]
                acknowledged = event.repo == root.name and event.code == DONE
                if not acknowledged or kind not in ("checkpoint", "tag", "branch"):
                    continue
                if not any(ref.endswith("/" + name) for ref in refs):
                    yield f"{event.client}: {kind} {name} is not there"

    def broken_logs(self) -> Iterator[str]:
        """Operations that did not find what the one before them left."""
        for root in self.roots:
            with Store.open(root / ".epicvc" / "store.db") as store:
                operations = list(store.operations())
            for newer, older in pairwise(operations):
                if newer.before.refs != older.after.refs:
                    yield f"{root.name}: {newer.command} {newer.id[:12]} did not see {older.command} {older.id[:12]}"

    def unsound(self) -> Iterator[str]:
        """Damage and leftovers."""
        for root in self.roots:
            code, out, err = run_forked(root, ["fsck", "--full"])
            if code != DONE:
                yield f"{root.name}: fsck ended with {code}: {out}{err}"
            yield from (f"left behind: {path}" for path in root.rglob("*epicvc-tmp*"))
        with closing(sqlite3.connect(self.database)) as connection, connection:
            ((answer,),) = connection.execute("PRAGMA integrity_check").fetchall()
        connection.close()
        if answer != "ok":
            yield f"the database: {answer}"


def _missing(place: str, where: str, tokens: list[str], found: list[str] | int) -> Iterator[str]:
    if isinstance(found, int):
        if found != len(tokens):
            yield f"{place} in {where}: {found} of {len(tokens)} acknowledged increments"
        return
    there = Counter(found)
    for token in tokens:
        if there[token] != 1:
            yield f"{place} in {where}: {token} is there {there[token]} times"
