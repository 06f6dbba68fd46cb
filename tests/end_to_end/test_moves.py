"""Tasks that both sides moved, renamed or deleted: one conflict at the task, and every answer to it works."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from support.branches import set_task
from support.repos import EpicRepo
from support.terminal import terminal

Edit = Callable[[EpicRepo], None]


def third(repo: EpicRepo) -> str:
    """An epic beside the two that the data sets name."""
    return repo.facts.own[0]


@pytest.fixture(params=["unique", "unique within the epic"])
def sides(repo: EpicRepo, request: pytest.FixtureRequest) -> EpicRepo:
    """A repo whose database has each task's key once, or once in each epic; with two tasks to play with."""
    if request.param != "unique":
        indexes = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '%UNIQUE%(task_key)%'"
        for (name,) in repo.sql(indexes):
            repo.sql(f"DROP INDEX {name}")
    new = [
        {"id": "m.1", "title": "To be moved", "risk": "some", "mark": {"of": "the files"}},
        {"id": "m.2", "title": "Depends on it", "dependencies": ["m.1"]},
    ]
    repo.rewrite(repo.facts.epic, lambda body: body["tasks"].extend(new))
    repo.ok("sync")
    repo.ok("commit", "-m", "before")
    return repo


def file_moves(repo: EpicRepo, target: str, key: str = "m.1", **fields: Any) -> None:
    """The task goes to another epic's file, or gets another id."""
    if target == repo.facts.epic:
        repo.rewrite(target, set_task("m.1", id=key, **fields))
        repo.rewrite(target, set_task("m.2", dependencies=[key]))
        return
    task = {**repo.file_task(repo.facts.epic, "m.1"), "id": key, **fields}
    repo.rewrite(
        repo.facts.epic, lambda body: body.update(tasks=[item for item in body["tasks"] if item["id"] != "m.1"])
    )
    repo.rewrite(target, lambda body: body.setdefault("tasks", []).append(task))


def row_moves(repo: EpicRepo, target: str, key: str = "m.1", **fields: Any) -> None:
    """The same in the database."""
    values = {"epic_id": repo.epic_row(target)["id"], "task_key": key, **fields}
    changes = ", ".join(f"{name} = ?" for name in values)
    repo.sql(f"UPDATE framework_tasks SET {changes} WHERE task_key = 'm.1'", *values.values())
    if key != "m.1":
        repo.sql("UPDATE task_dependencies SET depends_on_task_key = ? WHERE depends_on_task_key = 'm.1'", key)


def file_deletes(repo: EpicRepo) -> None:
    repo.rewrite(
        repo.facts.epic,
        lambda body: body.update(
            tasks=[
                {name: value for name, value in item.items() if item["id"] != "m.2" or name != "dependencies"}
                for item in body["tasks"]
                if item["id"] != "m.1"
            ]
        ),
    )


def row_deletes(repo: EpicRepo) -> None:
    repo.sql("DELETE FROM task_dependencies WHERE depends_on_task_key = 'm.1'")
    repo.sql("UPDATE framework_tasks SET status = 'deleted', deleted_at = '2025-01-01' WHERE task_key = 'm.1'")


