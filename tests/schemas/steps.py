"""What people and the application do to the two sides, as data: it can be done again, left out, and printed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Sql:
    """Statements of the application, in one transaction and with foreign keys on.

    Attributes:
        text: the statements.
        renamed: kind, old and new name of what has another name afterwards: ``("column", "t.a", "t.b")``.
        constraints: whether foreign keys are looked at while it runs; a rebuild of a table turns them off.
    """

    text: str
    renamed: tuple[str, str, str] | None = None
    constraints: bool = True

    def do(self, root: Path) -> bool:
        """Do it. Says whether the database took it."""
        with closing(sqlite3.connect(root / "framework.db", isolation_level=None)) as database:
            database.execute(f"PRAGMA foreign_keys={int(self.constraints)}")
            database.execute("PRAGMA recursive_triggers=ON")
            database.execute("PRAGMA synchronous=OFF")
            try:
                database.executescript(f"BEGIN;{self.text};COMMIT;")
            except sqlite3.Error:
                if database.in_transaction:
                    database.rollback()
                return False
            return True


@dataclass(frozen=True)
class Put:
    """A value written into an epic's file, or taken out of it.

    Attributes:
        epic: its id.
        path: keys and, for tasks, ids: ``("epic", "tasks", "1.1", "title")``. None at all is the file itself.
        value: the value; ``None`` takes the key away.
    """

    epic: str
    path: tuple[str, ...]
    value: Any
    renamed: tuple[str, str, str] | None = None

    def do(self, root: Path) -> bool:
        """Do it. Says whether there was a place for it."""
        path = file_of(root, self.epic)
        if path is None:
            return False
        if not self.path:
            path.unlink()
            return True
        whole = json.loads(path.read_bytes())
        at: Any = whole
        for name in self.path[:-1]:
            at = _step(at, name)
            if not isinstance(at, dict | list):
                return False
        name = self.path[-1]
        if isinstance(at, list):
            at[:] = [item for item in at if item["id"] != name] + ([self.value] if self.value is not None else [])
        elif self.value is None:
            if name not in at:
                return False
            del at[name]
        else:
            at[name] = self.value
        _write(path, whole)
        return True


@dataclass(frozen=True)
class Move:
    """A task that goes from one epic's file to another's."""

    task: str
    to: str
    renamed: tuple[str, str, str] | None = None

    def do(self, root: Path) -> bool:
        """Do it. Says whether both files are there."""
        target = file_of(root, self.to)
        for path in sorted((root / "epics").rglob("*.json")):
            whole = json.loads(path.read_bytes())
            found = [task for task in whole["epic"].get("tasks", ()) if task["id"] == self.task]
            if found and target and target != path:
                whole["epic"]["tasks"].remove(found[0])
                _write(path, whole)
                other = json.loads(target.read_bytes())
                other["epic"].setdefault("tasks", []).append(found[0])
                _write(target, other)
                return True
        return False


@dataclass(frozen=True)
class Exchange:
    """Two values in files that change places.

    Attributes:
        one: the epic and the path of one, as :class:`Put` has them.
        other: those of the other.
    """

    one: tuple[str, tuple[str, ...]]
    other: tuple[str, tuple[str, ...]]
    renamed: tuple[str, str, str] | None = None

    def do(self, root: Path) -> bool:
        """Do it. Says whether both were there."""
        values = [_value(root, *place) for place in (self.one, self.other)]
        if None in values:
            return False
        return all(Put(*place, value).do(root) for place, value in zip((self.other, self.one), values, strict=True))


Step = Sql | Put | Move | Exchange


def file_of(root: Path, epic: str) -> Path | None:
    """The file of an epic."""
    for path in sorted((root / "epics").rglob("*.json")):
        if json.loads(path.read_bytes())["epic"]["id"] == epic:
            return path
    return None


def _value(root: Path, epic: str, path: tuple[str, ...]) -> Any:
    found = file_of(root, epic)
    at: Any = json.loads(found.read_bytes()) if found else None
    for name in path:
        at = _step(at, name)
    return at


def _step(at: Any, name: str) -> Any:
    if isinstance(at, list):
        return next((item for item in at if item["id"] == name), None)
    return at.get(name) if isinstance(at, dict) else None


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def literal(value: Any) -> str:
    """A value as SQL."""
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"x'{value.hex()}'" if isinstance(value, bytes) else repr(value)


def shrunk(steps: list[Step], fails: Callable[[list[Step]], bool]) -> list[Step]:
    """The steps without those that can be left out of a failure."""
    size = max(1, len(steps) // 2)
    while True:
        at = 0
        while at < len(steps):
            fewer = steps[:at] + steps[at + size :]
            if fails(fewer):
                steps = fewer
            else:
                at += size
        if size == 1:
            return steps
        size = max(1, size // 2)
