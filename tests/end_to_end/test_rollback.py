"""Checkpoint, damage of any kind, rollback, undo, redo: byte for byte and row for row."""

from __future__ import annotations

import json
import os
import shutil
import time

import pytest
from support.repos import EpicRepo


def _state(repo: EpicRepo) -> tuple[dict[str, bytes], list[str]]:
    return repo.files(), repo.dump()


def _move(repo: EpicRepo, old: str, new: str) -> None:
    """Give a file another name."""
    target = repo.directory / new
    target.parent.mkdir(exist_ok=True)
    (repo.directory / old).rename(target)


def _damage(repo: EpicRepo) -> None:
    """What a bad day does to both sides."""
    facts = repo.facts
    repo.path(facts.epic).unlink()
    other = repo.path(facts.other)
    other.write_bytes(other.read_bytes()[:100] + b"\x00\xff not JSON")
    (repo.directory / "sub").mkdir()
    (repo.directory / "sub/new.json").write_text('{"id": "new", "name": "New"}')
    # The application, triggers included: points, users' totals, and a streak that is replaced.
    streak = repo.row("user_streaks", "user_id = 1")
    repo.sql("UPDATE framework_tasks SET status = 'completed', assigned_to = 1 WHERE task_key = ?", facts.own_task)
    assert repo.task_row(facts.own_task)["points_earned"] == 10
    assert repo.row("user_streaks", "user_id = 1")["id"] > streak["id"]
    repo.sql("UPDATE framework_tasks SET title = 'application' WHERE task_key = ?", facts.tasks[0])
    repo.sql("DELETE FROM framework_tasks WHERE task_key = ?", facts.tasks[2])
    repo.sql("DELETE FROM framework_epics WHERE epic_key = ?", facts.own[2])
    repo.sql(f"DELETE FROM {facts.table} WHERE rowid > 1")
    # Somebody with a database tool.
    repo.sql(f"DROP VIEW {facts.view}")
    repo.sql("DROP TABLE epic_json_sync")
    repo.sql("CREATE TABLE added (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT COLLATE NOCASE, w AS (v || '!'))")
    repo.sql("INSERT INTO added (v) VALUES ('x')")
    repo.sql("CREATE TRIGGER hostile AFTER INSERT ON framework_epics BEGIN DELETE FROM framework_users; END")
    repo.sql("ALTER TABLE framework_users ADD COLUMN nickname TEXT DEFAULT 'none'")
    repo.sql("PRAGMA user_version = 99")


def test_rollback_brings_everything_back(repo: EpicRepo) -> None:
    before = _state(repo)
    commit = repo.json("checkpoint", "before-review")["commit"]
    _damage(repo)
    damaged = _state(repo)
    assert damaged[0] != before[0]
    assert damaged[1] != before[1]
    with repo.unchanged():
        repo.ok("rollback", "before-review", "--dry-run")
    done = repo.json("rollback", "before-review")
    assert (done["format"], done["branch"], done["database"]) == ("epicvc.checkout/1", "main", True)
    assert _state(repo) == before
    assert repo.json("fsck")["problems"] == []
    status = repo.json("status")
    assert (status["clean"], status["in_sync"], status["head"]) == (True, True, done["commit"])
    newest, second, *_ = repo.json("log")["commits"]
    assert (newest["id"], newest["parents"], second["id"]) == (done["commit"], [commit], commit)
    assert (second["kind"], second["tags"], second["message"]) == (
        "checkpoint",
        ["before-review"],
        "checkpoint before-review",
    )
    repo.ok("undo")
    assert _state(repo) == damaged
    repo.ok("redo")
    assert _state(repo) == before
    assert repo.json("fsck")["problems"] == []


def test_rollback_over_invalid_files_and_a_lost_table(repo: EpicRepo) -> None:
    """Neither stops the way back, though each stops a sync."""
    before = _state(repo)
    repo.ok("checkpoint", "good")
    repo.path(repo.facts.epic).write_bytes(b"{")
    repo.sql("DROP TABLE framework_tasks")
    repo.refused(4, "sync", naming="framework_tasks")
    repo.ok("rollback", "good")
    assert _state(repo) == before