def places(repo: EpicRepo) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Where the files and the database have the task, under whatever id."""
    epics = (repo.facts.epic, repo.facts.other, third(repo))
    files = {(epic, task["id"]) for epic in epics for task in repo.body(epic).get("tasks", ()) if "mark" in task}
    query = (
        "SELECT e.epic_key, t.task_key FROM framework_tasks t JOIN framework_epics e ON e.id = t.epic_id "
        "WHERE t.deleted_at IS NULL AND t.title LIKE 'To be moved%'"
    )
    return files, set(repo.sql(query))


def whole(repo: EpicRepo) -> None:
    """Nothing is open, both sides agree, and the database is sound."""
    status = repo.json("status")
    assert (status["in_sync"], status["conflicts"]) == (True, 0), status
    assert repo.one("PRAGMA integrity_check") == "ok"
    assert repo.sql("SELECT task_key FROM framework_tasks WHERE deleted_at IS NULL GROUP BY task_key, epic_id "
                    "HAVING count(*) > 1") == []  # fmt: skip
    assert repo.json("sync")["commit"] is None


def at(epic: str, key: str = "m.1") -> str:
    return f"{epic}:tasks/{key}"


@pytest.mark.parametrize("answer", ["files", "db", "base"])
def test_moved_to_two_epics_is_one_conflict_and_every_answer_works(sides: EpicRepo, answer: str) -> None:
    repo, epic, other = sides, sides.facts.epic, sides.facts.other
    row = repo.task_row("m.1")
    file_moves(repo, other)
    row_moves(repo, third(repo), risk="edited in the database")
    assert repo.json("status")["conflicts"] == 1
    before = places(repo)
    (conflict,) = repo.json("sync", code=1)["conflicts"]
    assert conflict == {"label": at(epic), "base": at(epic), "files": at(other), "db": at(third(repo))}
    assert places(repo) == before == ({(other, "m.1")}, {(third(repo), "m.1")})
    assert repo.file_task(other, "m.1")["risk"] == "edited in the database"
    repo.ok("resolve", at(epic), "--prefer", answer)
    target = {"files": other, "db": third(repo), "base": epic}[answer]
    assert places(repo) == ({(target, "m.1")}, {(target, "m.1")})
    assert repo.task_row("m.1")["id"] == row["id"]
    assert repo.file_task(target, "m.1")["mark"] == {"of": "the files"}
    whole(repo)
    repo.ok("undo")
    assert places(repo) == before
    repo.ok("redo")
    whole(repo)


@pytest.mark.parametrize("answer", ["files", "db", "base"])
@pytest.mark.parametrize("deleting", ["files", "db"])
def test_moved_here_and_deleted_there(sides: EpicRepo, deleting: str, answer: str) -> None:
    repo, epic, other = sides, sides.facts.epic, sides.facts.other
    if deleting == "db":
        row_deletes(repo)
        file_moves(repo, other)
    else:
        file_deletes(repo)
        row_moves(repo, other)
    (conflict,) = repo.json("sync", code=1)["conflicts"]
    moving = "files" if deleting == "db" else "db"
    assert conflict == {"label": at(epic), "base": at(epic), moving: at(other), deleting: None}
    repo.ok("resolve", "--prefer", answer)
    target = {(other, "m.1")} if answer == moving else {(epic, "m.1")} if answer == "base" else set()
    assert places(repo)[1] == target
    assert {(e, t["id"]) for e in (epic, other) for t in repo.body(e)["tasks"] if t["id"] == "m.1"} == target
    whole(repo)


@pytest.mark.parametrize("answer", ["files", "db", "base"])
def test_other_ids_on_both_sides(sides: EpicRepo, answer: str) -> None:
    repo, epic = sides, sides.facts.epic
    file_moves(repo, epic, "f.1")
    row_moves(repo, epic, "d.1")
    (conflict,) = repo.json("sync", code=1)["conflicts"]
    assert conflict == {"label": at(epic), "base": at(epic), "files": at(epic, "f.1"), "db": at(epic, "d.1")}
    assert places(repo) == ({(epic, "f.1")}, {(epic, "d.1")})
    repo.ok("resolve", "--prefer", answer)
    key = {"files": "f.1", "db": "d.1", "base": "m.1"}[answer]
    assert places(repo) == ({(epic, key)}, {(epic, key)})
    assert repo.file_task(epic, "m.2")["dependencies"] == [key]
    linked = "SELECT depends_on_task_key FROM task_dependencies WHERE task_id = ?"
    assert repo.sql(linked, repo.task_row("m.2")["id"]) == [(key,)]
    whole(repo)


def test_one_other_id_on_both_sides_is_no_conflict(sides: EpicRepo) -> None:
    repo, epic = sides, sides.facts.epic
    file_moves(repo, epic, "x.1", risk="of the files")
    row_moves(repo, epic, "x.1", mitigation="of the database")
    assert repo.json("sync")["conflicts"] == []
    task = repo.file_task(epic, "x.1")
    assert (task["risk"], task["mitigation"]) == ("of the files", "of the database")
    whole(repo)


@pytest.mark.parametrize("commands", [("sync",), ("pull", "push"), ("push", "pull")])
@pytest.mark.parametrize("moving", ["files", "db"])
def test_moved_here_and_another_id_there_is_one_task(sides: EpicRepo, moving: str, commands: tuple[str, ...]) -> None:
    repo, epic, other = sides, sides.facts.epic, sides.facts.other
    row = repo.task_row("m.1")
    if moving == "files":
        file_moves(repo, other)
        row_moves(repo, epic, "x.1")
    else:
        file_moves(repo, epic, "x.1")
        row_moves(repo, other)
    for command in commands:
        assert repo.json(command)["conflicts"] == []
    assert places(repo) == ({(other, "x.1")}, {(other, "x.1")})
    assert repo.task_row("x.1")["id"] == row["id"]
    assert repo.file_task(epic, "m.2")["dependencies"] == ["x.1"]
    whole(repo)


def test_dependencies_of_other_epics_follow_another_id(repo: EpicRepo) -> None:
    epic, other = repo.facts.epic, repo.facts.other
    new = {"id": "m.1", "title": "To be called otherwise", "mark": 1}
    repo.rewrite(epic, lambda body: body["tasks"].append(new))
    repo.rewrite(other, lambda body: body["tasks"].append({"id": "m.2", "title": "Of it", "dependencies": ["m.1"]}))
    repo.ok("sync")
    repo.rewrite(epic, lambda body: body["tasks"][-1].update(id="x.1"))
    repo.sql("INSERT INTO task_dependencies (task_id, depends_on_task_key) VALUES (?, 'm.1')",
             repo.task_row(repo.facts.tasks[3])["id"])  # fmt: skip
    assert repo.json("sync")["conflicts"] == []
    assert repo.file_task(other, "m.2")["dependencies"] == ["x.1"]
    assert "x.1" in repo.file_task(epic, repo.facts.tasks[3])["dependencies"]
    assert repo.sql("SELECT * FROM task_dependencies WHERE depends_on_task_key = 'm.1'") == []
    whole(repo)


@pytest.mark.parametrize("answer", ["files", "db", "base"])
@pytest.mark.parametrize("where", ["known epics", "a new file", "a new row"])
def test_one_id_that_each_side_added_elsewhere(repo: EpicRepo, where: str, answer: str) -> None:
    """Where the key is unique no second row may have it: neither side's push ends as a refusal."""
    epic, other, facts = repo.facts.epic, repo.facts.other, repo.facts
    mine = {"id": "m.1", "title": "To be moved", "mark": 1}
    if where == "a new file":
        other = "new"
        repo.directory.joinpath("new.json").write_text('{"epic": {"id": "new", "name": "N", "tasks": []}}')
        facts.paths["new"] = "new.json"
    repo.rewrite(other, lambda body: body["tasks"].append(mine))
    owner = epic
    if where == "a new row":
        owner = "a_new_row"
        repo.sql("INSERT INTO framework_epics (epic_key, name) VALUES (?, 'n')", owner)
    repo.sql("INSERT INTO framework_tasks (task_key, epic_id, title) VALUES ('m.1', ?, 'To be moved, too')",
             repo.epic_row(owner)["id"])  # fmt: skip
    for command in ("pull", "push", "sync"):
        (conflict,) = repo.json(command, code=1)["conflicts"]
        assert conflict == {"label": min(at(other), at(owner)), "base": None, "files": at(other), "db": at(owner)}
    assert repo.json("status")["conflicts"] == 1
    repo.ok("resolve", "--prefer", answer)
    wanted = {"files": {(other, "m.1")}, "db": {(owner, "m.1")}, "base": set()}[answer]
    query = (
        "SELECT e.epic_key, t.task_key FROM framework_tasks t JOIN framework_epics e ON e.id = t.epic_id "
        "WHERE t.deleted_at IS NULL AND t.task_key = 'm.1'"
    )
    assert set(repo.sql(query)) == wanted
    facts.paths.pop("new", None)
    found = {e for e in (other, owner) if any(t["id"] == "m.1" for t in repo.body(e).get("tasks", ()))}
    assert found == {e for e, _ in wanted}
    whole(repo)


