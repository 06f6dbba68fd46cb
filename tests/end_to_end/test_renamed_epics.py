"""An epic that one side gives another key is the same epic: what the other side alone has of it stays with it."""

from __future__ import annotations

import pytest
from support.repos import EpicRepo

from epicvc.model.document import Core
from epicvc.repo.documents import Documents

RENAMED = "UPDATE framework_epics SET epic_key = '9' WHERE epic_key = '1'"


def _row(repo: EpicRepo) -> dict[str, object]:
    return repo.row("framework_epics", "epic_key = '9'")


def test_the_application_gives_another_key(garden: EpicRepo) -> None:
    before = garden.read("1")
    garden.sql(RENAMED)
    status = garden.json("status")
    assert [(epic["id"], epic["state"]) for epic in status["epics"] if epic["state"] != "synced"] == [("9", "db_ahead")]
    garden.ok("sync")
    assert [*garden.files()] == ["garden.json", "shed.json"]
    before["epic"]["id"] = "9"
    assert garden.read("9") == before
    assert garden.json("status")["in_sync"] is True
    assert garden.ok("sync").out == "files and database are in sync; nothing to do\n"
    assert garden.run("fsck", "--full").code == 0


def test_formatting_stays(garden: EpicRepo) -> None:
    text = garden.path("1").read_text()
    garden.sql(RENAMED)
    garden.ok("sync")
    assert garden.path("9").read_text() == text.replace('"id": "1",', '"id": "9",')


def test_the_author_gives_another_key(garden: EpicRepo) -> None:
    garden.sql("UPDATE framework_epics SET points_earned = 77 WHERE epic_key = '1'")
    garden.sql("UPDATE framework_tasks SET actual_minutes = 5")
    garden.ok("commit", "-m", "the application's own")
    row, tasks = garden.row("framework_epics", "epic_key = '1'"), garden.sql("SELECT * FROM framework_tasks")
    garden.edit("1", '"id": "1"', '"id": "9"')
    garden.ok("sync")
    own = {name: value for name, value in _row(garden).items() if name not in ("epic_key", "updated_at")}
    assert own == {name: value for name, value in row.items() if name not in ("epic_key", "updated_at")}
    assert garden.sql("SELECT * FROM framework_tasks") == tasks
    assert garden.json("status")["in_sync"] is True


@pytest.mark.parametrize("side", ["files", "db"])
def test_edits_of_both_sides_meet_under_the_new_key(garden: EpicRepo, side: str) -> None:
    if side == "db":
        garden.sql("UPDATE framework_epics SET epic_key = '9', summary = 'theirs' WHERE epic_key = '1'")
        garden.edit("1", '"notes": "old"', '"notes": "mine"')
        garden.edit("1", '"name": "Garden"', '"name": "Gardens"')
    else:
        garden.edit("1", '"id": "1"', '"id": "9"')
        garden.edit("9", '"name": "Garden"', '"name": "Gardens"')
        garden.edit("9", '"notes": "old"', '"notes": "mine"')
        garden.sql("UPDATE framework_epics SET summary = 'theirs' WHERE epic_key = '1'")
    garden.ok("sync")
    body, row = garden.body("9"), _row(garden)
    assert (body["name"], body["summary"], body["notes"]) == ("Gardens", "theirs", "mine")
    assert (row["name"], row["summary"]) == ("Gardens", "theirs")
    assert garden.json("status")["in_sync"] is True


def test_a_conflict_is_under_the_new_key(garden: EpicRepo) -> None:
    garden.sql("UPDATE framework_epics SET epic_key = '9', name = 'theirs' WHERE epic_key = '1'")
    garden.edit("1", '"name": "Garden"', '"name": "mine"')
    assert [found["label"] for found in garden.json("sync", code=1)["conflicts"]] == ["9:name"]
    assert garden.body("9")["name"] == "mine"
    garden.ok("resolve", "9:name", "--prefer", "db")
    assert (garden.body("9")["name"], garden.body("9")["notes"]) == ("theirs", "old")


def test_tasks_get_other_ids_with_it(garden: EpicRepo) -> None:
    garden.sql(RENAMED)
    garden.sql("UPDATE framework_tasks SET task_key = '9' || substr(task_key, 2)")
    garden.ok("sync")
    assert garden.file_task("9", "9.1")["shelf"] == {"row": "old"}
    assert garden.json("status")["in_sync"] is True