@pytest.mark.parametrize("command", ["status", "checkpoint"])
def test_the_loss_of_a_file_newer_than_the_clock_is_seen(repo: EpicRepo, command: str) -> None:
    path = repo.path(repo.facts.epic)
    future = time.time_ns() + 3_600_000_000_000
    os.utime(path, ns=(future, future))
    time.sleep(0.03)  # so that all the others are old enough to be remembered
    repo.ok("status")
    path.unlink()
    if command == "status":
        (epic,) = repo.json("status")["epics"]
        assert (epic["id"], epic["files"]) == (repo.facts.epic, "deleted")
    else:
        repo.ok("checkpoint", "without")
        labels = {(change["label"], change["op"]) for change in repo.json("show")["changes"]}
        assert (repo.facts.epic, "remove") in labels


def test_rollback_brings_back_files_newer_than_the_clock(repo: EpicRepo) -> None:
    for path in repo.directory.rglob("*.json"):
        os.utime(path, ns=(time.time_ns() + 3_600_000_000_000,) * 2)
    time.sleep(0.03)
    before = repo.files()
    repo.ok("checkpoint", "good")
    for path in repo.directory.rglob("*.json"):
        path.unlink()
    repo.ok("rollback", "good")
    assert repo.files() == before


@pytest.mark.parametrize("lost", ["database", "files", "both"])
def test_rollback_where_a_side_is_gone(repo: EpicRepo, lost: str) -> None:
    before = _state(repo)
    repo.ok("checkpoint", "good")
    if lost != "database":
        time.sleep(0.03)  # a file that was read within the clock's tick is another test's subject
        repo.ok("status")
        shutil.rmtree(repo.directory)
        repo.directory.mkdir()
    if lost != "files":
        for path in repo.root.glob("framework.db*"):
            path.unlink()
    repo.ok("rollback", "good")
    files, dump = _state(repo)
    assert files == before[0]
    assert [line for line in dump if "journal_mode" not in line] == [
        line for line in before[1] if "journal_mode" not in line
    ]
    assert repo.json("status")["clean"] is True


def test_the_directory_of_the_files_is_gone(repo: EpicRepo) -> None:
    before = _state(repo)
    repo.ok("checkpoint", "good")
    shutil.rmtree(repo.directory)
    repo.ok("rollback", "good")
    assert _state(repo) == before


def test_autoincrement_goes_back_too(repo: EpicRepo) -> None:
    repo.ok("checkpoint", "good")
    sequence = repo.one("SELECT seq FROM sqlite_sequence WHERE name = 'framework_epics'")
    repo.sql("INSERT INTO framework_epics (epic_key, name) VALUES ('x', 'x')")
    repo.ok("rollback", "good")
    assert repo.one("SELECT seq FROM sqlite_sequence WHERE name = 'framework_epics'") == sequence
    repo.sql("INSERT INTO framework_epics (epic_key, name) VALUES ('x', 'x')")
    assert repo.epic_row("x")["id"] == sequence + 1


def test_rollback_restores_what_was_agreed(repo: EpicRepo) -> None:
    """After it the sides stand to each other as they stood then, conflicts included."""
    epic = repo.facts.epic
    name = repo.body(epic)["name"]
    repo.edit(epic, f'"name": {json.dumps(name, ensure_ascii=False)}', '"name": "of the files"')
    repo.sql("UPDATE framework_epics SET name = 'of the db' WHERE epic_key = ?", epic)
    repo.ok("checkpoint", "disagreeing")
    repo.ok("resolve", "--prefer", "db")
    assert repo.json("status")["in_sync"] is True
    repo.ok("rollback", "disagreeing")
    status = repo.json("status")
    assert (status["clean"], status["conflicts"]) == (True, 1)
    repo.ok("resolve", "--forget", f"{epic}:name")  # or the sync would settle it as it was settled before
    (conflict,) = repo.json("sync", code=1)["conflicts"]
    assert (conflict["base"], conflict["files"], conflict["db"]) == (name, "of the files", "of the db")


