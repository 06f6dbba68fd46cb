"""Going back and forth: checkout, restore, show, log, diff, branches, tags, gc, and how revisions are named."""

from __future__ import annotations

import json
import re
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.repos import EpicRepo

State = tuple[dict[str, bytes], list[str]]


def _state(repo: EpicRepo) -> State:
    return repo.files(), repo.dump()


def _edit_both(repo: EpicRepo, text: str) -> None:
    """One field of an epic in its file, another in the database, and a row that is nobody's field."""
    facts = repo.facts
    name = json.dumps(repo.body(facts.epic)["name"], ensure_ascii=False)
    repo.edit(facts.epic, f'"name": {name}', f'"name": "name {text}"')
    repo.sql("UPDATE framework_epics SET summary = ? WHERE epic_key = ?", f"summary {text}", facts.epic)
    repo.sql(f"UPDATE {facts.table} SET {facts.column} = ? WHERE id = {facts.row}", f"row {text}")


@pytest.fixture
def states(repo: EpicRepo) -> dict[str, tuple[str, State]]:
    """Three commits on ``main``, by name: id and state."""
    found = {"start": (repo.head(), _state(repo))}
    for name in ("one", "two"):
        _edit_both(repo, name)
        repo.ok("sync")
        found[name] = (repo.head(), _state(repo))
    return found


def test_checkout_detaches_and_a_branch_attaches(repo: EpicRepo, states: dict[str, tuple[str, State]]) -> None:
    with repo.unchanged():
        repo.ok("checkout", "HEAD~1", "--dry-run")
    done = repo.json("checkout", "HEAD~1")
    assert (done["command"], done["branch"], done["commit"], done["files"], done["database"]) == (
        "checkout",
        None,
        states["one"][0],
        1,
        True,
    )
    assert _state(repo) == states["one"][1]
    status = repo.json("status")
    assert (status["branch"], status["head"], status["clean"], status["in_sync"]) == (
        None,
        states["one"][0],
        True,
        True,
    )
    repo.ok("checkout", states["start"][0][:10])
    assert _state(repo) == states["start"][1]
    repo.ok("checkout", "main")
    assert repo.json("status")["branch"] == "main"
    assert _state(repo) == states["two"][1]


def test_checkout_fires_no_trigger(repo: EpicRepo) -> None:
    facts = repo.facts
    repo.sql("UPDATE framework_tasks SET status = 'completed', assigned_to = 1 WHERE task_key = ?", facts.own_task)
    repo.ok("commit", "-m", "completed")
    completed = _state(repo)
    repo.ok("checkout", "HEAD~1")
    repo.ok("checkout", "main")
    assert _state(repo) == completed


def test_checkout_one_side(repo: EpicRepo, states: dict[str, tuple[str, State]]) -> None:
    repo.ok("checkout", "HEAD~1", "--side", "db")
    assert _state(repo) == (states["two"][1][0], states["one"][1][1])
    status = repo.json("status")
    assert (status["head"], status["branch"], status["clean"]) == (states["two"][0], "main", False)
    (epic,) = status["epics"]
    assert (epic["state"], epic["files"], epic["db"]) == ("db_ahead", "unchanged", "modified")
    repo.ok("checkout", "HEAD", "--side", "db", "--discard-changes")
    repo.ok("checkout", "HEAD~1", "--side", "files")
    assert _state(repo) == (states["one"][1][0], states["two"][1][1])
    assert repo.json("status")["epics"][0]["state"] == "files_ahead"
    repo.refused(2, "checkout", "HEAD~1", "--side", "neither", naming="neither")


@pytest.mark.parametrize("where", ["files", "database", "audit"])
def test_checkout_over_uncommitted_changes(repo: EpicRepo, states: dict[str, tuple[str, State]], where: str) -> None:
    facts = repo.facts
    if where == "files":
        path = repo.path(facts.other)
        path.write_bytes(path.read_bytes() + b" ")
    elif where == "database":
        repo.sql("UPDATE framework_epics SET priority = 9 WHERE epic_key = ?", facts.other)
    else:
        repo.sql(f"DELETE FROM {facts.table} WHERE id = 1")
    side = "files" if where == "files" else "database"
    repo.refused(5, "checkout", "HEAD~1", naming=side)
    repo.ok("branch", "older", "HEAD~2")
    repo.refused(5, "switch", "older", naming=side)
    changed = _state(repo)
    repo.ok("checkout", "HEAD~1", "--discard-changes")
    assert _state(repo) == states["one"][1]
    repo.ok("undo")
    assert _state(repo) == changed
    assert repo.json("status")["branch"] == "main"


