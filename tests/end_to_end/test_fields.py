"""Edits of both sides, field by field: what merges, what conflicts, and how conflicts are settled."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.repos import EpicRepo, lines_changed


def _q(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _set_name_in_file(repo: EpicRepo, name: str) -> None:
    """Change the epic's own name, wherever the same text stands else."""
    epic = repo.facts.epic
    repo.edit(epic, f'"name": {_q(repo.body(epic)["name"])}', f'"name": {_q(name)}')


def _conflict(repo: EpicRepo) -> tuple[str, str]:
    """Make the epic's name and a task's title conflict; gives both labels."""
    facts = repo.facts
    key = facts.tasks[0]
    _set_name_in_file(repo, "name of the files")
    repo.edit(facts.epic, _q(repo.file_task(facts.epic, key)["title"]), '"title of the files"')
    repo.sql("UPDATE framework_epics SET name = 'name of the db' WHERE epic_key = ?", facts.epic)
    repo.sql("UPDATE framework_tasks SET title = 'title of the db' WHERE task_key = ?", key)
    return f"{facts.epic}:name", f"{facts.epic}:tasks/{key}/title"


def _values(repo: EpicRepo) -> tuple[str, str, str, str]:
    """Name in the file and the database, title of the first task in the file and the database."""
    facts = repo.facts
    key = facts.tasks[0]
    return (
        repo.body(facts.epic)["name"],
        repo.epic_row(facts.epic)["name"],
        repo.file_task(facts.epic, key)["title"],
        repo.task_row(key)["title"],
    )


def test_different_fields_of_one_epic_merge(repo: EpicRepo) -> None:
    facts = repo.facts
    old = repo.body(facts.epic)["summary"]
    _set_name_in_file(repo, "New name ✓")
    repo.sql("UPDATE framework_epics SET summary = 'New “summary”' WHERE epic_key = ?", facts.epic)
    before = repo.path(facts.epic).read_bytes()
    row = repo.epic_row(facts.epic)
    found = repo.json("status")
    (epic,) = found["epics"]
    assert (epic["id"], epic["state"], epic["files"], epic["db"]) == (facts.epic, "diverged", "modified", "modified")
    assert epic["fields"] == [
        {"label": f"{facts.epic}:name", "state": "files_ahead"},
        {"label": f"{facts.epic}:summary", "state": "db_ahead"},
    ]
    assert (found["clean"], found["in_sync"]) == (False, False)
    assert found["tables"] == [{"name": "framework_epics", "added": 0, "modified": 1, "deleted": 0}]
    done = repo.json("sync")
    assert (done["to_files"], done["to_db"], done["conflicts"]) == (1, 1, [])
    after = repo.path(facts.epic).read_bytes()
    assert lines_changed(before, after) == [
        f"- {_line(before, _q(old))}",
        f"+ {_line(before, _q(old)).replace(_q(old), _q('New “summary”'))}",
    ]
    assert repo.epic_row(facts.epic) == {**row, "name": "New name ✓"}
    status = repo.json("status")
    assert (status["clean"], status["in_sync"]) == (True, True)


def _line(data: bytes, text: str) -> str:
    (found,) = [line for line in data.decode().splitlines(keepends=True) if text in line]
    return found


@pytest.mark.parametrize("epic", ["1", "2", "3", "4", "5", "6"])
def test_a_pull_changes_only_the_lines_of_its_field(made: EpicRepo, epic: str) -> None:
    """In every author's hand: escapes, arrays on one line, blanks, line ends, siblings, a bare object."""
    before = made.path(epic).read_bytes()
    others = {path: data for path, data in made.files().items() if path != made.facts.paths[epic]}
    key = made.task_order(epic)[0]
    made.sql("UPDATE framework_tasks SET title = 'Título “novo”', estimate_minutes = 7 WHERE task_key = ?", key)
    old = made.file_task(epic, key)
    assert made.json("pull")["to_files"] == 2
    after = made.path(epic).read_bytes()
    removed = [line for line in lines_changed(before, after) if line.startswith("- ")]
    added = [line for line in lines_changed(before, after) if line.startswith("+ ")]
    assert (len(removed), len(added)) == (2, 2)
    assert str(old["estimate_minutes"]) in removed[1]
    assert added[1] == removed[1].replace("- ", "+ ", 1).replace(str(old["estimate_minutes"]), "7")
    assert ("T\\u00edtulo" in added[0]) == (epic == "3")
    assert (after.count(b"\r\n"), after[-1:]) == (before.count(b"\r\n"), before[-1:])
    assert made.file_task(epic, key) == {**old, "title": "Título “novo”", "estimate_minutes": 7}
    assert {path: data for path, data in made.files().items() if path != made.facts.paths[epic]} == others
    assert made.json("status")["in_sync"] is True


