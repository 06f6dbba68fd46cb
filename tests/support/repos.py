"""A driver for epic repos: runs commands as a user would, edits both sides as others would, compares all bytes."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from epicvc.cli.edge import run_application
from epicvc.repo.home import stores
from epicvc.store.store import Store
from support.guard import ROOT

#: A file's path below the files directory, to its bytes.
Files = dict[str, bytes]


@dataclass(frozen=True)
class Result:
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str

    @property
    def value(self) -> Any:
        """The one JSON value on stdout."""
        lines = self.out.splitlines()
        assert len(lines) == 1, self
        return json.loads(lines[0])


@dataclass(frozen=True)
class Everything:
    """All bytes and rows that a command could have changed, and the store's refs and operations."""

    files: Files
    times: dict[str, int]
    dump: tuple[str, ...]
    config: bytes | None
    refs: dict[str, str]
    operations: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """Places in a data set, so that one test can run on several.

    Attributes:
        epic: an epic with a file; its path and four of its tasks in order follow.
        other: another epic with a file.
        own: epics that only the database has at first.
        own_task: a task of the first of these epics, assigned to a user and not completed.
        user: that user's id.
        view: a view that may be dropped.
        table: an unmapped table that may be dropped, with an integer primary key.
        row: the key of one of that table's rows; one of its columns follows.
        extra: a label of a field that only files have; none in some data sets.
    """

    name: str
    epic: str
    path: str
    tasks: tuple[str, ...]
    other: str
    other_path: str
    own: tuple[str, ...]
    own_task: str
    paths: dict[str, str] = field(default_factory=dict)
    view: str = ""
    table: str = ""
    row: str = ""
    column: str = ""


NO_FACTS = Facts("", "", "", (), "", "", (), "")
"""The facts of a repo whose test knows its places itself."""