@pytest.mark.parametrize("key", ["f", "d", "b"])
def test_the_terminal_asks_where_a_task_is(repo: EpicRepo, key: str) -> None:
    facts = repo.facts
    repo.rewrite(facts.epic, lambda body: body["tasks"].append({"id": "m.1", "title": "To be moved", "mark": 1}))
    repo.ok("sync")
    file_moves(repo, facts.other)
    row_moves(repo, third(repo))
    with terminal([sys.executable, "-m", "epicvc", "resolve"], repo.root) as tty:
        tty.until("resolve: 1 of 1", "where the task is", at(facts.other), at(third(repo)))
        tty.press(key, "resolve: summary", "1 of 1 answered")
        tty.send("y")
        assert tty.end() == 0
    target = {"f": facts.other, "d": third(repo), "b": facts.epic}[key]
    assert places(repo) == ({(target, "m.1")}, {(target, "m.1")})
    whole(repo)


@pytest.mark.parametrize(("policy", "winner"), [("json_wins", "files"), ("database_wins", "db"), ("newest_wins", None)])
def test_policies_decide_where_a_task_is(sides: EpicRepo, policy: str, winner: str | None) -> None:
    repo = sides
    file_moves(repo, repo.facts.other)
    row_moves(repo, third(repo))
    found = repo.json("sync", "--policy", policy, code=0 if winner else 1)
    assert len(found["conflicts"]) == (0 if winner else 1)
    target = {"files": repo.facts.other, "db": third(repo)}.get(winner or "")
    if target:
        assert places(repo) == ({(target, "m.1")}, {(target, "m.1")})
        whole(repo)


