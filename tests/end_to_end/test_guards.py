"""Guards against emptying a side by mishap, and dry runs that change nothing at all."""

from __future__ import annotations

import pytest
from support.repos import EpicRepo


def _all(repo: EpicRepo) -> list[str]:
    return [*repo.facts.paths, *repo.facts.own]


def _alive(repo: EpicRepo) -> int:
    return int(repo.one("SELECT count(*) FROM framework_epics WHERE deleted_at IS NULL"))


def test_all_files_deleted(repo: EpicRepo) -> None:
    total = len(_all(repo))
    for path in repo.directory.rglob("*.json"):
        path.unlink()
    for command in ("sync", "push"):
        message = repo.refused(5, command, naming="the files side is empty")
        assert f"delete {total} epics" in message
    repo.refused(5, "sync", "--allow-mass-delete", naming="empty")
    assert _alive(repo) == total
    repo.ok("sync", "--allow-empty-side", "--allow-mass-delete")
    assert _alive(repo) == 0
    assert repo.json("status")["in_sync"] is True
    repo.ok("undo")
    assert _alive(repo) == total


def test_the_named_flag_is_enough_for_an_empty_side(repo: EpicRepo) -> None:
    for path in repo.directory.rglob("*.json"):
        path.unlink()
    repo.ok("sync", "--allow-empty-side")
    assert _alive(repo) == 0


def test_all_rows_deleted(repo: EpicRepo) -> None:
    files = repo.files()
    repo.sql("DELETE FROM framework_tasks")
    repo.sql("DELETE FROM framework_epics")
    for command in ("sync", "pull"):
        repo.refused(5, command, naming="the database side is empty")
    assert repo.files() == files
    repo.ok("pull", "--allow-empty-side")
    assert repo.files() == {}
    repo.ok("undo")
    assert repo.files() == files


def test_more_than_half_deleted(repo: EpicRepo) -> None:
    epics = _all(repo)
    gone = epics[: len(epics) // 2 + 1]
    for epic in gone:
        repo.path(epic).unlink()
    message = repo.refused(5, "sync", naming=f"delete {len(gone)} of {len(epics)} epics")
    assert "database" in message
    repo.refused(5, "sync", "--allow-empty-side", naming="delete")
    repo.ok("sync", "--allow-mass-delete")
    assert _alive(repo) == len(epics) - len(gone)


def test_half_deleted_is_meant(repo: EpicRepo) -> None:
    # the smaller half: more than half of the tasks would be too many, however few epics have them
    epics = sorted(_all(repo), key=lambda epic: len(repo.body(epic).get("tasks", [])))
    for epic in epics[: len(epics) // 2]:
        repo.path(epic).unlink()
    repo.ok("sync")
    assert _alive(repo) == len(epics) - len(epics) // 2


def test_more_than_half_of_the_rows_deleted(repo: EpicRepo) -> None:
    epics = _all(repo)
    files = repo.files()
    for epic in epics[: len(epics) // 2 + 1]:
        repo.sql("UPDATE framework_epics SET deleted_at = '2025-01-01' WHERE epic_key = ?", epic)
    repo.refused(5, "pull", naming="on the files side")
    assert repo.files() == files
    repo.ok("pull", "--allow-mass-delete")
    assert len(repo.files()) == len(epics) - (len(epics) // 2 + 1)


@pytest.mark.parametrize(
    "command",
    [
        "sync",
        "pull",
        "push",
        "commit -m x",
        "checkout HEAD~1 --discard-changes",
        "checkout HEAD~1 --side db --discard-changes",
        "checkout HEAD~1 --side files --discard-changes",
        "rollback HEAD~1",
        "restore {epic}",
        "restore --source HEAD~1 @{table}",
        "undo",
        "redo",
        "op restore {operation}",
        "gc",
        "switch side --discard-changes",
    ],
)
def test_a_dry_run_changes_nothing(repo: EpicRepo, command: str) -> None:
    facts = repo.facts
    repo.ok("branch", "side", "HEAD~1")
    if command == "redo":
        repo.ok("commit", "-m", "to be undone", "--allow-empty")
        repo.ok("undo")
    repo.rewrite(facts.epic, lambda body: body.update(name="of the files"))
    repo.sql("UPDATE framework_epics SET summary = 'of the db' WHERE epic_key = ?", facts.epic)
    repo.sql(f"DELETE FROM {facts.table} WHERE id = {facts.row}")
    operation = repo.json("op", "log")["operations"][-1]["id"]
    words = command.format(epic=facts.epic, table=facts.table, operation=operation).split()
    with repo.unchanged():
        repo.ok(*words, "--dry-run")
        repo.json(*words, "--dry-run")
    repo.ok(*words)  # and it would have done something that can be done


def test_a_dry_run_says_what_would_be_done(repo: EpicRepo) -> None:
    facts = repo.facts
    repo.rewrite(facts.epic, lambda body: body.update(name="of the files"))
    repo.sql("UPDATE framework_epics SET summary = 'of the db' WHERE epic_key = ?", facts.epic)
    would = repo.json("sync", "--dry-run")
    done = repo.json("sync")
    assert would == {**done, "commit": None}
    assert (done["to_files"], done["to_db"]) == (1, 1)


def test_a_dry_run_of_a_new_branch_changes_nothing(repo: EpicRepo) -> None:
    with repo.unchanged():
        repo.ok("switch", "-c", "new", "--dry-run")


@pytest.mark.parametrize("command", ["checkpoint x", "branch x", "tag x"])
def test_naming_commands_have_a_dry_run(made: EpicRepo, command: str) -> None:
    with made.unchanged():
        made.ok(*command.split(), "--dry-run")
