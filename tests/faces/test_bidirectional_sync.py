"""``BidirectionalSync`` as its users call it, and beside it the command line, which has to see the same."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.guard import ROOT
from support.repos import NO_FACTS, EpicRepo

from epicvc import BackupManager, BidirectionalSync, DatabaseCleanup, JSONCleanup, JSONEnrichmentEngine, MigrationRunner
from epicvc.actions.care.initialise import Found, initialise
from epicvc.base.fileio import directory_locked
from epicvc.errors import (
    DatabaseUnavailable,
    EpicvcError,
    InvalidField,
    NotAdopted,
    NotFound,
    Refused,
    Unavailable,
    UsageError,
)
from epicvc.repo.runs import kept_runs
from tests.faces.place import FILES, edit, epic_name, files, name_in, rename, rows, sql

ONE = "epico_1.json"
TWO = "epico_2.json"


def sync_here(policy: str = "manual") -> BidirectionalSync:
    return BidirectionalSync(db_path="framework.db", json_dir="epics/user_epics/", conflict_resolution=policy)


def conflict(ours: str = "Ours", theirs: str = "Theirs") -> str:
    """Make the name of the first epic a conflict; what both sides agreed on."""
    before = epic_name("1")
    rename(ONE, ours)
    sql("UPDATE framework_epics SET name = ? WHERE epic_key = '1'", theirs)
    return before


# Synchronising


def test_all_epics_are_told_of(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files()
    results = sync_here().sync_all_epics()
    assert [result["epic_id"] for result in results] == ["1", "2", "3", "4", "5", "6", "OWN_1", "OWN_2", "OWN_3"]
    assert all(result["success"] and result["created"] and not result["errors"] for result in results)
    assert results[0]["epic_name"] == "Integração de cache"
    assert results[0]["changes"] == ["1"]
    assert results[7]["epic_name"] == "Second of its own"
    after = files()
    assert {path: data for path, data in after.items() if path in before} == before
    assert len(after) == len(before) + 3
    again = sync_here().sync_all_epics()
    assert len(again) == 9
    assert not any(result["changes"] or result["created"] for result in again)
    assert capsys.readouterr() == ("", "")


def test_one_epic_goes_to_the_database(synced: Path) -> None:
    rename(ONE, "Renamed")
    rename(TWO, "Not yet")
    result = sync_here().sync_epic_to_database(ONE)
    assert result == {
        "success": True,
        "epic_id": "1",
        "epic_name": "Renamed",
        "created": False,
        "changes": ["1:name"],
        "conflicts": [],
        "decided": [],
        "errors": [],
    }
    assert epic_name("1") == "Renamed"
    assert epic_name("2") != "Not yet"
    assert sync_here().sync_epic_to_database(synced / FILES / ONE)["changes"] == []


def test_a_new_file_is_created_in_the_database(synced: Path) -> None:
    (FILES / "new.json").write_text('{"epic": {"id": "N", "name": "New"}}')
    result = sync_here().sync_epic_to_database("new.json")
    assert (result["created"], result["epic_name"], result["changes"]) == (True, "New", ["N"])
    assert epic_name("N") == "New"


def test_to_the_database_changes_no_file(synced: Path) -> None:
    sql("UPDATE framework_epics SET name = 'Theirs' WHERE epic_key = '1'")
    rename(TWO, "Ours")
    before = files()
    assert {r["epic_id"]: r["changes"] for r in sync_here().sync_json_to_database() if r["changes"]} == {
        "2": ["2:name"]
    }
    assert files() == before
    assert epic_name("1") == "Theirs"


def test_to_the_files_changes_no_row(synced: Path) -> None:
    sql("UPDATE framework_epics SET name = 'Theirs' WHERE epic_key = '1'")
    rename(TWO, "Ours")
    before = rows()
    assert {r["epic_id"]: r["changes"] for r in sync_here().sync_database_to_json() if r["changes"]} == {
        "1": ["1:name"]
    }
    assert rows() == before
    assert name_in(ONE) == "Theirs"


def test_it_is_one_operation_that_can_be_undone(synced: Path) -> None:
    rename(ONE, "Ours")
    sql("UPDATE framework_epics SET name = 'Theirs' WHERE epic_key = '2'")
    before, old_rows = files(), rows()
    sync_here().sync_all_epics()
    repo = EpicRepo(synced, NO_FACTS)
    (commit,) = [entry for entry in repo.json("log")["commits"] if entry["message"].startswith("sync: 1 to files, 1")]
    assert commit["kind"] == "sync"
    repo.ok("undo")
    assert (files(), rows()) == (before, old_rows)


@pytest.mark.parametrize("name", ["gone.json", "../../framework.db", "/etc/passwd", "enriched_1.json"])
def test_a_file_that_is_not_tracked(synced: Path, name: str) -> None:
    (FILES / "enriched_1.json").write_text("{}")
    with pytest.raises(NotFound, match="no tracked file"):
        sync_here().sync_epic_to_database(name)


def test_a_template_is_no_epic(synced: Path) -> None:
    (FILES / "template.json").write_text('{"epic": {"id": "[EPIC-ID]", "name": "[NAME]"}}')
    result = sync_here().sync_epic_to_database("template.json")
    assert (result["success"], result["epic_id"]) == (False, None)
    assert "template.json: it is not tracked" in result["errors"][0]


@pytest.mark.parametrize("text", ['{"epic": {"id": "1", "name": "One",}}', '{"epic": {"name": "no id"}}', "[]"])
def test_an_invalid_file_is_an_error_of_its_result(synced: Path, text: str) -> None:
    (FILES / ONE).write_text(text)
    old = rows()
    result = sync_here().sync_epic_to_database(ONE)
    assert not result["success"]
    assert ONE in result["errors"][0]
    assert rows() == old


def test_a_constraint_is_an_error_of_its_result(synced: Path) -> None:
    edit(ONE, lambda body: body["tasks"][0].update(tdd_phase="purple"))
    result = sync_here().sync_epic_to_database(ONE)
    assert (result["success"], result["epic_id"]) == (False, "1")
    assert "1:tasks/1.1" in result["errors"][0]


# Conflicts


def test_a_conflict_is_reported_and_left_alone(synced: Path) -> None:
    base = conflict()
    edit(ONE, lambda body: body.update(summary="Merged"))
    sync = sync_here()
    wanted = {"field": "1:name", "json_value": "Ours", "db_value": "Theirs", "base_value": base}
    assert sync.check_for_conflicts() == [wanted]
    result = sync.sync_epic_to_database(ONE)
    assert (result["success"], result["conflicts"], result["changes"]) == (False, [wanted], ["1:summary"])
    assert (name_in(ONE), epic_name("1")) == ("Ours", "Theirs")
    assert sync.get_unresolved_conflicts() == [wanted]
    assert sync.get_sync_status()["conflict_count"] == 1
    assert not BidirectionalSync().resolve_conflict("1:name", "json")["conflicts"]
    assert not sync.get_unresolved_conflicts()


@pytest.mark.parametrize(("policy", "name"), [("json_wins", "Ours"), ("database_wins", "Theirs")])
def test_a_policy_settles_it(synced: Path, policy: str, name: str) -> None:
    conflict()
    (result,) = [found for found in sync_here(policy).sync_all_epics() if found["epic_id"] == "1"]
    assert (result["success"], result["conflicts"]) == (True, [])
    (decided,) = result["decided"]
    assert (decided["field"], decided["value"]) == ("1:name", name)
    assert policy in decided["reason"]
    assert (name_in(ONE), epic_name("1")) == (name, name)


def test_the_newest_wins(synced: Path) -> None:
    conflict()
    (result,) = [found for found in sync_here("newest_wins").sync_all_epics() if found["epic_id"] == "1"]
    assert [found["field"] for found in result["decided"] or result["conflicts"]] == ["1:name"]


def test_a_policy_that_is_none() -> None:
    with pytest.raises(ValueError, match="manual, json_wins, database_wins, newest_wins"):
        BidirectionalSync(conflict_resolution="mine")


@pytest.mark.parametrize(
    ("choice", "name"), [("json", "Ours"), ("database", "Theirs"), ("base", "Integração de cache"), ("Third", "Third")]
)
def test_a_conflict_is_settled(synced: Path, choice: str, name: str) -> None:
    conflict()
    found = sync_here().resolve_conflict("1:name", choice)
    assert (found["success"], found["settled"], found["conflicts"]) == (True, ["1:name"], [])
    assert found["commit"] == EpicRepo(synced, NO_FACTS).head()
    assert (name_in(ONE), epic_name("1")) == (name, name)


def test_a_value_may_be_a_word_that_names_a_side(synced: Path) -> None:
    conflict()
    sync_here().resolve_conflict("1:name", value="json")
    assert (name_in(ONE), epic_name("1")) == ("json", "json")


def test_a_value_that_is_a_list(synced: Path) -> None:
    edit(ONE, lambda body: body.update(goals=["ours"]))
    sql("UPDATE framework_epics SET goals = '[\"theirs\"]' WHERE epic_key = '1'")
    assert [found["json_value"] for found in sync_here().check_for_conflicts()] == [["ours"]]
    sync_here().resolve_conflict("1:goals", ["ours", "theirs"])
    assert json.loads((FILES / ONE).read_bytes())["epic"]["goals"] == ["ours", "theirs"]


def test_what_settles_nothing(synced: Path) -> None:
    conflict()
    sync, before = sync_here(), (files(), rows())
    with pytest.raises(NotFound, match="1:summary is no conflict"):
        sync.resolve_conflict("1:summary", "json")
    with pytest.raises(InvalidField) as error:
        sync.resolve_conflict("1:name", 7)
    assert error.value.label == "1:name"
    with pytest.raises(UsageError, match="either a choice or a value"):
        sync.resolve_conflict("1:name")
    with pytest.raises(UsageError, match="either a choice or a value"):
        sync.resolve_conflict("1:name", "json", value="x")
    with pytest.raises(UsageError, match="no JSON value"):
        sync.resolve_conflict("1:name", object())
    assert (files(), rows()) == before


# Checkpoints


def test_a_checkpoint_comes_back_exactly(synced: Path) -> None:
    sync = sync_here()
    rename(ONE, "Not synchronised yet")
    before, old = files(), rows()
    first = sync.create_checkpoint("before")
    assert EpicRepo(synced, NO_FACTS).json("log")["commits"][0]["id"] == first
    sql("DELETE FROM task_dependencies")
    (FILES / TWO).unlink()
    sync.sync_epic_to_database(ONE)
    assert sync.rollback_to_checkpoint("before") == EpicRepo(synced, NO_FACTS).head()
    assert (files(), rows()) == (before, old)
    rename(ONE, "Again")
    sync.rollback_to_checkpoint(first)
    assert files() == before


def test_a_checkpoint_beside_a_tag_of_its_name(synced: Path) -> None:
    EpicRepo(synced, NO_FACTS).ok("tag", "v1")
    rename(ONE, "At the checkpoint")
    sync_here().create_checkpoint("v1")
    rename(ONE, "Later")
    sync_here().rollback_to_checkpoint("v1")
    assert name_in(ONE) == "At the checkpoint"


def test_checkpoints_that_cannot_be(synced: Path) -> None:
    sync = sync_here()
    sync.create_checkpoint("taken")
    with pytest.raises(UsageError, match="already"):
        sync.create_checkpoint("taken")
    assert sync.create_checkpoint("taken", force=True)
    with pytest.raises(UsageError, match="cannot be a name"):
        sync.create_checkpoint("a..b")
    with pytest.raises(NotFound, match="no revision nothing"):
        sync.rollback_to_checkpoint("nothing")


# Looking


def test_the_summary_counts_what_is_not_agreed_on(synced: Path) -> None:
    sync = sync_here()
    assert sync.get_change_summary() == {
        "modified_count": 0,
        "new_count": 0,
        "deleted_count": 0,
        "unchanged_count": 9,
        "epics": [],
    }
    rename(ONE, "Ours")
    EpicRepo(synced, NO_FACTS).ok("commit", "-m", "committed, and not synchronised")
    (FILES / "new.json").write_text('{"id": "N", "name": "New"}')
    (FILES / TWO).unlink()
    found = sync.get_change_summary()
    assert {epic["epic_id"]: (epic["change"], epic["state"], epic["fields"]) for epic in found["epics"]} == {
        "1": ("modified", "files_ahead", ["1:name"]),
        "2": ("deleted", "files_ahead", ["2"]),
        "N": ("new", "files_ahead", ["N"]),
    }
    assert (found["modified_count"], found["new_count"], found["deleted_count"]) == (1, 1, 1)
    assert found["unchanged_count"] == 7


def test_the_status_says_when(bare: Path) -> None:
    sync = sync_here()
    assert sync.get_last_sync_time() is None
    assert sync.get_sync_status() == {"last_sync_time": None, "total_epics": 9, "conflict_count": 0, "in_sync": False}
    sync.sync_all_epics()
    last = sync.get_last_sync_time()
    assert last is not None
    assert last.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - last) < timedelta(minutes=5)
    assert sync.get_sync_status() == {"last_sync_time": last, "total_epics": 9, "conflict_count": 0, "in_sync": True}
    EpicRepo(bare, NO_FACTS).ok("undo")
    assert sync.get_last_sync_time() is None


def test_the_integrity_of_what_is_sound(bare: Path) -> None:
    sql("DELETE FROM audit_results")
    sql("DELETE FROM epic_json_sync")
    sql("DELETE FROM task_dependencies")
    sync = sync_here()
    sync.sync_all_epics()
    found = sync.validate_data_integrity()
    assert (found["valid"], found["errors"]) == (True, [])
    assert found["warnings"] == ["1:tasks/1.4 depends on task 9.9, which does not exist"]
    checked = found["checked"]
    assert (checked["files"], checked["epics"], checked["agreed"], checked["commits"]) == (9, 9, 9, 2)
    assert checked["objects"] > 20
    assert checked["rows"] > 30
    assert checked["foreign_keys"] == 8


def test_the_integrity_of_what_is_not(synced: Path) -> None:
    sync = sync_here()
    before = sync.validate_data_integrity()["errors"]
    sql("INSERT INTO framework_tasks (task_key, epic_id, title) VALUES ('lost', 999, 'Lost')")
    (FILES / TWO).write_text("{")
    found = sync.validate_data_integrity()
    assert not found["valid"]
    new = [error for error in found["errors"] if error not in before]
    assert len(new) == 2
    assert TWO in new[0]
    assert new[1] == "1 rows of framework_tasks refer to rows of framework_epics that do not exist"


def test_the_integrity_of_a_damaged_store(synced: Path) -> None:
    store = sqlite3.connect(".epicvc/store.db")
    ((oid,),) = store.execute("SELECT id FROM object ORDER BY id LIMIT 1").fetchall()
    with store:
        store.execute("DELETE FROM object WHERE id = ?", (oid,))
    store.close()
    found = sync_here().validate_data_integrity()
    assert not found["valid"]
    assert any(oid.hex()[:12] in error or "missing" in error for error in found["errors"])


def test_the_quality_is_counted(synced: Path) -> None:
    sync = sync_here()
    before = sync.get_data_quality_metrics()
    assert before["consistency_score"] == before["completeness_score"] == before["accuracy_score"] == 100.0
    rename(ONE, "Ours")
    edit(TWO, lambda body: body["tasks"][0].update(title=" "))
    total = before["consistency"]["total"]
    EpicRepo(synced, NO_FACTS).ok("plan", "--from", "2025-08-13")
    planned = sync.get_data_quality_metrics()["accuracy"]
    assert planned["good"] == planned["total"] > 0
    sql("UPDATE framework_epics SET planned_end_date = '2031-01-01' WHERE epic_key = '1'")
    found = sync.get_data_quality_metrics()
    assert found["consistency"] == {
        "good": total - 2,
        "total": total,
        "losses": [
            {"label": "1:name", "points": 1, "why": "differs"},
            {"label": "2:tasks/2.1a/title", "points": 1, "why": "differs"},
        ],
    }
    assert found["consistency_score"] == round(100 * (total - 2) / total, 2)
    needed = before["completeness"]["total"]
    assert found["completeness"] == {
        "good": needed - 1,
        "total": needed,
        "losses": [{"label": "2:tasks/2.1a/title", "points": 1, "why": "is empty"}],
    }
    accuracy = found["accuracy"]
    assert (accuracy["good"], accuracy["total"]) == (planned["total"] - 1, planned["total"])
    (loss,) = accuracy["losses"]
    assert (loss["label"], loss["points"]) == ("1:planned_end_date", 1)
    assert loss["why"] == "is 2031-01-01, calculated 2025-08-20"


def test_the_performance_is_counted(synced: Path) -> None:
    """Over what is recorded, whoever did it; without a record there is nothing to count."""
    sync, repo = sync_here(), EpicRepo(synced, NO_FACTS)
    first = sync.get_performance_metrics()
    assert (first["sync_count"], first["records_processed"]) == (1, 9)
    assert (first["conflict_rate"], first["success_rate"]) == (0.0, 100.0)
    assert first["avg_sync_time_ms"] == first["median_sync_time_ms"] == first["p95_sync_time_ms"] > 0
    rename(TWO, "Two")
    sync.sync_all_epics()
    conflict()
    assert repo.run("push").code == 1
    assert repo.run("sync", "nowhere").code == 3
    found = sync.get_performance_metrics()
    assert (found["sync_count"], found["records_processed"]) == (4, 10)
    assert (found["conflict_rate"], found["success_rate"]) == (33.33, 75.0)
    assert found["p95_sync_time_ms"] >= found["median_sync_time_ms"] > 0
    (synced / ".epicvc" / "runs.db").unlink()
    assert set(sync.get_performance_metrics().values()) == {0.0, 100.0}


def test_calls_are_recorded(synced: Path) -> None:
    """As the commands that do the same, failures included."""
    (synced / ".epicvc" / "runs.db").unlink()
    sync = sync_here()
    base = conflict()
    sync.sync_json_to_database()
    sync.resolve_conflict("1:name", "base")
    sync.create_checkpoint("good")
    with pytest.raises(UsageError):
        sync.create_checkpoint("good")
    with pytest.raises(NotFound):
        sync.rollback_to_checkpoint("bad")
    sync.rollback_to_checkpoint("good")
    DatabaseCleanup("framework.db").remove_orphaned_tasks(dry_run=True)
    DatabaseCleanup("framework.db").vacuum_database()
    JSONCleanup("epics/user_epics").fix_common_issues()
    BackupManager("framework.db").create_full_backup()
    JSONEnrichmentEngine("framework.db").enrich_all_epics("epics/user_epics", "epics/enriched")
    with pytest.raises(EpicvcError):
        MigrationRunner("framework.db").apply_migrations()
    assert epic_name("1") == base
    assert [(run.command, run.exit) for run in kept_runs(synced / ".epicvc")] == [
        ("push", 1),
        ("resolve", 0),
        ("checkpoint", 0),
        ("rollback", 3),
        ("rollback", 0),
        ("clean db", 0),
        ("clean files", 0),
        ("backup create", 0),
        ("enrich", 0),
        ("migrate up", 5),
    ]


def test_the_report_is_text_too(synced: Path) -> None:
    base = conflict("Pipe | and\nline", "<b>*bold*</b>")
    report = sync_here().generate_sync_report()
    assert (report["total_epics"], report["conflict_count"], report["in_sync"]) == (9, 1, False)
    assert report["epics"] == report["changes"]["epics"]
    assert report["conflicts"][0]["base_value"] == base
    assert report["data_quality"]["consistency_score"] < 100
    lines = report["text"].splitlines()
    assert lines[0] == "# Sync report"
    assert "- conflicts: 1" in lines
    assert "| 1 | epico\\_1.json | modified | modified | conflict | 1 |" in lines
    (number,) = [number for number, line in enumerate(lines) if line.startswith("| 1:name | files |")]
    assert "Pipe \\| and\\\\nline" in lines[number]
    assert "&lt;b&gt;\\*bold\\*&lt;/b&gt;" in lines[number + 1]


# Enriched epics


def test_an_enriched_epic_writes_nothing(synced: Path) -> None:
    sync, before = sync_here(), (files(), rows())
    found = sync.get_enriched_epic("1")
    assert found["epic"] == json.loads((FILES / ONE).read_bytes())["epic"]
    assert found["calculated_fields"]["calculated_duration_days"] == 1.5
    assert found["metadata"]["data_source"] == "database"
    again = sync.get_enriched_epic(1)
    for value in (found, again):  # a second may have passed
        del value["metadata"]["enriched_at"], value["calculated_fields"]["last_calculated"]
    assert again == found
    with pytest.raises(NotFound, match="no epic 77"):
        sync.get_enriched_epic("77")
    assert (files(), rows()) == before
    assert not (synced / "epics" / "enriched").exists()


def test_an_enriched_epic_that_only_the_database_has(bare: Path) -> None:
    found = sync_here().get_enriched_epic("OWN_1")
    assert (found["epic"]["name"], found["epic"]["tasks"][1]["id"]) == ("First of its own", "OWN_T2")
    assert found["calculated_fields"]["task_completion_percentage"] == 50.0


def test_enrichment_follows_a_sync(bare: Path) -> None:
    sync = BidirectionalSync(enable_enrichment=True)
    sync.sync_all_epics()
    enriched = bare / "epics" / "enriched"
    assert len(list(enriched.rglob("enriched_*.json"))) == 9
    rename(ONE, "Renamed")
    sync.sync_epic_to_database(ONE)
    assert json.loads((enriched / f"enriched_{ONE}").read_bytes())["epic"]["name"] == "Renamed"


# Where it works


def test_the_repo_is_made_in_the_current_directory(bare: Path) -> None:
    sync_here()
    assert (bare / ".epicvc" / "store.db").is_file()
    assert EpicRepo(bare, NO_FACTS).json("status")["head"]


def test_the_repo_is_found_upwards(synced: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("epics")
    found = BidirectionalSync(synced / "framework.db", synced / FILES).get_sync_status()
    assert found["in_sync"]
    assert BidirectionalSync().get_sync_status() == found
    assert not list((synced / "epics").rglob(".epicvc"))


def test_the_repo_is_made_beside_the_configuration(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bare / "epicvc.toml").write_text('[files]\ndir = "epics/user_epics"\n[database]\nurl = "framework.db"\n')
    monkeypatch.chdir("epics")
    assert BidirectionalSync(json_dir="user_epics").get_sync_status()["total_epics"] == 9
    assert (bare / ".epicvc").is_dir()
    assert "policy" not in (bare / "epicvc.toml").read_text()


def test_the_repo_is_made_where_both_are(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert BidirectionalSync(bare / "framework.db", bare / FILES).get_sync_status()["total_epics"] == 9
    assert (bare / ".epicvc").is_dir()
    assert not list(elsewhere.iterdir())


def test_a_database_that_is_not_there_is_made_with_the_repo_only(bare: Path) -> None:
    (bare / "framework.db").unlink()
    sync = sync_here()
    assert all(result["success"] for result in sync.sync_all_epics())
    (bare / "framework.db").unlink()
    for call in (sync.sync_all_epics, sync.check_for_conflicts, lambda: sync.get_enriched_epic("1")):
        with pytest.raises(DatabaseUnavailable, match="does not exist"):
            call()


def test_places_that_cannot_be(synced: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="has its epics in"):
        BidirectionalSync(json_dir="epics")
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    with pytest.raises(UsageError, match="no directory of epics"):
        BidirectionalSync()
    assert not list(empty.iterdir())


def test_a_mass_deletion_is_refused(synced: Path) -> None:
    for path in list(FILES.rglob("*.json")):
        if path.name not in (ONE, TWO):
            path.unlink()
    before = rows()
    with pytest.raises(Refused, match="would delete 7 of 9 epics"):
        sync_here().sync_all_epics()
    assert rows() == before
    assert BidirectionalSync(allow_mass_delete=True).sync_all_epics()[0]["success"]
    assert sql("SELECT count(*) FROM framework_epics WHERE deleted_at IS NULL AND status != 'deleted'") == [(2,)]


def test_threads_may_share_one_object_and_make_one_repo(bare: Path) -> None:
    with ThreadPoolExecutor(6) as threads:
        syncs = list(threads.map(lambda _: sync_here(), range(6)))
        syncs[0].sync_all_epics()
        found = list(threads.map(lambda n: syncs[n % 6].get_enriched_epic("1")["epic"]["name"], range(24)))
    assert set(found) == {"Integração de cache"}
    log = EpicRepo(bare, NO_FACTS).json("log")["commits"]
    assert [entry["message"] for entry in log][1:] == ["first snapshot"]


def test_without_what_is_remembered_the_answers_are_the_same(synced: Path) -> None:
    sync = BidirectionalSync(track_changes=False)
    rename(ONE, "Renamed")
    assert [epic["epic_id"] for epic in sync.get_change_summary()["epics"]] == ["1"]
    assert sync.sync_epic_to_database(ONE)["changes"] == ["1:name"]


def test_a_repo_that_another_process_makes_meanwhile_is_used(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*given: Any, **named: Any) -> Found:
        initialise(*given, **named)
        return initialise(*given, **named)

    monkeypatch.setattr("epicvc.actions.care.initialise.initialise", late)
    assert sync_here().get_sync_status()["total_epics"] == 9


def test_a_repo_is_not_made_while_another_process_makes_one(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epicvc.actions.care.initialise.MAKING_SECONDS", 0.05)
    with directory_locked(bare, 0), pytest.raises(Unavailable, match="held by another process"):
        sync_here()
    assert not (bare / ".epicvc").exists()
    assert sync_here().get_sync_status()["total_epics"] == 9


def test_the_environment_names_the_database_where_nothing_else_does(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bare / "framework.db").rename("other.db")
    monkeypatch.setenv("EPICVC_DATABASE_URL", "other.db")
    assert BidirectionalSync().get_sync_status()["total_epics"] == 9
    assert not Path("framework.db").exists()


def test_an_epics_id_settles_all_of_its_conflicts(synced: Path) -> None:
    conflict()
    edit(ONE, lambda body: body.update(goals=["ours"]))
    sql("UPDATE framework_epics SET goals = '[\"theirs\"]' WHERE epic_key = '1'")
    found = sync_here().resolve_conflict("1", "database")
    assert sorted(found["settled"]) == ["1:goals", "1:name"]
    assert name_in(ONE) == "Theirs"


def test_a_rollback_brings_a_lost_database_back(synced: Path) -> None:
    sync, old = sync_here(), rows()
    sync.create_checkpoint("whole")
    (synced / "framework.db").unlink()
    for rest in synced.glob("framework.db-*"):
        rest.unlink()
    sync.rollback_to_checkpoint("whole")
    assert rows() == old


def test_other_calls_go_on_inside_a_batch(synced: Path) -> None:
    rename(ONE, "One")
    rename(TWO, "Two")
    sync = sync_here()
    with sync.batch_operation() as batch:
        batch.sync_epic(ONE)
        assert sync.sync_epic_to_database(TWO)["success"]
        sync.create_checkpoint("inside")
    assert [result["changes"] for result in batch.results] == [["1:name"]]
    assert (epic_name("1"), epic_name("2")) == ("One", "Two")


def test_processes_that_begin_at_once_make_one_repo(bare: Path) -> None:
    code = "from epicvc import BidirectionalSync; print(len(BidirectionalSync().sync_all_epics()))"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        for _ in range(3)
    ]
    assert [process.communicate(timeout=60)[0] for process in started] == [b"9\n"] * 3
    messages = [entry["message"] for entry in EpicRepo(bare, NO_FACTS).json("log")["commits"]]
    assert messages == ["sync: 3 to files, 6 to database", "first snapshot"]


def test_a_repo_that_came_from_elsewhere_is_not_used(synced: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(synced, copy)
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    with pytest.raises(NotAdopted):
        BidirectionalSync(copy / "framework.db", copy / FILES)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before
