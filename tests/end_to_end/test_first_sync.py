"""``init``, ``status`` and the first ``sync``: both sides get everything, nobody's bytes change."""

from __future__ import annotations

import json
from typing import Any

from support.repos import EpicRepo

EPIC_TEXTS = {"name": "name", "summary": "summary", "methodology": "methodology", "duration": "duration_description"}
EPIC_JSON = (
    "goals",
    "definition_of_done",
    "labels",
    "performance_constraints",
    "quality_gates",
    "automation_hooks",
    "checklist_epic_level",
)
TASK_COLUMNS = {
    name: name
    for name in (
        "title",
        "description",
        "tdd_phase",
        "estimate_minutes",
        "story_points",
        "risk",
        "mitigation",
        "tdd_skip_reason",
    )
} | {"branch": "github_branch"}
TASK_JSON = ("test_specs", "acceptance_criteria", "deliverables", "files_touched", "test_plan", "priority_tags")


def test_init_says_what_it_found_and_changes_nothing(fresh: EpicRepo) -> None:
    files, dump = fresh.files(), fresh.dump()
    found = fresh.json("init")
    assert found["format"] == "epicvc.init/1"
    assert (found["files"], found["database"]) == ("epics", "framework.db")
    assert found["epics"] == {"files": len(files), "db": 3}
    assert found["created_database"] is False
    assert found["orphans"] == (146 if fresh.facts.name == "real" else 5)
    assert fresh.files() == files
    assert fresh.dump() == dump
    assert (fresh.root / ".epicvc/.gitignore").read_text() == "*\n"
    assert (fresh.root / ".epicvc").stat().st_mode & 0o777 == 0o700
    assert (fresh.root / ".epicvc/store.db").stat().st_mode & 0o777 == 0o600
    fresh.refused(5, "init")


def test_status_after_init(initialised: EpicRepo) -> None:
    found = initialised.json("status")
    assert found["format"] == "epicvc.status/1"
    places = ["epics", "tables", "schema", "errors", "waiting", "new_mapping"]
    assert list(found) == ["format", "branch", "head", "clean", "in_sync", "conflicts", *places]
    assert (found["branch"], found["clean"], found["in_sync"], found["conflicts"]) == ("main", True, False, 0)
    states = {epic["id"]: (epic["path"], epic["state"], epic["files"], epic["db"]) for epic in found["epics"]}
    expected = {key: (path, "files_ahead", "unchanged", "unchanged") for key, path in initialised.facts.paths.items()}
    expected |= dict.fromkeys(initialised.facts.own, (None, "db_ahead", "unchanged", "unchanged"))
    assert states == expected
    assert found["tables"] == []
    assert initialised.run("status", "--exit-code").code == 1
    assert initialised.run("status").code == 0


def test_first_sync_brings_both_sides_together(initialised: EpicRepo) -> None:
    repo, facts = initialised, initialised.facts
    files = repo.files()
    done = repo.json("sync")
    assert done["format"] == "epicvc.sync/1"
    assert (done["to_files"], done["to_db"], done["conflicts"]) == (3, len(files), [])
    after = repo.files()
    assert {path: after[path] for path in files} == files
    assert len(after) == len(files) + 3
    status = repo.json("status")
    assert (status["clean"], status["in_sync"], status["conflicts"]) == (True, True, 0)
    assert (status["epics"], status["tables"], status["head"]) == ([], [], done["commit"])
    assert repo.run("status", "--exit-code").code == 0
    for epic in facts.paths:
        _assert_epic_in_database(repo, epic)
    for epic in facts.own:
        _assert_file_has_row(repo, epic)


def _assert_epic_in_database(repo: EpicRepo, epic: str) -> None:
    body, row = repo.body(epic), repo.epic_row(epic)
    for name, column in EPIC_TEXTS.items():
        if body.get(name) is not None:
            assert row[column] == body[name], (epic, name)
    for name in EPIC_JSON:
        assert (json.loads(row[name]) if row[name] is not None else None) == body.get(name), (epic, name)
    assert row["tdd_enabled"] == int(body.get("tdd_enabled", True))
    assert row["methodology"] == body.get("methodology", "Test-Driven Development")
    assert (row["status"], row["deleted_at"]) == ("pending", None)
    assert repo.task_order(epic) == [task["id"] for task in body["tasks"]]
    for task in body["tasks"]:
        _assert_task_in_database(repo, row["id"], task)


def _assert_task_in_database(repo: EpicRepo, parent: int, task: dict[str, Any]) -> None:
    row = repo.task_row(task["id"])
    assert row["epic_id"] == parent
    defaults = {"estimate_minutes": 60, "story_points": 1}
    for name, column in TASK_COLUMNS.items():
        value = task.get(name)
        assert row[column] == (defaults.get(name) if value is None else value), (task["id"], name)
    for name in TASK_JSON:
        assert (json.loads(row[name]) if row[name] is not None else None) == task.get(name), (task["id"], name)
    found = repo.sql("SELECT depends_on_task_key FROM task_dependencies WHERE task_id = ?", row["id"])
    assert sorted(key for (key,) in found) == sorted(set(task.get("dependencies") or []))


def _assert_file_has_row(repo: EpicRepo, epic: str) -> None:
    row = repo.epic_row(epic)
    assert repo.path(epic).parent == repo.directory
    body = repo.body(epic)
    assert {"id": epic, "name": row["name"]}.items() <= body.items()
    assert "description" not in body  # the database's own
    assert "status" not in body
    assert [task["id"] for task in body["tasks"]] == repo.task_order(epic)
    for task in body["tasks"]:
        stored = repo.task_row(task["id"])
        for name, column in TASK_COLUMNS.items():
            assert task.get(name) == stored[column], (task["id"], name)
        assert "status" not in task


