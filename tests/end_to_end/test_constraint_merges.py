"""Merges of rows that each branch could have, and that together break a constraint: refused, naming both places."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing

import pytest
from support.repos import EpicRepo


def _work(repo: EpicRepo, statements: Iterable[str]) -> None:
    for statement in statements:
        repo.sql(statement)
    repo.ok("commit", "--allow-empty", "-m", "work")


def _split(repo: EpicRepo, base: Iterable[str], ours: Iterable[str], theirs: Iterable[str]) -> None:
    """Two branches; the current one is that of ``ours``, the other is called ``theirs``."""
    _work(repo, base)
    repo.ok("switch", "-c", "theirs")
    _work(repo, theirs)
    repo.ok("switch", "main")
    _work(repo, ours)


swapped = pytest.mark.parametrize("swap", [False, True], ids=["as written", "swapped"])


# CHECK

SPAN = "CREATE TABLE span(id INTEGER PRIMARY KEY, a INT, b INT, CHECK (a <= b))"


@swapped
def test_columns_of_one_row_edited_on_each_branch(garden: EpicRepo, swap: bool) -> None:
    edits = ("UPDATE span SET a = 8",), ("UPDATE span SET b = 5",)
    _split(garden, (SPAN, "INSERT INTO span VALUES(1, 1, 10)"), *(reversed(edits) if swap else edits))
    message = garden.refused(4, "merge", "theirs", naming="CHECK constraint failed: a <= b")
    assert "@span/1/a (" in message
    assert "@span/1/b (" in message
    assert garden.sql("SELECT a, b FROM span") == [(1, 5) if swap else (8, 10)]


@swapped
def test_the_columns_that_break_it_are_named(garden: EpicRepo, swap: bool) -> None:
    span = "CREATE TABLE span(k TEXT PRIMARY KEY, note TEXT, a INT, b INT, CHECK (a <= b)) WITHOUT ROWID"
    edits = ("UPDATE span SET note = 'new', a = 8",), ("UPDATE span SET b = 5",)
    _split(garden, (span, "INSERT INTO span VALUES('k', 'old', 1, 10)"), *(reversed(edits) if swap else edits))
    message = garden.refused(4, "merge", "theirs", naming="@span/k/a (")
    assert "@span/k/b (" in message


@swapped
def test_a_check_of_a_computed_column(garden: EpicRepo, swap: bool) -> None:
    span = "CREATE TABLE span(id INTEGER PRIMARY KEY, a INT, b INT, d INT AS (b - a) CHECK (d >= 0))"
    edits = ("UPDATE span SET a = 8",), ("UPDATE span SET b = 5",)
    _split(garden, (span, "INSERT INTO span(id, a, b) VALUES(1, 1, 10)"), *(reversed(edits) if swap else edits))
    garden.refused(4, "merge", "theirs", naming="CHECK constraint failed: d >= 0")


@swapped
def test_a_check_after_answers(garden: EpicRepo, swap: bool) -> None:
    span = "CREATE TABLE span(id INTEGER PRIMARY KEY, note TEXT, a INT, b INT, CHECK (note <> 'low' OR b < 7))"
    edits = ("UPDATE span SET note = 'low', b = 5",), ("UPDATE span SET note = 'high', b = 9",)
    _split(garden, (span, "INSERT INTO span VALUES(1, 'old', 1, 1)"), *(reversed(edits) if swap else edits))
    garden.run("merge", "theirs")
    half = "@span/1/note" if swap else "@span/1/b"
    garden.refused(4, "resolve", half, "--prefer", "theirs", naming="CHECK constraint failed")
    garden.ok("resolve", "--prefer", "theirs")
    garden.ok("merge", "--continue")


@swapped
def test_a_check_that_one_branch_adds(garden: EpicRepo, swap: bool) -> None:
    plain = "CREATE TABLE span(id INTEGER PRIMARY KEY, a INT, b INT)"
    edits = ("INSERT INTO span VALUES(2, 9, 1)",), ("DROP TABLE span", SPAN, "INSERT INTO span VALUES(1, 1, 10)")
    _split(garden, (plain, "INSERT INTO span VALUES(1, 1, 10)"), *(reversed(edits) if swap else edits))
    garden.refused(4, "merge", "theirs", naming="@span/2")


TWO = "CREATE TABLE span(id INTEGER PRIMARY KEY, n INT CHECK (n > 0), a INT, b INT, CHECK (a <= b))"


def _without_checks(repo: EpicRepo, statement: str) -> None:
    """Write as an application that has its constraints off."""
    with closing(sqlite3.connect(repo.database)) as application:
        application.execute("PRAGMA ignore_check_constraints = ON")
        with application:
            application.execute(statement)


@swapped
def test_a_row_that_broke_another_one_before(garden: EpicRepo, swap: bool) -> None:
    garden.sql(TWO)
    _without_checks(garden, "INSERT INTO span VALUES(1, -1, 1, 10)")
    garden.ok("commit", "-m", "broken already")
    edits = "UPDATE span SET a = 8", "UPDATE span SET b = 5"
    ours, theirs = reversed(edits) if swap else edits
    garden.ok("switch", "-c", "theirs")
    _without_checks(garden, theirs)
    garden.ok("commit", "-m", "theirs")
    garden.ok("switch", "main")
    _without_checks(garden, ours)
    garden.ok("commit", "-m", "ours")
    message = garden.refused(4, "merge", "theirs", naming="CHECK constraint failed: a <= b")
    assert "@span/1/a (" in message
    assert "@span/1/b (" in message


def test_revert_and_restore_where_another_one_was_broken_before(garden: EpicRepo) -> None:
    garden.sql(TWO)
    _without_checks(garden, "INSERT INTO span VALUES(1, -1, 7, 10)")
    garden.ok("commit", "-m", "broken already")
    for edit in ("UPDATE span SET a = 1", "UPDATE span SET b = 5"):
        _without_checks(garden, edit)
        garden.ok("commit", "-m", "work")
    garden.refused(4, "revert", "HEAD~1", naming="CHECK constraint failed: a <= b")
    garden.refused(4, "restore", "--source", "HEAD~2", "@span/1/a", naming="CHECK constraint failed: a <= b")
    garden.ok("revert", "HEAD")  # which breaks nothing that was not broken


def test_a_row_that_broke_it_before(garden: EpicRepo) -> None:
    garden.sql(SPAN)
    _without_checks(garden, "INSERT INTO span VALUES(1, 9, 1)")
    _split(garden, (), ("INSERT INTO span VALUES(2, 1, 2)",), ("INSERT INTO span VALUES(3, 1, 2)",))
    garden.ok("merge", "theirs")
    assert "@span/1" in garden.run("doctor").out


def test_a_check_of_a_mapped_table(garden: EpicRepo) -> None:
    definition = garden.one("SELECT sql FROM sqlite_master WHERE name = 'framework_tasks'").rstrip().removesuffix(")")
    rebuilt = definition.replace("framework_tasks", "rebuilt", 1) + ", CHECK (actual_minutes <= estimate_minutes))"
    _work(
        garden,
        (
            rebuilt,
            "INSERT INTO rebuilt SELECT * FROM framework_tasks",
            "UPDATE rebuilt SET estimate_minutes = 100, actual_minutes = 10",
            "DROP TABLE framework_tasks",
            "ALTER TABLE rebuilt RENAME TO framework_tasks",
        ),
    )
    garden.ok("sync")
    _split(
        garden,
        (),
        ("UPDATE framework_tasks SET estimate_minutes = 50 WHERE task_key = '1.1'",),
        ("UPDATE framework_tasks SET actual_minutes = 60 WHERE task_key = '1.1'",),
    )
    message = garden.refused(4, "merge", "theirs", naming="CHECK constraint failed")
    assert "1:tasks/1.1/estimate_minutes (" in message


def test_revert_and_restore_of_a_column(garden: EpicRepo) -> None:
    _work(garden, (SPAN, "INSERT INTO span VALUES(1, 7, 10)"))
    _work(garden, ("UPDATE span SET a = 1",))
    _work(garden, ("UPDATE span SET b = 5",))
    garden.refused(4, "revert", "HEAD~1", naming="CHECK constraint failed")
    garden.refused(4, "restore", "--source", "HEAD~2", "@span/1/a", naming="CHECK constraint failed")


# Foreign keys

PARENT = "CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT UNIQUE, n INT, UNIQUE(code, n))"
PARENTS = "INSERT INTO p VALUES(1, 'x', 1), (2, 'y', 2)"
KEYS = {
    "primary": ("c(id INTEGER PRIMARY KEY, pid INT REFERENCES p(id))", "INSERT INTO c VALUES(1, 2)"),
    "primary, unnamed": ("c(id INTEGER PRIMARY KEY, pid INT REFERENCES p)", "INSERT INTO c VALUES(1, 2)"),
    "unique text": ("c(id INTEGER PRIMARY KEY, code TEXT REFERENCES p(code))", "INSERT INTO c VALUES(1, 'y')"),
    "text child": ("c(id INTEGER PRIMARY KEY, pid TEXT REFERENCES p(id))", "INSERT INTO c VALUES(1, '2')"),
    "real child": ("c(id INTEGER PRIMARY KEY, pid REAL REFERENCES p(id))", "INSERT INTO c VALUES(1, 2.0)"),
    "other case": ("c(id INTEGER PRIMARY KEY, pid INT REFERENCES P(ID))", "INSERT INTO c VALUES(1, 2)"),
    "composite": (
        "c(id INTEGER PRIMARY KEY, code TEXT, n INT, FOREIGN KEY(code, n) REFERENCES p(code, n))",
        "INSERT INTO c VALUES(1, 'y', 2)",
    ),
    "without rowid": ("c(id TEXT PRIMARY KEY, pid INT REFERENCES p(id)) WITHOUT ROWID", "INSERT INTO c VALUES('a', 2)"),
    "generated beside": (
        "c(id INTEGER PRIMARY KEY, pid INT REFERENCES p(id), twice INT AS (pid * 2))",
        "INSERT INTO c VALUES(1, 2)",
    ),
}
LOSSES = {"removed": "DELETE FROM p WHERE id = 2", "changed": "UPDATE p SET id = 9, code = 'z' WHERE id = 2"}


@swapped
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("key", KEYS)
def test_a_child_of_what_the_other_branch_took_away(garden: EpicRepo, key: str, loss: str, swap: bool) -> None:
    table, child = KEYS[key]
    edits = (LOSSES[loss],), (child,)
    base = (PARENT, PARENTS, f"CREATE TABLE {table}")
    _split(garden, base, *(reversed(edits) if swap else edits))
    message = garden.refused(4, "merge", "theirs", naming="refers to a row of @")
    assert "@c/" in message
    assert "@p" in message


@swapped
def test_a_collation(garden: EpicRepo, swap: bool) -> None:
    base = (
        "CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT UNIQUE COLLATE NOCASE)",
        "INSERT INTO p VALUES(1, 'Y')",
        "CREATE TABLE c(id INTEGER PRIMARY KEY, code TEXT REFERENCES p(code))",
    )
    edits = ("DELETE FROM p",), ("INSERT INTO c VALUES(1, 'y')",)
    _split(garden, base, *(reversed(edits) if swap else edits))
    garden.refused(4, "merge", "theirs", naming="@c/1/code")


@swapped
def test_a_number_that_refers_to_a_text(garden: EpicRepo, swap: bool) -> None:
    base = (
        "CREATE TABLE p(code TEXT PRIMARY KEY)",
        "INSERT INTO p VALUES('2')",
        "CREATE TABLE c(id TEXT PRIMARY KEY, code INT REFERENCES p) WITHOUT ROWID",
    )
    edits = ("UPDATE p SET code = '02'",), ("INSERT INTO c VALUES('a', 2)",)
    _split(garden, base, *(reversed(edits) if swap else edits))
    garden.refused(4, "merge", "theirs", naming="@c/a/code")


@swapped
@pytest.mark.parametrize("key", KEYS)
def test_a_child_that_had_no_parent_before(garden: EpicRepo, key: str, swap: bool) -> None:
    """A fault that one branch had by itself is for doctor, whatever the other did to the parents."""
    table, child = KEYS[key]
    edits = ("DELETE FROM p WHERE id = 1",), (LOSSES["removed"], child)
    _split(garden, (PARENT, PARENTS, f"CREATE TABLE {table}"), *(reversed(edits) if swap else edits))
    garden.ok("merge", "theirs")
    assert garden.one("SELECT count(*) FROM c") == 1


@swapped
def test_a_foreign_key_that_one_branch_adds(garden: EpicRepo, swap: bool) -> None:
    plain = "CREATE TABLE c(id INTEGER PRIMARY KEY, pid INT)"
    keyed = "CREATE TABLE c(id INTEGER PRIMARY KEY, pid INT REFERENCES p(id))"
    edits = ("INSERT INTO c VALUES(1, 99)",), ("DROP TABLE c", keyed)
    _split(garden, (PARENT, PARENTS, plain), *(reversed(edits) if swap else edits))
    garden.refused(4, "merge", "theirs", naming="@c/1/pid")


def test_both_branches_keep_what_belongs_together(garden: EpicRepo) -> None:
    table, child = KEYS["unique text"]
    _split(garden, (PARENT, PARENTS, f"CREATE TABLE {table}"), ("DELETE FROM p WHERE id = 1",), (child,))
    garden.ok("merge", "theirs")
    assert garden.sql("PRAGMA foreign_key_check") == []


CODES = "CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT UNIQUE)"
CHILD = "CREATE TABLE c(id INTEGER PRIMARY KEY, code TEXT REFERENCES p(code))"


@swapped
def test_a_key_that_is_computed(garden: EpicRepo, swap: bool) -> None:
    base = (
        "CREATE TABLE p(id INTEGER PRIMARY KEY, n INT, code INT AS (n * 10) STORED UNIQUE)",
        "INSERT INTO p(id, n) VALUES(1, 1), (2, 2)",
        "CREATE TABLE c(id INTEGER PRIMARY KEY, code INT REFERENCES p(code))",
    )
    edits = ("UPDATE p SET n = 7 WHERE id = 2",), ("INSERT INTO c VALUES(1, 20)",)
    _split(garden, base, *(reversed(edits) if swap else edits))
    garden.refused(4, "merge", "theirs", naming="@c/1/code")


@swapped
@pytest.mark.parametrize(
    ("child", "halves"),
    [
        ("c(id INTEGER PRIMARY KEY, a INT, b INT, FOREIGN KEY(a, b) REFERENCES p(a, b))", ("a = 2", "b = 2")),
        ("c(id INTEGER PRIMARY KEY, a INT, b INT, s INT AS (a + b) STORED REFERENCES p(s))", ("a = 2", "b = 2")),
    ],
    ids=["composite", "computed"],
)
def test_each_branch_changes_a_part_of_what_a_row_refers_to(
    garden: EpicRepo, child: str, halves: tuple[str, str], swap: bool
) -> None:
    base = (
        "CREATE TABLE p(a INT, b INT, s INT UNIQUE, UNIQUE(a, b))",
        "INSERT INTO p VALUES(1, 1, 2), (1, 2, 3), (2, 1, 33)",
        f"CREATE TABLE {child}",
        "INSERT INTO c(id, a, b) VALUES(1, 1, 1)",
    )
    edits = [(f"UPDATE c SET {half}",) for half in halves]
    _split(garden, base, *(reversed(edits) if swap else edits))
    garden.refused(4, "merge", "theirs", naming="@c/1/")
    assert garden.sql("PRAGMA foreign_key_check") == []


@swapped
def test_a_key_that_one_branch_defines_otherwise(garden: EpicRepo, swap: bool) -> None:
    loose = "CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT COLLATE NOCASE UNIQUE)"
    row = "INSERT INTO p VALUES(1, 'X')"
    edits = ("DROP TABLE p", CODES, row), ("INSERT INTO c VALUES(1, 'x')",)
    _split(garden, (loose, row, CHILD), *(reversed(edits) if swap else edits))
    garden.refused(4, "merge", "theirs", naming="@c/1/code")


@swapped
@pytest.mark.parametrize(
    "migration",
    ["ALTER TABLE c RENAME COLUMN code TO parent", "ALTER TABLE c ADD COLUMN z INT DEFAULT 4"],
    ids=["renamed", "added"],
)
def test_a_column_renamed_or_added_beside_rows_without_a_parent(garden: EpicRepo, migration: str, swap: bool) -> None:
    orphans = "INSERT INTO c VALUES(2, 'none')", "UPDATE c SET code = 'neither' WHERE id = 1"
    _split(
        garden,
        (CODES, CHILD, "INSERT INTO c VALUES(1, 'nobody'), (3, 'nothing')"),
        *(reversed(((migration,), orphans)) if swap else ((migration,), orphans)),
    )
    garden.ok("merge", "theirs")
    assert len(garden.sql("PRAGMA foreign_key_check")) == 3


@swapped
def test_a_branch_that_drops_the_unique_index_of_the_key(garden: EpicRepo, swap: bool) -> None:
    base = (
        "CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT)",
        "CREATE UNIQUE INDEX pc ON p(code)",
        "INSERT INTO p VALUES(1, 'y')",
        CHILD,
    )
    edits = ("DROP INDEX pc",), ("INSERT INTO c VALUES(1, 'y')",)
    _split(garden, base, *(reversed(edits) if swap else edits))
    garden.ok("merge", "theirs")


# restore of single places

SESSION = "INSERT INTO work_sessions(task_id, start_time) VALUES(1, '2026-01-01')"


def test_a_row_comes_back_with_its_parents(garden: EpicRepo) -> None:
    _work(garden, (SESSION,))
    task = garden.one("SELECT task_key FROM framework_tasks WHERE id = 1")
    _work(garden, ("DELETE FROM work_sessions", "DELETE FROM framework_tasks WHERE id = 1"))
    garden.refused(4, "restore", "--source", "HEAD~1", "@work_sessions/1", naming="@framework_tasks/1")
    said = garden.ok("restore", "--source", "HEAD~1", "@work_sessions/1", "--with-parents").err
    assert "@framework_tasks/1" in said
    assert garden.one("SELECT task_key FROM framework_tasks WHERE id = 1") == task
    assert garden.sql("PRAGMA foreign_key_check") == []


def test_a_chain_of_parents(garden: EpicRepo) -> None:
    _work(garden, (SESSION,))
    gone = (
        "DELETE FROM work_sessions",
        "DELETE FROM framework_tasks",
        "DELETE FROM framework_epics WHERE epic_key = '1'",
    )
    _work(garden, gone)
    answer = garden.json("restore", "--source", "HEAD~1", "@work_sessions/1", "--with-parents")
    assert [label.split("/")[0] for label in answer["parents"]] == ["@framework_tasks", "@framework_epics"]
    assert garden.sql("PRAGMA foreign_key_check") == []


def test_a_row_without_a_parent_in_the_commit_either(garden: EpicRepo) -> None:
    _work(garden, ("INSERT INTO work_sessions(task_id, start_time) VALUES(77, '2026-01-01')",))
    _work(garden, ("DELETE FROM work_sessions",))
    garden.ok("restore", "--source", "HEAD~1", "@work_sessions/1")
    assert garden.one("SELECT task_id FROM work_sessions") == 77


COMPUTED = "CREATE TABLE p(id INTEGER PRIMARY KEY, n INT, code INT AS (n * 10) STORED UNIQUE)"
UP = "CREATE TABLE c(id INTEGER PRIMARY KEY, up INT REFERENCES c(id))"
GONE: dict[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    "unique": ((CODES, "INSERT INTO p VALUES(2, 'y')", CHILD, "INSERT INTO c VALUES(1, 'y')"), (), "@p/2"),
    "another in another case": (
        (CODES, "INSERT INTO p VALUES(1, 'Y'), (2, 'y')", CHILD, "INSERT INTO c VALUES(1, 'y')"),
        (),
        "@p/2",
    ),
    "computed": (
        (
            COMPUTED,
            "INSERT INTO p(id, n) VALUES(2, 2)",
            "CREATE TABLE c(id INTEGER PRIMARY KEY, code INT REFERENCES p(code))",
            "INSERT INTO c VALUES(1, 20)",
        ),
        (),
        "@p/2",
    ),
    "of another type": (
        (
            "CREATE TABLE p(id INTEGER PRIMARY KEY)",
            "INSERT INTO p VALUES(2)",
            "CREATE TABLE c(id INTEGER PRIMARY KEY, pid TEXT REFERENCES P)",
            "INSERT INTO c VALUES(1, '02')",
        ),
        (),
        "@p/2",
    ),
    "of the table itself, in a chain": (
        (UP, "INSERT INTO c VALUES(2, NULL), (3, 2), (1, 3)"),
        ("DELETE FROM c",),
        "@c/3",
    ),
    "of the table itself, in a circle": ((UP, "INSERT INTO c VALUES(2, 1), (1, 2)"), ("DELETE FROM c",), "@c/2"),
}


@pytest.mark.parametrize("form", GONE)
def test_parents_of_every_form_come_back(garden: EpicRepo, form: str) -> None:
    base, later, parent = GONE[form]
    _work(garden, base)
    _work(garden, later or ("DELETE FROM c", "DELETE FROM p WHERE id = 2"))
    garden.refused(4, "restore", "--source", "HEAD~1", "@c/1", naming=f"{parent}, which is gone")
    assert parent in garden.ok("restore", "--source", "HEAD~1", "@c/1", "--with-parents").err
    assert garden.sql("PRAGMA foreign_key_check") == []


@pytest.mark.parametrize("code", ["none", "Y", "1"])
def test_a_row_that_had_no_parent_then_is_restored_as_it_was(garden: EpicRepo, code: str) -> None:
    """Nor does another spelling make one: the database compares these by their bytes."""
    _work(garden, (CODES, "INSERT INTO p VALUES(1, 'y'), (2, '1.0')", CHILD, f"INSERT INTO c VALUES(1, '{code}')"))
    _work(garden, ("DELETE FROM c",))
    garden.ok("restore", "--source", "HEAD~1", "@c/1")
    assert garden.one("SELECT code FROM c") == code


def test_a_parent_that_was_changed_is_not_overwritten(garden: EpicRepo) -> None:
    _work(garden, (CODES, "INSERT INTO p VALUES(2, 'y')", CHILD, "INSERT INTO c VALUES(1, 'y')"))
    _work(garden, ("DELETE FROM c", "UPDATE p SET code = 'z'"))
    restore = ("restore", "--source", "HEAD~1", "@c/1")
    garden.refused(4, *restore, "--with-parents", naming="@p/2, which has another value by now")
    assert garden.one("SELECT code FROM p") == "z"
    garden.ok(*restore, "@p/2")
    assert garden.sql("PRAGMA foreign_key_check") == []


def test_a_restored_parent_that_rows_no_longer_find(garden: EpicRepo) -> None:
    _work(garden, (CODES, "INSERT INTO p VALUES(2, 'y')", CHILD))
    _work(garden, ("UPDATE p SET code = 'z'", "INSERT INTO c VALUES(1, 'z')"))
    garden.refused(4, "restore", "--source", "HEAD~1", "@p/2", naming="@c/1/code")


def test_the_parents_of_many_rows(garden: EpicRepo) -> None:
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
    many = f"{numbers} INSERT INTO p SELECT i, 'c' || i FROM n"
    _work(garden, (CODES, CHILD, many, "INSERT INTO c SELECT id, code FROM p"))
    _work(garden, ("DELETE FROM c", "DELETE FROM p"))
    answer = garden.json("restore", "--source", "HEAD~1", "@c", "--with-parents")
    assert len(answer["parents"]) == 2000
    assert garden.sql("PRAGMA foreign_key_check") == []


@pytest.mark.parametrize("reverted", ["INSERT INTO p VALUES(1, 'x')", "UPDATE p SET code = 'x'"])
def test_a_reverted_commit_whose_row_is_referred_to(garden: EpicRepo, reverted: str) -> None:
    before = ("INSERT INTO p VALUES(1, 'w')",) if reverted.startswith("UPDATE") else ()
    _work(garden, (CODES, CHILD, *before))
    _work(garden, (reverted,))
    _work(garden, ("INSERT INTO c VALUES(1, 'x')",))
    message = garden.refused(4, "revert", "HEAD~1", naming="@c/1/code")
    assert "without commit" in message
