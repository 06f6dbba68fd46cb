"""Policies in merges of branches: what never merges by itself, and what is newer by the evidence of history."""

from __future__ import annotations

from typing import Any

import pytest
from support.branches import commit, fork, set_task, two_branches
from support.repos import EpicRepo


def _policies(repo: EpicRepo, tables: str = "", policy: str = "manual") -> None:
    path = repo.root / "epicvc.toml"
    text = path.read_text().split("[sync.")[0]
    path.write_text(text.replace('policy = "manual"', f'policy = "{policy}"') + "\n" + tables, encoding="utf-8")


def _labels(report: Any, member: str = "conflicts") -> list[str]:
    return [found["label"] for found in report[member]]


def test_never_auto_is_not_merged_inside_nor_replayed(made: EpicRepo) -> None:
    _policies(made, '[sync.fields]\ngoals = "never-auto"', "newest_wins")
    epic, goals = made.facts.epic, list(made.body(made.facts.epic)["goals"])
    two_branches(
        made,
        lambda body: body.update(goals=[*goals, "theirs, at the end"]),
        lambda body: body.update(goals=["ours, at the beginning", *goals]),
    )
    made.ok("tag", "before")
    report = made.json("merge", "theirs", code=1)
    assert (_labels(report), report["decided"]) == ([f"{epic}:goals"], [])
    made.ok("resolve", "--set", f'{epic}:goals=["mine"]')
    made.ok("merge", "--continue")
    assert made.body(epic)["goals"] == ["mine"]
    made.ok("branch", "again", "before")
    made.ok("switch", "again")
    report = made.json("merge", "theirs", code=1)
    assert (_labels(report), report["replayed"]) == ([f"{epic}:goals"], [])
    made.ok("merge", "--abort")
    made.ok("merge", "theirs", "--prefer", "theirs")  # a person says so
    assert made.body(epic)["goals"] == [*goals, "theirs, at the end"]


@pytest.mark.parametrize("later", ["theirs", "ours"])
def test_the_later_change_wins_and_says_why(repo: EpicRepo, later: str) -> None:
    _policies(repo, policy="newest_wins")
    epic = repo.facts.epic
    fork(repo)
    edits = {"theirs": "theirs", "ours": "main"}
    ids = {}
    for side in sorted(edits, key=lambda side: side == later):
        repo.ok("switch", edits[side])
        repo.rewrite(epic, lambda body, side=side: body.update(name=side))
        ids[side] = repo.json("sync")["commit"]
    for branch in edits.values():  # a later commit of something else is no evidence
        repo.ok("switch", branch)
        repo.rewrite(epic, lambda body, branch=branch: body.update({f"of {branch}": 1}))
        commit(repo)
    with repo.unchanged():
        preview = repo.json("merge", "theirs", "--dry-run")
    report = repo.json("merge", "theirs")
    assert report["decided"] == preview["decided"]
    (decided,) = report["decided"]
    assert (decided["label"], report["conflicts"]) == (f"{epic}:name", [])
    whose = {"theirs": "their", "ours": "our"}[later]
    (earlier,) = edits.keys() - {later}
    assert decided["reason"].startswith(f"newest_wins took {whose} value: commit {ids[later][:12]} by ")
    assert f"is later than {ids[earlier][:12]} by " in decided["reason"]
    assert repo.body(epic)["name"] == repo.epic_row(epic)["name"] == later
    status = repo.json("status")
    assert (status["clean"], status["in_sync"], status["conflicts"]) == (True, True, 0)


def test_newest_for_a_field_and_for_a_kind_and_the_rest_waits(repo: EpicRepo) -> None:
    _policies(repo, '[sync.fields]\n"tasks/title" = "newest_wins"\n[sync.kinds]\nlist = "newest_wins"')
    epic, task = repo.facts.epic, repo.facts.tasks[0]

    def edit(word: str) -> Any:
        def change(body: Any) -> None:
            set_task(task, title=f"title {word}")(body)
            body.update(name=f"name {word}", goals=[f"goal {word}"])

        return change

    two_branches(repo, edit("theirs"), edit("ours"))
    report = repo.json("merge", "theirs", code=1)
    assert _labels(report) == [f"{epic}:name"]
    assert _labels(report, "decided") == [f"{epic}:goals", f"{epic}:tasks/{task}/title"]
    assert "newest_wins took our value" in report["decided"][0]["reason"]
    repo.ok("resolve", "--prefer", "theirs")
    repo.ok("merge", "--continue")
    assert repo.file_task(epic, task)["title"] == repo.task_row(task)["title"] == "title ours"
    assert (repo.body(epic)["name"], repo.body(epic)["goals"]) == ("name theirs", ["goal ours"])


def test_a_task_deleted_later_stays_deleted(repo: EpicRepo) -> None:
    _policies(repo, '[sync.kinds]\ntasks = "newest_wins"')
    epic, task = repo.facts.epic, repo.facts.tasks[-1]
    two_branches(
        repo,
        set_task(task, title="Theirs"),
        lambda body: body.update(tasks=[found for found in body["tasks"] if found["id"] != task]),
    )
    report = repo.json("merge", "theirs")
    assert _labels(report, "decided") == [f"{epic}:tasks/{task}"]
    assert task not in [found["id"] for found in repo.body(epic)["tasks"]]
    status = repo.json("status")
    assert (status["clean"], status["in_sync"]) == (True, True)


@pytest.mark.parametrize("policy", ["json_wins", "database_wins"])
def test_sides_that_branches_do_not_have_decide_nothing(made: EpicRepo, policy: str) -> None:
    _policies(made, policy=policy)
    two_branches(made, lambda body: body.update(name="Theirs"), lambda body: body.update(name="Ours"))
    report = made.json("merge", "theirs", code=1)
    assert (_labels(report), report["decided"]) == ([f"{made.facts.epic}:name"], [])


def test_a_revert_asks_for_what_is_older(made: EpicRepo) -> None:
    _policies(made, policy="newest_wins")
    epic = made.facts.epic
    for name in ("first", "second"):
        made.rewrite(epic, lambda body, name=name: body.update(name=name))
        commit(made, name)
    report = made.json("revert", "HEAD~1", code=1)
    assert (_labels(report), report["decided"]) == ([f"{epic}:name"], [])


def test_rows_of_other_tables_too(made: EpicRepo) -> None:
    _policies(made, policy="newest_wins")
    made.sql("INSERT INTO settings VALUES ('a', 'b', 'base')")
    fork(made)
    made.sql("UPDATE settings SET value = 'theirs' WHERE category = 'a'")
    commit(made)
    made.ok("switch", "main")
    made.sql("UPDATE settings SET value = 'ours' WHERE category = 'a'")
    commit(made)
    report = made.json("merge", "theirs")
    assert len(report["decided"]) == 1
    assert "newest_wins took our value" in report["decided"][0]["reason"]
    assert made.one("SELECT value FROM settings WHERE category = 'a'") == "ours"