class EpicRepo:
    """A directory with epics and a database, in which commands are run."""

    def __init__(self, root: Path, facts: Facts) -> None:
        self.root = root
        self.facts = replace(facts, paths=dict(facts.paths))  # a copy, since a test may add to it
        self.directory = root / "epics"
        self.database = root / "framework.db"
        self._dumps: dict[bytes, list[str]] = {}

    # Running

    def run(self, *arguments: str) -> Result:
        """Run a command in this process."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.chdir(self.root):
            code = run_application(arguments)
        return Result(code, out.getvalue(), err.getvalue())

    def ok(self, *arguments: str) -> Result:
        """Run a command that must succeed."""
        result = self.run(*arguments)
        assert result.code == 0, (arguments, result)
        return result

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run a command with ``--json``, and return its answer."""
        result = self.run(*arguments, "--json")
        assert result.code == code, (arguments, result)
        assert result.err == "", result.err
        return result.value

    def process(self, *arguments: str, **environment: str) -> Result:
        """Run a command in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "epicvc", *arguments],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def refused(self, code: int, *arguments: str, naming: str = "") -> str:
        """Run a command that must fail with a code, say so once in both ways, and write nothing.

        Returns its message.
        """
        before = self.everything()
        said = self.run(*arguments)
        assert said.code == code, (arguments, said)
        assert said.out == "", said.out
        first, *rest = said.err.splitlines()
        assert first.startswith("epicvc: "), said.err
        assert len(rest) <= 1, said.err
        assert all(line.startswith("  hint: ") for line in rest), said.err
        assert "Traceback" not in said.err
        assert naming in first, said.err
        answer = self.run(*arguments, "--json")
        assert answer.code == code
        assert answer.err == ""
        value = answer.value
        assert sorted(value) == ["error", "exit", "format", "message"], value
        assert value["format"] == "epicvc.error/1"
        assert value["exit"] == code
        assert value["error"] != "bug"
        assert naming in value["message"]
        assert self.everything() == before
        return str(value["message"])

    def held_up(self, *arguments: str, naming: str = "") -> str:
        """Run a command that must do what it can and end with 4, since something cannot be read.

        Returns the first message that has ``naming`` in it.
        """
        said = self.run(*arguments)
        assert said.code == 4, (arguments, said)
        *lines, hint = said.err.splitlines()
        assert lines, said.err
        assert all(line.startswith("epicvc: ") for line in lines), said.err
        assert hint.startswith("  hint: "), said.err
        value = self.json(*arguments, code=4)
        assert [error["message"] for error in value["errors"]] == [line.removeprefix("epicvc: ") for line in lines]
        assert any(naming in line for line in lines), said.err
        return next(line.removeprefix("epicvc: ") for line in lines if naming in line)

    def misused(self, *arguments: str) -> None:
        """Run a command line that cannot be meant.

        It must exit with 2, name the usage on stderr, and write nothing.
        """
        with self.unchanged():
            said = self.run(*arguments)
            answer = self.run(*arguments, "--json")
        assert (said.code, said.out, answer.code, answer.err) == (2, "", 2, "")
        first, hint = said.err.splitlines()
        assert first.startswith("epicvc: ")
        assert hint.startswith("  hint: see `epicvc")
        assert (answer.value["error"], answer.value["exit"]) == ("usage", 2)

    @contextlib.contextmanager
    def unchanged(self) -> Iterator[None]:
        """Require that the code inside writes nothing at all."""
        before = self.everything()
        yield
        assert self.everything() == before

    # Files

    def files(self) -> Files:
        """Return every file of the files side."""
        return {
            path.relative_to(self.directory).as_posix(): path.read_bytes()
            for path in sorted(self.directory.rglob("*"))
            if path.is_file()
        }

    def read(self, epic: str) -> Any:
        """Return the value of an epic's file."""
        return json.loads(self.path(epic).read_bytes())

    def body(self, epic: str) -> Any:
        """Return the object with an epic's own fields, as its file has it."""
        value = self.read(epic)
        return value.get("epic", value)

    def file_task(self, epic: str, key: str) -> Any:
        """Return a task as the file has it; ``None`` where it is not there."""
        return next((task for task in self.body(epic)["tasks"] if task["id"] == key), None)

    def path(self, epic: str) -> Path:
        """Return the path of an epic's file."""
        if epic in self.facts.paths:
            return self.directory / self.facts.paths[epic]
        for path in sorted(self.directory.rglob("*.json")):
            value = json.loads(path.read_bytes())
            if str(value.get("epic", value)["id"]) == epic:
                return path
        raise AssertionError(f"no file of epic {epic}")

    def edit(self, epic: str, old: str, new: str) -> None:
        """Replace one text in an epic's file, as an author would."""
        path = self.path(epic)
        text = path.read_bytes().decode()
        assert text.count(old) == 1, (text.count(old), old)
        path.write_bytes(text.replace(old, new).encode())

    def rewrite(self, epic: str, change: Any) -> None:
        """Change an epic's parsed file and write it back with two spaces of indentation."""
        value = self.read(epic)
        change(value.get("epic", value))
        self.path(epic).write_text(json.dumps(value, indent=2, ensure_ascii=False), encoding="utf-8")

    # Database

    def sql(self, query: str, *parameters: Any, foreign_keys: bool = False) -> list[tuple[Any, ...]]:
        """Run a statement as the application does, and commit."""
        connection = sqlite3.connect(self.database)
        try:
            connection.execute(f"PRAGMA foreign_keys={int(foreign_keys)}")
            with connection:
                return connection.execute(query, parameters).fetchall()
        finally:
            connection.close()

    def one(self, query: str, *parameters: Any) -> Any:
        """Return the one value of a query."""
        ((value,),) = self.sql(query, *parameters)
        return value

    def row(self, table: str, condition: str, *parameters: Any) -> dict[str, Any]:
        """Return the one row of a table that fulfils a condition."""
        connection = sqlite3.connect(self.database)
        connection.row_factory = sqlite3.Row
        try:
            (found,) = connection.execute(f"SELECT * FROM {table} WHERE {condition}", parameters).fetchall()
        finally:
            connection.close()
        return dict(found)

    def epic_row(self, epic: str) -> dict[str, Any]:
        """Return an epic's row."""
        return self.row("framework_epics", "epic_key = ?", epic)

    def task_row(self, key: str) -> dict[str, Any]:
        """Return a task's row."""
        return self.row("framework_tasks", "task_key = ?", key)

    def task_order(self, epic: str) -> list[str]:
        """Return the keys of an epic's living tasks in the application's order."""
        query = (
            "SELECT task_key FROM framework_tasks WHERE epic_id = (SELECT id FROM framework_epics WHERE epic_key = ?) "
            "AND deleted_at IS NULL ORDER BY task_sequence, task_key"
        )
        return [key for (key,) in self.sql(query, epic)]

    def dump(self) -> list[str]:
        """Return the database as sorted SQL, without what epicvc keeps there for itself."""
        if not self.database.is_file():
            return ["there is no database"]
        digest = hashlib.sha256(self.database.read_bytes())
        log = self.database.with_name(self.database.name + "-wal")
        digest.update(log.read_bytes() if log.is_file() else b"")
        if digest.digest() not in self._dumps:  # equal bytes have equal dumps
            self._dumps[digest.digest()] = self._dump()
        return self._dumps[digest.digest()]

    def _dump(self) -> list[str]:
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        try:
            lines = [line for line in connection.iterdump() if "_epicvc_" not in line]
            lines += [
                f"{name} = {connection.execute(f'PRAGMA {name}').fetchone()}"
                for name in ("user_version", "application_id", "journal_mode")
            ]
        except sqlite3.DatabaseError as error:
            lines = [str(error), self.database.read_bytes().hex()]
        finally:
            connection.close()
        return sorted(lines)

    # Everything

    def store(self) -> Store:
        """Open the store."""
        return Store.open(self.root / ".epicvc" / "store.db")

    def everything(self) -> Everything:
        """Return all that must stay as it is when a command fails or only looks."""
        times = {
            path.relative_to(self.directory).as_posix(): path.lstat().st_mtime_ns
            for path in sorted(self.directory.rglob("*"))
        }
        config = self.root / "epicvc.toml"
        refs: dict[str, str] = {}
        operations: tuple[str, ...] = ()
        if (self.root / ".epicvc" / "store.db").exists():
            with self.store() as store:
                refs = store.refs()
                operations = tuple(operation.id for operation in store.operations())
                assert store.pending() is None
        return Everything(
            self.files(), times, tuple(self.dump()), config.read_bytes() if config.exists() else None, refs, operations
        )

    def head(self) -> str:
        """Return the commit at HEAD."""
        return str(self.json("status")["head"])

    def copy_to(self, root: Path) -> EpicRepo:
        """Copy the repo to another place."""
        shutil.copytree(self.root, root, ignore=shutil.ignore_patterns("*.db-shm", "lock"))
        list_store(root)
        return EpicRepo(root, self.facts)


