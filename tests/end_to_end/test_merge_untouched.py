"""Leaving out the tasks that nobody touched changes nothing but the time that a merge takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.branches import commit, fork, random_edits
from support.repos import EpicRepo

from epicvc.actions.merge.documents import loading
from epicvc.repo.repository import Repo


def _outcome(repo: EpicRepo, *, synced: bool) -> tuple[Any, Any]:
    said = repo.run("merge", "theirs", "--json").value
    if said["conflicts"]:
        repo.ok("resolve", "--prefer", "theirs")
        repo.ok("merge", "--continue")
    status = repo.json("status")
    assert status["clean"]
    assert not synced or status["in_sync"]
    head = Repo.open(repo.root).head_snapshot()
    assert head is not None
    return {**said, "commit": None}, (head[1], repo.files())


@pytest.mark.parametrize("synced", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_the_result_is_the_same(
    made: EpicRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, synced: bool
) -> None:
    def end(message: str) -> None:
        """Commit sides that agree, or as they are."""
        if synced:
            commit(made, message)
        else:
            made.ok("commit", "-m", message)

    fork(made)
    random_edits(made, 2 * seed)
    end("theirs")
    made.ok("switch", "main")
    random_edits(made, 2 * seed + 1)
    end("ours")
    whole = made.copy_to(tmp_path / "whole")
    found = _outcome(made, synced=synced)
    monkeypatch.setattr(loading, "untouched", lambda *_: {})
    assert _outcome(whole, synced=synced) == found


def test_tasks_are_left_out(repo: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    untouched = loading.untouched

    def counting(*arguments: Any) -> Any:
        found = untouched(*arguments)
        seen.append(len(found))
        return found

    monkeypatch.setattr(loading, "untouched", counting)
    epic, (first, second, *_) = repo.facts.epic, repo.facts.tasks
    others = len(repo.body(epic)["tasks"]) - 2
    fork(repo)
    repo.sql("UPDATE framework_tasks SET title = 'Theirs' WHERE task_key = ?", first)
    commit(repo)
    repo.ok("switch", "main")
    repo.sql("UPDATE framework_tasks SET title = 'Ours' WHERE task_key = ?", second)
    commit(repo)
    repo.ok("merge", "theirs")
    assert seen == [others]
    assert [repo.file_task(epic, key)["title"] for key in (first, second)] == ["Theirs", "Ours"]
