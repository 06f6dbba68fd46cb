"""JSON functions work in every kind of definition; what SQLite does not call harmless otherwise does not."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from epicvc.database.sqlite.backend import SQLiteBackend
from epicvc.database.sqlite.connection import empty_copy
from epicvc.errors import InvalidData, UnsupportedSchema

from .helpers import Capture, capture, restore, run_script, sqlite_backend

JSON = """
    CREATE TABLE checked (id INTEGER PRIMARY KEY, d TEXT NOT NULL CHECK (JSON_VALID(d) OR d IS NULL));
    CREATE TABLE made (d TEXT, s TEXT AS (json_extract(d, '$.x')) STORED, v TEXT AS (d ->> '$.x') VIRTUAL);
    CREATE INDEX made_v ON made (v); CREATE UNIQUE INDEX made_e ON made (json_extract(d, '$.x'), json_type(d));
    CREATE TABLE given (id INTEGER PRIMARY KEY, d TEXT DEFAULT (json_array(1, 2)));
    CREATE VIEW seen AS SELECT id, json_extract(d, '$.x') AS x, json_quote(d) AS q FROM checked;
    CREATE VIEW parts AS SELECT checked.id, value FROM checked, json_each(checked.d);
    CREATE TRIGGER counts AFTER INSERT ON checked BEGIN
      INSERT INTO given (d) SELECT json_group_array(value) FROM json_each(NEW.d); END;
    INSERT INTO checked VALUES (1, '{"x": 5}'); INSERT INTO made (d) VALUES ('{"x": "é"}');
"""


def test_json_functions_in_every_kind_of_definition_come_back(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    backend = sqlite_backend(path, JSON)
    target = capture(backend)
    copy = sqlite_backend(tmp_path / "copy.db")
    restore(copy, target)
    assert capture(copy) == target
    run_script(path, "DELETE FROM made; DELETE FROM checked; DROP TABLE given; DROP VIEW seen")
    restore(backend, target)
    assert capture(backend) == target
    with closing(sqlite3.connect(path)) as application:
        application.execute("INSERT INTO checked VALUES (2, '[7]')")
        assert application.execute("SELECT d FROM given ORDER BY id DESC LIMIT 1").fetchone() == ("[7]",)
        assert application.execute("SELECT s FROM made WHERE v = 'é'").fetchall() == [("é",)]
        assert application.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        with pytest.raises(sqlite3.IntegrityError):
            application.execute("INSERT INTO checked VALUES (3, 'no json')")


def test_a_view_of_json_can_be_read(tmp_path: Path) -> None:
    backend = sqlite_backend(tmp_path / "t.db", JSON)
    with backend.read() as reader:
        assert list(reader.execute("SELECT x FROM seen")) == [(5,)]
        assert list(reader.execute("SELECT value FROM parts")) == [(5,)]


HOSTILE = {
    "a function of an index": "SELECT rtreecheck('main', 'x') AS a",
    "the same in another case": "SELECT RTreeCheck('main') AS a",
    "a function of a module": "SELECT fts5_source_id() AS a",
    "a pragma": "SELECT integrity_check AS a FROM pragma_integrity_check",
    "a pragma of which nothing is wanted": "SELECT 1 AS a FROM pragma_quick_check",
    "a pragma further in": "SELECT EXISTS (SELECT 1 FROM Pragma_Quick_Check) AS a",
    "the statements": "SELECT sql AS a FROM sqlite_stmt",
    "the statements, of which nothing is wanted": "SELECT count(*) AS a FROM main.SQLite_Stmt",
}


def _turns_trust_on() -> bool:
    """Whether this SQLite does not call its JSON functions harmless. What others bar is their own affair."""
    with closing(empty_copy()) as connection:
        return bool(connection.execute("PRAGMA trusted_schema").fetchone()[0])


needs_trust = pytest.mark.skipif(not _turns_trust_on(), reason="this SQLite calls its JSON functions harmless")


@needs_trust
@pytest.mark.parametrize("query", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_view_that_names_json_gets_nothing_else_through(tmp_path: Path, query: str) -> None:
    script = f"CREATE TABLE t (d CHECK (json_valid(d))); CREATE VIEW v AS {query}; CREATE VIEW w AS SELECT a FROM v"
    backend = sqlite_backend(tmp_path / "t.db", script)
    for view in ("v", "w"):
        with backend.read() as reader, pytest.raises(InvalidData, match=r"unsafe|prohibited|authorized|user-defined"):
            list(reader.execute(f"SELECT a FROM {view}"))


@needs_trust
def test_a_definition_gets_nothing_else_through(tmp_path: Path) -> None:
    script = "CREATE TABLE t (d CHECK (json_valid(d))); CREATE INDEX i ON t (hex(d));"
    backend = sqlite_backend(tmp_path / "t.db", script)
    target = capture(backend)
    for text in ("load_extension(d)", "fts5_source_id()", "fts3_tokenizer(d)", "rtreedepth(d)"):
        wrong = target.schema.to_json_bytes().replace(b"hex(d)", text.encode())
        with pytest.raises(InvalidData):
            restore(
                sqlite_backend(tmp_path / f"{text[:4]}.db"),
                Capture(type(target.schema).from_json_bytes(wrong), dict(target.rows)),
            )


@needs_trust
def test_functions_that_are_not_harmless_fail_when_they_are_called() -> None:
    """Also where SQLite has them run by whom it trusts."""
    with closing(empty_copy()) as connection:
        for call in ("rtreecheck('main', 'x')", "optimize(1)", "matchinfo(1)", "bm25(1)", "fts5(1)"):
            with pytest.raises(sqlite3.OperationalError, match="user-defined"):
                connection.execute(f"SELECT {call}").fetchall()


UNMAKEABLE = {
    "a check": ("t", "CREATE TABLE t (d CHECK (own(d)))"),
    "a generated column": ("t", "CREATE TABLE t (d, e AS (own(d)))"),
    "an index": ("t", "CREATE TABLE t (d); CREATE INDEX i ON t (own(d))"),
}


@pytest.mark.parametrize(("table", "script"), UNMAKEABLE.values(), ids=UNMAKEABLE.keys())
def test_what_could_not_be_made_again_is_found_at_the_rehearsal(tmp_path: Path, table: str, script: str) -> None:
    path = tmp_path / "t.db"
    with closing(sqlite3.connect(path)) as application:
        application.create_function("own", 1, lambda value: 1, deterministic=True)
        application.executescript(script)
    with SQLiteBackend(path).read() as reader, pytest.raises(UnsupportedSchema, match="own") as caught:
        reader.require_restorable()
    ignore = frozenset([table])
    assert f'ignore = ["{table}"]' in (caught.value.hint or "")
    with SQLiteBackend(path, ignore=ignore).read() as reader:
        reader.require_restorable()