def test_moved_into_an_epic_that_the_other_side_deleted(sides: EpicRepo) -> None:
    """The epic waits for the answer, and nothing is lost meanwhile."""
    repo, epic, gone = sides, sides.facts.epic, third(sides)
    file_moves(repo, gone)
    repo.sql("UPDATE framework_epics SET status = 'deleted', deleted_at = '2025-01-01' WHERE epic_key = ?", gone)
    (conflict,) = repo.json("sync", code=1)["conflicts"]
    assert conflict == {"label": at(epic), "base": at(epic), "files": at(gone), "db": at(epic)}
    before = repo.body(gone)
    assert before["tasks"][-1]["id"] == "m.1"
    repo.ok("resolve", "--prefer", "files")
    assert repo.body(gone) == before
    assert repo.task_row("m.1")["epic_id"] == repo.epic_row(gone)["id"]
    assert repo.epic_row(gone)["deleted_at"] is None
    whole(repo)


def test_a_place_that_nobody_named_is_refused(sides: EpicRepo) -> None:
    repo, epic = sides, sides.facts.epic
    file_moves(repo, repo.facts.other)
    row_moves(repo, third(repo))
    repo.json("sync", code=1)
    message = repo.refused(4, "resolve", "--set", f'{at(epic)}="{at("nowhere")}"', naming=at(epic))
    assert at(repo.facts.other) in message and at(third(repo)) in message
    repo.ok("resolve", "--set", f'{at(epic)}="{at(third(repo))}"')
    assert places(repo) == ({(third(repo), "m.1")}, {(third(repo), "m.1")})
    whole(repo)


@pytest.mark.parametrize("answer", ["files", "db", "base"])
def test_moved_in_the_database_and_edited_in_the_old_place(sides: EpicRepo, answer: str) -> None:
    repo, epic, other = sides, sides.facts.epic, sides.facts.other
    repo.rewrite(epic, set_task("m.1", risk="of the files"))
    row_moves(repo, other, risk="of the database")
    (conflict,) = repo.json("sync", code=1)["conflicts"]
    assert conflict["label"] == f"{at(other)}/risk"
    repo.ok("resolve", "--prefer", answer)
    risk = {"files": "of the files", "db": "of the database", "base": "some"}[answer]
    assert (repo.file_task(other, "m.1")["risk"], repo.task_row("m.1")["risk"]) == (risk, risk)
    whole(repo)


def origins(repo: EpicRepo) -> dict[str, Any]:
    (conflict,) = repo.json("resolve", code=1)["conflicts"]
    return {name: origin and origin["commit"] for name, origin in conflict["origins"].items()}


def test_the_origin_of_a_place_is_who_put_the_task_there(sides: EpicRepo) -> None:
    """Neither who took it out of its old epic, nor who edited it in the new one."""
    repo, epic, other = sides, sides.facts.epic, sides.facts.other
    agreed = repo.json("log", "-n", "1")["commits"][0]["id"]
    task = repo.file_task(epic, "m.1")
    file_deletes(repo)
    repo.ok("commit", "-m", "taken out")
    repo.rewrite(other, lambda body: body["tasks"].append(task))
    repo.ok("commit", "-m", "put in")
    mine = repo.head()
    repo.rewrite(other, set_task("m.1", risk="edited later"))
    repo.ok("commit", "-m", "edited")
    row_moves(repo, third(repo))
    repo.ok("commit", "-m", "moved in the database")
    theirs = repo.head()
    repo.sql("UPDATE framework_tasks SET mitigation = 'edited later' WHERE task_key = 'm.1'")
    repo.ok("commit", "-m", "edited in the database")
    assert origins(repo) == {"base": agreed, "ours": mine, "theirs": theirs}


