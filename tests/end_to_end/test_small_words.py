"""What commands say and take, in small things that are met daily."""

from __future__ import annotations

import json

import pytest
from support.repos import EpicRepo


@pytest.mark.parametrize("command", ["sync", "pull", "push"])
def test_a_synchronisation_has_a_message(garden: EpicRepo, command: str) -> None:
    garden.ok("sync")
    if command == "pull":
        garden.sql("UPDATE framework_epics SET name = 'Another'")
    else:
        garden.rewrite("1", lambda body: body.update(name="Another"))
    garden.ok(command, "-m", "after the meeting")
    assert garden.json("log")["commits"][0]["message"] == "after the meeting"


def test_a_difference_in_type_alone_can_be_seen(garden: EpicRepo) -> None:
    garden.rewrite("1", lambda body: body.update(first="1", second=True, third=["2"]))
    garden.ok("sync")
    garden.ok("commit", "-m", "texts")
    garden.rewrite("1", lambda body: body.update(first=1, second="true", third=[2]))
    said = garden.ok("diff").out
    for line in ('"1" -> 1', 'true -> "true"', '- [0] "2"', "+ [0] 2"):
        assert line in said


def test_a_change_of_the_schema_is_named(garden: EpicRepo) -> None:
    garden.ok("sync")
    for statement in (
        "CREATE VIEW open_epics AS SELECT name FROM framework_epics",
        "CREATE INDEX epics_by_name ON framework_epics (name)",
        "CREATE TRIGGER noted AFTER UPDATE ON framework_epics BEGIN SELECT 1; END",
        "PRAGMA user_version = 9",
    ):
        garden.sql(statement)
    status = garden.json("status")
    assert not status["clean"]
    assert status["schema"] == [
        {"kind": "index", "name": "epics_by_name", "op": "add"},
        {"kind": "trigger", "name": "noted", "op": "add"},
        {"kind": "user_version", "name": "", "op": "replace"},
        {"kind": "view", "name": "open_epics", "op": "add"},
    ]
    lines = ["#A index epics_by_name", "#A trigger noted", "#M user_version", "#A view open_epics"]
    assert garden.ok("status", "--porcelain").out.splitlines() == lines
    said = garden.ok("status").out
    assert "  schema index epics_by_name added\n" in said
    assert "  schema user_version changed\n" in said
    garden.ok("commit", "-m", "schema")
    garden.sql("DROP VIEW open_epics")
    assert garden.json("status")["schema"] == [{"kind": "view", "name": "open_epics", "op": "remove"}]


def test_agreement_is_not_claimed_beside_a_conflict(garden: EpicRepo) -> None:
    garden.ok("sync")
    garden.rewrite("1", lambda body: body.update(name="Ours", summary="Alike"))
    garden.sql("UPDATE framework_epics SET name = 'Theirs', summary = 'Alike' WHERE epic_key = '1'")
    said = garden.run("sync")
    assert said.code == 1
    assert "agree already" not in said.out
    assert "1 conflict: both sides keep their own value" in said.out


def test_what_a_replication_tool_counts_is_left_out_and_said(fresh: EpicRepo) -> None:
    fresh.sql("CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)")
    fresh.sql("CREATE TABLE _litestream_lock (id INTEGER)")
    fresh.sql("INSERT INTO _litestream_seq VALUES (1, 1)")
    said = fresh.ok("init").out
    assert "not captured: table _litestream_seq (Litestream keeps its own count in it)" in said
    fresh.run("sync")
    fresh.ok("checkpoint", "before")
    fresh.sql("UPDATE _litestream_seq SET seq = 7")
    assert fresh.json("status")["clean"]
    fresh.sql("UPDATE framework_epics SET name = 'Changed'")
    fresh.ok("rollback", "before")
    assert fresh.sql("SELECT seq FROM _litestream_seq") == [(7,)]
    findings = json.dumps(fresh.json("doctor")["findings"])
    assert findings.count("Litestream keeps its own count in it") == 2
