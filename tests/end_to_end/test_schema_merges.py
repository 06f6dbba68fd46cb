"""A migration on one branch, ordinary work on the other: every value finds its column, or is named."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from support.repos import EpicRepo

KV = "CREATE TABLE kv(k TEXT PRIMARY KEY, v TEXT, n INT DEFAULT 0)"
ROWS = "INSERT INTO kv VALUES('a', 'one', 1), ('b', 'two', 2), ('c', NULL, 0)"

REBUILT = (
    "CREATE TABLE new(k TEXT PRIMARY KEY, word TEXT, n INT DEFAULT 0)",
    "INSERT INTO new SELECT * FROM kv",
    "DROP TABLE kv",
    "ALTER TABLE new RENAME TO kv",
)
RENAMED = ("ALTER TABLE kv RENAME COLUMN v TO word",)
DROPPED = ("ALTER TABLE kv DROP COLUMN v",)


def _work(repo: EpicRepo, statements: Iterable[str]) -> None:
    for statement in statements:
        repo.sql(statement)
    repo.ok("commit", "--allow-empty", "-m", "work")


def _branches(repo: EpicRepo, base: Iterable[str], migration: Iterable[str], work: Iterable[str], current: str) -> str:
    """A migration on one branch and work on the other; gives the branch to merge into the current one."""
    _work(repo, base)
    repo.ok("switch", "-c", "migrated")
    _work(repo, migration)
    repo.ok("switch", "main")
    _work(repo, work)
    if current == "migrated":
        repo.ok("switch", "migrated")
        return "main"
    return "migrated"


into = pytest.mark.parametrize("current", ["main", "migrated"])


@into
@pytest.mark.parametrize("migration", [RENAMED, REBUILT], ids=["renamed", "rebuilt"])
def test_values_follow_a_renamed_column(garden: EpicRepo, current: str, migration: tuple[str, ...]) -> None:
    work = (
        "UPDATE kv SET v = 'an edit' WHERE k = 'a'",
        "INSERT INTO kv VALUES('d', 'new', 4)",
        "DELETE FROM kv WHERE k = 'c'",
    )
    other = _branches(garden, (KV, ROWS), migration, (*work, "UPDATE kv SET n = 9 WHERE k = 'b'"), current)
    garden.ok("merge", other)
    assert garden.sql("SELECT k, word, n FROM kv ORDER BY k") == [("a", "an edit", 1), ("b", "two", 9), ("d", "new", 4)]
    assert garden.json("status")["clean"] is True


@into
def test_a_rename_beside_edits_of_its_own(garden: EpicRepo, current: str) -> None:
    migration = (*RENAMED, "UPDATE kv SET word = 'changed', n = 3 WHERE k = 'b'", "UPDATE kv SET n = 7 WHERE k = 'c'")
    other = _branches(garden, (KV, ROWS), migration, ("UPDATE kv SET v = 'an edit' WHERE k = 'a'",), current)
    garden.ok("merge", other)
    found = garden.sql("SELECT k, word, n FROM kv ORDER BY k")
    assert found == [("a", "an edit", 1), ("b", "changed", 3), ("c", None, 7)]


@into
def test_a_rename_with_other_values_is_not_proven(garden: EpicRepo, current: str) -> None:
    migration = (*RENAMED, "UPDATE kv SET word = 'theirs' WHERE k = 'b'")
    other = _branches(garden, (KV, ROWS), migration, ("UPDATE kv SET v = 'mine' WHERE k = 'a'",), current)
    garden.refused(5, "merge", other, naming="dropped the column v, or renamed it without proof")


@into
def test_both_edit_one_row_of_a_renamed_column(garden: EpicRepo, current: str) -> None:
    migration = (*RENAMED, "UPDATE kv SET word = 'theirs', n = 3 WHERE k = 'a'")
    other = _branches(garden, (KV, ROWS), migration, ("UPDATE kv SET v = 'mine' WHERE k = 'a'",), current)
    (found,) = garden.json("merge", other, code=1)["conflicts"]
    assert found["label"] == "@kv/a/word"
    assert {found["ours"], found["theirs"]} == {"mine", "theirs"}


@into
def test_a_renamed_key_column(garden: EpicRepo, current: str) -> None:
    migration = ("ALTER TABLE kv RENAME COLUMN k TO name",)
    work = ("UPDATE kv SET v = 'an edit' WHERE k = 'a'", "INSERT INTO kv VALUES('d', 'new', 4)")
    garden.ok("merge", _branches(garden, (KV, ROWS), migration, work, current))
    assert garden.sql("SELECT name, v FROM kv WHERE n IN (1, 4)") == [("a", "an edit"), ("d", "new")]


EDITS = {
    "edited": "UPDATE kv SET v = 'an edit' WHERE k = 'a'",
    "emptied": "UPDATE kv SET v = NULL WHERE k = 'a'",
    "inserted": "INSERT INTO kv VALUES('d', 'new', 4)",
}
GONE = {
    "dropped": DROPPED,
    "renamed beside another type": ("CREATE TABLE new(k TEXT PRIMARY KEY, word BLOB, n INT DEFAULT 0)", *REBUILT[1:]),
    "replaced by a new one": (*DROPPED, "ALTER TABLE kv ADD COLUMN word TEXT"),
    "renamed and all rewritten": (*RENAMED, "UPDATE kv SET word = coalesce(word, '') || '!'"),
}


@into
@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("migration", GONE)
def test_what_has_no_column_any_more_is_named(garden: EpicRepo, current: str, migration: str, edit: str) -> None:
    other = _branches(garden, (KV, ROWS), GONE[migration], (EDITS[edit],), current)
    row = "d" if edit == "inserted" else "a"
    message = garden.refused(5, "merge", other, naming="dropped the column v")
    assert f"@kv/{row}" in message


def test_a_rename_that_no_value_proves(garden: EpicRepo) -> None:
    other = _branches(garden, (KV, "INSERT INTO kv VALUES('a', NULL, 1)"), RENAMED, (EDITS["edited"],), "main")
    garden.refused(5, "merge", other, naming="dropped the column v")


@into
def test_other_work_beside_a_dropped_column(garden: EpicRepo, current: str) -> None:
    work = ("UPDATE kv SET n = 9 WHERE k = 'b'", "INSERT INTO kv(k, n) VALUES('d', 4)", "DELETE FROM kv WHERE k = 'a'")
    garden.ok("merge", _branches(garden, (KV, ROWS), DROPPED, work, current))
    assert garden.sql("SELECT k, n FROM kv ORDER BY k") == [("b", 9), ("c", 0), ("d", 4)]


def test_a_key_of_other_columns(garden: EpicRepo) -> None:
    migration = ("CREATE TABLE new(k TEXT, v TEXT, n INT, PRIMARY KEY(k, n))", *REBUILT[1:])
    other = _branches(garden, (KV, ROWS), migration, ("UPDATE kv SET n = 9 WHERE k = 'b'",), "main")
    garden.refused(5, "merge", other, naming="@kv: theirs changed the columns of its key")


TASKS = "framework_tasks"


@into
def test_a_column_of_a_mapped_table(garden: EpicRepo, current: str) -> None:
    base = (f"UPDATE {TASKS} SET actual_minutes = 30 WHERE task_key = '1.1'",)
    migration = (f"ALTER TABLE {TASKS} RENAME COLUMN actual_minutes TO minutes_spent",)
    work = (
        f"UPDATE {TASKS} SET actual_minutes = 95 WHERE task_key = '1.1'",
        f"UPDATE {TASKS} SET points_earned = 3, actual_minutes = 5 WHERE task_key = '1.2'",
    )
    garden.ok("merge", _branches(garden, base, migration, work, current))
    found = garden.sql(f"SELECT task_key, minutes_spent, points_earned FROM {TASKS} ORDER BY task_key")
    assert found == [("1.1", 95, 0), ("1.2", 5, 3)]
    assert garden.json("status")["in_sync"] is True


def test_revert_across_a_migration(garden: EpicRepo) -> None:
    _work(garden, (KV, ROWS))
    _work(garden, ("UPDATE kv SET v = 'a mistake' WHERE k = 'a'",))
    _work(garden, RENAMED)
    garden.ok("revert", "HEAD~1")
    assert garden.one("SELECT word FROM kv WHERE k = 'a'") == "one"


def test_reverting_a_migration_that_values_have_followed(garden: EpicRepo) -> None:
    _work(garden, (KV, ROWS))
    _work(garden, ("ALTER TABLE kv ADD COLUMN owner TEXT",))
    _work(garden, ("UPDATE kv SET owner = 'me' WHERE k = 'a'",))
    garden.refused(5, "revert", "HEAD~1", naming="dropped the column owner")
    garden.sql("UPDATE kv SET owner = NULL")
    garden.ok("commit", "-m", "nobody's")
    garden.ok("revert", "HEAD~2")
    assert garden.sql("SELECT * FROM kv WHERE k = 'a'") == [("a", "one", 1)]


FORMS = {
    "added with a default": "ADD COLUMN owner TEXT DEFAULT 'nobody'",
    "added with a number": "ADD COLUMN owner INTEGER NOT NULL DEFAULT 7",
    "added": "ADD COLUMN owner TEXT",
    "dropped": "DROP COLUMN actual_minutes",
}


@into
@pytest.mark.parametrize("form", FORMS)
def test_a_task_deleted_beside_a_migration(garden: EpicRepo, current: str, form: str) -> None:
    _work(garden, (f"UPDATE {TASKS} SET actual_minutes = 30",))
    garden.ok("switch", "-c", "migrated")
    _work(garden, (f"ALTER TABLE {TASKS} {FORMS[form]}",))
    garden.ok("switch", "main")
    garden.rewrite("1", lambda body: body["tasks"].pop(0))
    garden.ok("sync")
    if current == "migrated":
        garden.ok("switch", "migrated")
    garden.ok("merge", "main" if current == "migrated" else "migrated")
    assert [task["id"] for task in garden.body("1")["tasks"]] == ["1.2"]
    assert garden.json("status")["in_sync"] is True


@into
@pytest.mark.parametrize("form", ["ADD COLUMN owner TEXT DEFAULT 'nobody'", "DROP COLUMN v"])
def test_a_row_deleted_beside_a_migration(garden: EpicRepo, current: str, form: str) -> None:
    other = _branches(garden, (KV, ROWS), (f"ALTER TABLE kv {form}",), ("DELETE FROM kv WHERE k = 'a'",), current)
    garden.ok("merge", other)
    assert garden.sql("SELECT k FROM kv ORDER BY k") == [("b",), ("c",)]


def test_an_epic_deleted_beside_a_migration(garden: EpicRepo) -> None:
    garden.ok("switch", "-c", "migrated")
    _work(garden, ("ALTER TABLE framework_epics ADD COLUMN owner TEXT DEFAULT 'nobody'",))
    garden.ok("switch", "main")
    garden.path("1").unlink()
    garden.ok("sync")
    garden.ok("merge", "migrated")
    assert [*garden.files()] == ["shed.json"]


def test_one_migration_on_both_branches(garden: EpicRepo) -> None:
    garden.ok("migrate", "new", "owner")
    (garden.root / "migrations" / "004_owner.sql").write_text(
        f"ALTER TABLE {TASKS} ADD COLUMN owner TEXT DEFAULT 'nobody';\n"
    )
    (garden.root / "migrations" / "004_rollback.sql").write_text(f"ALTER TABLE {TASKS} DROP COLUMN owner;\n")
    garden.ok("switch", "-c", "other")
    garden.ok("migrate", "up")
    garden.sql("UPDATE schema_migrations SET applied_at = '2026-01-02', applied_by = 'rui' WHERE version = '004'")
    _work(garden, (f"UPDATE {TASKS} SET owner = 'ana' WHERE task_key = '1.1'",))
    garden.ok("switch", "main")
    garden.ok("migrate", "up")
    garden.sql("UPDATE schema_migrations SET applied_at = '2026-01-01', applied_by = 'ana' WHERE version = '004'")
    _work(garden, (f"UPDATE {TASKS} SET owner = 'rui' WHERE task_key = '1.2'",))
    garden.ok("merge", "other")
    assert garden.sql(f"SELECT owner FROM {TASKS} ORDER BY task_key") == [("ana",), ("rui",)]
    record = garden.sql("SELECT applied_at, applied_by FROM schema_migrations WHERE version = '004'")
    assert record == [("2026-01-01", "ana")]


PAIR = (
    "CREATE TABLE pair(k TEXT PRIMARY KEY, a TEXT, b TEXT)",
    "INSERT INTO pair VALUES('r', 'a1', 'b1'), ('s', 'a2', 'b2')",
)
EXCHANGED = (
    "ALTER TABLE pair RENAME COLUMN a TO x",
    "ALTER TABLE pair RENAME COLUMN b TO a",
    "ALTER TABLE pair RENAME COLUMN x TO b",
)


@into
def test_two_columns_that_exchange_their_names(garden: EpicRepo, current: str) -> None:
    work = ("UPDATE pair SET a = 'an edit' WHERE k = 'r'", "INSERT INTO pair VALUES('z', 'az', 'bz')")
    garden.ok("merge", _branches(garden, PAIR, EXCHANGED, work, current))
    found = garden.sql("SELECT k, b, a FROM pair ORDER BY k")
    assert found == [("r", "an edit", "b1"), ("s", "a2", "b2"), ("z", "az", "bz")]


@into
def test_a_column_that_has_the_name_of_a_dropped_one(garden: EpicRepo, current: str) -> None:
    migration = ("ALTER TABLE pair DROP COLUMN a", "ALTER TABLE pair RENAME COLUMN b TO a")
    other = _branches(garden, PAIR, migration, ("UPDATE pair SET b = 'an edit' WHERE k = 'r'",), current)
    garden.ok("merge", other)
    assert garden.sql("SELECT * FROM pair ORDER BY k") == [("r", "an edit"), ("s", "b2")]


@into
def test_other_work_beside_a_rename_that_is_not_proven(garden: EpicRepo, current: str) -> None:
    """The values under the new name stay in rows that the other branch wrote, and in those that it left alone."""
    migration = (*RENAMED, "UPDATE kv SET word = 'theirs' WHERE k = 'b'")
    work = ("UPDATE kv SET n = 9 WHERE k = 'a'", "DELETE FROM kv WHERE k = 'c'")
    garden.ok("merge", _branches(garden, (KV, ROWS), migration, work, current))
    assert garden.sql("SELECT k, word, n FROM kv ORDER BY k") == [("a", "one", 9), ("b", "theirs", 2)]


@into
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("TEXT DEFAULT 5", "5"),
        ("REAL DEFAULT 1", 1.0),
        ("INTEGER DEFAULT '5'", 5),
        ("NUMERIC DEFAULT 2.0", 2),
        ("BOOLEAN DEFAULT TRUE", 1),
        ("TEXT DEFAULT NULL", None),
    ],
)
def test_a_default_is_what_the_type_makes_of_it(garden: EpicRepo, current: str, column: str, value: object) -> None:
    work = (
        "UPDATE kv SET v = 'an edit' WHERE k = 'a'",
        "DELETE FROM kv WHERE k = 'b'",
        "INSERT INTO kv VALUES('d', '', 4)",
    )
    garden.ok("merge", _branches(garden, (KV, ROWS), (f"ALTER TABLE kv ADD COLUMN d {column}",), work, current))
    assert garden.sql("SELECT k, d FROM kv ORDER BY k") == [("a", value), ("c", value), ("d", value)]


@into
def test_a_dropped_time_of_the_last_change(garden: EpicRepo, current: str) -> None:
    base = (
        "CREATE TABLE note(k TEXT PRIMARY KEY, text TEXT, updated_at TEXT)",
        "INSERT INTO note VALUES('a', 'x', '2026')",
    )
    work = ("UPDATE note SET text = 'y', updated_at = '2027'", "INSERT INTO note VALUES('b', 'z', '2027')")
    garden.ok("merge", _branches(garden, base, ("ALTER TABLE note DROP COLUMN updated_at",), work, current))
    assert garden.sql("SELECT * FROM note ORDER BY k") == [("a", "y"), ("b", "z")]
    garden.ok("undo")


@into
def test_a_renamed_time_of_the_last_change_without_proof(garden: EpicRepo, current: str) -> None:
    base = (
        "CREATE TABLE note(k TEXT PRIMARY KEY, text TEXT, updated_at TEXT)",
        "INSERT INTO note VALUES('a', 'x', NULL)",
    )
    work = ("UPDATE note SET text = 'y', updated_at = '2027'",)
    migration = ("ALTER TABLE note RENAME COLUMN updated_at TO touched",)
    other = _branches(garden, base, migration, work, current)
    garden.refused(5, "merge", other, naming="dropped the column updated_at")


@into
def test_a_renamed_column_that_refers_to_tasks_follows_their_numbers(garden: EpicRepo, current: str) -> None:
    """Each branch gives the same number to a task of its own; the reference of the merged one has another name."""
    table = f"CREATE TABLE note(id INTEGER PRIMARY KEY, task_id INTEGER REFERENCES {TASKS}(id), text TEXT)"
    _work(garden, (table, "INSERT INTO note VALUES(1, 1, 'dig')"))
    garden.ok("switch", "-c", "migrated")
    garden.rewrite("1", lambda body: body["tasks"].append({"id": "1.9", "title": "Rake"}))
    garden.ok("sync")
    add = f"INSERT INTO note SELECT {{}}, id, 'of ' || task_key FROM {TASKS} WHERE task_key = '{{}}'"
    _work(garden, ("ALTER TABLE note RENAME COLUMN task_id TO task_ref", add.format(3, "1.9")))
    garden.ok("switch", "main")
    garden.rewrite("2", lambda body: body.update(tasks=[{"id": "2.1", "title": "Roof"}]))
    garden.ok("sync")
    _work(garden, (add.format(4, "2.1"),))
    garden.ok("switch", current)
    garden.ok("merge", "migrated" if current == "main" else "main")
    found = garden.sql(f"SELECT text, task_key FROM note JOIN {TASKS} ON {TASKS}.id = task_ref ORDER BY task_key")
    assert found == [("dig", "1.1"), ("of 1.9", "1.9"), ("of 2.1", "2.1")]
