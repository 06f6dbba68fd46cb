"""Each step of a conflict, for each of the five commands that can end in one.

Whatever the step: every file is JSON, the database is as sound as before and the application can write to it, history
is whole, and ``status`` says what to do next.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from support.branches import commit, two_branches
from support.repos import EpicRepo

Check = Callable[..., None]


@pytest.fixture
def usable(repo: EpicRepo) -> Check:
    """Checks that the repo can be worked with, and that ``status`` names these steps and counts the conflicts."""
    faults = repo.sql("PRAGMA foreign_key_check")

    def check(conflicts: int, *next_steps: str) -> None:
        for data in repo.files().values():
            json.loads(data)
        assert repo.one("PRAGMA integrity_check") == "ok"
        assert repo.sql("PRAGMA foreign_key_check") == faults
        repo.sql("UPDATE framework_epics SET name = name WHERE epic_key = ?", repo.facts.epic)
        said = repo.ok("status").out
        (line,) = [line for line in said.splitlines() if line.startswith("next: ")] or [""]
        assert all(step in line for step in next_steps), said
        assert bool(line) == bool(next_steps), said
        assert repo.json("status")["conflicts"] == conflicts
        repo.ok("diff")
        repo.ok("fsck")

    return check


@pytest.mark.parametrize("command", ["pull", "push", "sync"])
def test_between_files_and_database(repo: EpicRepo, usable: Check, command: str) -> None:
    epic = repo.facts.epic
    repo.rewrite(epic, lambda body: body.update(name="Of the files", summary="Files' summary", methodology="files"))
    repo.sql(
        "UPDATE framework_epics SET name = 'Of the db', summary = 'Summary of the db', goals = '[\"db\"]' "
        "WHERE epic_key = ?",
        epic,
    )
    usable(2, "epicvc resolve")
    with repo.unchanged():
        assert len(repo.json(command, "--dry-run", code=1)["conflicts"]) == 2
    for _ in range(2):
        assert len(repo.json(command, code=1)["conflicts"]) == 2
        usable(2, "epicvc resolve")
        assert (repo.body(epic)["name"], repo.epic_row(epic)["name"]) == ("Of the files", "Of the db")
    assert (repo.body(epic)["goals"] == ["db"]) == (command != "push")
    assert (repo.epic_row(epic)["methodology"] == "files") == (command != "pull")
    assert len(repo.json("resolve", f"{epic}:name", "--prefer", "db", code=1)["conflicts"]) == 1
    usable(1, "epicvc resolve")
    repo.ok("resolve", "--prefer", "files")
    usable(0, *(() if command == "sync" else ("epicvc sync",)))
    repo.ok("sync")
    usable(0)
    assert (repo.body(epic)["name"], repo.epic_row(epic)["summary"]) == ("Of the db", "Files' summary")


@pytest.mark.parametrize("ending", ["--continue", "--abort"])
@pytest.mark.parametrize("command", ["merge", "revert", "cherry-pick"])
def test_between_branches(repo: EpicRepo, usable: Check, command: str, ending: str) -> None:
    epic = repo.facts.epic
    if command == "merge":
        two_branches(
            repo,
            lambda body: body.update(name="Theirs", summary="Their summary"),
            lambda body: body.update(name="Ours", summary="Our summary"),
        )
        what = "theirs"
    else:
        repo.rewrite(epic, lambda body: body.update(name="Wrong", summary="Wrong summary"))
        what = commit(repo, "wrong")
        repo.rewrite(epic, lambda body: body.update(name="Ours", summary="Our summary"))
        commit(repo, "later")
    before = repo.files(), repo.dump()
    with repo.unchanged():
        assert len(repo.json(command, what, "--dry-run", code=1)["conflicts"]) == 2
    assert len(repo.json(command, what, code=1)["conflicts"]) == 2
    usable(2, "epicvc resolve", f"epicvc {command} --abort")
    assert repo.body(epic)["name"] == repo.epic_row(epic)["name"] == "Ours"
    repo.refused(5, command, what)
    repo.refused(5, command, "--continue")
    repo.refused(5, "sync")
    repo.json("resolve", f"{epic}:name", "--prefer", "theirs", code=1)
    usable(1, "epicvc resolve", f"epicvc {command} --abort")
    assert repo.body(epic)["name"] == repo.epic_row(epic)["name"] != "Ours"
    repo.ok("branch", "-m", "trunk")  # it goes on wherever the branch is called
    repo.json("resolve", "--prefer", "theirs")
    usable(0, f"epicvc {command} --continue", f"epicvc {command} --abort")
    repo.ok(command, ending)
    usable(0)
    assert repo.json("branch")["current"] == "trunk"
    assert repo.json("status")["clean"]
    if ending == "--abort":
        assert (repo.files(), repo.dump()) == before
    assert (repo.body(epic)["name"] == "Ours") == (ending == "--abort")