@pytest.mark.parametrize("unique", [False, True])
def test_the_author_gives_its_tasks_other_ids_with_it(garden: EpicRepo, unique: bool) -> None:
    if unique:
        garden.sql("CREATE UNIQUE INDEX one_title ON framework_tasks(epic_id, title)")
    garden.sql("UPDATE framework_tasks SET actual_minutes = id + 5")
    garden.ok("commit", "-m", "the application's own")
    before = garden.sql("SELECT id, title, actual_minutes FROM framework_tasks")
    garden.edit("1", '"id": "1.1"', '"id": "9.1"')
    garden.edit("1", '"id": "1"', '"id": "9"')
    garden.ok("sync")
    assert garden.sql("SELECT id, title, actual_minutes FROM framework_tasks") == before
    assert garden.task_order("9") == ["9.1", "1.2"]
    assert garden.json("status")["in_sync"] is True


@pytest.mark.parametrize("label", ["1", "9"])
def test_one_way_and_by_label(garden: EpicRepo, label: str) -> None:
    garden.sql(RENAMED)
    files = garden.files()
    garden.ok("push")
    assert garden.files() == files
    garden.ok("pull", label)
    assert garden.read("9")["_metadata"] == {"who": "old"}
    assert garden.json("status")["in_sync"] is True


def test_undo_and_redo(garden: EpicRepo) -> None:
    files, dump = garden.files(), garden.dump()
    garden.edit("1", '"id": "1"', '"id": "9"')
    garden.ok("sync")
    after = garden.dump()
    garden.ok("undo")
    assert garden.dump() == dump
    garden.ok("redo")
    assert garden.dump() == after
    assert garden.files() != files


def test_a_number_stays_a_number(garden: EpicRepo) -> None:
    garden.rewrite("2", lambda body: body.update(id=2))
    garden.ok("sync")
    garden.sql("UPDATE framework_epics SET epic_key = '22' WHERE epic_key = '2'")
    garden.ok("sync")
    assert garden.body("22")["id"] == 22


def test_another_epic_in_the_place_of_one_is_another(garden: EpicRepo) -> None:
    """A row's number, or a file's name, may be given to something new once its epic is gone."""
    garden.sql("DELETE FROM framework_tasks")
    garden.sql("UPDATE framework_epics SET epic_key = '9', name = 'Orchard' WHERE epic_key = '1'")
    garden.ok("sync")
    assert [*garden.files()] != ["garden.json", "shed.json"]
    assert (garden.body("9")["name"], "notes" in garden.body("9")) == ("Orchard", False)


def test_both_sides_give_another_key(garden: EpicRepo) -> None:
    garden.sql(RENAMED)
    garden.edit("1", '"id": "1"', '"id": "8"')
    conflicts = garden.json("sync", code=1)["conflicts"]
    assert [found["label"] for found in conflicts] == ["1:tasks/1.1", "1:tasks/1.2"]  # in 8 or in 9
    assert {garden.one("SELECT count(*) FROM framework_epics WHERE epic_key = ?", key) for key in "89"} == {1}
    assert garden.body("8")["notes"] == "old"


def test_two_epics_exchange_their_keys(garden: EpicRepo) -> None:
    for old, new in (("1", "x"), ("2", "1"), ("x", "2")):
        garden.sql("UPDATE framework_epics SET epic_key = ? WHERE epic_key = ?", new, old)
    garden.ok("sync")
    assert garden.json("status")["in_sync"] is True


def test_many_epics_at_once_are_read_once_each(garden: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    """In another place each is known by what it says, and the price goes with their number."""
    for number in range(10, 40):
        (garden.directory / f"{number}.json").write_text(f'{{"id": "{number}", "name": "n{number}", "summary": "s"}}')
    garden.ok("sync")
    for number in range(10, 40):
        (garden.directory / f"{number}.json").unlink()
        (garden.directory / f"moved {number}.json").write_text(
            f'{{"id": "x{number}", "name": "n{number}", "summary": "s"}}'
        )
    read: list[str] = []
    base_core = Documents.base_core

    def counting(documents: Documents, epic: str) -> Core | None:
        read.append(epic)
        return base_core(documents, epic)

    monkeypatch.setattr(Documents, "base_core", counting)
    before = {row[0] for row in garden.sql("SELECT id FROM framework_epics")}
    garden.ok("sync")
    assert len(read) < 4 * 30
    assert {row[0] for row in garden.sql("SELECT id FROM framework_epics")} == before  # the same rows
    assert garden.json("status")["in_sync"] is True
