"""A command that is killed anywhere leaves the old state or the new one, and the next command brings it to either."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.branches import two_branches
from support.killing import kill_points, run_killed
from support.repos import EpicRepo

SAMPLES = 9
"""Kill points of each command in the ordinary run, spread over all of its steps."""


def _edit_both(repo: EpicRepo) -> None:
    repo.rewrite(repo.facts.epic, lambda body: body.update(name="Renamed in the file"))
    repo.sql("UPDATE framework_epics SET summary = 'Changed in the database' WHERE epic_key = ?", repo.facts.epic)
    repo.sql("UPDATE framework_epics SET name = 'Changed there' WHERE epic_key = ?", repo.facts.other)


def _damage(repo: EpicRepo) -> None:
    repo.ok("checkpoint", "before")
    repo.path(repo.facts.other).unlink()
    repo.path(repo.facts.epic).write_bytes(b"{")
    repo.sql("DELETE FROM task_dependencies")
    repo.sql("DROP VIEW IF EXISTS " + repo.facts.view)


def _branches(repo: EpicRepo) -> None:
    task = {"id": "new", "title": "New"}
    two_branches(
        repo,
        lambda body: (body.update(summary="Theirs"), body["tasks"].append(task)),
        lambda body: (body.update(name="Ours"), body["tasks"].append({**task, "id": "other"})),
    )


SCENES = {
    "sync": (_edit_both, ("sync",)),
    "rollback": (_damage, ("rollback", "before")),
    "plan": (lambda _: None, ("plan", "--from", "2025-08-13")),
    "merge": (_branches, ("merge", "theirs")),
}


def _sides(repo: EpicRepo) -> tuple[dict[str, bytes], list[str]]:
    return repo.files(), [line for line in repo.dump() if "journal_mode" not in line]


def _is_new(repo: EpicRepo, new_files: dict[str, bytes]) -> bool:
    """The new state, whatever the database's own clock wrote into it."""
    status = repo.json("status")
    return repo.files() == new_files and status["clean"] and status["in_sync"]


@pytest.mark.parametrize("scene", SCENES)
def test_killed_at_any_step_it_is_the_old_state_or_the_new_one(made: EpicRepo, tmp_path: Path, scene: str) -> None:
    prepare, command = SCENES[scene]
    prepare(made)
    old = _sides(made)
    whole = made.copy_to(tmp_path / "whole")
    steps = run_killed(whole.root, 0, *command)
    assert steps is not None
    assert steps > 2 * SAMPLES
    new_files = whole.files()
    outcomes = set()
    for at in kill_points(steps, SAMPLES):
        repo = made.copy_to(tmp_path / f"killed-{at}")
        assert run_killed(repo.root, at, *command) is None, at
        repo.ok("doctor", "--repair") if scene != "rollback" else repo.run("doctor", "--repair")
        assert not [path for path in repo.root.rglob("*") if "epicvc-tmp" in path.name], at
        if _sides(repo) == old:
            outcomes.add("old")
        else:
            assert _is_new(repo, new_files), (at, _sides(repo)[0].keys())
            outcomes.add("new")
        repo.ok("fsck", "--full")
        repo.ok(*command)
        assert _is_new(repo, new_files), at
    assert outcomes == {"old", "new"}
