"""A database without shortcuts: every answer is the same, and nothing is remembered of the database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.branches import two_branches
from support.repos import EpicRepo

from epicvc.database.sqlite.backend import SQLiteBackend
from epicvc.repo.rows import dbcache, dbmark

Scene = Callable[[EpicRepo], object]


@pytest.fixture
def no_shortcuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave a SQLite backend with the methods that every backend has, for whoever goes by the protocol."""
    monkeypatch.setattr(SQLiteBackend, "shortcuts", None)


def both_sides(repo: EpicRepo) -> tuple[dict[str, bytes], list[dict[str, Any]]]:
    """The files, and what the rows say of epics and tasks."""
    rows = [{**repo.epic_row(epic), "updated_at": None} for epic in sorted(repo.facts.paths)]
    rows += [{**repo.task_row(task), "updated_at": None} for task in repo.facts.tasks]
    return repo.files(), rows


def synchronise(repo: EpicRepo) -> object:
    epic, other = repo.facts.epic, repo.facts.other
    repo.rewrite(epic, lambda body: body.update(name="from the file"))
    repo.sql("UPDATE framework_epics SET name = 'from the rows' WHERE epic_key = ?", other)
    before = repo.json("status")
    repo.ok("sync", "--dry-run")
    repo.ok("sync")
    assert repo.epic_row(epic)["name"] == "from the file"
    assert repo.body(other)["name"] == "from the rows"
    return before["epics"], repo.json("status")["in_sync"]


def one_direction(repo: EpicRepo) -> object:
    repo.rewrite(repo.facts.epic, lambda body: body["tasks"].pop())
    repo.ok("push")
    repo.sql("UPDATE framework_epics SET name = 'pulled' WHERE epic_key = ?", repo.facts.epic)
    repo.ok("pull")
    return repo.body(repo.facts.epic)["name"], repo.json("status")["clean"]


def commit_and_roll_back(repo: EpicRepo) -> object:
    head = repo.head()
    repo.sql("INSERT INTO framework_epics (epic_key, name) VALUES ('new', 'of the rows')")
    repo.sql("DELETE FROM framework_tasks WHERE task_key = ?", repo.facts.tasks[0])
    repo.ok("commit", "-m", "as it is")
    repo.ok("rollback", head)
    assert repo.one("SELECT count(*) FROM framework_epics WHERE epic_key = 'new'") == 0
    assert repo.task_row(repo.facts.tasks[0])
    return repo.json("status")["clean"]


def undo_and_redo(repo: EpicRepo) -> object:
    was = repo.epic_row(repo.facts.epic)["name"]
    repo.rewrite(repo.facts.epic, lambda body: body.update(name="another"))
    repo.ok("sync")
    repo.ok("undo")
    assert repo.epic_row(repo.facts.epic)["name"] == was
    repo.ok("redo")
    return repo.epic_row(repo.facts.epic)["name"], repo.json("status")["in_sync"]


def merge(repo: EpicRepo) -> object:
    two_branches(repo, lambda body: body.update(name="Theirs"), lambda body: body["tasks"][0].update(title="Ours"))
    repo.ok("merge", "theirs")
    return repo.epic_row(repo.facts.epic)["name"], repo.task_row(repo.facts.tasks[0])["title"]


@pytest.mark.parametrize("scene", [synchronise, one_direction, commit_and_roll_back, undo_and_redo, merge])
def test_the_same_comes_of_it(made: EpicRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scene: Scene) -> None:
    other = made.copy_to(tmp_path / "other")
    with_shortcuts = scene(made), both_sides(made)
    monkeypatch.setattr(SQLiteBackend, "shortcuts", None)
    assert (scene(other), both_sides(other)) == with_shortcuts
    other.ok("fsck", "--full")


@pytest.mark.usefixtures("no_shortcuts")
def test_nothing_is_remembered_of_the_rows(fresh: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("token", "token_left", "version_left", "mark_left", "marking", "comparing", "takes_images"):
        monkeypatch.delattr(SQLiteBackend, name)  # whoever asks past `shortcuts` fails
    fresh.ok("init")
    fresh.ok("sync")
    fresh.sql("UPDATE framework_epics SET name = 'seen at once' WHERE epic_key = ?", fresh.facts.epic)
    fresh.ok("sync")
    assert fresh.body(fresh.facts.epic)["name"] == "seen at once"
    assert fresh.json("status")["in_sync"] is True
    assert not [name for name in (dbcache.FILE, dbmark.FILE) if (fresh.root / ".epicvc" / name).exists()]