def test_sets_of_both_sides_merge(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    labels = repo.body(epic)["labels"]
    repo.rewrite(epic, lambda body: body.update(labels=[*labels[1:], "from-files"]))
    repo.sql("UPDATE framework_epics SET labels = ? WHERE epic_key = ?", _q([*labels, "from-db"]), epic)
    assert repo.json("sync")["conflicts"] == []
    assert repo.body(epic)["labels"] == [*labels[1:], "from-db", "from-files"]
    assert json.loads(repo.epic_row(epic)["labels"]) == repo.body(epic)["labels"]
    assert repo.json("status")["in_sync"] is True


def test_ordered_lists_of_both_sides_merge(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    body = repo.body(epic)
    goals = body["goals"]
    repo.rewrite(epic, lambda value: value.update(goals=["first of all", *goals]))
    repo.sql("UPDATE framework_epics SET goals = ? WHERE epic_key = ?", _q([*goals[:-1], "last, changed"]), epic)
    assert repo.json("sync")["conflicts"] == []
    merged = ["first of all", *goals[:-1], "last, changed"]
    assert repo.body(epic)["goals"] == merged
    assert json.loads(repo.epic_row(epic)["goals"]) == merged
    assert repo.json("status")["in_sync"] is True


def test_nested_objects_merge_by_key(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    base = {"a": {"x": 1, "list": [1, 2]}, "b": "text"}
    repo.rewrite(epic, lambda body: body.update(quality_gates=base))
    repo.ok("sync")
    repo.rewrite(epic, lambda body: body["quality_gates"]["a"].update(x=2))
    changed = {"a": {"x": 1, "list": [1, 2], "y": True}, "b": "text"}
    repo.sql("UPDATE framework_epics SET quality_gates = ? WHERE epic_key = ?", _q(changed), epic)
    assert repo.json("sync")["conflicts"] == []
    expected = {"a": {"x": 2, "list": [1, 2], "y": True}, "b": "text"}
    assert repo.body(epic)["quality_gates"] == expected
    assert json.loads(repo.epic_row(epic)["quality_gates"]) == expected


def test_long_texts_merge_by_lines(repo: EpicRepo) -> None:
    epic, key = repo.facts.epic, repo.facts.tasks[0]
    repo.sql("UPDATE framework_tasks SET description = ? WHERE task_key = ?", "one\ntwo\nthree\nfour\n", key)
    repo.ok("pull")
    repo.edit(epic, _q("one\ntwo\nthree\nfour\n"), _q("ONE\ntwo\nthree\nfour\n"))
    repo.sql("UPDATE framework_tasks SET description = ? WHERE task_key = ?", "one\ntwo\nthree\nFOUR\n", key)
    assert repo.json("sync")["conflicts"] == []
    assert repo.file_task(epic, key)["description"] == "ONE\ntwo\nthree\nFOUR\n"
    assert repo.task_row(key)["description"] == "ONE\ntwo\nthree\nFOUR\n"


def test_the_same_edit_on_both_sides_is_no_conflict(repo: EpicRepo) -> None:
    _set_name_in_file(repo, "the same")
    repo.sql("UPDATE framework_epics SET name = 'the same' WHERE epic_key = ?", repo.facts.epic)
    files, dump = repo.files(), repo.dump()
    done = repo.json("sync")
    assert (done["to_files"], done["to_db"], done["conflicts"]) == (0, 0, [])
    assert done["commit"] is not None  # the base moved
    assert (repo.files(), repo.dump()) == (files, dump)
    assert repo.json("status")["clean"] is True


def test_the_same_field_conflicts_and_stays(repo: EpicRepo) -> None:
    facts = repo.facts
    base = repo.body(facts.epic)["name"], repo.task_row(facts.tasks[0])["title"]
    name, title = _conflict(repo)
    status = repo.json("status")
    assert (status["conflicts"], status["in_sync"]) == (2, False)
    (epic,) = status["epics"]
    assert epic["state"] == "conflict"
    assert epic["fields"] == [{"label": name, "state": "conflict"}, {"label": title, "state": "conflict"}]
    with repo.unchanged():
        done = repo.json("sync", code=1)
    assert done["commit"] is None
    assert done["conflicts"] == [
        {"label": name, "base": base[0], "files": "name of the files", "db": "name of the db"},
        {"label": title, "base": base[1], "files": "title of the files", "db": "title of the db"},
    ]
    with repo.unchanged():
        said = repo.run("sync")
    assert said.code == 1
    assert name in said.out + said.err
    assert title in said.out + said.err


def test_the_rest_of_an_epic_with_a_conflict_merges(repo: EpicRepo) -> None:
    facts = repo.facts
    name, title = _conflict(repo)
    repo.sql("UPDATE framework_epics SET summary = 'of the db' WHERE epic_key = ?", facts.epic)
    done = repo.json("sync", code=1)
    assert (done["to_files"], done["to_db"]) == (1, 0)
    assert {conflict["label"] for conflict in done["conflicts"]} == {name, title}
    assert repo.body(facts.epic)["summary"] == "of the db"
    assert _values(repo) == ("name of the files", "name of the db", "title of the files", "title of the db")
    status = repo.json("status")
    assert (status["clean"], status["conflicts"]) == (True, 2)


@pytest.mark.parametrize(
    ("side", "name", "title"),
    [
        ("files", "name of the files", "title of the files"),
        ("db", "name of the db", "title of the db"),
        ("base", None, None),
    ],
)
def test_resolve_all_by_side(repo: EpicRepo, side: str, name: str | None, title: str | None) -> None:
    base = _values(repo)
    _conflict(repo)
    with repo.unchanged():
        repo.ok("resolve", "--prefer", side, "--dry-run")
    done = repo.json("resolve", "--prefer", side)
    assert done["format"] == "epicvc.merge/1"
    assert (done["merged"], done["conflicts"]) == (2, [])
    assert done["commit"] == repo.head()
    names, titles = name or base[0], title or base[2]
    assert _values(repo) == (names, names, titles, titles)
    status = repo.json("status")
    assert (status["clean"], status["in_sync"], status["conflicts"]) == (True, True, 0)


def test_resolve_one_label_then_the_other_by_value(repo: EpicRepo) -> None:
    name, title = _conflict(repo)
    done = repo.json("resolve", name, "--prefer", "db", code=1)
    assert done["merged"] == 1
    assert [conflict["label"] for conflict in done["conflicts"]] == [title]
    assert {*done["conflicts"][0]} == {"label", "base", "ours", "theirs"}
    assert _values(repo) == ("name of the db", "name of the db", "title of the files", "title of the db")
    assert repo.json("status")["conflicts"] == 1
    done = repo.json("resolve", "--set", f'{title}="title of the person"')
    assert (done["merged"], done["conflicts"]) == (1, [])
    assert _values(repo)[2:] == ("title of the person", "title of the person")
    assert repo.json("status")["in_sync"] is True


def test_resolve_a_whole_epic_by_its_label(repo: EpicRepo) -> None:
    _conflict(repo)
    assert repo.json("resolve", repo.facts.epic, "--prefer", "files")["merged"] == 2
    assert _values(repo)[1::2] == ("name of the files", "title of the files")


def test_resolve_by_removing(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    repo.edit(epic, _q(repo.body(epic)["summary"]), '"of the files"')
    repo.sql("UPDATE framework_epics SET summary = 'of the db' WHERE epic_key = ?", epic)
    repo.ok("resolve", "--set", f"{epic}:summary=null")
    assert "summary" not in repo.body(epic)
    assert repo.epic_row(epic)["summary"] is None


def test_resolve_refuses_what_cannot_be(repo: EpicRepo) -> None:
    name, _ = _conflict(repo)
    epic = repo.facts.epic
    for labels in ((), (name,)):  # without a terminal there is nobody to ask
        with repo.unchanged():
            said = repo.run("resolve", *labels)
            answer = repo.run("resolve", *labels, "--json")
        assert (said.code, answer.code) == (1, 1)
        assert "say how to settle" in said.out
    repo.refused(3, "resolve", "nope", naming="nope is no conflict")
    repo.refused(2, "resolve", "--prefer", "mine", naming="mine")
    repo.refused(2, "resolve", "--set", name, naming=name)
    repo.refused(3, "resolve", f"{epic}:summary", "--prefer", "db", naming=f"{epic}:summary")
    repo.refused(4, "resolve", "--set", f"{name}=12", naming=name)
    repo.refused(4, "resolve", "--set", f"{name}={{", naming="--set")


@pytest.mark.parametrize(("policy", "winner"), [("json_wins", "files"), ("database_wins", "db")])
def test_policies_settle_conflicts(repo: EpicRepo, policy: str, winner: str) -> None:
    _conflict(repo)
    assert repo.json("sync", "--policy", policy)["conflicts"] == []
    name, title = f"name of the {winner}", f"title of the {winner}"
    assert _values(repo) == (name, name, title, title)
    assert repo.json("status")["in_sync"] is True


def test_pull_and_push_change_one_side(repo: EpicRepo) -> None:
    facts = repo.facts
    _set_name_in_file(repo, "of the files")
    repo.sql("UPDATE framework_epics SET summary = 'of the db' WHERE epic_key = ?", facts.epic)
    row = repo.epic_row(facts.epic)
    done = repo.json("pull")
    assert (done["to_files"], done["to_db"]) == (1, 0)
    assert repo.epic_row(facts.epic) == row
    assert (repo.body(facts.epic)["name"], repo.body(facts.epic)["summary"]) == ("of the files", "of the db")
    bytes_before = repo.path(facts.epic).read_bytes()
    done = repo.json("push")
    assert (done["to_files"], done["to_db"]) == (0, 1)
    assert repo.path(facts.epic).read_bytes() == bytes_before
    assert repo.epic_row(facts.epic)["name"] == "of the files"
    assert repo.json("status")["in_sync"] is True


def test_labels_limit_a_sync(repo: EpicRepo) -> None:
    facts = repo.facts
    _set_name_in_file(repo, "of the files")
    repo.edit(facts.epic, _q(repo.body(facts.epic)["summary"]), '"summary of the files"')
    other = repo.epic_row(facts.other)["summary"]
    repo.edit(facts.other, _q(other), '"other summary"')
    assert repo.json("sync", f"{facts.epic}:name")["to_db"] == 1
    row = repo.epic_row(facts.epic)
    assert (row["name"], row["summary"] == "summary of the files") == ("of the files", False)
    assert repo.json("push", facts.epic)["to_db"] == 1
    assert repo.epic_row(facts.epic)["summary"] == "summary of the files"
    assert repo.epic_row(facts.other)["summary"] == other
    assert repo.json("sync")["to_db"] == 1
    assert repo.epic_row(facts.other)["summary"] == "other summary"
    repo.refused(3, "sync", "no-such-epic", naming="no-such-epic")


def test_deleted_here_and_modified_there_is_a_conflict(repo: EpicRepo) -> None:
    facts = repo.facts
    repo.path(facts.epic).unlink()
    repo.sql("UPDATE framework_epics SET name = 'edited' WHERE epic_key = ?", facts.epic)
    with repo.unchanged():
        done = repo.json("sync", code=1)
    (conflict,) = done["conflicts"]
    assert (conflict["label"], conflict["files"], conflict["db"]["name"]) == (facts.epic, None, "edited")
    repo.ok("resolve", facts.epic, "--prefer", "db")
    assert repo.body(facts.epic)["name"] == "edited"
    assert repo.path(facts.epic) == repo.directory / facts.path
    assert repo.json("status")["in_sync"] is True


def test_a_task_deleted_here_and_modified_there_is_a_conflict(repo: EpicRepo) -> None:
    facts = repo.facts
    key = facts.tasks[3]
    repo.rewrite(facts.epic, lambda body: body["tasks"].pop(3))
    repo.sql("UPDATE framework_tasks SET title = 'edited' WHERE task_key = ?", key)
    done = repo.json("sync", code=1)
    assert [conflict["label"] for conflict in done["conflicts"]] == [f"{facts.epic}:tasks/{key}"]
    repo.ok("resolve", "--prefer", "files")
    assert repo.task_row(key)["status"] == "deleted"
    assert repo.json("status")["in_sync"] is True
