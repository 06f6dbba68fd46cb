"""Policies in ``epicvc.toml``, and the evidence of ``newest_wins``."""

from __future__ import annotations

import json
import os
from typing import Any

from support.repos import EpicRepo


def _policies(repo: EpicRepo, tables: str, policy: str = "manual") -> None:
    path = repo.root / "epicvc.toml"
    text = path.read_text().split("[sync.")[0]
    path.write_text(text.replace('policy = "manual"', f'policy = "{policy}"') + "\n" + tables, encoding="utf-8")


def _conflict(repo: EpicRepo, *, updated_at: str | None = None) -> None:
    """Change the name on both sides."""
    epic = repo.facts.epic
    repo.rewrite(epic, lambda body: body.update(name="from the files"))
    repo.sql("UPDATE framework_epics SET name = 'from the database' WHERE epic_key = ?", epic)
    if updated_at:
        repo.sql("UPDATE framework_epics SET updated_at = ? WHERE epic_key = ?", updated_at, epic)


def _written(repo: EpicRepo, second: int) -> None:
    """Make the file look as if it was written at this second of 2025-05-05 10:00 UTC."""
    path = repo.root / "epics" / repo.facts.path
    os.utime(path, (1746439200 + second, 1746439200 + second))


def _newest(repo: EpicRepo, code: int = 0) -> tuple[dict[str, Any], str]:
    report = repo.json("sync", "--policy", "newest_wins", code=code)
    reason = report["decided"][0]["reason"] if report["decided"] else ""
    return report, reason


def test_a_policy_for_a_field_and_one_for_a_kind(repo: EpicRepo) -> None:
    _policies(repo, '[sync.fields]\nname = "never-auto"\n"tasks/title" = "database_wins"', "json_wins")
    epic, key = repo.facts.epic, repo.facts.tasks[0]
    _conflict(repo)
    repo.rewrite(epic, lambda body: body.update(summary="from the files"))
    repo.rewrite(epic, lambda body: body["tasks"][0].update(title="from the files"))
    repo.sql("UPDATE framework_epics SET summary = 'from the database' WHERE epic_key = ?", epic)
    repo.sql("UPDATE framework_tasks SET title = 'from the database' WHERE task_key = ?", key)
    report = repo.json("sync", code=1)
    assert [conflict["label"] for conflict in report["conflicts"]] == [f"{epic}:name"]
    assert repo.body(epic)["summary"] == repo.epic_row(epic)["summary"] == "from the files"
    assert repo.file_task(epic, key)["title"] == repo.task_row(key)["title"] == "from the database"
    assert {item["label"]: item["reason"] for item in report["decided"]} == {
        f"{epic}:summary": "json_wins took the files' value",
        f"{epic}:tasks/{key}/title": "database_wins took the database's value",
    }


def test_a_policy_that_cannot_be_is_refused(made: EpicRepo) -> None:
    _policies(made, '[sync.fields]\nsumary = "json_wins"')
    made.refused(4, "status", naming="sumary")
    _policies(made, '[sync.fields]\nsummary = "always"')
    made.refused(4, "status", naming="always")
    _policies(made, '[sync.kinds]\ntext = "manual"')
    made.refused(4, "status", naming="text")


def test_never_auto_holds_against_the_command_line(made: EpicRepo) -> None:
    _policies(made, '[sync.kinds]\nset = "never-auto"')
    epic = made.facts.epic
    made.rewrite(epic, lambda body: body["labels"].append("files"))
    labels = [*json.loads(made.epic_row(epic)["labels"]), "database"]
    made.sql("UPDATE framework_epics SET labels = ? WHERE epic_key = ?", json.dumps(labels), epic)
    report = made.json("sync", "--policy", "json_wins", code=1)
    assert [conflict["label"] for conflict in report["conflicts"]] == [f"{epic}:labels"]
    assert made.json("status")["conflicts"] == 1
    made.ok("resolve", "--prefer", "db")
    assert made.body(epic)["labels"] == labels


def test_newer_is_what_was_changed_after_the_commit_that_has_the_other(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    repo.rewrite(epic, lambda body: body.update(name="from the files"))
    repo.ok("commit", "-m", "one side")
    repo.sql("UPDATE framework_epics SET name = 'from the database' WHERE epic_key = ?", epic)
    report, reason = _newest(repo)
    assert not report["conflicts"] and "changed since commit" in reason
    assert repo.body(epic)["name"] == "from the database"


def test_newer_is_what_the_later_commit_has(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    repo.sql("UPDATE framework_epics SET name = 'from the database' WHERE epic_key = ?", epic)
    repo.ok("commit", "-m", "one side")
    repo.rewrite(epic, lambda body: body.update(name="from the files"))
    repo.ok("commit", "-m", "the other")
    report, reason = _newest(repo)
    assert not report["conflicts"] and "is later than" in reason
    assert repo.epic_row(epic)["name"] == "from the files"


def test_newer_by_the_clock(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    _conflict(repo, updated_at="2025-05-05 10:00:10")
    _written(repo, 20)
    report, reason = _newest(repo)
    assert not report["conflicts"] and repo.epic_row(epic)["name"] == "from the files"
    assert reason == (
        "newest_wins took the files' value: the file was written 2025-05-05 10:00:20 UTC and "
        "the row says updated_at 2025-05-05 10:00:10 UTC"
    )
    _conflict(repo, updated_at="2025-05-05T12:00:30+02:00")
    repo.rewrite(epic, lambda body: body.update(name="from the files again"))
    _written(repo, 20)
    report, _ = _newest(repo)
    assert not report["conflicts"] and repo.body(epic)["name"] == "from the database"


def test_without_evidence_the_conflict_stays(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    for stamp in (None, "2025-05-05 10:00:20", "2931-05-05 10:00:00", "yesterday"):
        _conflict(repo, updated_at=stamp)
        _written(repo, 20)
        report, reason = _newest(repo, code=1)
        assert [conflict["label"] for conflict in report["conflicts"]] == [f"{epic}:name"] and not reason
        assert repo.body(epic)["name"] == "from the files"
        assert repo.epic_row(epic)["name"] == "from the database"
