"""Odd databases, keys, configurations, arguments and terminals: nothing lost, nothing guessed, no crash."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from support.repos import EpicRepo, Facts

MINIMAL = """
CREATE TABLE framework_epics (id {id} PRIMARY KEY, epic_key {key}, name TEXT, status TEXT, deleted_at TEXT);
CREATE TABLE framework_tasks (
    id {id} PRIMARY KEY, epic_id, task_key TEXT, title TEXT, status TEXT, deleted_at TEXT, task_sequence INTEGER
);
"""


def _minimal(root: Path, *statements: str, surrogate: str = "INTEGER", key: str = "TEXT", files: str = "") -> EpicRepo:
    (root / "epics").mkdir(parents=True)
    if files:
        (root / "epics/epic.json").write_text(files)
    connection = sqlite3.connect(root / "framework.db")
    connection.executescript(MINIMAL.format(id=surrogate, key=key))
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()
    repo = EpicRepo(root, Facts("minimal", "E", "", (), "", "", (), ""))
    repo.ok("init")
    return repo


def _ignore(repo: EpicRepo, table: str) -> None:
    config = repo.root / "epicvc.toml"
    config.write_text(f'{config.read_text()}\n[tables]\nignore = ["{table}"]\n')


def test_a_push_into_an_ignored_mapped_table_is_not_lost(made: EpicRepo) -> None:
    _ignore(made, "framework_epics")
    made.rewrite("1", lambda body: body.update(name="MY EDIT"))
    if made.run("sync").code == 0:  # refusing such a configuration is as good
        assert made.epic_row("1")["name"] == "MY EDIT"
        (made.root / ".epicvc/database.cache").unlink()
        made.ok("sync")
        assert made.body("1")["name"] == "MY EDIT"


def test_a_changed_task_is_seen_where_keys_are_texts(tmp_path: Path) -> None:
    repo = _minimal(
        tmp_path / "repo",
        "INSERT INTO framework_epics (id, epic_key, name) VALUES ('u1', 'E', 'n')",
        "INSERT INTO framework_tasks (id, epic_id, task_key, title) VALUES ('t1', 'u1', 'T', 'old')",
        surrogate="TEXT",
    )
    repo.ok("sync")
    repo.ok("status")
    repo.sql("UPDATE framework_tasks SET title = 'new'")
    assert not repo.json("status")["in_sync"]
    repo.ok("sync")
    assert repo.file_task("E", "T")["title"] == "new"


def test_a_change_below_a_mapped_view_is_seen(tmp_path: Path) -> None:
    repo = _minimal(
        tmp_path / "repo",
        "ALTER TABLE framework_epics RENAME TO epics_table",
        "CREATE VIEW framework_epics AS SELECT * FROM epics_table",
        "INSERT INTO epics_table (id, epic_key, name) VALUES (1, 'E', 'n')",
    )
    repo.ok("sync")
    repo.ok("status")
    repo.sql("UPDATE epics_table SET name = 'new'")
    assert not repo.json("status")["in_sync"]


def test_an_integer_key_in_a_column_without_a_type(tmp_path: Path) -> None:
    repo = _minimal(
        tmp_path / "repo",
        "INSERT INTO framework_epics (id, epic_key, name) VALUES (1, 5, 'n')",
        key="",
        files='{"id": "5", "name": "n"}',
    )
    repo.run("sync")
    assert repo.one("SELECT count(*) FROM framework_epics") == 1


@pytest.mark.parametrize(("key", "stored", "ours"), [("TEXT COLLATE NOCASE", "'ABC'", "abc"), ("INTEGER", "5", "05")])
def test_keys_that_only_the_database_takes_for_equal(tmp_path: Path, key: str, stored: str, ours: str) -> None:
    repo = _minimal(
        tmp_path / "repo",
        f"INSERT INTO framework_epics (id, epic_key, name) VALUES (1, {stored}, 'n')",
        key=key,
        files=json.dumps({"id": ours, "name": "n"}),
    )
    done = repo.process("sync")
    assert done.code != 70
    assert "Traceback" not in done.err


@pytest.mark.parametrize("command", [("rollback", "HEAD"), ("restore", "--source", "HEAD", "1")])
def test_a_way_back_from_an_epic_that_became_a_template(made: EpicRepo, command: tuple[str, ...]) -> None:
    before = made.files()
    made.edit("1", '"id": "1"', '"id": "[EPIC-ID]"')
    made.ok(*command)
    assert made.files() == before


def test_rollback_over_a_file_that_is_excluded_now(made: EpicRepo) -> None:
    config = made.root / "epicvc.toml"
    config.write_text(config.read_text().replace("[files]", '[files]\nexclude = ["epico_1.json"]'))
    assert made.run("rollback", "HEAD~1").code in (0, 5)


def test_an_excluded_file_is_no_deleted_epic(made: EpicRepo) -> None:
    config = made.root / "epicvc.toml"
    config.write_text(config.read_text().replace("[files]", '[files]\nexclude = ["epico_1.json"]'))
    made.run("sync")
    assert made.epic_row("1")["deleted_at"] is None


def test_undo_after_the_application_added_a_row_elsewhere(made: EpicRepo) -> None:
    (made.directory / "new.json").write_text('{"id": "N", "name": "New", "tasks": [{"id": "N.1", "title": "t"}]}')
    made.ok("sync")
    made.sql(
        "INSERT INTO framework_tasks (epic_id, task_key, title) "
        "SELECT id, 'APP', 'application' FROM framework_epics WHERE epic_key = '1'"
    )
    made.ok("undo")
    assert made.task_row("APP")["title"] == "application"
    assert made.sql("SELECT * FROM framework_epics WHERE epic_key = 'N'") == []


@pytest.mark.parametrize(
    "revision",
    ["@{²}", "@{99999999999999999999}", "HEAD~" + "9" * 5000, "@{0001-01-01T00:00:00}", "@{9999-12-31T23:59:59-23:00}"],
)
def test_revisions_that_cannot_be(made: EpicRepo, revision: str) -> None:
    assert made.run("show", revision).code in (2, 3)


def test_an_empty_revision_is_none(made: EpicRepo) -> None:
    made.rewrite("1", lambda body: body.update(name="MY EDIT"))
    made.run("rollback", "")
    assert made.body("1")["name"] == "MY EDIT"


def test_a_configuration_that_is_nested_too_deeply(made: EpicRepo) -> None:
    config = made.root / "epicvc.toml"
    config.write_text(f"a = {'[' * 3000}")
    assert made.run("status").code == 4


@pytest.mark.parametrize("arguments", [("commit", "--allow-empty", "-m", "\udcff"), ("checkpoint", "\udcff")])
def test_arguments_that_are_no_unicode(made: EpicRepo, arguments: tuple[str, ...]) -> None:
    assert made.run(*arguments).code in (2, 4)


def test_a_terminal_that_is_not_utf8(made: EpicRepo) -> None:
    """What it cannot say is escaped; every byte is one that it can show."""
    said = made.process("show", PYTHONIOENCODING="ascii")
    assert said.code == 0, said
    assert "\\xe7" in said.out
    answer = made.process("show", "--json", PYTHONIOENCODING="ascii")
    assert answer.value["format"] == "epicvc.show/1"


@pytest.mark.parametrize("flag", ["-C", "--db"])
def test_a_path_that_is_too_long(made: EpicRepo, flag: str) -> None:
    assert made.run("status", flag, "x" * 5000).code in (2, 3, 6)


@pytest.mark.parametrize("key", ["NULL", "x'00'"])
def test_a_task_key_that_is_no_key(tmp_path: Path, key: str) -> None:
    repo = _minimal(
        tmp_path / "repo",
        "INSERT INTO framework_epics (id, epic_key, name) VALUES (1, 'E', 'n')",
        "INSERT INTO framework_tasks (id, epic_id, task_key, title) VALUES (1, 1, 'T', 'title')",
    )
    repo.ok("sync")
    repo.sql(f"UPDATE framework_tasks SET task_key = {key}")
    repo.run("sync")
    assert {task["id"] for task in repo.body("E").get("tasks", [])} <= {"T"}


@pytest.mark.parametrize("url", [" postgresql://u:s3cret@h/db", "postgresql:u:s3cret@h/db", "u:s3cret@h/db"])
def test_a_password_in_what_is_almost_a_url(made: EpicRepo, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPICVC_DATABASE_URL", url)
    done = made.run("status")
    assert "s3cret" not in done.out + done.err


@pytest.mark.parametrize("epic", ["²", "9" * 5000, "٣"])
def test_status_lists_ids_that_look_like_numbers(made: EpicRepo, epic: str) -> None:
    (made.directory / "odd.json").write_text(json.dumps({"epic": {"id": epic, "name": "Odd"}}))
    assert epic in [found["id"] for found in made.json("status")["epics"]]