@pytest.mark.parametrize("deleting", ["files", "db"])
def test_the_origin_of_no_place_is_who_took_the_task_away(sides: EpicRepo, deleting: str) -> None:
    repo, other = sides, sides.facts.other
    file, row = (file_deletes, lambda repo: row_moves(repo, other))
    if deleting == "db":
        file, row = (lambda repo: file_moves(repo, other), row_deletes)
    made = []
    for edit in (file, row):
        edit(repo)
        repo.ok("commit", "-m", "an edit")
        made.append(repo.head())
    found = origins(repo)
    assert [found["ours"], found["theirs"]] == made


def test_the_origin_of_a_place_that_is_not_committed(sides: EpicRepo) -> None:
    repo = sides
    file_moves(repo, repo.facts.other)
    row_moves(repo, third(repo))
    (conflict,) = repo.json("resolve", code=1)["conflicts"]
    found = conflict["origins"]
    assert [(found[name]["side"], found[name]["commit"]) for name in ("ours", "theirs")] == [
        ("files", None),
        ("db", None),
    ]


def test_the_origin_of_another_id(sides: EpicRepo) -> None:
    repo, epic = sides, sides.facts.epic
    file_moves(repo, epic, "f.1")
    repo.ok("commit", "-m", "renamed in the files")
    mine = repo.head()
    row_moves(repo, repo.facts.other, "d.1")  # the epic merges, the id does not
    repo.ok("commit", "-m", "moved and renamed in the database")
    found = origins(repo)
    assert (found["ours"], found["theirs"]) == (mine, repo.head())


@pytest.mark.parametrize("answer", ["files", "db"])
@pytest.mark.parametrize("command", ["push", "sync"])
@pytest.mark.parametrize("there", ["moved", "renamed", "edited"])
@pytest.mark.parametrize("here", ["moved", "moved and renamed", "renamed"])
def test_a_field_with_a_default_is_taken_out_of_a_moved_task(
    sides: EpicRepo, here: str, there: str, command: str, answer: str
) -> None:
    """Where the row is in another place than the base has it, the default that is written there is read as a value."""
    repo, epic = sides, sides.facts.epic
    repo.rewrite(epic, set_task("m.1", estimate_minutes=90))
    repo.ok("sync")
    target, key = epic if here == "renamed" else repo.facts.other, "m.1" if here == "moved" else "f.1"
    file_moves(repo, target, key)
    repo.rewrite(
        target, lambda body: [task.pop("estimate_minutes", None) for task in body["tasks"] if task["id"] == key]
    )
    if there == "edited":
        repo.sql("UPDATE framework_tasks SET risk = 'edited' WHERE task_key = 'm.1'")
    else:
        row_moves(repo, third(repo) if there == "moved" else epic, "x.1" if there == "renamed" else "m.1")
    done = repo.run(command)
    assert done.code in (0, 1), done
    status = repo.json("status")
    assert (status["conflicts"] > 0) == (done.code == 1)
    if done.code == 1:
        assert "next: epicvc resolve" in repo.ok("status").out
        repo.ok("resolve", "--prefer", answer)
    elif not status["in_sync"]:
        assert "next: epicvc sync" in repo.ok("status").out
    repo.ok("sync")
    whole(repo)
    marked = [
        (name, task)
        for name in (epic, repo.facts.other, third(repo))
        for task in repo.body(name)["tasks"]
        if "mark" in task
    ]
    if (here, there, answer) == ("moved and renamed", "edited", "db"):
        # another task, as far as can be told: the edited one comes back beside it, with what only its file had
        marked = [(name, task) for name, task in marked if task["id"] != "m.1"]
    ((place, found),) = marked
    assert "estimate_minutes" not in found
    assert repo.task_row(found["id"])["epic_id"] == repo.epic_row(place)["id"]
    assert repo.task_row(found["id"])["estimate_minutes"] == 60
