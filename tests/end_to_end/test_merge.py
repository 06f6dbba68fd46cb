"""Branches and their merges, both sides included, on made and on real data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.branches import commit, fork, random_edits, set_task, two_branches
from support.repos import EpicRepo


def settled(repo: EpicRepo) -> Any:
    """The status after a merge: clean, in sync, nothing open."""
    status = repo.json("status")
    assert status["clean"] and status["in_sync"] and not status["conflicts"] and status.get("merging") is None, status
    repo.ok("fsck")
    return status


def test_edits_of_two_fields_merge_on_both_sides(repo: EpicRepo) -> None:
    epic, task = repo.facts.epic, repo.facts.tasks[0]
    two_branches(repo, set_task(task, title="Theirs"), lambda body: body.update(summary="Ours"))
    before = repo.head()
    answer = repo.json("merge", "theirs", "-m", "bring it in")
    assert (answer["merged"], answer["conflicts"], answer["fast_forward"]) == (1, [], False)
    assert repo.file_task(epic, task)["title"] == "Theirs"
    assert repo.body(epic)["summary"] == "Ours"
    assert repo.task_row(task)["title"] == "Theirs"
    assert repo.epic_row(epic)["summary"] == "Ours"
    settled(repo)
    (newest, *_) = repo.json("log")["commits"]
    assert newest["kind"] == "merge"
    assert newest["message"] == "bring it in"
    assert newest["parents"][0] == before
    assert len(newest["parents"]) == 2
    assert repo.json("sync", "--dry-run")["to_files"] == 0
    assert repo.json("merge", "theirs")["up_to_date"] is True


def test_a_branch_without_commits_of_its_own_moves_forward(repo: EpicRepo) -> None:
    fork(repo)
    repo.rewrite(repo.facts.epic, lambda body: body.update(name="Theirs"))
    head = commit(repo)
    files = repo.files()
    repo.ok("switch", "main")
    with repo.unchanged():
        assert repo.json("merge", "theirs", "--dry-run")["fast_forward"] is True
    assert repo.json("merge", "theirs")["commit"] == head
    assert repo.head() == head
    assert repo.files() == files
    settled(repo)
    repo.ok("undo")
    assert repo.head() != head
    answer = repo.json("merge", "theirs", "--no-ff")
    assert answer["fast_forward"] is False
    assert repo.files() == files
    assert len(repo.json("log")["commits"][0]["parents"]) == 2
    settled(repo)


def test_a_conflict_keeps_ours_until_it_is_settled(repo: EpicRepo) -> None:
    epic, task = repo.facts.epic, repo.facts.tasks[0]

    def theirs(body: Any) -> None:
        body.update(name="Theirs")
        set_task(task, title="Their title")(body)

    two_branches(repo, theirs, lambda body: body.update(name="Ours"))
    before, head = repo.everything(), repo.head()
    with repo.unchanged():
        dry = repo.json("merge", "theirs", "--dry-run", code=1)
    answer = repo.json("merge", "theirs", code=1)
    assert answer == dry
    assert [found["label"] for found in answer["conflicts"]] == [f"{epic}:name"]
    assert answer["conflicts"][0]["ours"] == "Ours"
    assert answer["conflicts"][0]["theirs"] == "Theirs"
    assert answer["commit"] is None
    assert repo.body(epic)["name"] == "Ours"
    assert repo.file_task(epic, task)["title"] == "Their title"
    assert repo.task_row(task)["title"] == "Their title"
    assert repo.head() == head
    status = repo.json("status")
    assert status["merging"] == {"command": "merge", "name": "theirs", "conflicts": [f"{epic}:name"]}
    assert status["in_sync"]
    said = repo.ok("status").out
    assert "epicvc resolve" in said
    assert "epicvc merge --abort" in said
    for command in (
        ("sync",), ("commit", "-m", "x"), ("merge", "theirs"), ("revert", "HEAD"), ("rollback", "HEAD"),
        ("switch", "theirs"), ("switch", "-c", "other"), ("checkpoint", "x"), ("merge", "--continue"),
    ):  # fmt: skip
        repo.refused(5, *command)
    repo.ok("merge", "--abort")
    after = repo.everything()
    assert (after.files, after.dump, after.refs) == (before.files, before.dump, before.refs)
    settled(repo)


def test_answers_finish_a_merge(repo: EpicRepo) -> None:
    epic, task, gone = repo.facts.epic, repo.facts.tasks[0], repo.facts.tasks[1]

    def theirs(body: Any) -> None:
        body.update(name="Theirs", summary="Their summary")
        set_task(task, title="Their title", estimate_minutes=11)(body)
        set_task(gone, mark="extra", title="Kept")(body)

    def ours(body: Any) -> None:
        body.update(name="Ours", summary="Our summary")
        set_task(task, title="Our title")(body)
        body["tasks"] = [item for item in body["tasks"] if item["id"] != gone]

    two_branches(repo, theirs, ours)
    head = repo.head()
    labels = [found["label"] for found in repo.json("merge", "theirs", code=1)["conflicts"]]
    assert labels == sorted([f"{epic}:name", f"{epic}:summary", f"{epic}:tasks/{task}/title", f"{epic}:tasks/{gone}"])
    assert repo.json("resolve", f"{epic}:name", "--prefer", "theirs", code=1)["merged"] == 1
    assert repo.body(epic)["name"] == "Theirs"
    assert repo.epic_row(epic)["name"] == "Theirs"
    assert repo.json("status")["conflicts"] == 3
    repo.ok("undo")
    assert repo.body(epic)["name"] == "Ours"
    assert repo.json("status")["conflicts"] == 4
    repo.ok("redo")
    repo.refused(5, "merge", "--continue", naming="conflicts")
    with repo.unchanged():
        repo.json("resolve", "--prefer", "theirs", "--dry-run")
    repo.json("resolve", "--set", f'{epic}:summary="Agreed"', code=1)
    repo.json("resolve", "--prefer", "theirs")
    assert repo.json("status")["merging"]["conflicts"] == []
    assert "merge --continue" in repo.ok("status").out
    assert repo.head() == head
    answer = repo.json("merge", "--continue", "-m", "done")
    assert answer["commit"] == repo.head()
    body = repo.body(epic)
    assert (body["name"], body["summary"]) == ("Theirs", "Agreed")
    assert repo.file_task(epic, task)["title"] == "Their title"
    assert (repo.file_task(epic, gone)["title"], repo.file_task(epic, gone)["mark"]) == ("Kept", "extra")
    row = repo.epic_row(epic)
    assert (row["name"], row["summary"]) == ("Theirs", "Agreed")
    assert repo.task_row(gone)["title"] == "Kept"
    assert gone in repo.task_order(epic)
    settled(repo)
    (newest, *_) = repo.json("log")["commits"]
    assert (newest["message"], len(newest["parents"]), newest["kind"]) == ("done", 2, "merge")
    repo.ok("undo")
    assert repo.head() == head
    assert repo.json("status")["merging"]["conflicts"] == []
    repo.ok("redo")
    settled(repo)


def test_an_answer_never_overwrites_an_edit_made_since(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    two_branches(repo, lambda body: body.update(name="Theirs"), lambda body: body.update(name="Ours"))
    repo.json("merge", "theirs", code=1)
    repo.rewrite(epic, lambda body: body.update(name="Edited since"))
    repo.refused(5, "resolve", "--prefer", "theirs", naming="changed since")
    repo.rewrite(epic, lambda body: body.update(name="Ours"))


def test_an_answer_brings_no_epic_back_that_is_in_another_file_by_now(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    data = repo.path(epic).read_bytes()
    fork(repo)
    repo.rewrite(epic, lambda body: body.update(name="Theirs"))
    commit(repo, "theirs")
    repo.ok("switch", "main")
    repo.path(epic).unlink()
    commit(repo, "ours")
    repo.json("merge", "theirs", code=1)
    (repo.directory / "again.json").write_bytes(data)
    repo.refused(5, "resolve", "--prefer", "theirs", naming="changed since: again.json")
    (repo.directory / "again.json").unlink()
    repo.ok("resolve", "--prefer", "theirs")
    assert repo.body(epic)["name"] == "Theirs"


def test_abort_undo_and_redo_of_a_merge(repo: EpicRepo) -> None:
    two_branches(repo, lambda body: body.update(name="Theirs"), lambda body: body.update(name="Ours"))
    before = repo.everything()
    repo.json("merge", "theirs", code=1)
    middle = repo.everything()
    repo.ok("undo")
    assert (repo.everything().files, repo.everything().refs) == (before.files, before.refs)
    repo.ok("redo")
    assert (repo.everything().files, repo.everything().refs) == (middle.files, middle.refs)
    repo.ok("merge", "--abort")
    repo.ok("undo")
    assert repo.everything().refs == middle.refs
    assert repo.json("status")["merging"]["name"] == "theirs"
    repo.ok("merge", "--abort")
    settled(repo)


def test_a_task_deleted_here_and_edited_there_is_one_conflict(repo: EpicRepo) -> None:
    epic, task = repo.facts.epic, repo.facts.tasks[1]

    def without(body: Any) -> None:
        body["tasks"] = [item for item in body["tasks"] if item["id"] != task]

    two_branches(repo, without, set_task(task, title="Kept?", description="Edited"))
    answer = repo.json("merge", "theirs", code=1)
    assert [found["label"] for found in answer["conflicts"]] == [f"{epic}:tasks/{task}"]
    assert repo.file_task(epic, task)["title"] == "Kept?"
    repo.ok("merge", "--abort")
    assert repo.json("merge", "theirs", "--prefer", "theirs")["conflicts"] == []
    assert repo.file_task(epic, task) is None
    assert task not in repo.task_order(epic)
    settled(repo)


def test_tasks_added_on_each_side_both_stay_and_get_keys_of_their_own(repo: EpicRepo) -> None:
    epic, first, second = repo.facts.epic, repo.facts.tasks[0], repo.facts.tasks[1]

    def added(key: str, after: str) -> Any:
        def change(body: Any) -> None:
            at = next(place for place, task in enumerate(body["tasks"]) if task["id"] == after)
            body["tasks"].insert(
                at + 1, {"id": key, "title": f"New {key}", "mark": key, "dependencies": [first], "estimate_minutes": 5}
            )

        return change

    two_branches(repo, added("new.theirs", first), added("new.ours", second))
    ours = repo.task_row("new.ours")
    answer = repo.json("merge", "theirs")
    assert answer["conflicts"] == []
    order = [task["id"] for task in repo.body(epic)["tasks"]]
    assert order.index("new.theirs") == order.index(first) + 1
    assert order.index("new.ours") == order.index(second) + 1
    assert repo.task_order(epic) == order
    assert repo.file_task(epic, "new.theirs")["mark"] == "new.theirs"
    assert repo.task_row("new.ours")["id"] == ours["id"]
    theirs = repo.task_row("new.theirs")
    assert theirs["id"] != ours["id"]
    links = repo.sql(
        "SELECT task_id, depends_on_task_key FROM task_dependencies WHERE task_id IN (?, ?)", ours["id"], theirs["id"]
    )
    assert sorted(links) == sorted([(ours["id"], first), (theirs["id"], first)])
    settled(repo)
    repo.sql("INSERT INTO framework_tasks (task_key, epic_id, title) VALUES ('fresh', ?, 'x')", theirs["epic_id"])
    assert repo.task_row("fresh")["id"] > theirs["id"]


def test_a_task_moved_there_and_edited_here_merges(repo: EpicRepo) -> None:
    epic, other, task = repo.facts.epic, repo.facts.other, repo.facts.tasks[2]
    fork(repo)
    moved = repo.file_task(epic, task)
    repo.rewrite(epic, lambda body: body.update(tasks=[item for item in body["tasks"] if item["id"] != task]))
    repo.rewrite(other, lambda body: body["tasks"].append(moved))
    commit(repo, "moved")
    repo.ok("switch", "main")
    row = repo.task_row(task)
    repo.rewrite(epic, set_task(task, title="Edited here"))
    commit(repo, "edited")
    answer = repo.json("merge", "theirs")
    assert answer["conflicts"] == []
    assert answer["moved"] == [{"from": f"{epic}:tasks/{task}", "to": f"{other}:tasks/{task}"}]
    assert repo.file_task(epic, task) is None
    assert repo.file_task(other, task)["title"] == "Edited here"
    after = repo.task_row(task)
    assert (after["id"], after["title"]) == (row["id"], "Edited here")
    assert after["epic_id"] == repo.epic_row(other)["id"]
    settled(repo)


def test_system_columns_extra_keys_and_other_tables_merge(repo: EpicRepo) -> None:
    epic, facts = repo.facts.epic, repo.facts
    fork(repo)
    repo.sql("UPDATE framework_epics SET status = 'there' WHERE epic_key = ?", epic)
    repo.sql(f"UPDATE {facts.table} SET {facts.column} = 'there' WHERE id = ?", facts.row)
    repo.rewrite(epic, lambda body: body.update(team={"lead": "there"}))
    commit(repo, "theirs")
    repo.ok("switch", "main")
    repo.sql("UPDATE framework_epics SET points_earned = 77 WHERE epic_key = ?", epic)
    repo.rewrite(epic, lambda body: body.update(squad="here"))
    commit(repo, "ours")
    assert repo.json("merge", "theirs")["conflicts"] == []
    row = repo.epic_row(epic)
    assert (row["status"], row["points_earned"]) == ("there", 77)
    assert repo.body(epic)["team"] == {"lead": "there"}
    assert repo.body(epic)["squad"] == "here"
    assert repo.one(f"SELECT {facts.column} FROM {facts.table} WHERE id = ?", facts.row) == "there"
    settled(repo)


def test_two_rows_under_one_surrogate_key_are_a_conflict(made: EpicRepo) -> None:
    repo = made
    fork(repo)
    repo.sql("INSERT INTO audit_sessions (session_id, start_time) VALUES ('there', 'then')")
    repo.sql("INSERT INTO audit_results (id, session_id, file_path) VALUES (900, 'there', 'there')")
    commit(repo, "theirs")
    repo.ok("switch", "main")
    repo.sql("INSERT INTO audit_sessions (session_id, start_time) VALUES ('here', 'then')")
    repo.sql("INSERT INTO audit_results (id, session_id, file_path) VALUES (900, 'here', 'here')")
    commit(repo, "ours")
    answer = repo.json("merge", "theirs", code=1)
    (found,) = answer["conflicts"]
    assert found["label"] == "@audit_results/900"
    assert found["ours"]["file_path"] == "here"
    assert found["theirs"]["file_path"] == "there"
    assert repo.one("SELECT count(*) FROM audit_sessions WHERE session_id IN ('here', 'there')") == 2
    repo.ok("merge", "--abort")
    repo.ok("merge", "theirs", "--prefer", "theirs")
    assert repo.one("SELECT file_path FROM audit_results WHERE id = 900") == "there"
    settled(repo)


def test_a_schema_changed_on_both_sides_is_refused_naming_both(made: EpicRepo) -> None:
    repo = made
    fork(repo)
    repo.sql("ALTER TABLE settings ADD COLUMN theirs TEXT")
    commit(repo, "theirs")
    repo.ok("switch", "main")
    repo.rewrite(repo.facts.epic, lambda body: body.update(name="Ours"))
    repo.sql("INSERT INTO settings (category, name, value) VALUES ('ours', 'x', 'y')")
    commit(repo, "ours")
    assert repo.json("merge", "theirs")["conflicts"] == []
    assert repo.one("SELECT value FROM settings WHERE category = 'ours' AND theirs IS NULL") == "y"
    settled(repo)
    repo.ok("undo")
    repo.sql("CREATE INDEX ours ON settings (value)")
    commit(repo, "ours too")
    message = repo.refused(5, "merge", "theirs", naming="table settings")
    assert "index ours" in message


def test_revert_takes_one_commit_back_and_no_other(repo: EpicRepo) -> None:
    epic, task = repo.facts.epic, repo.facts.tasks[0]
    old = repo.file_task(epic, task)["title"]
    repo.ok("commit", "-m", "before")
    repo.rewrite(epic, set_task(task, title="Wrong"))
    commit(repo, "the mistake")
    wrong = repo.head()
    repo.rewrite(epic, lambda body: body.update(name="Later"))
    commit(repo, "later")
    with repo.unchanged():
        assert repo.json("revert", wrong, "--dry-run")["conflicts"] == []
    answer = repo.json("revert", wrong)
    assert answer["conflicts"] == []
    assert repo.file_task(epic, task)["title"] == old
    assert repo.task_row(task)["title"] == old
    assert repo.body(epic)["name"] == "Later"
    assert repo.json("log")["commits"][0]["message"].startswith("revert ")
    settled(repo)


def test_cherry_pick_takes_one_commit_and_no_other(repo: EpicRepo) -> None:
    epic, task = repo.facts.epic, repo.facts.tasks[0]
    fork(repo)
    repo.rewrite(epic, lambda body: body.update(summary="Before it"))
    commit(repo, "before it")
    repo.rewrite(epic, set_task(task, title="Wanted", own={"of": "files"}))
    repo.sql("UPDATE framework_users SET username = 'renamed' WHERE id = (SELECT min(id) FROM framework_users)")
    repo.ok("sync", "--message", "the fix\n\nWhy it is needed.")
    wanted = repo.head()
    repo.rewrite(epic, lambda body: body.update(name="After it"))
    commit(repo, "after it")
    repo.ok("switch", "main")
    body = repo.body(epic)
    with repo.unchanged():
        assert repo.json("cherry-pick", "theirs~1", "--dry-run")["conflicts"] == []
    answer = repo.json("cherry-pick", "theirs~1")
    assert (answer["conflicts"], answer["commit"], answer["up_to_date"]) == ([], repo.head(), False)
    assert (repo.body(epic)["name"], repo.body(epic).get("summary")) == (body["name"], body.get("summary"))
    assert (repo.file_task(epic, task)["title"], repo.task_row(task)["title"]) == ("Wanted", "Wanted")
    assert repo.file_task(epic, task)["own"] == {"of": "files"}
    assert repo.one("SELECT count(*) FROM framework_users WHERE username = 'renamed'") == 1
    (made,) = repo.json("log", "-n", "1")["commits"]
    assert made["message"].startswith("the fix\n\nWhy it is needed.\n\n(cherry picked from commit " + wanted)
    assert len(made["parents"]) == 1
    settled(repo)
    with repo.unchanged():
        again = repo.json("cherry-pick", "theirs~1")
    assert (again["up_to_date"], again["commit"]) == (True, made["id"])
    assert repo.json("merge", "theirs")["conflicts"] == []
    assert (repo.body(epic)["name"], repo.file_task(epic, task)["title"]) == ("After it", "Wanted")
    settled(repo)


def test_of_a_merge_cherry_pick_takes_what_is_asked_for(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    repo.ok("branch", "elsewhere")
    two_branches(repo, lambda body: body.update(name="Theirs"), lambda body: body.update(summary="Ours"))
    repo.ok("merge", "theirs")
    merged = repo.head()
    repo.ok("switch", "elsewhere")
    old = repo.body(epic)
    repo.refused(2, "cherry-pick", merged, naming="merge")
    repo.refused(2, "cherry-pick", merged, "--mainline", "3")
    repo.ok("cherry-pick", merged, "--mainline", "1")
    assert (repo.body(epic)["name"], repo.body(epic).get("summary")) == ("Theirs", old.get("summary"))
    repo.ok("cherry-pick", merged, "--mainline", "2", "-m", "the rest")
    assert (repo.body(epic)["name"], repo.body(epic)["summary"]) == ("Theirs", "Ours")
    assert repo.json("log", "-n", "1")["commits"][0]["message"] == "the rest"
    repo.ok("undo")
    assert repo.body(epic).get("summary") == old.get("summary")
    settled(repo)


def test_a_merge_needs_committed_sides_and_a_common_commit(repo: EpicRepo) -> None:
    two_branches(repo, lambda body: body.update(name="Theirs"), lambda body: body.update(summary="Ours"))
    repo.sql("UPDATE framework_epics SET priority = 9 WHERE epic_key = ?", repo.facts.other)
    repo.refused(5, "merge", "theirs", naming="committed")
    repo.refused(5, "revert", "HEAD", naming="committed")
    repo.refused(5, "cherry-pick", "theirs", naming="committed")
    repo.refused(3, "merge", "nowhere")
    repo.refused(3, "merge", "--abort")
    repo.refused(3, "revert", "--continue")
    repo.refused(2, "merge")
    repo.refused(2, "merge", "theirs", "--abort")
    repo.refused(2, "merge", "theirs", "--prefer", "files")


def test_the_formatting_of_ours_stays(made: EpicRepo) -> None:
    repo = made
    fork(repo)
    repo.rewrite("1", set_task("1.2", title="Theirs"))
    commit(repo)
    repo.ok("switch", "main")
    path = repo.path("1")
    value = json.loads(path.read_bytes())
    value["epic"]["summary"] = "Ours"
    path.write_text(json.dumps(value, indent=7), encoding="utf-8")
    commit(repo)
    before = path.read_text(encoding="utf-8")
    repo.ok("merge", "theirs")
    old = json.loads(before)
    title = next(task["title"] for task in old["epic"]["tasks"] if task["id"] == "1.2")
    assert path.read_text(encoding="utf-8") == before.replace(json.dumps(title), '"Theirs"')
    settled(repo)


def test_diff_and_log_of_two_branches(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    two_branches(repo, lambda body: body.update(name="Theirs"), lambda body: body.update(summary="Ours"))
    since_base = {change["label"] for change in repo.json("diff", "main...theirs")["changes"]}
    assert f"{epic}:name" in since_base
    assert f"{epic}:summary" not in since_base
    both = {change["label"] for change in repo.json("diff", "main..theirs")["changes"]}
    assert both >= {f"{epic}:name", f"{epic}:summary"}
    assert repo.json("diff", "main...", epic)["changes"] == []
    one, other, apart = (
        {found["id"] for found in repo.json("log", word)["commits"]}
        for word in ("main..theirs", "theirs..main", "theirs...main")
    )
    assert one
    assert other
    assert apart == one | other
    repo.refused(3, "diff", "main...nowhere")


def test_several_merge_bases_the_newest_is_taken_and_named(made: EpicRepo) -> None:
    repo = made
    two_branches(repo, lambda body: body.update(name="Theirs"), lambda body: body.update(summary="Ours"))
    ours, theirs = repo.json("log", "main")["commits"][0]["id"], repo.json("log", "theirs")["commits"][0]["id"]
    repo.ok("merge", theirs)
    repo.ok("switch", "theirs")
    repo.ok("merge", ours)
    repo.rewrite("2", lambda body: body.update(name="Later there"))
    commit(repo)
    repo.ok("switch", "main")
    repo.rewrite("2", lambda body: body.update(summary="Later here"))
    commit(repo)
    answer = repo.json("merge", "theirs", "--dry-run")
    assert (answer["bases"], answer["base"], answer["conflicts"]) == (2, ours, [])
    said = repo.ok("merge", "theirs").out
    assert "2 merge bases" in said
    assert ours[:12] in said
    assert (repo.body("2")["name"], repo.body("2")["summary"]) == ("Later there", "Later here")
    settled(repo)


def _documents(repo: EpicRepo) -> Any:
    """What both sides say, without surrogate keys and the times of writing."""
    epics = {epic: repo.body(epic) for epic in ("1", "2", "3")}
    for body in epics.values():
        body["tasks"] = sorted(body["tasks"], key=lambda task: task["id"])
        body["goals"] = sorted(body.get("goals") or [])
    tasks = repo.sql(
        "SELECT e.epic_key, t.task_key, t.title, t.status, t.deleted_at IS NULL FROM framework_tasks t "
        "JOIN framework_epics e ON e.id = t.epic_id ORDER BY 1, 2"
    )
    links = repo.sql(
        "SELECT t.task_key, d.depends_on_task_key FROM task_dependencies d JOIN framework_tasks t ON t.id = d.task_id "
        "ORDER BY 1, 2"
    )
    points = repo.sql("SELECT epic_key, points_earned FROM framework_epics ORDER BY 1")
    return epics, tasks, links, points, repo.sql("SELECT * FROM settings ORDER BY 1, 2")


@pytest.mark.parametrize("seed", [1, 3, 5, 7])
def test_merging_either_way_gives_the_same_documents(made: EpicRepo, tmp_path: Path, seed: int) -> None:
    fork(made)
    random_edits(made, seed)
    commit(made)
    made.ok("switch", "main")
    random_edits(made, seed + 1)
    commit(made)
    other = made.copy_to(tmp_path / "other")
    other.ok("switch", "theirs")
    mine, theirs = made.run("merge", "theirs", "--json").value, other.run("merge", "main", "--json").value
    swapped = [{**found, "ours": found["theirs"], "theirs": found["ours"]} for found in theirs["conflicts"]]
    assert mine["conflicts"] == swapped
    for repo, side in ((made, "ours"), (other, "theirs")):
        if mine["conflicts"]:
            repo.ok("resolve", "--prefer", side)
            repo.ok("merge", "--continue")
        settled(repo)
    assert _documents(made) == _documents(other)


def test_a_circle_that_no_branch_has_blocks_the_merge(repo: EpicRepo) -> None:
    epic, (first, second, *_) = repo.facts.epic, repo.facts.tasks
    fork(repo)
    repo.rewrite(epic, lambda body: (set_task(first, dependencies=[])(body), set_task(second, dependencies=[])(body)))
    commit(repo)
    repo.ok("switch", "main")
    repo.ok("merge", "theirs")
    repo.ok("switch", "-c", "other")
    repo.rewrite(epic, set_task(first, dependencies=[second]))
    commit(repo)
    repo.ok("switch", "main")
    repo.rewrite(epic, set_task(second, dependencies=[first]))
    commit(repo)
    said = repo.refused(4, "merge", "other")
    assert f"{epic}:tasks/{first}/dependencies" in said
    assert "ours" in said
    assert "theirs" in said
    settled(repo)


def test_a_dependency_on_what_the_other_branch_deleted_blocks_the_merge(made: EpicRepo) -> None:
    repo = made
    fork(repo)
    repo.rewrite("1", lambda body: body["tasks"].append({"id": "1.9", "title": "New", "dependencies": ["2.2"]}))
    repo.rewrite("2", lambda body: body["tasks"].append({"id": "2.2", "title": "Wanted"}))
    commit(repo)
    repo.ok("switch", "main")
    repo.ok("merge", "theirs")
    repo.ok("switch", "-c", "other")
    repo.rewrite("1", lambda body: body["tasks"].append({"id": "1.10", "title": "N", "dependencies": ["2.2"]}))
    commit(repo)
    repo.ok("switch", "main")
    repo.rewrite("1", lambda body: body.update(tasks=[task for task in body["tasks"] if task["id"] != "1.9"]))
    repo.rewrite("2", lambda body: body.update(tasks=[task for task in body["tasks"] if task["id"] != "2.2"]))
    commit(repo)
    assert "2.2" in repo.refused(4, "merge", "other")


def test_a_reference_to_a_row_that_the_other_branch_removed_blocks_the_merge(made: EpicRepo) -> None:
    repo = made
    repo.sql("INSERT INTO audit_sessions (session_id, start_time) VALUES ('wanted', 'then')")
    fork(repo)
    repo.sql("INSERT INTO audit_results (session_id, file_path) VALUES ('wanted', 'there')")
    commit(repo)
    repo.ok("switch", "main")
    repo.sql("DELETE FROM audit_sessions WHERE session_id = 'wanted'")
    commit(repo)
    assert "@audit_results/" in repo.refused(4, "merge", "theirs", naming="audit_sessions")
    settled(repo)


def test_two_rows_with_one_unique_value_block_the_merge(made: EpicRepo) -> None:
    repo = made
    fork(repo)
    repo.sql("INSERT INTO framework_users (id, username) VALUES (800, 'same')")
    commit(repo)
    repo.ok("switch", "main")
    repo.sql("INSERT INTO framework_users (id, username) VALUES (801, 'same')")
    commit(repo)
    repo.refused(4, "merge", "theirs")
    settled(repo)
