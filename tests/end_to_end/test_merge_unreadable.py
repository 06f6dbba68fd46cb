"""Merges and reverts over files that no epic can be read from: each is one value."""

from __future__ import annotations

import pytest
from support.repos import EpicRepo

BROKEN = {"cut off": b'{"id": "2", ', "a number for the name": b'{"id": "2", "name": 7}', "no epic": b"[]"}


@pytest.fixture(params=BROKEN)
def broken(request: pytest.FixtureRequest) -> bytes:
    return BROKEN[str(request.param)]


def commit(repo: EpicRepo, data: bytes) -> None:
    """Commit the second epic's file with these bytes."""
    (repo.directory / "shed.json").write_bytes(data)
    repo.ok("commit", "-m", "as it is")


def test_what_one_side_changed_is_taken(garden: EpicRepo, broken: bytes) -> None:
    garden.ok("switch", "-c", "side")
    commit(garden, broken)
    garden.ok("switch", "main")
    garden.edit("1", '"Dig"', '"Dig deep"')
    garden.ok("sync")
    assert garden.json("merge", "side")["merged"] == 1
    assert (garden.directory / "shed.json").read_bytes() == broken
    assert garden.file_task("1", "1.1")["title"] == "Dig deep"
    assert garden.json("status")["errors"]


def test_ours_stays_where_theirs_has_others(garden: EpicRepo, broken: bytes) -> None:
    garden.ok("switch", "-c", "side")
    garden.edit("1", '"Dig"', '"Dig deep"')
    garden.ok("sync")
    garden.ok("switch", "main")
    commit(garden, broken)
    garden.ok("merge", "side")
    assert (garden.directory / "shed.json").read_bytes() == broken
    assert garden.one("SELECT title FROM framework_tasks WHERE task_key = '1.1'") == "Dig deep"


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_both_changed_is_one_conflict(garden: EpicRepo, broken: bytes, side: str) -> None:
    garden.ok("switch", "-c", "side")
    commit(garden, broken)
    garden.ok("switch", "main")
    garden.edit("2", '"Shed"', '"Hut"')
    garden.ok("sync")
    ours = (garden.directory / "shed.json").read_bytes()
    report = garden.json("merge", "side", code=1)
    assert [conflict["label"] for conflict in report["conflicts"]] == ["2"]
    assert (garden.directory / "shed.json").read_bytes() == ours
    garden.ok("resolve", "--prefer", side)
    garden.ok("merge", "--continue")
    assert (garden.directory / "shed.json").read_bytes() == (ours if side == "ours" else broken)
    assert garden.one("SELECT name FROM framework_epics WHERE epic_key = '2'") == "Hut"
    assert garden.json("fsck")["problems"] == []


def test_a_revert_mends_it(garden: EpicRepo, broken: bytes) -> None:
    good = (garden.directory / "shed.json").read_bytes()
    commit(garden, broken)
    garden.ok("revert", "HEAD")
    assert (garden.directory / "shed.json").read_bytes() == good
    assert garden.json("status")["in_sync"] is True


def test_what_asks_for_its_fields_says_that_it_cannot_be_read(garden: EpicRepo, broken: bytes) -> None:
    commit(garden, broken)
    for command in ("blame 2", "blame 2:name", "restore 2:name --source HEAD~1"):
        said = garden.run(*command.split())
        assert said.code == 4, (command, said)
        assert "shed.json" in said.err
        assert len(said.err.splitlines()) <= 2
    garden.ok("restore", "2", "--source", "HEAD~1")
    assert garden.json("status")["in_sync"] is True
