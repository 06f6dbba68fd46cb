"""A directory with epics and a database and no epic repo in sight, where the faces' tests work."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from support.database import make_database
from support.epics import write_epics

FILES = Path("epics/user_epics")


def make_place(root: Path) -> None:
    """Six epics in files, three others in ``framework.db``."""
    write_epics(root / FILES)
    make_database(root / "framework.db")


def sql(query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Run a statement as the application does, and commit."""
    with closing(sqlite3.connect("framework.db")) as connection, connection:
        return connection.execute(query, parameters).fetchall()


def epic_name(epic: str) -> str:
    """The name that the database has."""
    ((name,),) = sql("SELECT name FROM framework_epics WHERE epic_key = ?", epic)
    return str(name)


def edit(file: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change an epic's file."""
    path = FILES / file
    value = json.loads(path.read_bytes())
    change(value.get("epic", value))
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False), encoding="utf-8")


def rename(file: str, name: str) -> None:
    """Give a file's epic another name."""
    edit(file, lambda body: body.update(name=name))


def name_in(file: str) -> str:
    """The name that a file has."""
    value = json.loads((FILES / file).read_bytes())
    return str(value.get("epic", value)["name"])


def files() -> dict[str, bytes]:
    """All files of epics, byte for byte."""
    return {str(path.relative_to(FILES)): path.read_bytes() for path in sorted(FILES.rglob("*.json"))}


def rows() -> list[str]:
    """The application's rows, and nothing of epicvc's own."""
    with closing(sqlite3.connect("framework.db")) as connection:
        return sorted(line for line in connection.iterdump() if "_epicvc_" not in line)
