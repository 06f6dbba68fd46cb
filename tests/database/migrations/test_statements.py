"""Text into statements: what ends one, what does not, and that nothing is lost on the way."""

from __future__ import annotations

import re
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.database.migrations.rules import enforces_foreign_keys, objection, switches_foreign_keys
from epicvc.database.migrations.statements import UnreadableSQL, normalised, split

TRIGGER = """CREATE TRIGGER IF NOT EXISTS t AFTER UPDATE ON a
BEGIN
    UPDATE a SET x = CASE WHEN x > 1 THEN 1 ELSE 0 END; -- not the END; of it
    INSERT INTO log VALUES ('; END;');
END;"""


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1;",
        "INSERT INTO t VALUES ('it''s; here');",
        'CREATE TABLE "a;b" (x);',
        "CREATE TABLE `a;b` (x);",
        "CREATE TABLE [a;b] (x);",
        "SELECT 1 /* ; */ + 2;",
        "SELECT 1 -- ;\n + 2;",
        TRIGGER,
        TRIGGER.replace("CREATE", "create temp"),
        TRIGGER.replace("CREATE", "CREATE /* a; */ TEMPORARY -- b;\n"),
        "CREATE TABLE begin_end (x);",
        "CREATE TABLE t (\ntrigger TEXT);",
        "SELECT '--', \"/*\", 1;",
        "SELECT 'ünï;ço de 🎯';",
    ],
)
def test_a_statement_stays_whole(statement: str) -> None:
    found = split(f"SELECT 0;\n{statement}\nSELECT 2;")
    assert [item.sql for item in found] == ["SELECT 0;", statement, "SELECT 2;"]
    assert [item.line for item in found] == [1, 2, 3 + statement.count("\n")]


def test_comments_and_empty_statements_are_none() -> None:
    assert split("-- only a comment; nothing\n/* ; */ ;; \n\t;") == []


def test_the_last_statement_need_not_end() -> None:
    assert [item.sql for item in split("SELECT 1;\nSELECT 2 \n -- end;\n")] == ["SELECT 1;", "SELECT 2"]
    assert split("SELECT 2  ")[0].sql == "SELECT 2"
    assert split(TRIGGER.removesuffix(";"))[0].words[:2] == ("CREATE", "TRIGGER")


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("SELECT 1;\nSELECT 'abc;\n", 2, "string"),
        ('\n\nSELECT "abc;', 3, "quoted name"),
        ("SELECT [abc;", 1, "quoted name"),
        ("SELECT 1;\n/* never", 2, "comment"),
        ("SELECT 1;\n" + TRIGGER.removesuffix("END;"), 2, "END"),
    ],
)
def test_text_that_never_ends_is_named_with_its_line(text: str, line: int, what: str) -> None:
    with pytest.raises(UnreadableSQL, match=what) as raised:
        split(text)
    assert raised.value.line == line


def test_a_long_text_is_read_once() -> None:
    """Counting lines anew for each statement would take minutes here."""
    found = split("INSERT INTO t VALUES (1,\n 'x');\n" * 50_000)
    assert found[-1].line == 99_999


PIECES = st.sampled_from(
    ["SELECT ", "'a;b'", '"c;d"', "[e;f]", "`g;`", "-- x;\n", "/* y; */", ";", "\n", " ", "CASE END", "a", "=", "1"]
)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_every_statement_is_one_to_sqlite(text: str) -> None:
    """Put together again nothing but comments, blanks and empty statements is missing, and each is complete."""
    found = split(text)
    for item in found:
        if item.sql.endswith(";"):
            assert sqlite3.complete_statement(item.sql)
    kept = normalised("".join(f"{item.sql}\n" for item in found)).replace(";", "").split()
    assert kept == normalised(text).replace(";", "").split()


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("BEGIN;", "transaction"),
        ("commit", "transaction"),
        ("END TRANSACTION;", "transaction"),
        ("ROLLBACK;", "transaction"),
        ("SAVEPOINT a;", "transaction"),
        ("RELEASE a;", "transaction"),
        ("/* hidden */ COMMIT;", "transaction"),
        ("ATTACH 'x.db' AS x;", "another one"),
        ("DETACH x;", "another one"),
        ("VACUUM INTO 'x.db';", "in a transaction"),
        ("PRAGMA journal_mode=WAL;", "journal_mode"),
        ("PRAGMA writable_schema=ON;", "writable_schema"),
        ("PRAGMA main . writable_schema=ON;", "writable_schema"),
        ("PRAGMA other.user_version=1;", "refused"),
        ('PRAGMA "foreign_keys"=OFF;', "refused"),
        ("PRAGMA foreign_keys;", "ON or OFF"),
        ("INSERT INTO t VALUES (?);", r"\?"),
        ("INSERT INTO t VALUES (:name);", ":name"),
        ("INSERT INTO t VALUES (@name);", "@name"),
        ("INSERT INTO t VALUES ($name);", r"\$name"),
    ],
)
def test_what_would_break_the_promise_is_refused(statement: str, what: str) -> None:
    (found,) = split(statement)
    reason = objection(found)
    assert reason is not None
    assert re.search(what, reason)


@pytest.mark.parametrize(
    "statement",
    [
        "PRAGMA user_version=5;",
        "PRAGMA main.application_id=5;",
        "PRAGMA defer_foreign_keys=ON;",
        "PRAGMA legacy_alter_table=ON;",
        "PRAGMA foreign_keys=OFF;",
        "EXPLAIN COMMIT;",
        "CREATE TABLE begin_ (x);",
        "SELECT 'BEGIN; ?';",
        "ANALYZE;",
    ],
)
def test_what_keeps_it_is_allowed(statement: str) -> None:
    (found,) = split(statement)
    assert objection(found) is None


@pytest.mark.parametrize(
    ("statement", "wanted"),
    [
        ("PRAGMA foreign_keys=OFF;", False),
        ("pragma foreign_keys = 0", False),
        ("PRAGMA foreign_keys(no);", False),
        ("PRAGMA /* x */ main.foreign_keys=on;", True),
        ("PRAGMA user_version=1;", None),
        ("SELECT 'PRAGMA foreign_keys=OFF';", None),
    ],
)
def test_switching_foreign_keys(statement: str, wanted: bool | None) -> None:
    assert switches_foreign_keys(split(statement)[0]) is wanted


def test_foreign_keys_are_off_where_a_table_is_rebuilt() -> None:
    assert enforces_foreign_keys(split("ALTER TABLE a ADD COLUMN b; DELETE FROM c; PRAGMA foreign_keys=ON;"))
    assert not enforces_foreign_keys(split("CREATE TABLE n (x); DROP TABLE a;"))
    assert not enforces_foreign_keys(split("PRAGMA foreign_keys=OFF; DELETE FROM c;"))
