"""Tasks that two branches moved, renamed or deleted: one conflict at the task, and every answer to it works."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.branches import commit, set_task
from support.repos import NO_FACTS, EpicRepo

from .test_moves import at, file_deletes, file_moves, origins, places, sides, third, whole

__all__ = ["sides"]

Edit = Callable[[EpicRepo], None]


def branches(repo: EpicRepo, theirs: Edit, ours: Edit) -> None:
    """Two edits of the files, one on each branch; ``main`` is the current one afterwards."""
    repo.ok("switch", "-c", "theirs")
    theirs(repo)
    commit(repo, "theirs")
    repo.ok("switch", "main")
    ours(repo)
    commit(repo, "ours")


def finished(repo: EpicRepo) -> None:
    """The merge is committed, and nothing is open."""
    repo.ok("merge", "--continue")
    settled(repo)


def settled(repo: EpicRepo) -> None:
    whole(repo)
    assert repo.json("status")["clean"]
    repo.ok("fsck")


def to(target: Callable[[EpicRepo], str], key: str = "m.1") -> Edit:
    return lambda repo: file_moves(repo, target(repo), key)


def epic(repo: EpicRepo) -> str:
    return repo.facts.epic


def other(repo: EpicRepo) -> str:
    return repo.facts.other


@pytest.mark.parametrize("answer", ["ours", "theirs", "base"])
def test_moved_to_two_epics(sides: EpicRepo, answer: str) -> None:
    repo = sides
    row = repo.task_row("m.1")

    def theirs(repo: EpicRepo) -> None:
        repo.rewrite(epic(repo), set_task("m.1", risk="edited there"))
        file_moves(repo, third(repo))

    branches(repo, theirs, to(other))
    (conflict,) = repo.json("merge", "theirs", code=1)["conflicts"]
    assert conflict == {
        "label": at(epic(repo)),
        "base": at(epic(repo)),
        "ours": at(other(repo)),
        "theirs": at(third(repo)),
    }
    assert places(repo) == ({(other(repo), "m.1")}, {(other(repo), "m.1")})
    assert repo.file_task(other(repo), "m.1")["risk"] == "edited there"
    repo.ok("resolve", "--prefer", answer)
    target = {"ours": other(repo), "theirs": third(repo), "base": epic(repo)}[answer]
    assert places(repo) == ({(target, "m.1")}, {(target, "m.1")})
    assert repo.task_row("m.1")["id"] == row["id"]
    assert repo.file_task(target, "m.1")["mark"] == {"of": "the files"}
    assert repo.file_task(target, "m.1")["risk"] == repo.task_row("m.1")["risk"] == "edited there"
    finished(repo)


@pytest.mark.parametrize("answer", ["ours", "theirs", "base"])
@pytest.mark.parametrize("deleting", ["ours", "theirs"])
def test_moved_here_and_deleted_there(sides: EpicRepo, deleting: str, answer: str) -> None:
    repo = sides
    edits = (to(other), file_deletes)
    branches(repo, *(edits if deleting == "ours" else edits[::-1]))
    (conflict,) = repo.json("merge", "theirs", code=1)["conflicts"]
    moving = "theirs" if deleting == "ours" else "ours"
    home = at(epic(repo))
    assert conflict == {"label": home, "base": home, moving: at(other(repo)), deleting: None}
    left = set() if deleting == "ours" else {(other(repo), "m.1")}
    assert places(repo) == (left, left)
    repo.ok("resolve", "--prefer", answer)
    target = {(other(repo), "m.1")} if answer == moving else {(epic(repo), "m.1")} if answer == "base" else set()
    assert places(repo) == (target, target)
    finished(repo)


@pytest.mark.parametrize("answer", ["ours", "theirs", "base"])
def test_other_ids_on_both_branches(sides: EpicRepo, answer: str) -> None:
    repo = sides
    branches(repo, to(epic, "t.1"), to(epic, "o.1"))
    (conflict,) = repo.json("merge", "theirs", code=1)["conflicts"]
    home = epic(repo)
    assert conflict == {"label": at(home), "base": at(home), "ours": at(home, "o.1"), "theirs": at(home, "t.1")}
    repo.ok("resolve", "--prefer", answer)
    key = {"ours": "o.1", "theirs": "t.1", "base": "m.1"}[answer]
    assert places(repo) == ({(home, key)}, {(home, key)})
    assert repo.file_task(home, "m.2")["dependencies"] == [key]
    linked = "SELECT depends_on_task_key FROM task_dependencies WHERE task_id = ?"
    assert repo.sql(linked, repo.task_row("m.2")["id"]) == [(key,)]
    finished(repo)


@pytest.mark.parametrize("moving", ["ours", "theirs"])
def test_moved_here_and_another_id_there_is_one_task(sides: EpicRepo, moving: str) -> None:
    repo = sides
    row = repo.task_row("m.1")
    edits = (to(other), to(epic, "x.1"))
    branches(repo, *(edits if moving == "theirs" else edits[::-1]))
    answer = repo.json("merge", "theirs")
    assert answer["moved"] == [{"from": at(epic(repo)), "to": at(other(repo), "x.1")}]
    assert places(repo) == ({(other(repo), "x.1")}, {(other(repo), "x.1")})
    assert repo.task_row("x.1")["id"] == row["id"]
    assert repo.file_task(epic(repo), "m.2")["dependencies"] == ["x.1"]
    settled(repo)


@pytest.mark.parametrize("renaming", ["ours", "theirs"])
def test_another_id_here_and_edited_there(sides: EpicRepo, renaming: str) -> None:
    repo = sides

    def edit(repo: EpicRepo) -> None:
        repo.rewrite(epic(repo), set_task("m.1", risk="edited"))

    edits = (to(epic, "x.1"), edit)
    branches(repo, *(edits if renaming == "theirs" else edits[::-1]))
    assert repo.json("merge", "theirs")["conflicts"] == []
    assert repo.file_task(epic(repo), "x.1")["risk"] == repo.task_row("x.1")["risk"] == "edited"
    assert places(repo) == ({(epic(repo), "x.1")}, {(epic(repo), "x.1")})
    settled(repo)


@pytest.mark.parametrize("renaming", ["ours", "theirs"])
def test_dependencies_of_other_epics_follow_another_id(sides: EpicRepo, renaming: str) -> None:
    repo = sides

    def depend(repo: EpicRepo) -> None:
        new = {"id": "m.3", "title": "Depends on it, too", "dependencies": ["m.1"]}
        repo.rewrite(other(repo), lambda body: body["tasks"].append(new))

    edits = (to(epic, "x.1"), depend)
    branches(repo, *(edits if renaming == "theirs" else edits[::-1]))
    assert repo.json("merge", "theirs")["conflicts"] == []
    assert repo.file_task(other(repo), "m.3")["dependencies"] == ["x.1"]
    assert repo.sql("SELECT * FROM task_dependencies WHERE depends_on_task_key = 'm.1'") == []
    settled(repo)


def test_one_id_that_an_epic_drops_and_another_gets_is_no_move(sides: EpicRepo) -> None:
    """Only what is alike is one task, unless the database has each id once."""
    repo = sides
    unique = ("task_key",) in unique_keys(repo)

    def replace(repo: EpicRepo) -> None:
        file_deletes(repo)
        new = {"id": "m.1", "title": "Quite another thing", "description": "Nothing in common"}
        repo.rewrite(other(repo), lambda body: body["tasks"].append(new))

    branches(repo, replace, lambda repo: repo.rewrite(epic(repo), set_task("m.1", risk="edited here")))
    answer = repo.json("merge", "theirs", code=1)
    assert [found["label"] for found in answer["conflicts"]] == [
        f"{at(other(repo))}/risk" if unique else at(epic(repo))
    ]
    if not unique:
        assert repo.file_task(other(repo), "m.1")["title"] == "Quite another thing"
        assert repo.file_task(epic(repo), "m.1")["risk"] == "edited here"
        repo.ok("resolve", "--prefer", "theirs")
        assert repo.file_task(epic(repo), "m.1") is None
        finished(repo)


@pytest.mark.parametrize("answer", ["ours", "theirs", "base"])
def test_moved_to_an_epic_that_the_other_branch_deleted(sides: EpicRepo, answer: str) -> None:
    repo = sides
    gone = third(repo)
    branches(repo, to(third), lambda repo: repo.path(gone).unlink())
    (conflict,) = repo.json("merge", "theirs", code=1)["conflicts"]
    home = at(epic(repo))
    assert conflict == {"label": home, "base": home, "ours": home, "theirs": at(gone)}
    repo.ok("resolve", "--prefer", answer)
    found = {(repo.facts.epic, "m.1")} if answer != "theirs" else {(gone, "m.1")}
    query = (
        "SELECT e.epic_key, t.task_key FROM framework_tasks t JOIN framework_epics e ON e.id = t.epic_id "
        "WHERE t.deleted_at IS NULL AND e.deleted_at IS NULL AND t.task_key = 'm.1'"
    )
    assert set(repo.sql(query)) == found
    finished(repo)


@pytest.mark.parametrize("answer", ["ours", "theirs", "base"])
@pytest.mark.parametrize("where", ["known epics", "new epics", "a new epic there", "a new epic here"])
def test_one_id_that_each_branch_added_elsewhere(repo: EpicRepo, where: str, answer: str) -> None:
    """Where the key is unique no second row may have it, and neither task may be lost without a word."""
    at_epic = {"theirs": epic(repo), "ours": other(repo)}
    if where in ("new epics", "a new epic there"):
        at_epic["theirs"] = "new_there"
    if where in ("new epics", "a new epic here"):
        at_epic["ours"] = "new_here"

    links = ["m.1"] if answer != "base" else []  # that neither is there would leave them dangling

    def adding(whose: str, points: int) -> Edit:
        target = at_epic[whose]
        task = {"id": "m.1", "title": f"Of {whose}", "story_points": points, "mark": whose}

        def add(repo: EpicRepo) -> None:
            if target.startswith("new"):
                path = repo.directory / f"{target}.json"
                path.write_text(
                    f'{{"epic": {{"id": "{target}", "name": "N", "tasks": [{{"id": "{target}.9", "title": "t"}}]}}}}'
                )
            repo.rewrite(target, lambda body: body["tasks"].append(task))
            repo.rewrite(
                target, lambda body: body["tasks"].append({"id": f"{whose}.2", "title": "d", "dependencies": links})
            )

        return add

    branches(repo, adding("theirs", 3), adding("ours", 5))
    found = repo.json("merge", "theirs", code=1)
    (conflict,) = found["conflicts"]
    mine, others = at(at_epic["ours"]), at(at_epic["theirs"])
    assert conflict == {"label": min(mine, others), "base": None, "ours": mine, "theirs": others}
    assert found["moved"] == []
    assert "epicvc resolve" in repo.ok("status").out
    assert repo.task_row("m.1")["title"] == "Of ours"
    assert repo.body(at_epic["theirs"])["name"]
    repo.ok("resolve", "--prefer", answer)
    files = {name for name in at_epic.values() if repo.file_task(name, "m.1")}
    assert files == ({at_epic[answer]} if answer != "base" else set())
    rows = repo.sql(
        "SELECT e.epic_key, t.title, t.story_points FROM framework_tasks t JOIN framework_epics e ON e.id = t.epic_id "
        "WHERE t.deleted_at IS NULL AND t.task_key = 'm.1'"
    )
    assert rows == ([] if answer == "base" else [(at_epic[answer], f"Of {answer}", 5 if answer == "ours" else 3)])
    if answer != "base":
        assert repo.file_task(at_epic[answer], "m.1")["mark"] == answer
    finished(repo)


def test_one_id_that_each_branch_added_elsewhere_is_two_tasks_where_ids_are_the_epics_own(sides: EpicRepo) -> None:
    repo = sides
    if ("task_key",) in unique_keys(repo):
        pytest.skip("the database has each id once")
    new = {"id": "n.1", "title": "New"}
    branches(
        repo,
        lambda repo: repo.rewrite(epic(repo), lambda body: body["tasks"].append(new)),
        lambda repo: repo.rewrite(other(repo), lambda body: body["tasks"].append(new)),
    )
    assert repo.json("merge", "theirs")["conflicts"] == []
    assert repo.one("SELECT count(*) FROM framework_tasks WHERE task_key = 'n.1'") == 2
    settled(repo)


def unique_keys(repo: EpicRepo) -> set[tuple[str, ...]]:
    return {
        tuple(column for *_, column in repo.sql(f"PRAGMA index_info({name})"))
        for _, name, is_unique, *_ in repo.sql("PRAGMA index_list(framework_tasks)")
        if is_unique
    }


def test_the_origin_of_a_place_is_who_put_the_task_there(repo: EpicRepo) -> None:
    made = {}
    new = [{"id": key, "title": "To be moved", "risk": "some", "mark": 1} for key in ("m.1", "m.2")]
    repo.rewrite(epic(repo), lambda body: body["tasks"].extend(new))
    commit(repo)
    base = repo.head()

    def theirs(repo: EpicRepo) -> None:
        task = repo.file_task(epic(repo), "m.1")
        file_deletes(repo)
        commit(repo, "taken out")
        repo.rewrite(other(repo), lambda body: body["tasks"].append(task))
        repo.ok("sync")
        made["theirs"] = repo.head()
        repo.rewrite(other(repo), set_task("m.1", risk="edited later"))

    def ours(repo: EpicRepo) -> None:
        file_moves(repo, third(repo))
        repo.ok("sync")
        made["ours"] = repo.head()
        repo.rewrite(third(repo), set_task("m.1", mitigation="edited later"))

    branches(repo, theirs, ours)
    repo.json("merge", "theirs", code=1)
    found = origins(repo)
    assert found["base"] in {commit["id"] for commit in repo.json("log", base)["commits"]}
    assert {"ours": found["ours"], "theirs": found["theirs"]} == made


def test_renamed_tasks_keep_their_places(tmp_path: Path) -> None:
    repo = EpicRepo(tmp_path, NO_FACTS)
    repo.directory.mkdir()
    names = ["z", "a", "c", "b", "m"]
    new = {"a": "k", "c": "x", "b": "d"}

    def write(name: Callable[[str], str], text: str) -> None:
        tasks = [{"id": name(key), "title": f"title of {key}", "description": f"{text} {key}"} for key in names]
        (repo.directory / "1.json").write_text(json.dumps({"id": "1", "name": "n", "tasks": tasks}), encoding="utf-8")

    write(str, "about")
    repo.ok("init", "--db", "framework.db")
    repo.ok("sync")
    branches(repo, lambda _: write(lambda key: new.get(key, key), "about"), lambda _: write(str, "more about"))
    repo.ok("merge", "theirs")
    found = json.loads((repo.directory / "1.json").read_bytes())["tasks"]
    assert [task["id"] for task in found] == ["z", "k", "x", "d", "m"]
    assert [task["description"] for task in found] == [f"more about {key}" for key in names]
    rows = repo.sql("SELECT task_key FROM framework_tasks WHERE deleted_at IS NULL ORDER BY task_sequence")
    assert [key for (key,) in rows] == ["z", "k", "x", "d", "m"]
    settled(repo)
