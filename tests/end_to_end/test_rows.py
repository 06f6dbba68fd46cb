"""How documents become rows and rows documents: defaults, deletion, moves, order, links, and what has no mapping."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.repos import EpicRepo


def _links(repo: EpicRepo, key: str) -> dict[str, int]:
    query = "SELECT depends_on_task_key, id FROM task_dependencies WHERE task_id = ?"
    return dict(repo.sql(query, repo.task_row(key)["id"]))


def _sequences(repo: EpicRepo, epic: str) -> dict[str, Any]:
    query = (
        "SELECT task_key, task_sequence FROM framework_tasks "
        "WHERE epic_id = (SELECT id FROM framework_epics WHERE epic_key = ?)"
    )
    return dict(repo.sql(query, epic))


def _in_sync(repo: EpicRepo) -> None:
    with repo.unchanged():
        assert repo.json("sync")["commit"] is None
        status = repo.json("status")
    assert (status["clean"], status["in_sync"]) == (True, True)


def test_removing_a_field_writes_the_default(repo: EpicRepo) -> None:
    facts = repo.facts
    key = facts.tasks[0]
    repo.rewrite(facts.epic, lambda body: body["tasks"][0].update(story_points=8, estimate_minutes=5, risk="r"))
    repo.rewrite(facts.epic, lambda body: body.update(methodology="Other", tdd_enabled=False))
    repo.ok("push")
    row = repo.task_row(key)
    assert (row["story_points"], row["estimate_minutes"], row["risk"]) == (8, 5, "r")

    def remove(body: Any) -> None:
        for name in ("methodology", "tdd_enabled", "summary"):
            del body[name]
        for name in ("story_points", "estimate_minutes", "risk"):
            del body["tasks"][0][name]

    repo.rewrite(facts.epic, remove)
    repo.ok("push")
    row, epic = repo.task_row(key), repo.epic_row(facts.epic)
    assert (row["story_points"], row["estimate_minutes"], row["risk"]) == (1, 60, None)
    assert (epic["methodology"], epic["tdd_enabled"], epic["summary"]) == ("Test-Driven Development", 1, None)
    data = repo.path(facts.epic).read_bytes()
    _in_sync(repo)
    assert repo.path(facts.epic).read_bytes() == data


def test_absent_fields_with_defaults_stay_absent(repo: EpicRepo) -> None:
    facts = repo.facts
    repo.rewrite(facts.epic, lambda body: body["tasks"].append({"id": "new.1", "title": "New"}))
    repo.ok("sync")
    row = repo.task_row("new.1")
    assert (row["story_points"], row["estimate_minutes"], row["status"], row["description"]) == (1, 60, "pending", None)
    assert repo.file_task(facts.epic, "new.1") == {"id": "new.1", "title": "New"}
    _in_sync(repo)
    repo.sql("UPDATE framework_tasks SET story_points = 3 WHERE task_key = 'new.1'")
    repo.ok("sync")
    assert repo.file_task(facts.epic, "new.1") == {"id": "new.1", "title": "New", "story_points": 3}
    # Back at the default it is a value now, since the base has it.
    repo.sql("UPDATE framework_tasks SET story_points = 1 WHERE task_key = 'new.1'")
    repo.ok("sync")
    assert repo.file_task(facts.epic, "new.1")["story_points"] == 1


def test_null_and_empty(repo: EpicRepo) -> None:
    """Null is absent; an empty list and an empty text are values."""
    facts = repo.facts
    repo.rewrite(facts.epic, lambda body: body.update(summary=None, goals=[], duration=""))
    repo.ok("sync")
    row = repo.epic_row(facts.epic)
    assert (row["summary"], row["goals"], row["duration_description"]) == (None, "[]", "")
    assert repo.body(facts.epic)["summary"] is None  # the author's null stays
    _in_sync(repo)


def test_values_come_back_exactly(repo: EpicRepo) -> None:
    facts = repo.facts
    gates = {
        "number": 0.1,
        "big": 2**70,
        "long": 12345678901234567890,
        "text": 'é "\\ / \u2028 🎯',
        "empty": {"list": [], "object": {}, "text": ""},
        "nested": [[1, [2, None]], True],
    }
    repo.rewrite(facts.epic, lambda body: body.update(quality_gates=gates, name="é \U0001f3af e\u0301"))
    repo.ok("push")
    row = repo.epic_row(facts.epic)
    assert json.loads(row["quality_gates"]) == gates
    assert row["name"] == "é \U0001f3af e\u0301"
    _in_sync(repo)


def test_deleting_an_epics_file_marks_its_rows(repo: EpicRepo) -> None:
    facts = repo.facts
    row, tasks = repo.epic_row(facts.epic), {key: repo.task_row(key) for key in facts.tasks}
    data = repo.path(facts.epic).read_bytes()
    links = repo.sql("SELECT * FROM task_dependencies ORDER BY id")
    repo.path(facts.epic).unlink()
    assert repo.json("sync")["to_db"] == 1
    deleted = repo.epic_row(facts.epic)
    assert deleted["deleted_at"] is not None
    assert deleted["status"] == "deleted"
    assert deleted == {**row, "deleted_at": deleted["deleted_at"], "status": "deleted"}
    _in_sync(repo)
    # The same file again revives the same rows.
    (repo.directory / facts.path).write_bytes(data)
    repo.ok("sync")
    assert repo.epic_row(facts.epic) == row
    for key, before in tasks.items():
        assert repo.task_row(key)["id"] == before["id"]
        assert (repo.task_row(key)["status"], repo.task_row(key)["deleted_at"]) == ("pending", None)
    assert repo.sql("SELECT * FROM task_dependencies ORDER BY id") == links
    assert (repo.directory / facts.path).read_bytes() == data
    _in_sync(repo)


def test_deleting_a_task_marks_its_row_and_adding_it_revives_it(repo: EpicRepo) -> None:
    facts = repo.facts
    key = facts.tasks[1]
    row, task = repo.task_row(key), repo.file_task(facts.epic, key)
    repo.sql("UPDATE framework_tasks SET actual_minutes = 33 WHERE task_key = ?", key)
    repo.ok("commit", "-m", "the minutes are known to whoever deletes the task")
    repo.rewrite(facts.epic, lambda body: body["tasks"].pop(1))
    repo.ok("sync")
    deleted = repo.task_row(key)
    assert (deleted["id"], deleted["status"]) == (row["id"], "deleted")
    assert deleted["deleted_at"] is not None
    _in_sync(repo)
    repo.rewrite(facts.epic, lambda body: body["tasks"].insert(1, {**task, "title": "Revived"}))
    repo.ok("sync")
    revived = repo.task_row(key)
    assert (revived["id"], revived["status"], revived["deleted_at"]) == (row["id"], "pending", None)
    assert (revived["title"], revived["actual_minutes"]) == ("Revived", 33)
    assert repo.task_order(facts.epic)[:4] == list(facts.tasks)
    _in_sync(repo)


def test_deleting_in_the_database_deletes_the_file(repo: EpicRepo) -> None:
    facts = repo.facts
    path = repo.path(facts.epic)
    data = path.read_bytes()
    repo.sql(
        "UPDATE framework_epics SET deleted_at = CURRENT_TIMESTAMP, status = 'deleted' WHERE epic_key = ?", facts.epic
    )
    assert repo.json("sync")["to_files"] == 1
    assert not path.exists()
    _in_sync(repo)
    repo.sql("UPDATE framework_epics SET deleted_at = NULL, status = 'active' WHERE epic_key = ?", facts.epic)
    repo.ok("sync")
    assert repo.body(facts.epic)["name"] == json.loads(data).get("epic", json.loads(data))["name"]
    _in_sync(repo)


def test_deleting_rows_for_good(repo: EpicRepo) -> None:
    facts = repo.facts
    own = facts.own[2]
    repo.sql("DELETE FROM framework_tasks WHERE epic_id = ?", repo.epic_row(own)["id"])
    repo.sql("DELETE FROM framework_epics WHERE epic_key = ?", own)
    path = repo.path(own)
    repo.ok("sync")
    assert not path.exists()
    repo.sql("DELETE FROM framework_tasks WHERE task_key = ?", facts.tasks[3])
    repo.ok("sync")
    assert repo.file_task(facts.epic, facts.tasks[3]) is None
    _in_sync(repo)


def test_one_mark_is_enough_to_be_deleted(repo: EpicRepo) -> None:
    facts = repo.facts
    repo.sql("UPDATE framework_tasks SET status = 'deleted' WHERE task_key = ?", facts.tasks[0])
    repo.sql("UPDATE framework_tasks SET deleted_at = '2025-01-01' WHERE task_key = ?", facts.tasks[1])
    repo.sql("UPDATE framework_tasks SET deleted_at = '' WHERE task_key = ?", facts.tasks[2])  # empty is alive
    repo.ok("sync")
    present = [repo.file_task(facts.epic, key) is not None for key in facts.tasks]
    assert present == [False, False, True, True]


def test_a_renamed_file_is_the_same_epic(repo: EpicRepo) -> None:
    facts = repo.facts
    row = repo.epic_row(facts.epic)
    data = repo.path(facts.epic).read_bytes()
    target = repo.directory / "moved" / "anything at all.json"
    target.parent.mkdir()
    repo.path(facts.epic).rename(target)
    done = repo.json("sync")
    assert (done["to_files"], done["to_db"]) == (0, 0)
    assert repo.epic_row(facts.epic) == row
    (change,) = repo.json("diff")["changes"]
    assert (change["op"], change["side"], change["label"]) == ("move", "files", facts.epic)
    assert (change["old"], change["new"]) == (facts.path, "moved/anything at all.json")
    repo.ok("commit", "-m", "moved")
    repo.sql("UPDATE framework_epics SET name = 'pulled' WHERE epic_key = ?", facts.epic)
    repo.ok("sync")
    assert json.loads(target.read_bytes())["epic"]["name"] == "pulled"
    assert not (repo.directory / facts.path).exists()
    repo.ok("checkout", "HEAD~2")
    assert (repo.directory / facts.path).read_bytes() == data
    assert not target.exists()


def test_a_task_that_moves_to_another_epic_keeps_its_row(repo: EpicRepo) -> None:
    facts = repo.facts
    key = facts.tasks[2]
    row, task = repo.task_row(key), repo.file_task(facts.epic, key)
    links = _links(repo, key)
    repo.rewrite(facts.epic, lambda body: body["tasks"].pop(2))
    repo.rewrite(facts.other, lambda body: body["tasks"].append(task))
    repo.ok("sync")
    moved = repo.task_row(key)
    assert (moved["id"], moved["epic_id"]) == (row["id"], repo.epic_row(facts.other)["id"])
    assert (moved["status"], moved["deleted_at"], moved["created_at"]) == (row["status"], None, row["created_at"])
    assert _links(repo, key) == links
    assert repo.task_order(facts.other)[-1] == key
    _in_sync(repo)
    # And back, in the database.
    repo.sql("UPDATE framework_tasks SET epic_id = ? WHERE task_key = ?", row["epic_id"], key)
    repo.ok("sync")
    assert repo.file_task(facts.other, key) is None
    assert repo.file_task(facts.epic, key) is not None
    _in_sync(repo)


def test_a_task_moves_while_its_epic_is_deleted(repo: EpicRepo) -> None:
    facts = repo.facts
    key = facts.tasks[0]
    row, task = repo.task_row(key), repo.file_task(facts.epic, key)
    repo.path(facts.epic).unlink()
    repo.rewrite(facts.other, lambda body: body["tasks"].append(task))
    repo.ok("sync")
    moved = repo.task_row(key)
    assert (moved["id"], moved["epic_id"], moved["deleted_at"]) == (row["id"], repo.epic_row(facts.other)["id"], None)
    assert repo.epic_row(facts.epic)["status"] == "deleted"
    _in_sync(repo)


def test_a_new_order_writes_few_numbers(repo: EpicRepo) -> None:
    facts = repo.facts
    before = _sequences(repo, facts.epic)

    def swap(body: Any) -> None:
        body["tasks"][0], body["tasks"][1] = body["tasks"][1], body["tasks"][0]

    repo.rewrite(facts.epic, swap)
    repo.ok("sync")
    assert repo.task_order(facts.epic) == [task["id"] for task in repo.body(facts.epic)["tasks"]]
    after = _sequences(repo, facts.epic)
    assert before.keys() == after.keys()
    _in_sync(repo)


def test_moving_one_task_writes_as_few_numbers_as_possible(repo: EpicRepo) -> None:
    """With free numbers between them, a task that goes to the end needs one new number and no other changes."""
    facts = repo.facts
    repo.sql(
        "UPDATE framework_tasks SET task_sequence = task_sequence * 100 WHERE epic_id = ?",
        repo.epic_row(facts.epic)["id"],
    )
    repo.ok("commit", "-m", "numbers")
    before = _sequences(repo, facts.epic)
    repo.rewrite(facts.epic, lambda body: body["tasks"].append(body["tasks"].pop(0)))
    repo.ok("sync")
    after = _sequences(repo, facts.epic)
    assert [key for key in before if before[key] != after[key]] == [facts.tasks[0]]


def test_a_task_at_the_end_gets_one_number(repo: EpicRepo) -> None:
    facts = repo.facts
    before = _sequences(repo, facts.epic)
    repo.rewrite(facts.epic, lambda body: body["tasks"].append({"id": "z.1", "title": "Last"}))
    repo.ok("sync")
    after = _sequences(repo, facts.epic)
    assert after.pop("z.1") == max(before.values()) + 1
    assert after == before


def test_an_order_of_the_database_reaches_the_file(repo: EpicRepo) -> None:
    facts = repo.facts
    repo.sql("UPDATE framework_tasks SET task_sequence = 0 WHERE task_key = ?", facts.tasks[3])
    repo.ok("sync")
    expected = [facts.tasks[3], *facts.tasks[:3]]
    assert [task["id"] for task in repo.body(facts.epic)["tasks"]][:4] == expected
    _in_sync(repo)


def test_rows_without_a_number_carry_no_order(repo: EpicRepo) -> None:
    facts = repo.facts
    repo.sql("UPDATE framework_tasks SET task_sequence = NULL WHERE epic_id = ?", repo.epic_row(facts.epic)["id"])
    data = repo.path(facts.epic).read_bytes()
    done = repo.json("sync")
    assert (done["to_files"], done["to_db"], done["conflicts"]) == (0, 0, [])
    assert repo.path(facts.epic).read_bytes() == data
    # An author's new order still reaches the rows.
    repo.rewrite(facts.epic, lambda body: body["tasks"].reverse())
    repo.ok("sync")
    assert repo.task_order(facts.epic) == [task["id"] for task in repo.body(facts.epic)["tasks"]]


def test_links_are_inserted_and_deleted_one_by_one(repo: EpicRepo) -> None:
    facts = repo.facts
    first, second, third, fourth = facts.tasks
    repo.rewrite(facts.epic, lambda body: body["tasks"][3].update(dependencies=[first, second]))
    repo.ok("sync")
    before, others = _links(repo, fourth), _links(repo, third)
    repo.sql("UPDATE task_dependencies SET dependency_type = 'optional' WHERE id = ?", before[second])
    repo.rewrite(facts.epic, lambda body: body["tasks"][3].update(dependencies=[third, second]))
    repo.ok("sync")
    after = _links(repo, fourth)
    assert set(after) == {second, third}
    assert after[second] == before[second]
    assert repo.row("task_dependencies", "id = ?", before[second])["dependency_type"] == "optional"
    assert repo.sql("SELECT 1 FROM task_dependencies WHERE id = ?", before[first]) == []
    assert _links(repo, third) == others
    assert repo.file_task(facts.epic, fourth)["dependencies"] == [third, second]  # the author's order
    _in_sync(repo)
    repo.sql("DELETE FROM task_dependencies WHERE id = ?", after[third])
    repo.sql(
        "INSERT INTO task_dependencies (task_id, depends_on_task_key) VALUES (?, 'elsewhere')",
        repo.task_row(fourth)["id"],
    )
    repo.ok("sync")
    assert repo.file_task(facts.epic, fourth)["dependencies"] == [second, "elsewhere"]
    _in_sync(repo)


def test_orphaned_rows_are_left_alone(repo: EpicRepo) -> None:
    query = "SELECT * FROM task_dependencies WHERE task_id NOT IN (SELECT id FROM framework_tasks) ORDER BY id"
    orphans = repo.sql(query)
    assert orphans
    repo.rewrite(repo.facts.epic, lambda body: body["tasks"][0].update(dependencies=["nowhere"]))
    repo.ok("sync")
    assert repo.sql(query) == orphans
    findings = repo.json("doctor")["findings"]
    assert {finding["level"] for finding in findings} == {"warning"}
    orphaned = [finding["message"] for finding in findings if finding["kind"] == "orphans"]
    assert any(f"{len(orphans)} rows of task_dependencies" in message for message in orphaned)
    dangling = [finding["message"] for finding in findings if finding["kind"] == "dangling_dependency"]
    assert any("nowhere" in message for message in dangling)


def test_columns_without_a_field_survive_a_push(repo: EpicRepo) -> None:
    facts = repo.facts
    key = facts.tasks[0]
    repo.sql(
        "UPDATE framework_epics SET priority = 4, status = 'active', description = 'own', icon = 'x' "
        "WHERE epic_key = ?",
        facts.epic,
    )
    repo.sql(
        "UPDATE framework_tasks SET actual_minutes = 12, task_group = 'g', assigned_to = 1 WHERE task_key = ?", key
    )
    repo.ok("commit", "-m", "the application's own")
    row, task = repo.epic_row(facts.epic), repo.task_row(key)
    repo.rewrite(facts.epic, lambda body: body.update(goals=["only"]))
    repo.rewrite(facts.epic, lambda body: body["tasks"][0].update(estimate_minutes=321))
    repo.ok("sync")
    assert repo.epic_row(facts.epic) == {**row, "goals": '["only"]'}
    assert repo.task_row(key) == {**task, "estimate_minutes": 321}


def test_system_columns_move_no_file(repo: EpicRepo) -> None:
    facts = repo.facts
    repo.sql("UPDATE framework_epics SET priority = 4, status = 'active', planned_start_date = '2025-01-01'")
    repo.sql("UPDATE framework_tasks SET status = 'active' WHERE task_key = ?", facts.tasks[0])
    files = repo.files()
    status = repo.json("status")
    assert (status["clean"], status["in_sync"]) == (False, True)
    done = repo.json("sync")
    assert (done["to_files"], done["to_db"], done["commit"]) == (0, 0, None)
    assert repo.files() == files


def test_an_audit_row_makes_it_unclean_and_leaves_it_in_sync(repo: EpicRepo) -> None:
    facts = repo.facts
    repo.sql(f"UPDATE {facts.table} SET {facts.column} = 'x' WHERE id = {facts.row}")
    status = repo.json("status")
    assert (status["clean"], status["in_sync"], status["epics"]) == (False, True, [])
    assert status["tables"] == [{"name": facts.table, "added": 0, "modified": 1, "deleted": 0}]


def test_extra_keys_survive_a_pull(repo: EpicRepo) -> None:
    facts = repo.facts
    extra = {"anything": [1, 2.50, {"x": None}], "more": "text"}
    repo.rewrite(facts.epic, lambda body: body.update(extra=extra))
    repo.rewrite(facts.epic, lambda body: body["tasks"][0].update(extra_of_task=extra))
    dump = repo.dump()
    status = repo.json("status")
    assert (status["clean"], status["in_sync"]) == (False, True)
    assert repo.json("sync")["to_db"] == 0
    assert repo.dump() == dump
    repo.sql("UPDATE framework_epics SET name = 'pulled' WHERE epic_key = ?", facts.epic)
    repo.sql("UPDATE framework_tasks SET title = 'pulled' WHERE task_key = ?", facts.tasks[0])
    repo.ok("pull")
    assert repo.body(facts.epic)["extra"] == extra
    task = repo.file_task(facts.epic, facts.tasks[0])
    assert (task["title"], task["extra_of_task"]) == ("pulled", extra)


def test_a_new_file_and_a_new_row(repo: EpicRepo) -> None:
    (repo.directory / "brand new.json").write_text(
        json.dumps(
            {"epic": {"id": "N1", "name": "New", "tasks": [{"id": "N1.1", "title": "T", "dependencies": ["N1.2"]}]}}
        )
    )
    repo.sql("INSERT INTO framework_epics (epic_key, name, goals) VALUES ('N2', 'New too', '[\"g\"]')")
    repo.sql(
        "INSERT INTO framework_tasks (task_key, epic_id, title) VALUES ('N2.1', ?, 'T2')", repo.epic_row("N2")["id"]
    )
    done = repo.json("sync")
    assert (done["to_files"], done["to_db"], done["conflicts"]) == (1, 1, [])
    assert repo.task_row("N1.1")["epic_id"] == repo.epic_row("N1")["id"]
    assert list(_links(repo, "N1.1")) == ["N1.2"]
    body = repo.body("N2")
    assert (body["name"], body["goals"], body["tasks"][0]["title"]) == ("New too", ["g"], "T2")
    _in_sync(repo)


def test_the_database_changes_while_a_sync_is_planned(repo: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another client's write between reading and writing is never overwritten: it is planned again."""
    import epicvc.actions.sync.sync as service

    facts = repo.facts
    repo.rewrite(facts.epic, lambda body: body.update(name="of the files"))
    guard, done = service.guard, []

    def interfering(*arguments: Any) -> None:
        guard(*arguments)
        if not done:
            done.append(1)
            repo.sql("UPDATE framework_epics SET summary = 'meanwhile' WHERE epic_key = ?", facts.epic)

    monkeypatch.setattr(service, "guard", interfering)
    repo.ok("sync")
    assert repo.epic_row(facts.epic)["name"] == "of the files"
    assert repo.epic_row(facts.epic)["summary"] == "meanwhile"
    assert repo.body(facts.epic)["summary"] == "meanwhile"


