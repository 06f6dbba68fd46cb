"""What one history gave a row number to, another gives to something else: each is restored for itself."""

from __future__ import annotations

import pytest
from support.repos import EpicRepo

TASK = 900
LINK = 800


def add_task(repo: EpicRepo, epic: str, key: str, *, row: int = TASK) -> None:
    parent = repo.epic_row(epic)["id"]
    query = "INSERT INTO framework_tasks (id, epic_id, task_key, title, task_sequence) VALUES (?, ?, ?, 'in a row', 99)"
    repo.sql(query, row, parent, key)


def add_link(repo: EpicRepo, task: str, *, row: int = LINK) -> None:
    query = "INSERT INTO task_dependencies (id, task_id, depends_on_task_key) VALUES (?, ?, 'OWN_T1')"
    repo.sql(query, row, repo.task_row(task)["id"])


def tasks_of(repo: EpicRepo, epic: str) -> set[str]:
    query = "SELECT task_key FROM framework_tasks t JOIN framework_epics e ON e.id = t.epic_id WHERE epic_key = ?"
    return {key for (key,) in repo.sql(query, epic)}


@pytest.fixture(name="parted")
def _parted(made: EpicRepo) -> EpicRepo:
    """On a branch the row belongs to a task of one epic, and here, where HEAD is, to one of another."""
    made.ok("switch", "--create", "there")
    add_task(made, made.facts.epic, "theirs")
    made.ok("commit", "-m", "there")
    made.ok("switch", "main")
    add_task(made, made.facts.other, "ours")
    made.ok("commit", "-m", "here")
    return made


@pytest.mark.parametrize("label", ["{}", "{}:tasks", "{}:tasks/theirs"])
def test_a_row_that_is_anothers_is_not_overwritten(parted: EpicRepo, label: str) -> None:
    facts = parted.facts
    words = ("restore", "--source", "there", label.format(facts.epic), "--side", "db")
    said = parted.refused(5, *words, naming=f"row {TASK} of framework_tasks")
    assert f"{facts.other}:tasks/ours" in said


@pytest.mark.parametrize("label", ["{}", "{}:tasks", "{}:tasks/ours"])
def test_what_is_another_epics_there_does_not_come_with_it(parted: EpicRepo, label: str) -> None:
    facts = parted.facts
    before = {epic: tasks_of(parted, epic) for epic in (facts.epic, facts.other)}
    parted.ok("restore", "--source", "there", label.format(facts.other), "--side", "db")
    after = {epic: tasks_of(parted, epic) for epic in (facts.epic, facts.other)}
    assert after == {facts.epic: before[facts.epic], facts.other: before[facts.other] - {"ours"}}


@pytest.mark.parametrize("order", [1, -1])
def test_epics_that_are_restored_together_give_way_to_each_other(parted: EpicRepo, order: int) -> None:
    facts = parted.facts
    parted.ok("restore", "--source", "there", *[facts.epic, facts.other][::order], "--side", "db")
    assert "theirs" in tasks_of(parted, facts.epic)
    assert "ours" not in tasks_of(parted, facts.other)
    assert parted.task_row("theirs")["id"] == TASK
    assert parted.json("diff", "there", "--side", "db")["changes"] == []


def test_a_field_is_taken_from_the_same_task_alone(parted: EpicRepo) -> None:
    facts = parted.facts
    label = f"{facts.other}:tasks/ours/title"
    parted.refused(3, "restore", "--source", "there", label, "--side", "db", naming="only on one side")
    parted.refused(3, "restore", "--source", "there", f"{facts.epic}:tasks/theirs/title", "--side", "db")


def test_a_link_that_is_another_tasks_is_not_overwritten(made: EpicRepo) -> None:
    facts = made.facts
    made.ok("switch", "--create", "there")
    add_link(made, facts.tasks[0])
    made.ok("commit", "-m", "there")
    made.ok("switch", "main")
    add_link(made, "OWN_T3")
    made.ok("commit", "-m", "here")
    naming = f"row {LINK} of task_dependencies"
    made.refused(5, "restore", "--source", "there", facts.epic, "--side", "db", naming=naming)
    label = f"{facts.epic}:tasks/{facts.tasks[0]}/dependencies"
    made.refused(5, "restore", "--source", "there", label, "--side", "db", naming=naming)


def test_a_task_that_was_moved_since_comes_back(made: EpicRepo) -> None:
    facts = made.facts
    key = facts.tasks[0]
    made.ok("commit", "-m", "before", "--allow-empty")
    query = (
        "UPDATE framework_tasks SET epic_id = (SELECT id FROM framework_epics WHERE epic_key = ?) WHERE task_key = ?"
    )
    made.sql(query, facts.other, key)
    made.ok("restore", "--source", "HEAD", facts.epic, "--side", "db")
    assert key in tasks_of(made, facts.epic)
    assert key not in tasks_of(made, facts.other)
