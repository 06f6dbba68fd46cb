"""What epicvc promises, as plainly as it can be said: dictionaries, no store, no trees, none of epicvc's code.

A document is ``{"name": "x", "labels": ("a",), "tasks": {"1.1": {"title": "y"}}}``. A state is what can be seen from
outside: the bytes of every file and every row of every table. Three rules are all that there is: how three documents
make one (:func:`merge`), when a side has edited something of its own that a deletion would take along
(:func:`edited`), and how a change between two states is laid onto a third (:func:`transplant`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]
Own = dict[str, dict[str, Any]]
"""What one side alone has of an epic: members of the epic below "", those of each task below its id."""
Files = dict[str, bytes]
Rows = dict[tuple[str, Any], tuple[Any, ...]]

SETS = frozenset({"labels"})
LISTS = frozenset({"goals"})


@dataclass(frozen=True)
class State:
    """Both sides as anybody can see them."""

    files: Files
    rows: Rows

    def counted(self) -> Rows:
        """The rows without how far automatic keys have come."""
        return {key: row for key, row in self.rows.items() if key[0] != "sqlite_sequence"}


@dataclass(frozen=True)
class Order:
    """In which order something is that the model otherwise has no order of."""

    tasks: list[str]
    labels: list[str]


@dataclass(frozen=True)
class Side:
    """What one side has, by epic."""

    documents: Mapping[str, Document]
    own: Mapping[str, Own]

    def has(self, epic: str, task: str | None) -> bool:
        """Whether it has an epic, or a task of it."""
        document = self.documents.get(epic)
        return document is not None and (task is None or task in document["tasks"])


@dataclass(frozen=True)
class Agreed:
    """What both sides agreed on, by epic, and in which order."""

    base: Mapping[str, Document]
    orders: Mapping[str, Order]


@dataclass(frozen=True)
class Commit:
    """A recorded state, with what both sides agreed on then, and the commit that it follows."""

    state: State
    agreed: Agreed
    files: Side
    db: Side
    parent: str | None


@dataclass(frozen=True)
class Refs:
    """Where branches are, and HEAD: a branch's name, or a commit."""

    branches: Mapping[str, str]
    head: str

    @property
    def commit(self) -> str:
        """The commit at HEAD."""
        return self.branches.get(self.head, self.head)


@dataclass(frozen=True)
class Operation:
    """What a command did."""

    before: tuple[State, Refs]
    after: tuple[State, Refs]


@dataclass
class Outcome:
    """What three documents make.

    Attributes:
        files: the files' document afterwards; ``None`` where there is none.
        db: the database's.
        conflicts: the labels that are left, without the epic.
        open: fields of which only part is promised here: lists that both sides changed.
    """

    files: Document | None
    db: Document | None
    conflicts: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)


def edited(line: Iterable[Commit], lacking: str, epic: str, tasks: Iterable[str | None], own: Own) -> bool:
    """Whether a side has edited something of its own since both sides, of which the other lacks the place, last had it.

    Args:
        line: the commits from HEAD back.
        lacking: the side that lacks the place: ``files`` or ``db``.
        epic: the epic.
        tasks: its tasks that are lacking; ``None`` is the epic itself.
        own: what the side that has it has for itself by now.
    """
    places = list(tasks)
    for commit in line:
        before, other = (commit.files, commit.db) if lacking == "files" else (commit.db, commit.files)
        if before.has(epic, places[0]) and other.has(epic, places[0]):
            then = other.own.get(epic, {})
            return any(then.get(task or "", {}) != own.get(task or "", {}) for task in places)
    return False


def merge(
    base: Document | None,
    files: Document | None,
    db: Document | None,
    edited: Callable[[str | None], bool] = lambda _task: False,
) -> Outcome:
    """Bring two documents together that come from a third.

    Args:
        base: the third.
        files: the one in the files.
        db: the one in the database.
        edited: whether who still has the epic, or one of its tasks, edited something of its own there.
    """
    if files is None or db is None:
        there = db if files is None else files
        if base is None or there is None:
            return Outcome(there, there)
        if there == base and not edited(None):
            return Outcome(None, None)
        return Outcome(files, db, {""})
    outcome = Outcome({}, {})
    for name in sorted({*(base or {}), *files, *db} - {"tasks"}):
        _merge_field(outcome, name, (base or {}).get(name), files.get(name), db.get(name))
    if "tasks" in files or "tasks" in db:
        _merge_tasks(outcome, edited, *((document or {}).get("tasks", {}) for document in (base, files, db)))
    return outcome


def _merge_tasks(
    outcome: Outcome, edited: Callable[[str | None], bool], base: Document, files: Document, db: Document
) -> None:
    tasks = {
        key: merge(base.get(key), files.get(key), db.get(key), lambda _, key=key: edited(key))  # type: ignore[misc]
        for key in {*base, *files, *db}
    }
    assert outcome.files is not None
    assert outcome.db is not None
    outcome.files["tasks"] = {key: task.files for key, task in tasks.items() if task.files is not None}
    outcome.db["tasks"] = {key: task.db for key, task in tasks.items() if task.db is not None}
    for key, task in tasks.items():
        outcome.conflicts |= {f"tasks/{key}/{name}".rstrip("/") for name in task.conflicts}


def _merge_field(outcome: Outcome, name: str, base: Any, files: Any, db: Any) -> None:
    if db in (files, base):
        files = db = files
    elif files == base:
        files = db
    elif name in SETS and isinstance(files, tuple) and isinstance(db, tuple):
        old = base or ()
        files = db = tuple(sorted(item for item in {*files, *db} if item not in old or (item in files and item in db)))
    else:
        (outcome.open if name in LISTS else outcome.conflicts).add(name)
    for document, value in ((outcome.files, files), (outcome.db, db)):
        if value is not None:
            assert document is not None
            document[name] = value


def agreed(base: Document | None, files: Document | None, db: Document | None) -> Document | None:
    """What both sides agree on from now on: what is equal on both; for the rest, what was agreed before."""
    if files is None or db is None:
        return base if files is not db else None
    result: Document = {}
    for name in {*(base or {}), *files, *db} - {"tasks"}:
        value = files.get(name) if files.get(name) == db.get(name) else (base or {}).get(name)
        if value is not None:
            result[name] = value
    if "tasks" in files or "tasks" in db:
        parts = [(document or {}).get("tasks", {}) for document in (base, files, db)]
        tasks = {key: agreed(*(part.get(key) for part in parts)) for key in {key for part in parts for key in part}}
        result["tasks"] = {key: task for key, task in tasks.items() if task is not None}
    return result


def transplant(
    current: Mapping[Any, Any], source: Mapping[Any, Any], target: Mapping[Any, Any]
) -> dict[Any, Any] | None:
    """Lay the change from ``source`` to ``target`` onto ``current``; ``None`` where it does not fit."""
    result = dict(current)
    for key in {*source, *target}:
        old, new, now = source.get(key), target.get(key), current.get(key)
        if old == new or now == new:
            continue
        if now != old:
            return None
        if new is None:
            del result[key]
        else:
            result[key] = new
    return result