def test_what_the_database_had_stays_as_it_was(initialised: EpicRepo) -> None:
    before = initialised.dump()
    initialised.ok("sync")
    after = initialised.dump()
    gone = [line for line in set(before) - set(after) if '"sqlite_sequence"' not in line]
    assert gone == []
    added = [line.split("VALUES")[0] for line in set(after) - set(before) if "sqlite_sequence" not in line]
    assert set(added) == {
        'INSERT INTO "framework_epics" ',
        'INSERT INTO "framework_tasks" ',
        'INSERT INTO "task_dependencies" ',
    }


def test_new_files_have_the_directorys_manner(repo: EpicRepo) -> None:
    for epic in repo.facts.own:
        path = repo.path(epic)
        assert path.name == f"epico_{epic}.json"
        data = path.read_bytes()
        assert list(json.loads(data)) == ["epic"]
        assert data.startswith(b'{\n  "epic": {\n    "id": "')


def test_a_second_sync_does_nothing(repo: EpicRepo) -> None:
    with repo.unchanged():
        done = repo.json("sync")
    assert (done["commit"], done["to_files"], done["to_db"], done["conflicts"]) == (None, 0, 0, [])


def test_reading_commands_write_nothing(repo: EpicRepo) -> None:
    stat = repo.database.stat()
    with repo.unchanged():
        for command in (
            ("status",),
            ("status", "--porcelain"),
            ("diff",),
            ("diff", "HEAD~1"),
            ("log",),
            ("show",),
            ("op", "log"),
            ("branch",),
            ("tag",),
            ("fsck",),
            ("doctor",),
        ):
            repo.ok(*command)
            if command != ("status", "--porcelain"):
                repo.json(*command)
    assert repo.database.stat() == stat or repo.database.stat().st_mtime_ns == stat.st_mtime_ns


def test_push_fires_the_applications_triggers(repo: EpicRepo) -> None:
    facts = repo.facts
    key = facts.tasks[1]
    title = repo.file_task(facts.epic, key)["title"]
    assert repo.epic_row(facts.epic)["sync_status"] == "synced"
    repo.sql(
        "INSERT INTO epic_json_sync (epic_id, epic_key, json_file_path) VALUES (?, ?, 'x.json')",
        repo.epic_row(facts.epic)["id"],
        "E" + facts.epic,
    )
    repo.edit(facts.epic, json.dumps(title, ensure_ascii=False), '"Another title"')
    done = repo.json("push")
    assert (done["to_files"], done["to_db"]) == (0, 1)
    assert repo.task_row(key)["title"] == "Another title"
    row = repo.epic_row(facts.epic)
    assert row["sync_status"] == "modified"
    assert repo.one("SELECT sync_status FROM epic_json_sync WHERE epic_key = ?", "E" + facts.epic) == "db_newer"
    status = repo.json("status")
    assert (status["clean"], status["in_sync"]) == (True, True)


def test_a_process_of_its_own_says_the_same(fresh: EpicRepo) -> None:
    assert fresh.process("--version").out.startswith("epicvc ")
    assert fresh.process("status").code == 3
    first = fresh.process("init")
    assert (first.code, "Traceback" in first.err) == (0, False)
    assert json.loads(fresh.process("sync", "--json").out)["to_db"] == len(fresh.facts.paths)
    assert fresh.process("status", "--porcelain").out == ""
    status = fresh.process("status", "--json")
    assert json.loads(status.out) == fresh.json("status")
    assert fresh.process("no-such-command").code == 2


def test_a_database_that_does_not_exist_is_made(fresh: EpicRepo) -> None:
    fresh.database.unlink()
    found = fresh.json("init", "--db", "framework.db")
    assert (found["created_database"], found["epics"]) == (True, {"files": len(fresh.facts.paths), "db": 0})
    done = fresh.json("sync")
    assert (done["to_files"], done["to_db"]) == (0, len(fresh.facts.paths))
    assert fresh.json("status")["in_sync"] is True
    for epic in fresh.facts.paths:
        assert fresh.task_order(epic) == [task["id"] for task in fresh.body(epic)["tasks"]]


def test_the_same_epic_on_both_sides_before_the_first_sync(fresh: EpicRepo) -> None:
    """Equal is agreed, what one side alone has is its addition, different is a conflict."""
    facts = fresh.facts
    body = fresh.body(facts.epic)
    fresh.sql(
        "INSERT INTO framework_epics (epic_key, name, summary, duration_description) "
        "VALUES (?, ?, 'another summary', NULL)",
        facts.epic,
        body["name"],
    )
    fresh.ok("init")
    bytes_before = fresh.path(facts.epic).read_bytes()
    done = fresh.json("sync", code=1)
    assert [conflict["label"] for conflict in done["conflicts"]] == [f"{facts.epic}:summary"]
    assert done["conflicts"][0] == {
        "label": f"{facts.epic}:summary",
        "base": None,
        "files": body["summary"],
        "db": "another summary",
    }
    assert fresh.path(facts.epic).read_bytes() == bytes_before
    row = fresh.epic_row(facts.epic)
    assert (row["name"], row["summary"], row["duration_description"]) == (
        body["name"],
        "another summary",
        body["duration"],
    )
    assert fresh.task_order(facts.epic) == [task["id"] for task in body["tasks"]]
