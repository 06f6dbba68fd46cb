"""What a synchronisation decides, and what it refuses, on a database in memory."""

from __future__ import annotations

import pytest

from epicvc.actions.history.status import State, read_status
from epicvc.actions.merge.merging import merge
from epicvc.actions.restore.restoring import rollback, switch
from epicvc.actions.restore.undoing import undo
from epicvc.actions.shared.commits import checkpoint, commit
from epicvc.actions.sync.survey import Allow, SyncReport
from epicvc.actions.sync.sync import synchronise
from epicvc.errors import Refused
from epicvc.merge.threeway import Direction
from epicvc.plan.epic import Policy

from .conftest import EPICS, MemoryRepo

NAME = "SELECT name FROM framework_epics WHERE epic_key = ?"
RENAME = "UPDATE framework_epics SET name = ? WHERE epic_key = ?"


def sync(
    memory: MemoryRepo, direction: Direction = Direction.BOTH, *, allow: Allow | None = None, dry_run: bool = False
) -> SyncReport:
    return synchronise(memory.repo, Policy(direction), command="sync", allow=allow, dry_run=dry_run)


def states(memory: MemoryRepo) -> dict[str, State]:
    return {epic.id: epic.state for epic in read_status(memory.repo).epics}


@pytest.fixture
def synced(memory: MemoryRepo) -> MemoryRepo:
    sync(memory)
    return memory


def test_status_names_what_only_files_have(memory: MemoryRepo) -> None:
    found = states(memory)
    assert len(found) == EPICS
    assert set(found.values()) == {State.FILES_AHEAD}


def test_the_first_sync_brings_files_into_the_database(memory: MemoryRepo) -> None:
    report = sync(memory)
    assert len({change.label.root for change in report.to_db}) == EPICS
    assert memory.rows("SELECT count(*) FROM framework_tasks") == [(EPICS * 3,)]
    status = read_status(memory.repo)
    assert (status.in_sync, status.clean) == (True, True)


def test_a_dry_run_decides_the_same_and_writes_nothing(memory: MemoryRepo) -> None:
    foreseen = sync(memory, dry_run=True)
    assert memory.rows("SELECT count(*) FROM framework_epics") == [(0,)]
    assert sync(memory).to_db == foreseen.to_db


def test_each_side_gets_what_the_other_changed(synced: MemoryRepo) -> None:
    synced.edit("e0", name="of the file")
    synced.sql(RENAME, "of the row", "e1")
    assert states(synced) == {"e0": State.FILES_AHEAD, "e1": State.DB_AHEAD}
    sync(synced)
    assert synced.rows(NAME, "e0") == [("of the file",)]
    assert synced.body("e1")["name"] == "of the row"
    assert states(synced) == {}


def test_a_field_that_both_changed_is_left_to_a_person(synced: MemoryRepo) -> None:
    synced.edit("e0", name="of the file")
    synced.sql(RENAME, "of the row", "e0")
    report = sync(synced)
    assert [str(conflict.label) for conflict in report.conflicts] == ["e0:name"]
    assert (synced.body("e0")["name"], synced.rows(NAME, "e0")) == ("of the file", [("of the row",)])
    assert states(synced) == {"e0": State.CONFLICT}


def test_many_deletions_are_refused_and_can_be_allowed(synced: MemoryRepo) -> None:
    for epic in range(EPICS - 1):
        (synced.files / f"e{epic}.json").unlink()
    with pytest.raises(Refused):
        sync(synced)
    assert synced.rows("SELECT count(*) FROM framework_epics WHERE deleted_at IS NULL") == [(EPICS,)]
    sync(synced, allow=Allow(mass_delete=True))
    assert states(synced) == {}


def test_an_empty_side_is_refused(synced: MemoryRepo) -> None:
    synced.sql("DELETE FROM framework_tasks")
    synced.sql("DELETE FROM framework_epics")
    with pytest.raises(Refused):
        sync(synced)
    assert read_status(synced.repo).emptied is not None
    assert len(list(synced.files.iterdir())) == EPICS


def test_undo_takes_back_both_sides(synced: MemoryRepo) -> None:
    synced.edit("e0", name="of the file")
    synced.sql(RENAME, "of the row", "e1")
    sync(synced)
    undo(synced.repo)
    assert synced.rows(NAME, "e0") == [("epic 0",)]
    assert synced.body("e1")["name"] == "epic 1"
    assert states(synced) == {"e0": State.FILES_AHEAD, "e1": State.DB_AHEAD}


def test_a_rollback_brings_back_both_sides(synced: MemoryRepo) -> None:
    checkpoint(synced.repo, "before")
    synced.edit("e0", name="of the file")
    synced.sql("DELETE FROM framework_tasks WHERE task_key = '1.0'")
    sync(synced)
    rollback(synced.repo, "before")
    assert synced.rows(NAME, "e0") == [("epic 0",)]
    assert synced.rows("SELECT title FROM framework_tasks WHERE task_key = '1.0'") == [("task 0",)]
    assert len(synced.body("e1")["tasks"]) == 3
    assert states(synced) == {}


@pytest.fixture
def branches(synced: MemoryRepo) -> MemoryRepo:
    """Two branches with a table of the application's own; ``theirs`` is the current one."""
    synced.sql("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT, colour TEXT)")
    synced.sql("INSERT INTO notes VALUES (1, 'one', 'red'), (2, 'two', 'red')")
    commit(synced.repo, "before")
    switch(synced.repo, "theirs", create=True)
    return synced


def test_rows_of_two_branches_are_merged_by_column(branches: MemoryRepo) -> None:
    branches.sql("UPDATE notes SET text = 'theirs' WHERE id = 1")
    branches.sql("DELETE FROM notes WHERE id = 2")
    commit(branches.repo, "theirs")
    switch(branches.repo, "main")
    branches.sql("UPDATE notes SET colour = 'blue' WHERE id = 1")
    commit(branches.repo, "ours")
    report = merge(branches.repo, "theirs")
    assert not report.conflicts
    assert branches.rows("SELECT * FROM notes") == [(1, "theirs", "blue")]


def test_a_column_that_both_branches_changed_is_a_conflict(branches: MemoryRepo) -> None:
    branches.sql("UPDATE notes SET text = 'theirs' WHERE id = 1")
    commit(branches.repo, "theirs")
    switch(branches.repo, "main")
    branches.sql("UPDATE notes SET text = 'ours' WHERE id = 1")
    commit(branches.repo, "ours")
    report = merge(branches.repo, "theirs")
    assert [str(conflict.label) for conflict in report.conflicts] == ["@notes/1/text"]
    assert branches.rows("SELECT text FROM notes WHERE id = 1") == [("ours",)]


def test_a_merge_with_uncommitted_rows_is_refused(branches: MemoryRepo) -> None:
    commit(branches.repo, "theirs", allow_empty=True)
    switch(branches.repo, "main")
    branches.sql("UPDATE notes SET text = 'not committed' WHERE id = 1")
    with pytest.raises(Refused):
        merge(branches.repo, "theirs")
    assert branches.rows("SELECT text FROM notes WHERE id = 1") == [("not committed",)]
