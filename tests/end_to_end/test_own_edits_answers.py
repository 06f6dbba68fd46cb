"""What settles a deletion of what the other side edited for itself: answers, policies, one-way commands, branches."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from support.repos import EpicRepo
from support.terminal import terminal

EDITED = ('"row": "old"', '"row": "two hours of work"')
NOTED = ('"notes": "old"', '"notes": "two hours of work"')


def _labels(repo: EpicRepo, *command: str) -> list[str]:
    return [found["label"] for found in repo.json(*command, code=1)["conflicts"]]


def _configure(repo: EpicRepo, old: str, new: str) -> None:
    config = repo.root / "epicvc.toml"
    text = config.read_text()
    assert text.count(old) == 1
    config.write_text(text.replace(old, new))


def _delete(repo: EpicRepo, side: str, what: str) -> None:
    """One side deletes the epic, or its first task, and the other edits something of its own there."""
    if side == "db":
        repo.edit("1", *EDITED)
        repo.sql(
            "DELETE FROM framework_tasks WHERE task_key = '1.1'" if what == "task" else "DELETE FROM framework_tasks"
        )
        if what == "epic":
            repo.sql("DELETE FROM framework_epics WHERE epic_key = '1'")
        return
    repo.sql("UPDATE framework_tasks SET status = 'completed' WHERE task_key = '1.1'")
    if what == "epic":
        repo.path("1").unlink()
    else:
        repo.rewrite("1", lambda body: body["tasks"].pop(0))


def _in_files(repo: EpicRepo) -> bool:
    return any(b'"1.1"' in data for data in repo.files().values())


def _in_database(repo: EpicRepo) -> bool:
    return repo.one("SELECT count(*) FROM framework_tasks WHERE task_key = '1.1' AND deleted_at IS NULL") == 1


@pytest.mark.parametrize("what", ["epic", "task"])
@pytest.mark.parametrize("side", ["files", "db"])
@pytest.mark.parametrize("preferred", ["files", "db", "base"])
def test_every_answer(garden: EpicRepo, side: str, what: str, preferred: str) -> None:
    _delete(garden, side, what)
    garden.ok("resolve", "--prefer", preferred)
    kept = preferred != side
    assert (_in_files(garden), _in_database(garden)) == (kept, kept)
    if kept and side == "db":
        assert (
            EDITED[1].encode() in garden.path("1").read_bytes()
        )  # an answer writes nothing into what one side has alone
    if kept and side == "files":
        assert garden.task_row("1.1")["status"] == "completed"
    assert garden.json("status")["in_sync"] is True
    assert garden.json("sync")["commit"] is None
    garden.ok("undo")
    assert garden.json("status")["conflicts"] == 1


@pytest.mark.parametrize("what", ["epic", "task"])
@pytest.mark.parametrize("side", ["files", "db"])
@pytest.mark.parametrize(("policy", "winner"), [("json_wins", "files"), ("database_wins", "db"), ("newest_wins", "")])
def test_every_policy(garden: EpicRepo, side: str, what: str, policy: str, winner: str) -> None:
    _configure(garden, 'policy = "manual"', f'policy = "{policy}"')
    _delete(garden, side, what)
    if winner:
        done = garden.json("sync")
        assert (done["conflicts"], len(done["decided"])) == ([], 1)
        assert (_in_files(garden), _in_database(garden)) == ((side != winner),) * 2
    else:  # which of the two came later nothing tells
        assert len(_labels(garden, "sync")) == 1
        assert (_in_files(garden), _in_database(garden)) == (side == "db", side == "files")


@pytest.mark.parametrize("committed", [False, True])
def test_the_newest_wins_where_the_history_tells(garden: EpicRepo, committed: bool) -> None:
    _configure(garden, 'policy = "manual"', 'policy = "newest_wins"')
    garden.sql("DELETE FROM framework_tasks WHERE task_key = '1.1'")
    garden.ok("commit", "-m", "deleted first")
    garden.edit("1", *EDITED)
    if committed:
        garden.ok("commit", "-m", "edited then")
    assert len(garden.json("sync")["decided"]) == 1
    assert (_in_files(garden), _in_database(garden)) == (True, True)


@pytest.mark.parametrize("side", ["files", "db"])
@pytest.mark.parametrize("command", ["pull", "push"])
def test_one_way(garden: EpicRepo, command: str, side: str) -> None:
    _delete(garden, side, "task")
    before = garden.files(), garden.dump()
    assert _labels(garden, command) == _labels(garden, command, "1:tasks/1.1") == ["1:tasks/1.1"]
    assert garden.json(command, "1:name")["conflicts"] == []
    assert (garden.files(), garden.dump()) == before


def test_edits_of_both_kinds_are_one_conflict(garden: EpicRepo) -> None:
    garden.edit("1", *EDITED)
    garden.edit("1", '"title": "Dig"', '"title": "Dig deep"')
    garden.sql("DELETE FROM framework_tasks WHERE task_key = '1.1'")
    assert _labels(garden, "sync") == ["1:tasks/1.1"]
    garden.ok("resolve", "--prefer", "files")
    assert garden.task_row("1.1")["title"] == "Dig deep"
    assert garden.file_task("1", "1.1")["shelf"] == {"row": "two hours of work"}


@pytest.mark.parametrize("place", ["inline", "enriched", "off"])
def test_calculated_fields_are_nobodys_edit(garden: EpicRepo, place: str) -> None:
    _configure(garden, 'calculated = "enriched"', f'calculated = "{place}"')
    garden.sql("UPDATE framework_epics SET planned_start_date = '2026-01-05' WHERE epic_key = '1'")
    garden.ok("sync")
    assert (b"2026-01-05" in garden.path("1").read_bytes()) is (place == "inline")
    garden.sql("UPDATE framework_epics SET planned_start_date = '2026-02-05' WHERE epic_key = '1'")
    kept = garden.path("1")
    data = kept.read_bytes()
    kept.unlink()
    garden.ok("sync")  # what the database calculated is no edit
    garden.ok("undo")
    kept.write_bytes(data.replace(b"2026-01-05", b"2027-01-05"))
    garden.sql("UPDATE framework_epics SET status = 'deleted', deleted_at = '2026-01-01' WHERE epic_key = '1'")
    garden.ok("sync")  # nor is what somebody wrote into its place
    assert [*garden.files()] == ["shed.json"]


def test_a_first_sync_has_nothing_to_compare_with(garden: EpicRepo, tmp_path: Path) -> None:
    _delete(garden, "db", "task")
    again = EpicRepo(tmp_path / "again", garden.facts)
    again.directory.mkdir(parents=True)
    for name, data in garden.files().items():
        (again.directory / name).write_bytes(data)
    garden.database.rename(again.database)
    again.ok("init", "--db", "framework.db")
    assert again.json("sync")["conflicts"] == []
    assert again.file_task("1", "1.1")["shelf"] == {"row": "two hours of work"}
    assert _in_database(again)


@pytest.mark.parametrize("side", ["files", "db"])
def test_a_task_that_moved_takes_its_own_edits_along(garden: EpicRepo, side: str) -> None:
    if side == "files":
        task = garden.body("1")["tasks"][0]
        garden.rewrite("1", lambda body: body["tasks"].pop(0))
        garden.rewrite("2", lambda body: body.update(tasks=[task]))
        garden.sql("UPDATE framework_tasks SET status = 'completed' WHERE task_key = '1.1'")
    else:
        garden.edit("1", *EDITED)
        other = garden.epic_row("2")["id"]
        garden.sql("UPDATE framework_tasks SET epic_id = ? WHERE task_key = '1.1'", other)
    done = garden.json("sync")
    assert (done["conflicts"], len(done["tasks_moved"])) == ([], 1)
    assert garden.file_task("2", "1.1")["shelf"] == {"row": "old" if side == "files" else "two hours of work"}
    row = garden.task_row("1.1")
    assert (row["epic_id"], row["status"]) == (
        garden.epic_row("2")["id"],
        "completed" if side == "files" else "pending",
    )


@pytest.mark.parametrize("what", ["epic", "task"])
@pytest.mark.parametrize("side", ["files", "db"])
def test_branches_merge_what_was_settled(garden: EpicRepo, side: str, what: str) -> None:
    garden.ok("switch", "--create", "other")
    garden.edit("2", '"Shed"', '"Shed of wood"')
    garden.ok("sync")
    garden.ok("switch", "main")
    _delete(garden, side, what)
    garden.ok("resolve", "--prefer", "files" if side == "db" else "db")
    garden.ok("merge", "other")
    assert (_in_files(garden), _in_database(garden)) == (True, True)
    assert garden.body("2")["name"] == "Shed of wood"
    assert garden.json("status")["in_sync"] is True


def test_an_open_conflict_stays_one_through_a_merge(garden: EpicRepo) -> None:
    garden.ok("switch", "--create", "other")
    garden.edit("2", '"Shed"', '"Shed of wood"')
    garden.ok("sync")
    garden.ok("switch", "main")
    _delete(garden, "db", "epic")
    garden.ok("commit", "-m", "both as they are")
    garden.ok("merge", "other")
    assert _labels(garden, "sync") == ["1"]
    assert EDITED[1].encode() in garden.path("1").read_bytes()


def test_at_the_terminal(garden: EpicRepo) -> None:
    _delete(garden, "db", "task")
    garden.edit("1", *NOTED)  # of the epic, which nobody deletes
    before = garden.everything()
    command = [sys.executable, "-m", "epicvc", "resolve"]
    with terminal(command, garden.root) as tty:
        shown = tty.until("resolve: 1 of 1", "leave")
        assert "1:tasks/1.1" in shown
        assert "two hours" in shown and "work" in shown
        tty.press("f", "resolve: summary")
        tty.send("q")
        assert tty.end() == 1
    assert garden.everything() == before
    with terminal(command, garden.root) as tty:
        tty.until("resumed with 1 answer", "resolve: summary")
        tty.send("y")
        assert tty.end() == 0
    assert _in_database(garden)
    assert garden.file_task("1", "1.1")["shelf"] == {"row": "two hours of work"}


def test_an_answer_is_dropped_where_the_edit_is_another_by_now(garden: EpicRepo) -> None:
    _delete(garden, "db", "task")
    command = [sys.executable, "-m", "epicvc", "resolve"]
    with terminal(command, garden.root) as tty:
        tty.until("resolve: 1 of 1", "leave")
        tty.press("d", "resolve: summary")
        tty.send("q")
        tty.end()
    garden.edit("1", "two hours of work", "three hours of work")
    with terminal(command, garden.root) as tty:
        tty.until("dropped 1 answer", '"row": "three')
    assert _in_files(garden)


def test_answers_by_file_and_by_value(garden: EpicRepo) -> None:
    _delete(garden, "db", "task")
    answers = garden.root / "answers.json"
    answers.write_text(json.dumps({"conflicts": [{"label": "1:tasks/1.1", "take": "files"}]}))
    garden.ok("resolve", "--from", "answers.json")
    assert _in_database(garden)
    garden.ok("undo")
    garden.ok("resolve", "--set", '1:tasks/1.1={"id": "1.1", "title": "Dig here"}')
    assert garden.task_row("1.1")["title"] == "Dig here"
    assert garden.file_task("1", "1.1") == {"id": "1.1", "title": "Dig here", "shelf": {"row": "two hours of work"}}
    assert garden.json("status")["in_sync"] is True


def test_the_same_conflict_once_more_is_settled_as_before(garden: EpicRepo) -> None:
    _delete(garden, "db", "task")
    garden.ok("resolve", "--prefer", "files")
    garden.edit("1", *reversed(EDITED))
    garden.ok("sync")
    garden.ok("commit", "-m", "the words of old")
    _delete(garden, "db", "task")
    assert garden.json("sync")["replayed"] == ["1:tasks/1.1"]
    assert _in_database(garden)
    garden.ok("undo")
    garden.edit("1", "two hours of work", "three hours of work")  # another edit is another conflict
    assert _labels(garden, "sync") == ["1:tasks/1.1"]


@pytest.mark.parametrize("what", ["epic", "task"])
@pytest.mark.parametrize("side", ["files", "db"])
def test_who_agreed_and_who_edited(garden: EpicRepo, side: str, what: str) -> None:
    agreed = garden.head()
    _delete(garden, side, what)
    (found,) = garden.json("resolve", code=1)["conflicts"]
    assert found["origins"]["base"]["commit"] == agreed
    committed = garden.json("commit", "-m", "both as they are")["commit"]
    (found,) = garden.json("resolve", code=1)["conflicts"]
    assert [found["origins"][name]["commit"] for name in ("base", "ours", "theirs")] == [agreed, committed, committed]
