"""Calculated fields in the authors' files: ``[sync] calculated = "inline"``."""

from __future__ import annotations

from typing import Any

import pytest
from support.branches import commit, fork
from support.repos import EpicRepo


@pytest.fixture
def inline(repo: EpicRepo) -> EpicRepo:
    """A repo whose files hold calculated fields."""
    config = repo.root / "epicvc.toml"
    config.write_text(config.read_text(encoding="utf-8").replace('"enriched"', '"inline"'), encoding="utf-8")
    repo.ok("sync")
    return repo


def beside(repo: EpicRepo, epic: str) -> dict[str, Any]:
    found: dict[str, Any] = repo.read(epic)["calculated_fields"]
    return found


def test_progress_is_that_of_the_databases_tasks(inline: EpicRepo) -> None:
    epic, tasks = inline.facts.epic, inline.facts.tasks
    total = len(inline.body(epic)["tasks"])
    assert beside(inline, epic)["progress_percentage"] == 0.0
    inline.sql("UPDATE framework_tasks SET status = 'completed' WHERE task_key IN (?, ?)", *tasks[:2])
    assert inline.json("sync")["to_files"] > 0
    found = beside(inline, epic)
    assert found["progress_percentage"] == round(200 / total, 2)
    assert found["stats"]["total_tasks"] == total
    assert found["stats"]["completed_tasks"] == 2
    assert sum(found["stats"]["tasks_by_status"].values()) == total
    assert inline.json("sync")["to_files"] == 0


def test_planned_dates_come_to_the_files(inline: EpicRepo) -> None:
    epic = inline.facts.epic
    inline.ok("plan", "--from", "2025-08-13")
    assert "planned_start_date" not in beside(inline, epic)
    inline.ok("pull")
    found = beside(inline, epic)
    assert (found["planned_start_date"], found["planned_end_date"]) == ("2025-08-18", "2025-08-20")
    assert (found["calculated_duration_days"], found["duration_unit"]) == (1.5, "days")
    assert inline.json("status")["in_sync"]


def test_an_edit_of_a_calculated_field_is_reported_and_dropped(inline: EpicRepo) -> None:
    epic = inline.facts.epic
    before = inline.path(epic).read_bytes()
    inline.edit(epic, '"progress_percentage": 0.0', '"progress_percentage": 99.0')
    report = inline.ok("sync", "--verbose")
    assert "progress_percentage" in report.out
    assert inline.path(epic).read_bytes() == before


def test_one_sync_is_enough_for_new_tasks_and_new_epics(inline: EpicRepo) -> None:
    epic = inline.facts.epic
    inline.rewrite(epic, lambda body: body["tasks"].append({"id": "new.1", "title": "New"}))
    (inline.directory / "another.json").write_text(
        '{"epic": {"id": "new", "name": "New", "tasks": [{"id": "new.2", "title": "Newer"}]}}\n', encoding="utf-8"
    )
    inline.ok("sync")
    assert beside(inline, epic)["stats"]["total_tasks"] == len(inline.body(epic)["tasks"])
    assert inline.read("new")["calculated_fields"]["progress_percentage"] == 0.0
    with inline.unchanged():
        again = inline.json("sync")
    assert (again["to_files"], again["to_db"], again["commit"]) == (0, 0, None)


def test_off_and_enriched_add_nothing(repo: EpicRepo) -> None:
    files = repo.files()
    repo.sql("UPDATE framework_tasks SET status = 'completed'")
    repo.ok("plan", "--from", "2025-08-13")
    repo.ok("sync")
    assert repo.files() == files


@pytest.mark.parametrize("disputed", [False, True])
def test_a_merge_of_branches_calculates_anew(inline: EpicRepo, disputed: bool) -> None:
    repo, epic, tasks = inline, inline.facts.epic, inline.facts.tasks

    def work(key: str, done: str) -> None:
        repo.rewrite(epic, lambda body: body["tasks"].append({"id": key, "title": key}))
        if disputed:
            repo.rewrite(epic, lambda body: body.update(name=key))
        repo.sql("UPDATE framework_tasks SET status = 'completed' WHERE task_key = ?", done)
        commit(repo, key)

    fork(repo)
    work("theirs", tasks[0])
    repo.ok("switch", "main")
    work("ours", tasks[1])
    assert len(repo.json("merge", "theirs", code=int(disputed))["conflicts"]) == disputed
    if disputed:
        repo.ok("resolve", "--prefer", "theirs")
        repo.ok("merge", "--continue")
    found = beside(repo, epic)
    assert found["stats"]["total_tasks"] == len(repo.body(epic)["tasks"])
    assert found["stats"]["completed_tasks"] == 2
    assert repo.json("sync", "--dry-run")["to_files"] == 0