def test_commits_on_a_detached_head(repo: EpicRepo, states: dict[str, tuple[str, State]]) -> None:
    repo.ok("checkout", "HEAD~1")
    _edit_both(repo, "aside")
    commit = repo.json("sync")["commit"]
    assert repo.json("status")["head"] == commit
    repo.ok("branch", "aside")
    repo.ok("switch", "main")
    assert _state(repo) == states["two"][1]
    repo.ok("switch", "aside")
    assert repo.json("status")["head"] == commit
    assert repo.body(repo.facts.epic)["name"] == "name aside"
    messages = [entry["id"] for entry in repo.json("log", "main..aside")["commits"]]
    assert messages == [commit]


def test_branches(repo: EpicRepo, states: dict[str, tuple[str, State]]) -> None:
    repo.ok("switch", "-c", "review")
    assert repo.json("branch") == {
        "format": "epicvc.branch/1",
        "current": "review",
        "branches": {"main": states["two"][0], "review": states["two"][0]},
    }
    _edit_both(repo, "review")
    commit = repo.json("sync")["commit"]
    repo.refused(2, "branch", "review", naming="review")
    repo.refused(5, "branch", "-d", "review", naming="review")
    repo.ok("switch", "main")
    assert _state(repo) == states["two"][1]
    repo.refused(5, "branch", "-d", "review", naming="review")
    repo.ok("branch", "-d", "--force", "review")
    assert list(repo.json("branch")["branches"]) == ["main"]
    repo.refused(3, "switch", "review", naming="review")
    repo.ok("undo")
    assert repo.json("branch")["branches"]["review"] == commit
    repo.refused(2, "branch", "a..b", naming="a..b")
    repo.refused(3, "branch", "fresh", "no-such-revision", naming="no-such-revision")


def test_tags(repo: EpicRepo, states: dict[str, tuple[str, State]]) -> None:
    repo.ok("tag", "v1", "HEAD~2")
    assert repo.json("tag") == {"format": "epicvc.tag/1", "tags": {"v1": states["start"][0]}}
    repo.refused(2, "tag", "v1", naming="v1")
    assert repo.json("log")["commits"][2]["tags"] == ["v1"]
    repo.ok("checkout", "v1")
    assert _state(repo) == states["start"][1]
    repo.ok("tag", "-d", "v1")
    repo.refused(3, "tag", "-d", "v1", naming="v1")
    repo.refused(3, "checkout", "v1", naming="v1")


def test_log_and_show(repo: EpicRepo, states: dict[str, tuple[str, State]]) -> None:
    facts = repo.facts
    found = repo.json("log")
    assert found["format"] == "epicvc.log/1"
    newest = found["commits"][0]
    assert {*newest} == {"id", "parents", "author", "time", "message", "kind", "tags"}
    assert [entry["id"] for entry in found["commits"][:3]] == [states[name][0] for name in ("two", "one", "start")]
    assert [entry["kind"] for entry in found["commits"]] == ["sync", "sync", "sync", "commit"]
    assert newest["parents"] == [states["one"][0]]
    times = [entry["time"] for entry in found["commits"]]
    assert times == sorted(times, reverse=True)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", time) for time in times)
    assert len(repo.json("log", "-n", "1")["commits"]) == 1
    between = [entry["id"] for entry in repo.json("log", f"{states['start'][0][:8]}..HEAD")["commits"]]
    assert between == [states["two"][0], states["one"][0]]
    assert repo.json("log", "HEAD..HEAD~1")["commits"] == []
    shown = repo.json("show", "HEAD")
    assert (shown["format"], shown["id"]) == ("epicvc.show/1", states["two"][0])
    changes = {
        (change["side"], change["label"]): (change["op"], change["old"], change["new"]) for change in shown["changes"]
    }
    assert changes == {
        ("files", f"{facts.epic}:name"): ("replace", "name one", "name two"),
        ("files", f"{facts.epic}:summary"): ("replace", "summary one", "summary two"),
        ("db", f"{facts.epic}:name"): ("replace", "name one", "name two"),
        ("db", f"{facts.epic}:summary"): ("replace", "summary one", "summary two"),
        ("db", f"@{facts.table}/{facts.row}/{facts.column}"): ("replace", "row one", "row two"),
    }
    only = repo.json("show", "HEAD~1", f"{facts.epic}:name")["changes"]
    assert [(change["side"], change["label"]) for change in only] == [
        ("files", f"{facts.epic}:name"),
        ("db", f"{facts.epic}:name"),
    ]
    assert "name [-one-]{+two+}" in repo.ok("show").out


