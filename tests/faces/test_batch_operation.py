"""``batch_operation``: epics that go together, in one transaction with their files, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.killing import kill_points, run_killed
from support.repos import NO_FACTS, EpicRepo

from epicvc import BidirectionalSync
from epicvc.errors import ConstraintBroken, InvalidJSON, NotFound
from epicvc.repo.apply import apply
from epicvc.store.store import Store
from tests.faces.place import FILES, edit, epic_name, files, name_in, rename, rows, sql

ONE, TWO, THREE = "epico_1.json", "epico_2.json", "epico_3.json"

BATCH = """
import epicvc.cli.edge
from epicvc import BidirectionalSync

def batch(files):
    with BidirectionalSync().batch_operation() as found:
        for file in files:
            found.sync_epic(file)
    return 0

epicvc.cli.edge.run_application = batch
"""


def edit_both() -> None:
    """Something for the database, something for a file, and something that is not of the batch."""
    rename(ONE, "Ours")
    sql("UPDATE framework_epics SET name = 'Theirs' WHERE epic_key = '2'")
    (FILES / "new.json").write_text('{"epic": {"id": "N", "name": "New", "tasks": [{"id": "N.1", "title": "T"}]}}')
    rename(THREE, "Not of the batch")


def operations() -> int:
    with Store.open(Path(".epicvc/store.db")) as store:
        return sum(1 for _ in store.operations())


def test_a_batch_is_one_operation(synced: Path) -> None:
    edit_both()
    before, old, count = files(), rows(), operations()
    with BidirectionalSync().batch_operation() as batch:
        batch.sync_epic(ONE)
        batch.sync_epic(TWO)
        batch.sync_epic("new.json")
        batch.sync_epic(ONE)
        assert (files(), rows(), batch.results) == (before, old, [])
    assert [result["changes"] for result in batch.results] == [["1:name"], ["2:name"], ["N"]]
    assert all(result["success"] for result in batch.results)
    assert (epic_name("1"), name_in(TWO), epic_name("N")) == ("Ours", "Theirs", "New")
    assert epic_name("3") != "Not of the batch"
    assert operations() == count + 1
    EpicRepo(synced, NO_FACTS).ok("undo")
    assert (files(), rows()) == (before, old)


def test_many_new_epics_are_one_transaction(synced: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epicvc.actions.sync.newepics.PORTION", 2)  # what others would come in
    sql("DROP INDEX idx_tasks_key_unique")  # with it new epics come together in any case
    performed: list[bool] = []
    perform = apply.perform
    monkeypatch.setattr(apply, "perform", lambda *given: (performed.append(True), perform(*given))[1])
    for number in range(6):
        (FILES / f"n{number}.json").write_text(f'{{"epic": {{"id": "N{number}", "name": "New {number}"}}}}')
    with BidirectionalSync().batch_operation() as batch:
        for number in range(6):
            batch.sync_epic(f"n{number}.json")
    assert performed == [True]
    assert all(result["created"] for result in batch.results)


def test_nothing_is_done_after_an_exception(synced: Path) -> None:
    edit_both()
    before, old, count = files(), rows(), operations()
    with pytest.raises(ZeroDivisionError), BidirectionalSync().batch_operation() as batch:
        batch.sync_epic(ONE)
        batch.sync_epic(TWO)
        raise ZeroDivisionError
    assert (files(), rows(), operations(), batch.results) == (before, old, count, [])


def test_a_file_that_cannot_be_ends_it(synced: Path) -> None:
    edit_both()
    before, old, count = files(), rows(), operations()
    with pytest.raises(NotFound), BidirectionalSync().batch_operation() as batch:
        batch.sync_epic(ONE)
        batch.sync_epic("gone.json")
    (FILES / "enriched_1.json").write_text((FILES / ONE).read_text())
    with pytest.raises(NotFound, match="no tracked file enriched_1"), BidirectionalSync().batch_operation() as batch:
        batch.sync_epic("enriched_1.json")
    (FILES / "enriched_1.json").unlink()
    (FILES / THREE).write_text("{")
    with pytest.raises(InvalidJSON) as error, BidirectionalSync().batch_operation() as batch:
        batch.sync_epic(ONE)
        batch.sync_epic(THREE)
    assert error.value.line == 1
    before |= {THREE: b"{"}
    assert (files(), rows(), operations()) == (before, old, count)


def test_one_epic_that_the_database_refuses_keeps_all_back(synced: Path) -> None:
    edit_both()
    edit(ONE, lambda body: body["tasks"][0].update(tdd_phase="purple"))
    before, old, count = files(), rows(), operations()
    with pytest.raises(ConstraintBroken) as error, BidirectionalSync().batch_operation() as batch:
        batch.sync_epic(TWO)
        batch.sync_epic(ONE)
    assert error.value.label.startswith("1:tasks/1.1")
    assert (files(), rows(), operations()) == (before, old, count)


def test_a_batch_of_nothing_does_nothing(synced: Path) -> None:
    edit_both()
    count = operations()
    with BidirectionalSync().batch_operation():
        pass
    assert operations() == count


def test_a_conflict_stays_and_the_rest_is_done(synced: Path) -> None:
    edit_both()
    sql("UPDATE framework_epics SET name = 'Theirs' WHERE epic_key = '1'")
    with BidirectionalSync().batch_operation() as batch:
        batch.sync_epic(ONE)
        batch.sync_epic(TWO)
    assert [(result["success"], len(result["conflicts"])) for result in batch.results] == [(False, 1), (True, 0)]
    assert (name_in(ONE), epic_name("1"), name_in(TWO)) == ("Ours", "Theirs", "Theirs")


def test_killed_at_any_step_it_is_the_old_state_or_the_new_one(synced: Path, tmp_path: Path) -> None:
    edit_both()
    made = EpicRepo(synced, NO_FACTS)
    whole = made.copy_to(tmp_path / "whole")
    batch = (ONE, TWO, "new.json")
    steps = run_killed(whole.root, 0, *batch, setup=BATCH)
    assert steps is not None
    outcomes = set()
    for at in kill_points(steps, 8):
        repo = made.copy_to(tmp_path / f"killed-{at}")
        assert run_killed(repo.root, at, *batch, setup=BATCH) is None, at
        repo.ok("doctor", "--repair")
        found = (
            repo.sql("SELECT name FROM framework_epics WHERE epic_key = '1'") == [("Ours",)],
            b"Theirs" in (repo.root / FILES / TWO).read_bytes(),
            repo.sql("SELECT count(*) FROM framework_epics WHERE epic_key = 'N'") == [(1,)],
        )
        assert len(set(found)) == 1, (at, found)
        outcomes.add(found[0])
    assert outcomes == {True, False}