def test_a_file_changes_while_a_sync_is_planned(repo: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    import epicvc.actions.sync.sync as service

    facts = repo.facts
    repo.sql("UPDATE framework_epics SET name = 'of the db' WHERE epic_key = ?", facts.epic)
    guard, done = service.guard, []

    def interfering(*arguments: Any) -> None:
        guard(*arguments)
        if not done:
            done.append(1)
            repo.rewrite(facts.epic, lambda body: body.update(summary="meanwhile"))

    monkeypatch.setattr(service, "guard", interfering)
    repo.ok("sync")
    assert (repo.body(facts.epic)["name"], repo.body(facts.epic)["summary"]) == ("of the db", "meanwhile")
    assert repo.epic_row(facts.epic)["summary"] == "meanwhile"


def test_a_cycle_that_only_the_merge_makes(repo: EpicRepo) -> None:
    facts = repo.facts
    for body_key in ("a.1", "a.2"):
        repo.rewrite(facts.epic, lambda body, key=body_key: body["tasks"].append({"id": key, "title": key}))
    repo.ok("sync")
    repo.rewrite(facts.epic, lambda body: body["tasks"][-1].update(dependencies=["a.1"]))
    repo.sql(
        "INSERT INTO task_dependencies (task_id, depends_on_task_key) VALUES (?, 'a.2')", repo.task_row("a.1")["id"]
    )
    message = repo.refused(4, "sync", naming="a.1")
    assert "a.2" in message


def test_a_dependency_that_only_the_merge_leaves_dangling(repo: EpicRepo) -> None:
    facts = repo.facts
    for body_key in ("a.1", "a.2"):
        repo.rewrite(facts.epic, lambda body, key=body_key: body["tasks"].append({"id": key, "title": key}))
    repo.ok("sync")
    repo.rewrite(facts.epic, lambda body: body["tasks"].pop())
    repo.sql(
        "INSERT INTO task_dependencies (task_id, depends_on_task_key) VALUES (?, 'a.2')", repo.task_row("a.1")["id"]
    )
    repo.refused(4, "sync", naming="a.1/dependencies")


def test_a_new_task_does_not_inherit_orphaned_rows(repo: EpicRepo) -> None:
    next_id = repo.one("SELECT seq FROM sqlite_sequence WHERE name = 'framework_tasks'") + 1
    repo.sql("INSERT INTO task_dependencies (task_id, depends_on_task_key) VALUES (?, 'ghost')", next_id)
    repo.rewrite(repo.facts.epic, lambda body: body["tasks"].append({"id": "new.1", "title": "New"}))
    repo.ok("sync")
    assert repo.task_row("new.1")["title"] == "New"
    assert "dependencies" not in repo.file_task(repo.facts.epic, "new.1")


def test_tasks_swapped_between_epics_keep_their_rows(repo: EpicRepo) -> None:
    facts = repo.facts
    other = repo.body(facts.other)["tasks"][0]["id"]
    mine, theirs = repo.file_task(facts.epic, facts.tasks[0]), repo.file_task(facts.other, other)
    rows = repo.task_row(facts.tasks[0]), repo.task_row(other)
    repo.rewrite(facts.epic, lambda body: body["tasks"].__setitem__(0, theirs))
    repo.rewrite(facts.other, lambda body: body["tasks"].__setitem__(0, mine))
    repo.ok("sync")
    after = repo.task_row(facts.tasks[0]), repo.task_row(other)
    assert [row["id"] for row in after] == [row["id"] for row in rows]
    assert [row["epic_id"] for row in after] == [rows[1]["epic_id"], rows[0]["epic_id"]]
    _in_sync(repo)


def test_an_epic_that_gets_another_id_takes_its_tasks_along(repo: EpicRepo) -> None:
    facts = repo.facts
    ids, row = [repo.task_row(key)["id"] for key in facts.tasks], repo.epic_row(facts.epic)["id"]
    repo.rewrite(facts.epic, lambda body: body.update(id="renamed"))
    repo.ok("sync")
    assert repo.epic_row("renamed")["id"] == row  # the same row, with all that the application has in it
    assert [repo.task_row(key)["id"] for key in facts.tasks] == ids
    assert {repo.task_row(key)["epic_id"] for key in facts.tasks} == {repo.epic_row("renamed")["id"]}
    _in_sync(repo)


def test_names_from_the_database_stay_in_the_directory(repo: EpicRepo) -> None:
    keys = ["../../evil", "a/b", "CON", ".hidden", "x" * 300, "own_1", "OWN_1x", "é", "e\u0301", " ", "a\nb", "-rf"]
    for key in keys:
        repo.sql("INSERT INTO framework_epics (epic_key, name) VALUES (?, 'n')", key)
    files = repo.files()
    assert repo.json("sync")["to_files"] == len(keys)
    after = repo.files()
    assert len(after) == len(files) + len(keys)
    added = [json.loads(data)["epic"]["id"] for path, data in after.items() if path not in files]
    assert sorted(added) == sorted(keys)
    assert all(path.isprintable() and len(path.encode()) < 256 for path in after)
    outside = {path.name for path in repo.root.iterdir()} - {"epics", ".epicvc", "epicvc.toml"}
    assert all(name.startswith("framework.db") for name in outside)
    _in_sync(repo)


@pytest.mark.parametrize("assignment", ["goals = '[1,'", 'labels = \'{"a": 1, "a": 2}\'', "name = x'ff00'"])
def test_rows_that_no_field_can_be(repo: EpicRepo, assignment: str) -> None:
    epic = repo.facts.epic
    repo.sql(f"UPDATE framework_epics SET {assignment} WHERE epic_key = ?", epic)
    column = assignment.split(" ")[0]
    with repo.unchanged():
        repo.held_up("sync", naming=f"@framework_epics/{epic}/{column}")


@pytest.mark.parametrize(
    ("table", "assignment"),
    [("framework_epics", "tdd_enabled = 'maybe'"), ("framework_tasks", "story_points = 'many'")],
)
def test_rows_of_another_type(repo: EpicRepo, table: str, assignment: str) -> None:
    key, column = ("epic_key", repo.facts.epic) if table == "framework_epics" else ("task_key", repo.facts.tasks[0])
    repo.sql(f"UPDATE {table} SET {assignment} WHERE {key} = ?", column)
    with repo.unchanged():
        repo.held_up("sync", naming=f"@{table}/{column}/{assignment.split(' ')[0]}")


def test_text_of_the_database_is_kept_as_bytes(repo: EpicRepo) -> None:
    facts = repo.facts
    repo.sql(
        "UPDATE framework_epics SET description = CAST(x'ff41' AS TEXT), icon = x'00ff' WHERE epic_key = ?", facts.epic
    )
    columns = "typeof(description), hex(description), typeof(icon), hex(icon)"
    query = f"SELECT {columns} FROM framework_epics WHERE epic_key = ?"
    before = repo.sql(query, facts.epic)
    repo.ok("checkpoint", "raw")
    repo.sql("UPDATE framework_epics SET description = NULL, icon = NULL")
    repo.ok("rollback", "raw")
    assert repo.sql(query, facts.epic) == before == [("text", "FF41", "blob", "00FF")]


def test_ignored_tables_stay_as_they_are(repo: EpicRepo) -> None:
    config = repo.root / "epicvc.toml"
    config.write_text(config.read_text() + '\n[tables]\nignore = ["framework_users"]\n')
    repo.ok("checkpoint", "without")
    repo.sql("UPDATE framework_users SET total_points = 4321")
    repo.sql("UPDATE framework_epics SET priority = 4321")
    assert [table["name"] for table in repo.json("status")["tables"]] == ["framework_epics"]
    repo.ok("rollback", "without")
    assert repo.sql("SELECT DISTINCT total_points FROM framework_users") == [(4321,)]
    assert repo.sql("SELECT 1 FROM framework_epics WHERE priority = 4321") == []
    assert repo.json("status")["clean"] is True


def test_rollback_to_before_a_table_was_ignored(repo: EpicRepo) -> None:
    repo.sql("INSERT INTO framework_users (username) VALUES ('another')")
    repo.ok("commit", "-m", "a user")
    config = repo.root / "epicvc.toml"
    config.write_text(config.read_text() + '\n[tables]\nignore = ["framework_users"]\n')
    repo.ok("commit", "-m", "ignored from here")
    repo.sql("UPDATE framework_users SET total_points = 4321")
    repo.sql("UPDATE framework_epics SET priority = 4321")
    repo.ok("rollback", "HEAD~1")
    assert repo.sql("SELECT 1 FROM framework_epics WHERE priority = 4321") == []
    assert repo.sql("SELECT DISTINCT total_points FROM framework_users") == [(4321,)]


def test_an_edit_of_a_calculated_field_is_dropped(repo: EpicRepo) -> None:
    repo.rewrite(repo.facts.epic, lambda body: body.update(planned_start_date="2020-01-01"))
    said = repo.run("sync")
    assert f"{repo.facts.epic}:planned_start_date" in said.out + said.err
    assert "planned_start_date" not in repo.body(repo.facts.epic)


def test_a_files_permissions_survive_a_pull(repo: EpicRepo) -> None:
    path = repo.path(repo.facts.epic)
    path.chmod(0o640)
    repo.sql("UPDATE framework_epics SET name = 'pulled' WHERE epic_key = ?", repo.facts.epic)
    repo.ok("pull")
    assert path.stat().st_mode & 0o777 == 0o640