def test_diff(repo: EpicRepo, states: dict[str, tuple[str, State]]) -> None:
    facts = repo.facts
    name, summary = f"{facts.epic}:name", f"{facts.epic}:summary"
    found = repo.json("diff", "HEAD~2", "HEAD")
    assert (found["format"], found["from"], found["to"]) == ("epicvc.diff/1", states["start"][0], states["two"][0])
    assert {change["label"] for change in found["changes"]} == {
        name,
        summary,
        f"@{facts.table}/{facts.row}/{facts.column}",
    }
    assert repo.json("diff", "HEAD~2..HEAD") == found
    back = repo.json("diff", "HEAD", "HEAD~2")["changes"]
    swapped = [{**change, "old": change["new"], "new": change["old"]} for change in found["changes"]]
    assert back == swapped
    chosen = repo.json("diff", "HEAD~2", "HEAD", name, "--side", "db")["changes"]
    assert [(change["side"], change["label"], change["new"]) for change in chosen] == [("db", name, "name two")]
    assert repo.json("diff")["changes"] == []
    assert repo.run("diff", "--exit-code").code == 0
    _edit_both(repo, "three")
    working = repo.json("diff")
    assert (working["from"], working["to"]) == (states["two"][0], "working")
    assert {(change["side"], change["label"]) for change in working["changes"]} == {
        ("files", name),
        ("db", summary),
        ("db", f"@{facts.table}/{facts.row}/{facts.column}"),
    }
    assert repo.run("diff", "--exit-code").code == 1
    assert {change["side"] for change in repo.json("diff", "--side", "files")["changes"]} == {"files"}
    since = repo.json("diff", "HEAD~1", facts.epic)["changes"]
    assert ("files", "name one", "name three") in {(c["side"], c["old"], c["new"]) for c in since}
    table = repo.json("diff", f"@{facts.table}")["changes"]
    assert [change["new"] for change in table] == ["row three"]
    repo.refused(2, "diff", "--side", "neither", naming="neither")


def test_diff_shows_additions_and_removals(repo: EpicRepo) -> None:
    facts = repo.facts
    removed, added = facts.tasks[3], "new.1"

    def change(body: Any) -> None:
        body["tasks"][3] = {"id": added, "title": "New task"}
        body["unknown"] = {"kept": True}
        del body["summary"]

    repo.rewrite(facts.epic, change)
    found = {change["label"]: change["op"] for change in repo.json("diff")["changes"]}
    assert found == {
        f"{facts.epic}:summary": "remove",
        f"{facts.epic}:unknown": "add",
        f"{facts.epic}:tasks/{removed}": "remove",
        f"{facts.epic}:tasks/{added}": "add",
    }


def test_commit_of_some_epics(repo: EpicRepo) -> None:
    facts = repo.facts
    for epic in (facts.epic, facts.other):
        repo.sql("UPDATE framework_epics SET summary = 'changed' WHERE epic_key = ?", epic)
    repo.ok("pull")
    repo.ok("undo")
    done = repo.json("commit", "-m", "only one", facts.epic)
    labels = {change["label"] for change in repo.json("show", done["commit"])["changes"]}
    assert labels == {f"{facts.epic}:summary"}
    status = repo.json("status")
    assert status["clean"] is False
    assert {change["label"] for change in repo.json("diff")["changes"]} == {f"{facts.other}:summary"}
    assert repo.json("commit", "-m", "the rest")["commit"] is not None
    assert repo.json("commit", "-m", "nothing")["commit"] is None
    repo.refused(2, "commit", "-m", " ", naming="message")


