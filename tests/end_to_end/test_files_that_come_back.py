"""Files, and tasks in them, that were deleted and come back from the database: with all that only the files had."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.repos import EpicRepo

STYLED = """{
   "_metadata" : {"who": "old"},
   "epic": {"notes": "old", "name": "Garden", "id": "1",

     "tasks": [ {"shelf": {"row": "old"}, "id": "1.1", "title": "Dig"},
                {"id": "1.2", "title": "Plant", "n": 1.50} ]
   }
}
"""


@pytest.fixture
def styled(garden: EpicRepo) -> EpicRepo:
    """The garden in an author's own style, in a place of its own."""
    garden.path("1").unlink()
    path = garden.directory / "beds" / "garden 1.json"
    path.parent.mkdir()
    path.write_text(STYLED)
    garden.ok("sync")
    garden.ok("commit", "--allow-empty", "-m", "styled")
    return garden


def _rename(repo: EpicRepo) -> None:
    repo.sql("UPDATE framework_epics SET name = 'Orchard' WHERE epic_key = '1'")


@pytest.mark.parametrize("committed", [False, True], ids=["as it is", "the deletion is committed"])
@pytest.mark.parametrize("answer", ["db", "base", "policy"])
def test_an_epic(styled: EpicRepo, committed: bool, answer: str) -> None:
    path = styled.path("1")
    path.unlink()
    if committed:
        styled.ok("commit", "-m", "gone")
    _rename(styled)
    if answer == "policy":
        config = styled.root / "epicvc.toml"
        config.write_text(config.read_text().replace('policy = "manual"', 'policy = "database_wins"'))
        styled.ok("sync")
    else:
        styled.ok("resolve", "--prefer", answer)
    wanted = STYLED if answer == "base" else STYLED.replace("Garden", "Orchard")
    assert path.read_text() == wanted
    assert styled.json("status")["in_sync"] is True
    assert styled.json("sync")["commit"] is None
    styled.ok("undo")
    assert not path.exists()


def test_what_was_edited_after_the_last_agreement(styled: EpicRepo) -> None:
    """Keys without a column are no business of a sync; the newest commit with the file has them."""
    path = styled.path("1")
    path.write_text(STYLED.replace('"notes": "old"', '"notes": "two hours of work"'))
    styled.ok("commit", "-m", "noted")
    path.unlink()
    styled.ok("commit", "-m", "gone")
    _rename(styled)
    styled.ok("resolve", "--prefer", "db")
    assert '"notes": "two hours of work", "name": "Orchard"' in path.read_text()


def test_a_history_that_does_not_have_it(garden: EpicRepo) -> None:
    """The file was agreed on, and deleted before any commit had it."""
    (garden.directory / "pond.json").write_text('{ "id":"7", "name":"Pond",   "depth": 3 }')
    garden.ok("sync")
    garden.path("7").unlink()
    garden.sql("UPDATE framework_epics SET name = 'Lake' WHERE epic_key = '7'")
    garden.ok("resolve", "--prefer", "db")
    assert (garden.directory / "pond.json").read_text() == '{ "id":"7", "name":"Lake",   "depth": 3 }'


def test_a_name_that_is_taken(styled: EpicRepo) -> None:
    path = styled.path("1")
    path.unlink()
    styled.ok("commit", "-m", "gone")
    path.write_text('{"id": "8", "name": "another one took the file"}')
    _rename(styled)
    styled.ok("resolve", "--prefer", "db")
    assert styled.path("8") == path
    assert styled.path("1").read_text() == STYLED.replace("Garden", "Orchard")


@pytest.mark.parametrize("committed", [False, True])
def test_a_task(styled: EpicRepo, committed: bool) -> None:
    path = styled.path("1")
    gone = STYLED.replace(
        """{"shelf": {"row": "old"}, "id": "1.1", "title": "Dig"},
                """,
        "",
    )
    path.write_text(gone)
    if committed:
        styled.ok("commit", "-m", "gone")
    styled.sql("UPDATE framework_tasks SET title = 'Dig deep' WHERE task_key = '1.1'")
    styled.ok("resolve", "--prefer", "db")
    assert styled.file_task("1", "1.1") == {"shelf": {"row": "old"}, "id": "1.1", "title": "Dig deep"}
    assert '{"id": "1.2", "title": "Plant", "n": 1.50}' in path.read_text()
    assert styled.json("status")["in_sync"] is True


def test_what_the_database_changed_meanwhile(styled: EpicRepo) -> None:
    styled.path("1").unlink()
    styled.sql("DELETE FROM framework_tasks WHERE task_key = '1.1'")
    styled.sql(
        "INSERT INTO framework_tasks(epic_id, task_key, title) SELECT epic_id, '1.3', 'Rest' FROM framework_tasks"
    )
    styled.ok("resolve", "--prefer", "db")
    found = styled.read("1")
    assert found["_metadata"] == {"who": "old"}
    assert found["epic"]["notes"] == "old"
    assert [task["id"] for task in found["epic"]["tasks"]] == ["1.2", "1.3"]
    assert styled.json("status")["in_sync"] is True


@pytest.mark.parametrize("place", ["inline", "enriched", "off"])
def test_calculated_fields(styled: EpicRepo, place: str) -> None:
    config: Path = styled.root / "epicvc.toml"
    config.write_text(config.read_text().replace('calculated = "enriched"', f'calculated = "{place}"'))
    styled.ok("sync")
    before = styled.path("1").read_text()
    styled.ok("commit", "--allow-empty", "-m", place)
    path = styled.path("1")
    path.unlink()
    _rename(styled)
    styled.ok("resolve", "--prefer", "db")
    assert path.read_text() == before.replace("Garden", "Orchard")
    assert styled.json("sync")["to_files"] == 0