def list_store(root: Path) -> None:
    """Put the store of a copy, where it has one, on the list of the running test, as if it had been made there."""
    path = root / ".epicvc" / "store.db"
    if not path.exists():
        return
    # not by Store.open, since some tests damage the store
    with contextlib.closing(sqlite3.connect(path)) as connection:
        ((store_id,),) = connection.execute("SELECT value FROM meta WHERE key = 'repo_id'")
    list_place(root, store_id)


def list_place(root: Path, store_id: str = "0" * 32) -> None:
    """Put a place on the list of the running test, without the lock and the syncs that a user's list gets."""
    target = Path(stores.directory(os.environ), stores.FILE)
    line = f" {os.path.realpath(root)}\n".encode()
    known = target.read_bytes() if target.exists() else b"epicvc.stores/1\n"
    kept = [other for other in known.splitlines(keepends=True) if not other.endswith(line)]
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    staged = target.with_name(f"{target.name}.{os.getpid()}")
    staged.write_bytes(b"".join(kept) + store_id.encode() + line)
    staged.replace(target)  # other processes may read it meanwhile


def lines_changed(before: bytes, after: bytes) -> list[str]:
    """Return the removed and added lines between two files, as ``difflib`` marks them."""
    import difflib

    found = difflib.ndiff(before.decode().splitlines(keepends=True), after.decode().splitlines(keepends=True))
    return [line for line in found if line[:2] in ("- ", "+ ")]