def test_revisions(repo: EpicRepo, states: dict[str, tuple[str, State]]) -> None:
    ids = {name: commit for name, (commit, _) in states.items()}
    commits = {entry["id"]: entry for entry in repo.json("log")["commits"]}

    def resolve(text: str) -> str:
        return str(repo.json("show", text)["id"])

    assert resolve("HEAD") == resolve("main") == resolve("@") == resolve("HEAD~0") == ids["two"]
    assert resolve("HEAD~1") == resolve("HEAD^") == resolve("HEAD~") == resolve("HEAD^1") == ids["one"]
    assert resolve("HEAD~2") == resolve("HEAD^^") == resolve("main~1^") == ids["start"]
    assert resolve(ids["one"][:6]) == resolve(ids["one"]) == ids["one"]
    assert resolve("refs/heads/main") == ids["two"]
    assert resolve("@{0}") == ids["two"]
    assert resolve("@{1}") == ids["one"]
    assert resolve("@{2}") == ids["start"]
    assert resolve(f"@{{{commits[ids['one']]['time']}}}") == ids["one"]
    later = datetime.fromisoformat(commits[ids["two"]]["time"]).astimezone().replace(tzinfo=None)
    assert resolve(f"@{{{later.isoformat()}}}") == ids["two"]  # a time without a zone is local
    for missing in ("HEAD~99", "HEAD^2", "@{99}", "nowhere", "ffffffff", "@{2000-01-01T00:00:00Z}"):
        repo.refused(3, "show", missing)
    repo.refused(2, "show", "@{yesterday}", naming="yesterday")


def test_restore_an_epic(repo: EpicRepo, states: dict[str, tuple[str, State]]) -> None:
    facts = repo.facts
    previous = repo.json("log")["commits"][1]["id"]
    with repo.unchanged():
        repo.ok("restore", "--source", "HEAD~1", facts.epic, "--dry-run")
    done = repo.json("restore", "--source", "HEAD~1", facts.epic)
    assert done == {"format": "epicvc.restore/1", "commit": previous, "files": 1, "database": True, "to": None}
    assert repo.files() == states["one"][1][0]
    assert repo.epic_row(facts.epic)["summary"] == "summary one"
    assert repo.one(f"SELECT {facts.column} FROM {facts.table} WHERE id = {facts.row}") == "row two"
    status = repo.json("status")
    assert (status["head"], status["clean"], status["in_sync"]) == (states["two"][0], False, True)
    assert repo.json("sync")["conflicts"] == []
    repo.ok("undo")
    repo.ok("undo")
    assert _state(repo) == states["two"][1]


def test_restore_a_deleted_epic(repo: EpicRepo) -> None:
    facts = repo.facts
    before = _state(repo)
    repo.path(facts.epic).unlink()
    repo.ok("sync")
    assert repo.epic_row(facts.epic)["deleted_at"] is not None
    repo.ok("restore", "--source", "HEAD~1", facts.epic)
    assert _state(repo) == before
    repo.ok("sync")
    assert repo.json("status")["in_sync"] is True
    assert repo.epic_row(facts.epic)["deleted_at"] is None


@pytest.mark.parametrize("gone", [False, True], ids=["renamed", "deleted"])
def test_restore_leaves_a_file_of_another_epic_that_has_the_name_by_now(repo: EpicRepo, gone: bool) -> None:
    facts = repo.facts
    data, other = repo.path(facts.epic).read_bytes(), repo.path(facts.other).read_bytes()
    repo.rewrite(facts.epic, lambda body: body.update(summary="edited"))
    repo.path(facts.epic).rename(repo.directory / "renamed.json")
    repo.path(facts.other).rename(repo.directory / facts.path)
    if gone:
        (repo.directory / "renamed.json").unlink()
    files = repo.files()
    assert repo.json("restore", "--source", "HEAD", facts.epic)["files"] == 1
    now = repo.files()
    assert now[facts.path] == other
    (name,) = (path for path in now if now[path] == data)
    assert name == "renamed.json" or gone
    assert {path: now[path] for path in now if path != name} == {k: files[k] for k in files if k != name}
    assert repo.json("status")["in_sync"] is True


