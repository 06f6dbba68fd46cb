"""``restore LABEL`` across a change of the tables' columns: values go by name, nothing is dropped in silence."""

from __future__ import annotations

import pytest
from support.repos import EpicRepo

TABLE = "framework_tasks"


def committed(repo: EpicRepo) -> dict[str, object]:
    """The first task's row, as HEAD has it."""
    repo.ok("sync")
    repo.ok("commit", "-m", "then", "--allow-empty")
    return repo.task_row(repo.facts.tasks[0])


def gone(repo: EpicRepo) -> None:
    repo.sql("DELETE FROM task_dependencies")
    repo.sql("DELETE FROM framework_tasks WHERE epic_id = (SELECT id FROM framework_epics WHERE epic_key = '1')")


@pytest.mark.parametrize("label", ["1", "1:tasks", "1:tasks/1.1", "@framework_tasks/{id}"])
@pytest.mark.parametrize(
    ("definition", "value"),
    [("c TEXT DEFAULT 'd'", "d"), ("c INTEGER DEFAULT 7", 7), ("c", None), ("c TEXT NOT NULL DEFAULT ''", "")],
)
def test_a_column_was_added(made: EpicRepo, label: str, definition: str, value: object) -> None:
    before = committed(made)
    made.sql(f"ALTER TABLE {TABLE} ADD COLUMN {definition}")
    gone(made)
    made.ok("restore", "--source", "HEAD", label.format(id=before["id"]))
    assert made.task_row("1.1") == before | {"c": value}


def test_what_a_row_has_in_a_new_column_stays(made: EpicRepo) -> None:
    before = committed(made)
    made.sql(f"ALTER TABLE {TABLE} ADD COLUMN c TEXT DEFAULT 'd'")
    made.sql(f"UPDATE {TABLE} SET c = 'own', title = 'later' WHERE task_key = '1.1'")
    made.ok("restore", "1:tasks/1.1")
    assert made.task_row("1.1") == before | {"c": "own"}


def test_a_computed_default_is_computed(made: EpicRepo) -> None:
    committed(made)
    rebuild(made, "INTEGER DEFAULT (40 + 2)")
    gone(made)
    made.ok("restore", "1:tasks/1.1")
    assert made.task_row("1.1")["c"] == 42


def rebuild(repo: EpicRepo, column: str = "", *, reverse: bool = False) -> None:
    """Make the table anew, with another column or with its columns in another order."""
    (sql,) = repo.sql("SELECT sql FROM sqlite_master WHERE name = ?", TABLE)[0]
    indexes = repo.sql("SELECT sql FROM sqlite_master WHERE tbl_name = ? AND type IN ('index', 'trigger')", TABLE)
    views = repo.sql("SELECT name, sql FROM sqlite_master WHERE type = 'view'")
    names = [str(name) for (name,) in repo.sql("SELECT name FROM pragma_table_info(?)", TABLE)]
    for name, _ in views:
        repo.sql(f"DROP VIEW {name}")
    if reverse:
        names.reverse()
        definition = f"CREATE TABLE remade (id INTEGER PRIMARY KEY, {', '.join(n for n in names if n != 'id')})"
    else:
        head, _, rest = str(sql).partition("(")
        assert head
        definition = f"CREATE TABLE remade (c {column}, {rest}"
    repo.sql(definition)
    repo.sql(f"INSERT INTO remade ({', '.join(names)}) SELECT {', '.join(names)} FROM {TABLE}")
    repo.sql(f"DROP TABLE {TABLE}")
    repo.sql(f"ALTER TABLE remade RENAME TO {TABLE}")
    for text in [text for (text,) in indexes if text] + [text for _, text in views]:
        repo.sql(str(text))


def test_columns_were_reordered(made: EpicRepo) -> None:
    before = committed(made)
    rebuild(made, reverse=True)
    made.sql(f"UPDATE {TABLE} SET title = 'later' WHERE task_key = '1.1'")
    made.ok("restore", "1:tasks/1.1")
    assert made.task_row("1.1") == before


def test_a_value_in_a_column_that_is_gone(made: EpicRepo) -> None:
    made.sql(f"ALTER TABLE {TABLE} ADD COLUMN colour TEXT DEFAULT 'none'")
    made.sql(f"UPDATE {TABLE} SET colour = 'red' WHERE task_key = '1.1'")
    committed(made)
    made.sql(f"ALTER TABLE {TABLE} DROP COLUMN colour")
    gone(made)
    for label in ("1", "1:tasks/1.1"):
        made.refused(5, "restore", "--source", "HEAD", label, naming="colour")
    made.ok("restore", "--source", "HEAD", "1:tasks/1.2")  # which had what every row has
    assert made.task_row("1.2")["title"]


def test_a_field_is_restored_without_the_column_that_is_gone(made: EpicRepo) -> None:
    made.sql(f"ALTER TABLE {TABLE} ADD COLUMN colour TEXT")
    made.sql(f"UPDATE {TABLE} SET colour = 'red'")
    before = committed(made)
    made.sql(f"ALTER TABLE {TABLE} DROP COLUMN colour")
    made.sql(f"UPDATE {TABLE} SET title = 'later'")
    made.ok("restore", "1:tasks/1.1/title")
    assert made.task_row("1.1")["title"] == before["title"]


def test_a_renamed_column_is_followed(made: EpicRepo) -> None:
    made.sql(f"ALTER TABLE {TABLE} ADD COLUMN colour TEXT")
    made.sql(f"UPDATE {TABLE} SET colour = 'colour ' || id")
    before = committed(made)
    made.sql(f"ALTER TABLE {TABLE} RENAME COLUMN colour TO hue")
    made.sql("DELETE FROM task_dependencies")
    made.sql(f"DELETE FROM {TABLE} WHERE task_key = '1.1'")
    made.ok("restore", "1:tasks/1.1")
    assert made.task_row("1.1")["hue"] == before["colour"]


def test_a_table_that_was_not_there(made: EpicRepo) -> None:
    committed(made)
    made.sql("CREATE TABLE later (id INTEGER PRIMARY KEY)")
    made.sql("INSERT INTO later VALUES (1)")
    made.refused(2, "restore", "@later", naming="@later")
    assert made.one("SELECT count(*) FROM later") == 1
