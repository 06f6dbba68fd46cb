"""``status`` says what ``sync`` would do, whatever both sides did: one loop plans for both."""

from __future__ import annotations

import json
import random

import pytest
from support.repos import EpicRepo

IDS = ("1", "2", "3")


def _edit_files(repo: EpicRepo, chance: random.Random) -> None:
    for path in sorted(repo.directory.glob("*.json")):
        body = json.loads(path.read_text())
        epic = body.get("epic", body)
        tasks = epic.setdefault("tasks", [])
        match chance.randrange(6):
            case 0:
                epic["name"] = f"name {chance.random()}"
            case 1 if tasks:
                tasks[0]["title"] = f"title {chance.random()}"
            case 2:
                tasks.append({"id": f"n{chance.randrange(10**6)}", "title": "new"})
            case 3 if tasks:
                del tasks[0]
            case 4:
                path.unlink()
                continue
            case _:
                continue
        path.write_text(json.dumps(body, indent=2))
    if chance.random() < 0.5:
        new = {"id": "9", "name": "Nine", "tasks": [{"id": chance.choice(("9.1", "1.2", "2.1")), "title": "claimed"}]}
        (repo.directory / "nine.json").write_text(json.dumps(new))


def _edit_rows(repo: EpicRepo, chance: random.Random) -> None:
    for (key,) in repo.sql("SELECT epic_key FROM framework_epics ORDER BY epic_key"):
        match chance.randrange(5):
            case 0:
                repo.sql("UPDATE framework_epics SET name = ? WHERE epic_key = ?", f"row {chance.random()}", key)
            case 1:
                repo.sql(
                    "UPDATE framework_tasks SET title = ? WHERE epic_id = "
                    "(SELECT id FROM framework_epics WHERE epic_key = ?)",
                    f"row {chance.random()}",
                    key,
                )
            case 2:
                repo.sql(
                    "UPDATE framework_tasks SET epic_id = (SELECT id FROM framework_epics WHERE epic_key = ?) "
                    "WHERE task_key LIKE '1.%'",
                    key,
                )
            case _:
                continue


@pytest.mark.parametrize("seed", range(12))
def test_status_says_what_sync_would_do(garden: EpicRepo, seed: int) -> None:
    chance = random.Random(seed)
    _edit_files(garden, chance)
    _edit_rows(garden, chance)
    status = garden.run("status", "--json").value
    done = garden.run("sync", "--dry-run", "--allow-mass-delete", "--allow-empty-side", "--json").value
    fields = {(item["label"], item["state"]) for epic in status["epics"] for item in epic["fields"]}
    conflicts = sorted(conflict["label"] for conflict in done["conflicts"])
    assert sorted(label for label, state in fields if state == "conflict") == conflicts
    assert len([item for item in fields if item[1] == "files_ahead"]) == done["to_db"]
    assert len([item for item in fields if item[1] == "db_ahead"]) == done["to_files"]
