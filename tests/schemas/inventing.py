"""Random edits that fit what is there."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from schemas.steps import Move, Put, Sql, Step, literal

ALL = frozenset({"checks", "uniques", "references", "odd references", "search", "columns", "moves", "links", "numbers"})
"""What a schema and its edits may have."""

WORDS = "abcde"
EPIC_TEXTS = ("name", "summary", "duration", "private", "methodology")
TASK_TEXTS = ("title", "description", "risk", "mitigation", "private")
EPIC_COLUMNS = ("name", "summary", "description", "status", "priority", "points_earned", "owner")
TASK_COLUMNS = ("title", "description", "risk", "actual_minutes", "points_earned", "spent", "slot", "estimate_minutes")


@dataclass(frozen=True)
class Column:
    name: str
    kind: str
    key: bool


class Inventor:
    """Invents edits of what it sees in a directory."""

    def __init__(self, chance: Random, root: Path, features: frozenset[str], common: str = "") -> None:
        self.chance = chance  # of places: which row, which column, what is done to it
        self.values = chance  # of what is written there
        self.own = chance
        self.common = common
        self.root = root
        self.features = features

    # Any edit

    def step(self, side: str) -> Step | None:
        """An edit; none where the kind that was chosen has nothing to be about."""
        # Half of the edits choose their place as an edit of the other side does, so that the two often meet.
        meets = self.common and self.own.random() < 0.5
        self.chance = Random(f"{self.common} {self.own.randrange(3)}") if meets else self.own
        kinds: list[tuple[int, Callable[[str], Step | None]]] = [
            (8, self._update),
            (4, self._insert),
            (3, self._delete),
            (1, self._update_key),
            (1, self._swap),
            (4, self._field),
            (4, self._task_field),
            (4, self._document_column),
            (2, self._add_task),
            (1, self._drop_task),
            (1, self._drop_epic),
            (2, self._nested),
            (1, self._beside),
            (1, self._list),
        ]
        if "columns" in self.features:
            kinds += [(3, self._alter)]
        if "moves" in self.features:
            kinds += [(1, self._move), (1, self._rename)]
        few = Random(f"{self.common} kinds")
        if few.random() < 0.7:  # a history with few kinds of edits has them meet more often than one with all
            kinds = few.sample(kinds, 4)
        return self.pick([kind for weight, kind in kinds for _ in range(weight)])(side)

    def row(self, side: str) -> Step | None:
        """A row for a table that has few yet, or an edit of one."""
        return self._insert(side) if self.chance.random() < 0.8 else self._update(side)

    # Rows

    def tables(self) -> list[str]:
        found = self.ask(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('p','q','c','plain','words')"
        )
        return sorted(name for (name,) in found)

    def row_of(self, table: str) -> tuple[str, dict[str, Any]] | None:
        columns = self.columns(table)
        keys = [column.name for column in columns if column.key] or ["rowid"]
        names = [column.name for column in columns]
        rows = self.ask(f"SELECT {', '.join([*keys, *names])} FROM {table} ORDER BY {', '.join(keys)}")
        if not rows:
            return None
        row = self.pick(rows[:3])
        where = " AND ".join(f"{name} IS {literal(value)}" for name, value in zip(keys, row, strict=False))
        return where, dict(zip(names, row[len(keys) :], strict=True))

    def columns(self, table: str) -> list[Column]:
        said = self.ask(f"PRAGMA table_xinfo({table})")
        return [Column(name, kind, bool(key)) for _, name, kind, _, _, key, hidden in said if hidden == 0]

    def _value(self, table: str, column: Column) -> Any:
        chance = self.values
        for row in self.ask(f"PRAGMA foreign_key_list({table})"):
            if row[3] == column.name and chance.random() < 0.9:
                found = self.ask(f"SELECT {row[4] or 'rowid'} FROM {row[2]} ORDER BY 1")
                return chance.choice(found)[0] if found else None
        if chance.random() < 0.1 and not column.key:
            return None
        if "INT" in column.kind or "NUM" in column.kind or column.kind == "REAL":
            return chance.randrange(9)
        return chance.choice(WORDS) * chance.choice((1, 1, 2))

    def _update(self, _side: str) -> Step | None:
        table = self.pick(self.tables())
        row, columns = self.row_of(table), [column for column in self.columns(table) if not column.key]
        if not row or not columns:
            return None
        chosen = self.own.sample(columns, min(len(columns), self.own.choice((1, 1, 2))))
        values = ", ".join(f"{column.name} = {literal(self._value(table, column))}" for column in chosen)
        return Sql(f"UPDATE {table} SET {values} WHERE {row[0]}")

    def _insert(self, _side: str) -> Step | None:
        return self.insert_into(self.pick(self.tables()))

    def insert_into(self, table: str) -> Step:
        """A new row."""
        columns = self.columns(table)
        if columns[0].name == "id" and columns[0].key and self.chance.random() < 0.7:
            columns = columns[1:]
        values = [literal(self._value(table, column)) for column in columns]
        return Sql(f"INSERT INTO {table} ({', '.join(c.name for c in columns)}) VALUES ({', '.join(values)})")

    def _delete(self, _side: str) -> Step | None:
        table = self.pick(self.tables())
        row = self.row_of(table)
        return Sql(f"DELETE FROM {table} WHERE {row[0]}") if row else None

    def _update_key(self, _side: str) -> Step | None:
        table = self.pick(self.tables())
        row, keys = self.row_of(table), [c for c in self.columns(table) if c.key or c.name == "code"]
        if not row or not keys:
            return None
        column = self.pick(keys)
        return Sql(f"UPDATE {table} SET {column.name} = {literal(self._value(table, column))} WHERE {row[0]}")

    def _swap(self, _side: str) -> Step | None:
        """Two rows exchange what is unique."""
        table = self.pick(self.tables())
        one, other = self.row_of(table), self.row_of(table)
        if "uniques" not in self.features or not one or not other or one[0] == other[0] or "code" not in one[1]:
            return None
        mine, its = literal(one[1]["code"]), literal(other[1]["code"])
        if "code" in one[0]:
            return None
        return Sql(
            f"UPDATE {table} SET code = 'between' WHERE {one[0]}; UPDATE {table} SET code = {mine} WHERE {other[0]};"
            f"UPDATE {table} SET code = {its} WHERE {one[0]}"
        )

    # Columns

    def _alter(self, side: str) -> Step | None:
        table = self.pick([name for name in self.tables() if name != "words"] + ["framework_tasks", "framework_epics"])
        columns = [c.name for c in self.columns(table)]
        own = [name for name in columns if name in ("a", "b", "t", "v", "n", "note", "weight", "spent", "owner")]
        new = f"x{side[0]}{len(columns)}"
        kind = self.chance.randrange(5)
        if kind == 0:
            default = self.chance.choice(("", " DEFAULT 7", " DEFAULT 'd'"))
            return Sql(f"ALTER TABLE {table} ADD COLUMN {new} {self.chance.choice(('TEXT', 'TEXT', ''))}{default}")
        if kind == 1:
            return Sql(f"ALTER TABLE {table} ADD COLUMN {new} TEXT; UPDATE {table} SET {new} = 'filled'")
        if not own:
            return None
        old = self.pick(own)
        if kind == 2:
            return Sql(f"ALTER TABLE {table} DROP COLUMN {old}")
        if kind == 3 or table.startswith("framework"):
            return Sql(
                f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}", ("column", f"{table}.{old}", f"{table}.{new}")
            )
        check = self.chance.choice((f"{old} NOT IN ('e', 7)", f"{old} IS NOT 3"))
        return self.rebuild(table, f"CHECK ({check})")

    def rebuild(self, table: str, constraint: str) -> Step:
        """The table made again with one more constraint, as SQLite's own advice has it."""
        _, _, tail = self.definition(table).partition("(")
        body, _, end = tail.rpartition(")")
        later = [
            sql for (sql,) in self.ask("SELECT sql FROM sqlite_master WHERE tbl_name = ? AND type = 'trigger'", table)
        ]
        names = ", ".join(c.name for c in self.columns(table))
        return Sql(
            f"CREATE TABLE made_again ({body}, {constraint}){end};"
            f"INSERT INTO made_again ({names}) SELECT {names} FROM {table}; DROP TABLE {table};"
            f"ALTER TABLE made_again RENAME TO {table};" + ";".join(later),
            constraints=False,
        )

    def definition(self, table: str) -> str:
        """How the table was made."""
        ((made,),) = self.ask("SELECT sql FROM sqlite_master WHERE name = ?", table)
        return str(made)

    # Documents

    def _epics(self) -> dict[str, list[Any]]:
        found = {}
        for path in sorted((self.root / "epics").rglob("*.json")):
            body = json.loads(path.read_bytes())["epic"]
            found[body["id"]] = body.get("tasks", [])
        return found

    def all_tasks(self) -> list[tuple[str, str]]:
        """The tasks in the files, with their epics."""
        return [(epic, task["id"]) for epic, tasks in self._epics().items() for task in tasks]

    def _task(self) -> tuple[str, str] | None:
        found = self.all_tasks()
        return self.pick(found) if found else None

    def _word(self) -> str:
        return f"{self.values.choice(WORDS)} {self.values.randrange(9)}"

    def _epic(self) -> str | None:
        epics = sorted(self._epics())
        return self.pick(epics) if epics else None

    def _field(self, _side: str) -> Step | None:
        epic, name = self._epic(), self.chance.choice(EPIC_TEXTS)
        gone = name != "name" and self.chance.random() < 0.2
        return Put(epic, ("epic", name), None if gone else self._word()) if epic else None

    def _task_field(self, _side: str) -> Step | None:
        task, name = self._task(), self.chance.choice((*TASK_TEXTS, "estimate_minutes", "story_points"))
        if not task:
            return None
        number = name in ("estimate_minutes", "story_points")
        gone = name != "title" and self.chance.random() < 0.2
        value = None if gone else self.values.randrange(1, 9) if number else self._word()
        return Put(task[0], ("epic", "tasks", task[1], name), value)

    def _nested(self, _side: str) -> Step | None:
        epic, task = self._epic(), self._task()
        place = self.chance.choice((("quality_gates",), ("deep", "er"), ("quality_gates", "list")))
        if not epic or not task:
            return None
        value = self.chance.choice(({"a": self._word()}, {"b": self._word(), "c": 1}, self._word()))
        inside = ("epic", "tasks", task[1], "deep") if self.chance.random() < 0.3 else ("epic", *place[:1])
        return Put(task[0] if "tasks" in inside else epic, inside, value)

    def _beside(self, _side: str) -> Step | None:
        epic = self._epic()
        return Put(epic, ("_metadata",), {"by": self.values.randrange(9), "at": self._word()}) if epic else None

    def _list(self, _side: str) -> Step | None:
        epic, name = self._epic(), self.chance.choice(("goals", "labels", "checklist_epic_level"))
        if not epic:
            return None
        if name == "checklist_epic_level":
            numbers = self.values.sample(range(1, 5), 2)
            ids: list[Any] = numbers if "numbers" in self.features else [str(number) for number in numbers]
            return Put(epic, ("epic", name), [{"id": key, "text": self._word()} for key in ids])
        return Put(epic, ("epic", name), self.values.sample(WORDS, 3))

    def _add_task(self, side: str) -> Step | None:
        epic = self._epic()
        key = f"{side[0]}{self.own.randrange(10**6)}"
        if not epic:
            return None
        new = {"id": key, "title": self._word(), "estimate_minutes": 7}
        task = self._task()
        if "links" in self.features and task and self.chance.random() < 0.4:
            new["dependencies"] = [task[1]]
        return Put(epic, ("epic", "tasks", key), new)

    def _drop_task(self, _side: str) -> Step | None:
        task = self._task()
        if task and self.chance.random() < 0.5:
            return Sql(
                f"UPDATE framework_tasks SET status = 'deleted', deleted_at = '2026-01-01' WHERE task_key = '{task[1]}'"
            )
        return Put(task[0], ("epic", "tasks", task[1]), None) if task else None

    def _drop_epic(self, _side: str) -> Step | None:
        epics = sorted(self._epics())
        return Put(self.pick(epics), (), None) if len(epics) > 3 else None

    def _document_column(self, _side: str) -> Step | None:
        table, key, names = self.chance.choice(
            (("framework_epics", "epic_key", EPIC_COLUMNS), ("framework_tasks", "task_key", TASK_COLUMNS))
        )
        there = [column for column in self.columns(table) if column.name in names]
        found = self.ask(f"SELECT {key} FROM {table} WHERE deleted_at IS NULL ORDER BY 1")
        if not found:
            return None
        column = self.pick(there)
        value = self.values.randrange(9) if "INT" in column.kind else self._word()
        return Sql(f"UPDATE {table} SET {column.name} = {literal(value)} WHERE {key} = {literal(self.pick(found)[0])}")

    def _move(self, _side: str) -> Step | None:
        task, epic = self._task(), self._epic()
        return Move(task[1], epic) if task and epic and epic != task[0] else None

    def _rename(self, side: str) -> Step | None:
        """An epic or a task gets another id, in its file."""
        new = f"{side[0]}r{self.own.randrange(10**6)}"
        if self.chance.random() < 0.5:
            epic = self._epic()
            return Put(epic, ("epic", "id"), new, ("epic", epic, new)) if epic else None
        task = self._task()
        return Put(task[0], ("epic", "tasks", task[1], "id"), new, ("task", task[1], new)) if task else None

    # Asking

    def pick(self, of: list[Any]) -> Any:
        return of[self.chance.randrange(len(of))]

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.root / "framework.db")) as database:
            return database.execute(query, values).fetchall()