def test_restore_of_a_swap(repo: EpicRepo) -> None:
    facts = repo.facts
    before = repo.files()
    one, two = repo.path(facts.epic), repo.path(facts.other)
    one.rename(repo.directory / "between.json")
    two.rename(one)
    (repo.directory / "between.json").rename(two)
    repo.ok("restore", "--source", "HEAD", facts.epic, facts.other)
    assert repo.files() == before


def test_restore_replaces_a_file_that_is_no_epic_any_more(repo: EpicRepo) -> None:
    before = repo.files()
    repo.path(repo.facts.epic).write_bytes(b"{")
    repo.ok("restore", "--source", "HEAD", repo.facts.epic)
    assert repo.files() == before


def test_restore_refuses_a_name_that_some_system_takes_for_another_files(repo: EpicRepo) -> None:
    facts = repo.facts
    repo.path(facts.epic).unlink()
    repo.path(facts.other).rename(repo.directory / facts.path.upper().replace(".JSON", ".json"))
    repo.refused(4, "restore", "--source", "HEAD", facts.epic, naming=facts.path)


def test_restore_fields(repo: EpicRepo, states: dict[str, tuple[str, State]]) -> None:
    facts = repo.facts
    key = facts.tasks[1]
    repo.ok("restore", "--source", "HEAD~1", f"{facts.epic}:name")
    assert (repo.body(facts.epic)["name"], repo.epic_row(facts.epic)["name"]) == ("name one", "name one")
    assert (repo.body(facts.epic)["summary"], repo.epic_row(facts.epic)["summary"]) == ("summary two", "summary two")
    repo.ok("restore", f"{facts.epic}:name", "--side", "files")
    assert (repo.body(facts.epic)["name"], repo.epic_row(facts.epic)["name"]) == ("name two", "name one")
    repo.ok("restore", f"{facts.epic}:name")
    title, minutes = repo.task_row(key)["title"], repo.task_row(key)["estimate_minutes"]
    repo.sql("UPDATE framework_tasks SET title = 'new', estimate_minutes = 999 WHERE task_key = ?", key)
    repo.ok("pull")
    repo.ok("restore", "--source", "HEAD~1", f"{facts.epic}:tasks/{key}/title")
    for found in (repo.file_task(facts.epic, key), repo.task_row(key)):
        assert (found["title"], found["estimate_minutes"]) == (title, 999)
    repo.ok("restore", "--source", "HEAD~1", f"{facts.epic}:tasks/{key}")
    for found in (repo.file_task(facts.epic, key), repo.task_row(key)):
        assert (found["title"], found["estimate_minutes"]) == (title, minutes)


def test_restore_a_deleted_task(repo: EpicRepo) -> None:
    facts = repo.facts
    key = facts.tasks[2]
    row, links = repo.task_row(key), repo.sql("SELECT * FROM task_dependencies ORDER BY id")
    data = repo.path(facts.epic).read_bytes()
    repo.rewrite(facts.epic, lambda body: body["tasks"].pop(2))
    repo.ok("sync")
    repo.ok("restore", "--source", "HEAD~1", f"{facts.epic}:tasks/{key}")
    assert json.loads(repo.path(facts.epic).read_bytes()) == json.loads(data)
    assert repo.task_row(key) == row
    assert repo.sql("SELECT * FROM task_dependencies ORDER BY id") == links
    repo.ok("sync")
    assert repo.json("status")["in_sync"] is True
    assert repo.task_row(key)["status"] == row["status"]


def test_restore_rows(repo: EpicRepo, states: dict[str, tuple[str, State]]) -> None:
    facts = repo.facts
    place = f"@{facts.table}/{facts.row}"
    query = f"SELECT {facts.column} FROM {facts.table} WHERE id = {facts.row}"
    repo.ok("restore", "--source", "HEAD~1", place)
    assert repo.one(query) == "row one"
    repo.ok("restore", f"{place}/{facts.column}")
    assert repo.one(query) == "row two"
    repo.sql(f"DELETE FROM {facts.table}")
    repo.ok("restore", place)
    assert repo.one(query) == "row two"
    assert repo.one(f"SELECT count(*) FROM {facts.table}") == 1
    repo.ok("restore", f"@{facts.table}")
    assert _state(repo) == states["two"][1]
    repo.refused(3, "restore", f"@{facts.table}/123456789", naming="123456789")
    repo.refused(2, "restore", naming="what to restore")


