"""Where clients write, and where it must be found again.

A place is written by reading, changing and writing back, as applications and authors do: whoever overwrites a state
that he has not seen makes a token disappear. Some places belong to one side, some to both.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]


def task_of(body: Document, key: str) -> Document:
    """A task of an epic."""
    return next(task for task in body["tasks"] if task["id"] == key)


def _append(body: Document, field: str, token: str) -> None:
    body[field] = [*body.get(field, []), token]


def _raise_estimate(body: Document, _: str) -> None:
    task_of(body, "1.2")["estimate_minutes"] += 1


def _append_note(body: Document, token: str) -> None:
    body["owner_notes"]["log"] = [*body["owner_notes"].get("log", []), token]


def _add_task(body: Document, token: str) -> None:
    body["tasks"].append({"id": token, "title": f"Task {token}", "estimate_minutes": 7})


@dataclass(frozen=True)
class FilePlace:
    """A place that authors write.

    Attributes:
        epic: whose file.
        write: put a token into the epic's own object.
        shared: whether the database has it too.
    """

    epic: str
    write: Callable[[Document, str], None]
    shared: bool = True


FILE_PLACES: dict[str, FilePlace] = {
    "file name": FilePlace("3", lambda body, token: body.update(name=f"{body['name']} {token}")),
    "file goals": FilePlace("4", lambda body, token: _append(body, "goals", token)),
    "labels": FilePlace("1", lambda body, token: _append(body, "labels", token)),
    "both goals": FilePlace("2", lambda body, token: _append(body, "goals", token)),
    "file estimate": FilePlace("1", _raise_estimate),
    "file notes": FilePlace("5", _append_note, shared=False),
    "file tasks": FilePlace("6", _add_task),
}


def _append_json(column: str, epic: str) -> Callable[[sqlite3.Connection, str], None]:
    def write(connection: sqlite3.Connection, token: str) -> None:
        ((text,),) = connection.execute(f"SELECT {column} FROM framework_epics WHERE epic_key = ?", (epic,))
        value = json.dumps([*(json.loads(text) if text else []), token])
        connection.execute(f"UPDATE framework_epics SET {column} = ? WHERE epic_key = ?", (value, epic))

    return write


def _append_text(connection: sqlite3.Connection, token: str) -> None:
    ((text,),) = connection.execute("SELECT summary FROM framework_epics WHERE epic_key = 'OWN_1'")
    connection.execute(
        "UPDATE framework_epics SET summary = ? WHERE epic_key = 'OWN_1'", (f"{text} {token}" if text else token,)
    )


def _raise_points(connection: sqlite3.Connection, _: str) -> None:
    ((points,),) = connection.execute("SELECT story_points FROM framework_tasks WHERE task_key = '3.1'")
    connection.execute("UPDATE framework_tasks SET story_points = ? WHERE task_key = '3.1'", (points + 1,))


def _raise_total(connection: sqlite3.Connection, _: str) -> None:
    ((points,),) = connection.execute("SELECT total_points FROM framework_users WHERE id = 1")
    connection.execute("UPDATE framework_users SET total_points = ? WHERE id = 1", (points + 1,))


def _insert_note(connection: sqlite3.Connection, token: str) -> None:
    connection.execute("INSERT INTO audit_notes VALUES (?, 1)", (token,))


def _append_setting(connection: sqlite3.Connection, token: str) -> None:
    connection.execute("UPDATE settings SET value = value || ' ' || ? WHERE category = 'sync'", (token,))


def _insert_task(connection: sqlite3.Connection, token: str) -> None:
    connection.execute(
        "INSERT INTO framework_tasks (task_key, epic_id, title, estimate_minutes) "
        "SELECT ?, id, ?, 9 FROM framework_epics WHERE epic_key = 'OWN_2'",
        (token, f"Task {token}"),
    )


def _rename(connection: sqlite3.Connection, token: str) -> None:
    connection.execute("UPDATE framework_epics SET name = ? WHERE epic_key = '77'", (token,))


@dataclass(frozen=True)
class RowPlace:
    """A place that the application writes.

    Attributes:
        write: put a token there, in a transaction that is open.
        shared: whether files have it too.
        kept: whether tokens have to be found again.
    """

    write: Callable[[sqlite3.Connection, str], None]
    shared: bool = True
    kept: bool = True


ROW_PLACES: dict[str, RowPlace] = {
    "row summary": RowPlace(_append_text),
    "labels": RowPlace(_append_json("labels", "1")),
    "both goals": RowPlace(_append_json("goals", "2")),
    "row points": RowPlace(_raise_points),
    "row tasks": RowPlace(_insert_task),
    "row total": RowPlace(_raise_total, shared=False),
    "row notes": RowPlace(_insert_note, shared=False),
    "row setting": RowPlace(_append_setting, shared=False),
    # Who saves a file without a lock takes back what was pulled since it was read: only its rewriting matters here.
    "row name by hand": RowPlace(_rename, kept=False),
}

#: Epics in files with their own object, by epic: what a reader of a place looks at.
FILE_READERS: dict[str, Callable[[dict[str, Document]], list[str] | int]] = {
    "file name": lambda epics: epics["3"]["name"].split(),
    "file goals": lambda epics: epics["4"]["goals"],
    "labels": lambda epics: epics["1"]["labels"],
    "both goals": lambda epics: epics["2"]["goals"],
    "file estimate": lambda epics: task_of(epics["1"], "1.2")["estimate_minutes"] - 60,
    "file notes": lambda epics: epics["5"]["owner_notes"].get("log", []),
    "file tasks": lambda epics: [task["id"] for task in epics["6"]["tasks"]],
    "row summary": lambda epics: epics["OWN_1"].get("summary", "").split(),
    "row points": lambda epics: task_of(epics["3"], "3.1")["story_points"] - 5,
    "row tasks": lambda epics: [task["id"] for task in epics["OWN_2"]["tasks"]],
}


def _epic(connection: sqlite3.Connection, column: str, epic: str) -> Any:
    return connection.execute(f"SELECT {column} FROM framework_epics WHERE epic_key = ?", (epic,)).fetchone()[0]


def _task(connection: sqlite3.Connection, column: str, task: str) -> Any:
    return connection.execute(f"SELECT {column} FROM framework_tasks WHERE task_key = ?", (task,)).fetchone()[0]


def _tasks(connection: sqlite3.Connection, epic: str) -> list[str]:
    query = (
        "SELECT task_key FROM framework_tasks t JOIN framework_epics e ON e.id = t.epic_id "
        "WHERE epic_key = ? AND t.deleted_at IS NULL"
    )
    return [key for (key,) in connection.execute(query, (epic,))]


ROW_READERS: dict[str, Callable[[sqlite3.Connection], list[str] | int]] = {
    "file name": lambda db: _epic(db, "name", "3").split(),
    "file goals": lambda db: json.loads(_epic(db, "goals", "4")),
    "labels": lambda db: json.loads(_epic(db, "labels", "1")),
    "both goals": lambda db: json.loads(_epic(db, "goals", "2")),
    "file estimate": lambda db: int(_task(db, "estimate_minutes", "1.2")) - 60,
    "file tasks": lambda db: _tasks(db, "6"),
    "row summary": lambda db: (_epic(db, "summary", "OWN_1") or "").split(),
    "row points": lambda db: int(_task(db, "story_points", "3.1")) - 5,
    "row tasks": lambda db: _tasks(db, "OWN_2"),
    "row total": lambda db: int(db.execute("SELECT total_points FROM framework_users WHERE id = 1").fetchone()[0]) - 45,
    "row notes": lambda db: [str(note) for (note,) in db.execute("SELECT note FROM audit_notes")],
    "row setting": lambda db: db.execute("SELECT value FROM settings WHERE category = 'sync'").fetchone()[0].split(),
}