def test_a_checkpoint_keeps_its_name(repo: EpicRepo) -> None:
    repo.ok("checkpoint", "once")
    repo.refused(2, "checkpoint", "once", naming="once")
    repo.ok("checkpoint", "once", "--force")
    repo.refused(2, "checkpoint", "bad name", naming="bad name")
    repo.refused(3, "rollback", "never", naming="never")


def test_undo_of_a_sync_takes_back_both_sides(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    name = repo.body(epic)["name"]
    repo.edit(epic, f'"name": {json.dumps(name, ensure_ascii=False)}', '"name": "edited"')
    repo.sql("UPDATE framework_epics SET summary = 'edited' WHERE epic_key = ?", epic)
    before, head = _state(repo), repo.head()
    repo.ok("sync")
    after, second = _state(repo), repo.head()
    with repo.unchanged():
        repo.ok("undo", "--dry-run")
    repo.ok("undo")
    assert (_state(repo), repo.head()) == (before, head)
    assert repo.json("status")["epics"][0]["state"] == "diverged"
    repo.ok("redo")
    assert (_state(repo), repo.head()) == (after, second)
    assert repo.json("status")["in_sync"] is True
    repo.refused(3, "redo", naming="nothing to redo")


def test_undo_stops_where_the_application_went_on(repo: EpicRepo) -> None:
    facts = repo.facts
    repo.edit(facts.epic, json.dumps(repo.body(facts.epic)["summary"], ensure_ascii=False), '"pushed"')
    repo.ok("sync")
    row = repo.epic_row(facts.epic)
    repo.sql("UPDATE framework_epics SET priority = 77 WHERE epic_key = ?", facts.epic)
    message = repo.refused(5, "undo", naming=f"@framework_epics/{row['id']}")
    assert "undo sync" in message
    assert repo.epic_row(facts.epic) == {**row, "priority": 77}


def test_undo_stops_where_the_file_was_edited_since(repo: EpicRepo) -> None:
    facts = repo.facts
    repo.sql("UPDATE framework_epics SET summary = 'pulled' WHERE epic_key = ?", facts.epic)
    repo.ok("sync")
    repo.edit(facts.epic, '"pulled"', '"pulled, then edited"')
    repo.refused(5, "undo", naming=facts.path)


@pytest.mark.parametrize(
    "away",
    [
        ("checkout", "--discard-changes", "main"),
        ("checkout", "--discard-changes", "--side", "files", "main"),
        ("rollback", "HEAD"),
        ("restore",),
    ],
    ids=["checkout", "one side", "rollback", "restore"],
)
@pytest.mark.parametrize("name", ["second.json", "below/second.json", "FIRST.json"])
def test_undo_stops_where_the_epic_is_in_another_file_by_now(repo: EpicRepo, away: tuple[str, ...], name: str) -> None:
    facts = repo.facts
    _move(repo, facts.path, "first.json")
    renamed = repo.files()
    repo.ok(*away, *([facts.epic] if away == ("restore",) else []))
    _move(repo, facts.path, name)
    repo.refused(5, "undo", naming=f"changed since: {name}")
    repo.refused(5, "undo", "--dry-run", naming=name)
    assert repo.json("status")["in_sync"] is True
    _move(repo, name, facts.path)
    repo.ok("undo")
    assert repo.files() == renamed


def test_undo_names_every_file_that_is_in_its_way(repo: EpicRepo) -> None:
    facts = repo.facts
    names = {facts.path: "second.json", facts.other_path: "third.json"}
    for path in names:
        _move(repo, path, f"first {path}")
    repo.ok("checkout", "--discard-changes", "main")
    for path, name in names.items():
        _move(repo, path, name)
    repo.refused(5, "undo", naming="changed since: second.json, third.json")
    _move(repo, "third.json", facts.other_path)
    assert "third.json" not in repo.refused(5, "undo", naming="changed since: second.json")


def test_redo_stops_where_the_epic_is_in_another_file_by_now(repo: EpicRepo) -> None:
    facts = repo.facts
    before = repo.files()
    _move(repo, facts.path, "first.json")
    repo.ok("rollback", "HEAD")
    repo.ok("undo")
    _move(repo, "first.json", "second.json")
    repo.refused(5, "redo", naming="changed since: second.json")
    _move(repo, "second.json", "first.json")
    repo.ok("redo")
    assert repo.files() == before


def test_undo_stops_where_a_deleted_epic_was_made_again_in_another_file(repo: EpicRepo) -> None:
    facts = repo.facts
    data = repo.path(facts.epic).read_bytes()
    deleted = "UPDATE framework_epics SET deleted_at = '2026-01-01', status = 'deleted' WHERE epic_key = ?"
    repo.sql(deleted, facts.epic)
    repo.ok("sync")
    assert facts.path not in repo.files()
    (repo.directory / "again.json").write_bytes(data)
    repo.refused(5, "undo", naming="changed since: again.json")


def test_undo_stops_where_an_epic_would_come_to_a_file_that_is_there(repo: EpicRepo) -> None:
    """No file comes back: one that stays gets the epic that it had, which is elsewhere by now."""
    facts = repo.facts
    repo.path(facts.epic).unlink()
    _move(repo, facts.other_path, facts.path)
    repo.ok("checkout", "--discard-changes", "main")
    _move(repo, facts.other_path, "elsewhere.json")
    repo.refused(5, "undo", naming="changed since: elsewhere.json")


def test_undo_stops_where_a_file_has_another_epic_by_now(made: EpicRepo) -> None:
    """The file is neither new nor renamed: the epic in it is another one."""
    facts = made.facts
    _move(made, facts.path, "first.json")
    made.ok("checkout", "--discard-changes", "main")
    (made.directory / facts.path).rename(made.directory / facts.other_path)
    made.refused(5, "undo", naming=f"changed since: {facts.other_path}")


@pytest.mark.parametrize(
    ("back", "since"),
    [
        ("first.json", "First.json"),
        ("below/first.json", "Below/second.json"),
        ("first.json", "first.json/second.json"),
        ("first.json/second.json", "first.json"),
    ],
)
def test_undo_stops_where_some_system_takes_two_names_for_one(repo: EpicRepo, back: str, since: str) -> None:
    facts = repo.facts
    _move(repo, facts.path, back)
    repo.ok("checkout", "--discard-changes", "main")
    if "/" in back:
        (repo.directory / back).parent.rmdir()
    _move(repo, facts.other_path, since)
    repo.refused(5, "undo", naming=f"changed since: {since}")
    _move(repo, since, "any.json")
    if "/" in since:
        (repo.directory / since).parent.rmdir()
    repo.ok("undo")
    assert {back, "any.json"} <= repo.files().keys()


def test_undo_does_not_mind_that_other_epics_have_moved(repo: EpicRepo) -> None:
    facts = repo.facts
    _move(repo, facts.path, "first.json")
    repo.ok("checkout", "--discard-changes", "main")
    _move(repo, facts.other_path, "second.json")
    repo.ok("undo")
    assert {"first.json", "second.json"} <= repo.files().keys()
    assert repo.json("status")["in_sync"] is True


def test_undo_of_a_swap(repo: EpicRepo) -> None:
    facts = repo.facts
    _move(repo, facts.path, "between.json")
    _move(repo, facts.other_path, facts.path)
    _move(repo, "between.json", facts.other_path)
    swapped = repo.files()
    repo.ok("checkout", "--discard-changes", "main")
    repo.ok("undo")
    assert repo.files() == swapped


@pytest.mark.parametrize("more", [b"", b"\n"], ids=["as it was", "edited since"])
def test_undo_brings_back_two_files_of_one_epic(repo: EpicRepo, more: bytes) -> None:
    """They were wrong before the rollback as well: nobody else made them so."""
    facts = repo.facts
    shutil.copy(repo.path(facts.epic), repo.directory / "copy.json")
    wrong = repo.files()
    repo.held_up("sync", naming="an epic lives in one file")
    repo.ok("rollback", "HEAD")
    path = repo.path(facts.epic)
    path.write_bytes(path.read_bytes() + more)
    repo.ok("undo")
    assert repo.files() == {**wrong, facts.path: wrong[facts.path] + more}


def test_undo_leaves_later_work_elsewhere_alone(repo: EpicRepo) -> None:
    facts = repo.facts
    summary = repo.body(facts.epic)["summary"]
    repo.edit(facts.epic, json.dumps(summary, ensure_ascii=False), '"pushed"')
    repo.ok("sync")
    # Another epic in the database, another file, another table: all of it is somebody else's.
    repo.sql("UPDATE framework_epics SET priority = 77 WHERE epic_key = ?", facts.own[0])
    repo.sql(f"DELETE FROM {facts.table} WHERE id = {facts.row}")
    other = repo.path(facts.other)
    other.write_bytes(other.read_bytes() + b"\n\n")
    repo.ok("undo")
    assert repo.epic_row(facts.epic)["summary"] == summary
    assert repo.body(facts.epic)["summary"] == "pushed"  # the author's own edit, from before the sync
    assert repo.epic_row(facts.own[0])["priority"] == 77
    assert repo.sql(f"SELECT * FROM {facts.table} WHERE id = {facts.row}") == []
    assert other.read_bytes().endswith(b"\n\n")
    assert repo.json("status")["epics"][0]["state"] == "files_ahead"


def test_undo_of_an_earlier_operation(repo: EpicRepo) -> None:
    facts = repo.facts
    summaries = repo.epic_row(facts.epic)["summary"], repo.epic_row(facts.other)["summary"]
    repo.sql("UPDATE framework_epics SET summary = 'one' WHERE epic_key = ?", facts.epic)
    repo.ok("pull")
    repo.sql("UPDATE framework_epics SET summary = 'two' WHERE epic_key = ?", facts.other)
    repo.ok("pull")
    second, first = (entry["id"] for entry in repo.json("op", "log", "-n", "2")["operations"])
    # The branch has moved on since the first of them.
    repo.refused(5, "undo", first, naming="refs/heads/main")
    repo.ok("undo", second)
    repo.ok("undo", first)
    assert (repo.body(facts.epic)["summary"], repo.body(facts.other)["summary"]) == summaries
    assert repo.epic_row(facts.epic)["summary"] == "one"


def test_undo_of_everything_up_to_the_beginning(repo: EpicRepo) -> None:
    start = repo.head()
    repo.ok("tag", "v1")
    repo.ok("branch", "side")
    repo.ok("commit", "-m", "empty", "--allow-empty")
    for _ in range(3):
        repo.ok("undo")
    assert repo.head() == start
    assert repo.json("tag")["tags"] == {}
    assert list(repo.json("branch")["branches"]) == ["main"]
    repo.ok("undo")  # the sync
    assert repo.json("status")["in_sync"] is False
    assert len(repo.files()) == len(repo.facts.paths), sorted(repo.files())


def test_op_log_and_op_restore(repo: EpicRepo) -> None:
    facts = repo.facts
    start = _state(repo)
    repo.sql("UPDATE framework_epics SET summary = 'one' WHERE epic_key = ?", facts.epic)
    repo.ok("sync")
    one = _state(repo)
    repo.sql("UPDATE framework_epics SET summary = 'two' WHERE epic_key = ?", facts.epic)
    repo.ok("sync")
    found = repo.json("op", "log")
    assert found["format"] == "epicvc.operations/1"
    commands = [entry["command"] for entry in found["operations"]]
    assert commands == ["sync", "sync", "sync", "init"]
    assert {*found["operations"][0]} == {"id", "time", "command", "description", "user", "undoes", "redoes"}
    first, second = found["operations"][1]["id"], found["operations"][2]["id"]
    with repo.unchanged():
        repo.ok("op", "restore", first, "--dry-run")
    repo.ok("op", "restore", first[:8])
    assert _state(repo) == one
    assert repo.json("status")["clean"] is True
    repo.ok("op", "restore", second)
    assert _state(repo) == start
    repo.ok("undo")
    assert _state(repo) == one
    repo.refused(3, "op", "restore", "0000", naming="0000")