@pytest.mark.parametrize("label", ["no-such-epic", "{epic}:tasks/none", "{epic}:tasks/none/title"])
def test_restore_refuses_an_unknown_place(repo: EpicRepo, label: str) -> None:
    name = label.format(epic=repo.facts.epic)
    repo.refused(3, "restore", name, naming=name)


def test_restore_refuses_an_unknown_table(repo: EpicRepo) -> None:
    assert repo.run("restore", "@no_such_table").code in (2, 3)


def test_restore_an_extra_field(made: EpicRepo) -> None:
    before = made.path("5").read_bytes()
    made.edit("5", '"score": 1.0', '"score": 2')
    made.edit("5", '"schema": 3', '"schema": 4')
    made.edit("5", '"reviewers": [', '"reviewed": [')
    made.ok("commit", "-m", "extra")
    made.ok("restore", "--source", "HEAD~1", "5:owner_notes/score")
    made.ok("restore", "--source", "HEAD~1", "5:@/_metadata/schema")
    made.ok("restore", "--source", "HEAD~1", "5:tasks/5.1/reviewers")
    made.ok("restore", "--source", "HEAD~1", "5:tasks/5.1/reviewed")
    assert json.loads(made.path("5").read_bytes()) == json.loads(before)


def test_restore_refuses_an_unknown_side(repo: EpicRepo) -> None:
    repo.refused(2, "restore", repo.facts.epic, "--side", "neither", naming="neither")


def test_point_in_time(repo: EpicRepo, states: dict[str, tuple[str, State]], tmp_path: Path) -> None:
    times = {entry["id"]: entry["time"] for entry in repo.json("log")["commits"]}
    at = times[states["one"][0]]
    with repo.unchanged():
        found = repo.json("restore", "--at", at, "--to", str(tmp_path / "then"))
    assert (found["commit"], found["files"]) == (states["one"][0], len(states["one"][1][0]))
    copy = EpicRepo(tmp_path / "then", repo.facts)
    assert copy.files() == states["one"][1][0]
    assert _schemaless(copy.dump()) == _schemaless(states["one"][1][1])
    repo.refused(5, "restore", "--at", at, "--to", str(tmp_path / "then"), naming="not empty")
    with repo.unchanged():
        repo.ok("restore", "--at", at, "--in-place", "--dry-run")
    repo.ok("restore", "--at", at, "--in-place")
    assert _state(repo) == states["one"][1]
    assert repo.json("log")["commits"][0]["parents"] == [states["two"][0]]
    assert repo.json("status")["clean"] is True
    repo.ok("undo")
    assert _state(repo) == states["two"][1]
    repo.refused(3, "restore", "--at", "2000-01-01T00:00:00Z", "--in-place", naming="2000-01-01")
    repo.refused(2, "restore", "--at", at, naming="--at")
    repo.refused(2, "restore", "--at", "noon", "--in-place", naming="noon")


def _schemaless(dump: list[str]) -> list[str]:
    return [line for line in dump if not line.startswith("journal_mode")]


def test_point_in_time_of_now(repo: EpicRepo, states: dict[str, tuple[str, State]]) -> None:
    repo.sql("UPDATE framework_epics SET priority = 5")
    repo.ok("restore", "--at", datetime.now(UTC).isoformat(), "--in-place")
    assert _state(repo) == states["two"][1]


def test_a_dry_run_of_an_export_writes_nothing(repo: EpicRepo, tmp_path: Path) -> None:
    repo.ok("restore", "--at", datetime.now(UTC).isoformat(), "--to", str(tmp_path / "then"), "--dry-run")
    assert not (tmp_path / "then").exists()


def test_gc_drops_only_what_nothing_needs(repo: EpicRepo, states: dict[str, tuple[str, State]]) -> None:
    repo.ok("checkpoint", "kept", "--force")
    with repo.unchanged():
        repo.ok("gc", "--dry-run")
        would = repo.json("gc", "--dry-run")
    done = repo.json("gc")
    assert done["format"] == "epicvc.gc/1"
    assert done["objects"] == would["objects"]
    report = repo.json("fsck", "--full")
    assert (report["format"], report["problems"]) == ("epicvc.fsck/1", [])
    assert repo.json("gc")["objects"] == 0
    for name in ("start", "one", "two"):
        repo.ok("checkout", states[name][0])
        assert _state(repo) == states[name][1]
    repo.ok("rollback", "kept")
    assert _state(repo) == states["two"][1]


def test_gc_drops_an_unreachable_object(repo: EpicRepo) -> None:
    from epicvc.store.codec import pack
    from epicvc.store.objects import ObjectType, object_id

    payload = b"nobody refers to this"
    packed = pack(object_id(ObjectType.BLOB, payload), ObjectType.BLOB, payload)
    with repo.store() as store, store.transaction() as transaction:
        transaction.put_packed([packed])
    assert repo.json("gc")["objects"] >= 1
    with repo.store() as store:
        assert not store.has(packed.id)
    assert repo.json("fsck")["problems"] == []


def test_gc_drops_what_a_crash_left(repo: EpicRepo) -> None:
    left = repo.directory / f".{repo.facts.path}.0123456789ab.epicvc-tmp"
    left.write_bytes(b"{")
    assert repo.json("gc")["temporaries"] == 1
    assert not left.exists()


def test_the_store_holds_no_second_copy(repo: EpicRepo) -> None:
    """A commit that changes nothing adds a few small objects, not a copy of everything."""
    size = sum(sizes for _, _, sizes in _objects(repo))
    for number in range(5):
        repo.ok("commit", "-m", f"empty {number}", "--allow-empty")
    assert sum(sizes for _, _, sizes in _objects(repo)) - size < 5_000


def _objects(repo: EpicRepo) -> list[tuple[bytes, int, int]]:
    connection = sqlite3.connect(f"file:{repo.root}/.epicvc/store.db?mode=ro", uri=True)
    try:
        return connection.execute("SELECT id, type, length(data) FROM object").fetchall()
    finally:
        connection.close()


def test_a_branch_and_a_tag_of_one_name(repo: EpicRepo, states: dict[str, tuple[str, State]]) -> None:
    repo.ok("tag", "main", "HEAD~1")
    repo.ok("checkout", "main")
    status = repo.json("status")
    assert status["clean"] is True
    assert _state(repo) == (states["two"] if status["branch"] == "main" else states["one"])[1]


def test_an_export_among_the_tracked_files_is_refused(repo: EpicRepo) -> None:
    said = repo.run("restore", "--at", datetime.now(UTC).isoformat(), "--to", "epics/then")
    assert said.code == 5
    repo.ok("status")


@pytest.mark.parametrize("command", [("diff", "nosuch"), ("show", "HEAD", "nosuch"), ("diff", "@nosuch")])
def test_a_word_that_names_nothing_is_not_found(repo: EpicRepo, command: tuple[str, ...]) -> None:
    repo.refused(3, *command, naming="nosuch")


def test_a_place_where_nothing_changed_is_no_error(repo: EpicRepo) -> None:
    assert repo.json("diff", repo.facts.epic)["changes"] == []
    assert repo.json("diff", "@framework_epics")["changes"] == []


def test_restore_of_epics_into_a_directory(made: EpicRepo, tmp_path: Path) -> None:
    facts, then = made.facts, made.files()
    made.rewrite(facts.epic, lambda body: body.update(name="later"))
    target = tmp_path / "then"
    with made.unchanged():
        assert made.json("restore", facts.epic, "--to", str(target), "--dry-run")["files"] == 1
        assert not target.exists()
        said = made.json("restore", facts.epic, facts.other, "--to", str(target))
    assert (said["files"], said["database"], said["to"]) == (2, False, str(target))
    written = {path.name: path.read_bytes() for path in target.rglob("*.json")}
    assert written == {name: then[name] for name in (facts.path, facts.other_path)}


@pytest.mark.parametrize("label", ["1:name", "1:tasks/1.1", "@framework_epics/1"])
def test_what_cannot_stand_in_a_directory(made: EpicRepo, tmp_path: Path, label: str) -> None:
    target = tmp_path / "then"
    with made.unchanged():
        assert "only whole epics" in made.refused(2, "restore", label, "--to", str(target))
        assert made.run("restore", "1", "--to", str(target), "--side", "db").code == 2
        assert made.run("restore", "OWN_9", "--to", str(target)).code == 3
    assert not target.exists()
