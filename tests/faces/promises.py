"""What holds before and after each block of ``promised_calls.md``, by the heading that it stands under.

Each is a generator: what comes before its ``yield`` is what a reader of the description has at that point, and what
comes after it are the results that the description promises.
"""

from __future__ import annotations

import functools
import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from support.repos import NO_FACTS, EpicRepo

from epicvc import JSONEnrichmentEngine
from epicvc.cleanup_scripts import CacheCleanup, JSONCleanup
from epicvc.data_base_strategy import DataBaseCalculator, DateBaseStrategy
from epicvc.model.mapping import BUILTIN
from tests.faces.place import FILES, epic_name, files, rename, rows, sql


class World:
    """The directory in which the blocks run, and what they share.

    Args:
        names: the blocks' names, from one to the next.
        said: gives what was printed since it was asked last.
    """

    def __init__(self, names: dict[str, Any], said: Callable[[], str]) -> None:
        self.names, self.said = names, said

    def __getitem__(self, name: str) -> Any:
        return self.names[name]

    def undo(self, count: int) -> None:
        """What a person does on the command line: all that Python did is in the operation log."""
        for _ in range(count):
            EpicRepo(Path.cwd(), NO_FACTS).ok("undo")


class DurationCalculator:
    """The application's own."""

    def parse_and_convert_to_days(self, text: str) -> float:
        return 4.0

    def calculate_end_date(self, start: date, days: float) -> date:
        return date(2040, 1, int(days))


class DatabaseManager:
    """The application's: gives a new connection each time."""

    def __init__(self, db_path: str) -> None:
        self._path = db_path

    @contextmanager
    def get_connection(self, name: str = "framework") -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path)) as connection:
            yield connection


def application(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the blocks take for granted: the application's modules, its functions, and names imported far above."""
    for path, value in (
        ("streamlit_extension.utils.database", DatabaseManager),
        ("duration_system.duration_calculator", DurationCalculator),
    ):
        parts = path.split(".")
        for depth in range(1, len(parts) + 1):
            name = ".".join(parts[:depth])
            patch.setitem(sys.modules, name, ModuleType(name))
        setattr(sys.modules[path], value.__name__, value)
    handled: list[Any] = []
    return {
        "validation_failed": True,
        "epic_id": 1,
        "handle_conflicts": handled.append,
        "handled": handled,
        "generate_validation_report": lambda results: results,
        "st": SimpleNamespace(cache_data=functools.cache),
        "DataBaseCalculator": DataBaseCalculator,
        "DateBaseStrategy": DateBaseStrategy,
        "JSONCleanup": JSONCleanup,
        "CacheCleanup": CacheCleanup,
    }


def as_epic(data: bytes) -> Any:
    """What a file says, in whatever form it says it."""
    value = json.loads(data)
    return value.get("epic", value)


Promise = Callable[[World], Iterator[None]]
PROMISES: dict[str, Promise] = {}
"""All of them, in the order of the page."""


def promise(heading: str) -> Callable[[Promise], Promise]:
    """Name the heading whose block a function is about."""

    def keep(function: Promise) -> Promise:
        PROMISES[heading] = function
        return function

    return keep


# Synchronisation


@promise("Core fields")
def core(world: World) -> Iterator[None]:
    yield
    assert set(world["core_fields"]) <= {field.name for field in BUILTIN.epics.core} | {"tasks"}


@promise("Calculated fields")
def calculated(world: World) -> Iterator[None]:
    yield
    dates = {name for name in world["calculated_fields"] if name not in ("stats", "progress_percentage")}
    assert dates <= {name for _, name in sql("SELECT cid, name FROM pragma_table_info('framework_epics')")}


@promise("System fields")
def system(world: World) -> Iterator[None]:
    yield
    owned = {field.name for field in BUILTIN.epics.core} - {"id"}  # a file's `id` is the row's key, not its number
    assert not owned & set(world["system_fields"])


@promise("One epic, then all")
def one_then_all(world: World) -> Iterator[None]:
    yield
    assert world.said() == "Synced epic: Integração de cache\nSynced 6 epics\n"
    assert world["result"]["created"]
    assert all(result["success"] for result in world["results"])
    # Layer 2 goes beside the files, layer 3 nowhere: authors' files are as they were.
    assert len(list(Path("epics/enriched").rglob("*.json"))) == 6
    assert not any(b"planned_start_date" in data or b"assigned_to" in data for data in files().values())


@promise("A policy for conflicts")
def policy(world: World) -> Iterator[None]:
    rename("epico_1.json", "Ours")
    sql("UPDATE framework_epics SET name = 'Theirs' WHERE epic_key = '1'")
    yield
    assert world.said() == ""
    assert [(one["field"], one["value"]) for one in world["result"]["decided"]] == [("1:name", "Theirs")]


@promise("What has changed")
def changes(world: World) -> Iterator[None]:
    rename("epico_2.json", "Two")
    (FILES / "new.json").write_text('{"epic": {"id": "N", "name": "New"}}')
    yield
    assert world.said() == "Modified epics: 2\nNew epics: 1\nUnchanged epics: 4\n"


@promise("Back to a checkpoint")
def checkpoint(world: World) -> Iterator[None]:
    before = files(), rows()
    yield
    assert (files(), rows()) == before
    assert sql("SELECT count(*) FROM framework_epics WHERE epic_key = 'N'") == [(0,)]


@promise("Several epics together")
def batch(world: World) -> Iterator[None]:
    yield
    assert epic_name("2") == "Two"
    assert [result["epic_id"] for result in world["batch"].results] == ["1", "2", "3"]
    assert sql("SELECT count(*) FROM framework_epics WHERE epic_key = 'N'") == [(0,)]


@promise("Integrity and status")
def integrity(world: World) -> Iterator[None]:
    yield
    said = world.said()
    assert "Integrity error" not in said
    assert said.startswith(f"Last sync: {datetime.now(UTC):%Y-}")
    assert said.endswith("Total epics: 7\nSync conflicts: 0\n")


# Enriched files


@promise("The form of an enriched file")
def example(world: World) -> Iterator[None]:
    """The example is what comes out for such an epic on such a day."""
    yield
    wanted = world["enriched_output"]
    tasks = [{"id": f"9.{number}", "title": "T"} for number in range(4)]
    (FILES / "nine.json").write_text(
        json.dumps({"epic": {"id": "9", "name": "Nine", "duration": "2 dias", "tasks": tasks}})
    )
    assert world["sync"].sync_epic_to_database("nine.json")["success"]
    sql("UPDATE framework_tasks SET status = 'completed' WHERE task_key IN ('9.0', '9.1', '9.2')")
    engine = JSONEnrichmentEngine("framework.db", json_dir=FILES, today="2025-08-17")
    found = engine.enrich_epic_json("nine.json")
    assert found["epic"] == json.loads((FILES / "nine.json").read_bytes())["epic"]
    for part, times in (("calculated_fields", {"last_calculated"}), ("metadata", {"enriched_at"})):
        assert found[part].keys() >= wanted[part].keys()
        assert {name: found[part][name] for name in wanted[part].keys() - times} == {
            name: value for name, value in wanted[part].items() if name not in times
        }


@promise("One epic enriched")
def one_enriched(world: World) -> Iterator[None]:
    before = files()
    yield
    assert world["enriched_data"]["epic"] == json.loads((FILES / "epico_1.json").read_bytes())["epic"]
    assert list(world["enriched_data"]) == list(world["enriched_output"])
    assert (
        json.loads(Path("epics/enriched/enriched_epico_1.json").read_bytes())["epic"] == world["enriched_data"]["epic"]
    )
    assert files() == before


@promise("Many epics enriched")
def many_enriched(world: World) -> Iterator[None]:
    before = files()
    yield
    assert len(list(Path("epics/enriched").rglob("*.json"))) == len(before)
    assert files() == before


@promise("Another strategy")
def strategy(world: World) -> Iterator[None]:
    yield
    assert world["enricher"].enrich_epic_json("epico_3.json")["metadata"]["calculation_strategy"] == "immediate"


@promise("Enriched files checked")
def enriched_checked(world: World) -> Iterator[None]:
    assert not world["enricher"].validate_enrichment("epico_3.json")["valid"]  # the strategy is another one
    assert world["enricher"].update_enriched_files()["success"]
    sql(
        "UPDATE framework_epics SET planned_start_date = '2025-08-18', planned_end_date = '2025-08-20',"
        " actual_start_date = '2025-08-18', actual_end_date = '2025-08-20' WHERE epic_key = '9'"
    )
    yield
    assert world.said() == "Enrichment successful\nCalculation accuracy: 100.0%\n"
    assert world["accuracy_report"]["checked"] > 0


# Durations


@promise("Strategies")
def strategies(world: World) -> Iterator[None]:
    yield
    assert {one.name for one in DateBaseStrategy} == {"IMMEDIATE", "NEXT_MONDAY", "NEXT_WORKDAY", "CUSTOM_DATE"}


@promise("A duration in a sentence")
def duration(world: World) -> Iterator[None]:
    yield
    assert world["duration_days"] == 14.0
    planned = world["planned_dates"]
    assert planned.start_date.isoweekday() == 1
    assert (planned.end_date - planned.start_date).days == 11
    assert world.said() == f"Start: {planned.start_date}\nEnd: {planned.end_date}\nDuration: 10.5 days\n"


@promise("Business days")
def business(world: World) -> Iterator[None]:
    yield
    dates = world["business_dates"]
    assert (dates.start_date, dates.end_date) == (date(2025, 8, 18), date(2025, 8, 25))
    independence = world["calculator"].calculate_business_dates(start_date="2025-09-01", duration_days=5)
    assert independence.end_date == date(2025, 9, 8)  # the 7th is a Sunday
    republic = world["calculator"].calculate_business_dates(start_date="2025-11-19", duration_days=2)
    assert list(republic.holidays_skipped) == [date(2025, 11, 20)]


@promise("Two languages")
def languages(world: World) -> Iterator[None]:
    yield
    assert world.said().splitlines() == [
        "'2 dias' = 2.0 days",
        "'1.5 semanas' = 10.5 days",
        "'3 weeks' = 21.0 days",
        "'1 mês' = 30.0 days",
        "'2.5 months' = 75.0 days",
    ]


# Migrations


@promise("A migration as a value")
def migration(world: World) -> Iterator[None]:
    yield
    made = world["migration"]
    assert (made.version, list(made.dependencies)) == ("002", ["001"])
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE framework_epics (id)")
        for statements, columns in (
            (made.sql, ["id", "planned_start_date", "planned_end_date"]),
            (made.rollback_sql, ["id"]),
        ):
            connection.executescript(statements)
            found = connection.execute("SELECT name FROM pragma_table_info('framework_epics')").fetchall()
            assert [name for (name,) in found] == columns


@promise("Migrations applied")
def applied(world: World) -> Iterator[None]:
    yield
    assert world.said() == "Applied migrations: 4\nPending migrations: 0\n"
    columns = {name for (name,) in sql("SELECT name FROM pragma_table_info('framework_epics')")}
    assert columns >= {"planned_start_date", "planned_end_date", "calculated_duration_days"}
    assert sql("SELECT name FROM pragma_index_info('idx_framework_epics_planned_dates')") == [
        ("planned_start_date",),
        ("planned_end_date",),
    ]


@promise("Migrations taken back")
def taken_back(world: World) -> Iterator[None]:
    before = rows()
    yield
    assert world["runner"].get_current_version() is None
    assert sql("SELECT name FROM sqlite_master WHERE name LIKE 'framework_%'") == []
    for version in ("001", "002", "003"):
        world.undo(1)
        assert world["runner"].get_current_version() == version
        world.undo(1)  # the checkpoint before it
    assert rows() == before


@promise("Migrations checked")
def migrations_checked(world: World) -> Iterator[None]:
    yield
    assert world.said() == ""
    assert (world["validation_result"]["valid"], world["dependency_check"]["conflicts"]) == (True, [])


# Queries


@promise("A query")
def query(world: World) -> Iterator[None]:
    sql("UPDATE framework_epics SET status = 'active', created_at = '2025-01-0' || epic_key")
    sql("UPDATE framework_epics SET assigned_to = 'user' || epic_key")  # numbers elsewhere; here as in the block
    yield
    assert [row["epic_key"] for row in world["results"]] == ["2", "1"]
    sql("UPDATE framework_epics SET assigned_to = NULL")


@promise("A join")
def join(world: World) -> Iterator[None]:
    yield
    wanted = sql("SELECT count(*) FROM framework_tasks WHERE status != 'completed'")
    assert [(len(world["results"]),)] == wanted
    assert {"name": "Two", "title": "Capture"} in world["results"]


@promise("Insert and update")
def writing(world: World) -> Iterator[None]:
    yield
    assert world["insert_query"] == (
        "INSERT INTO framework_epics (name, status, created_at) VALUES (?, ?, ?)",
        ["New Epic", "active", "2025-08-17T10:30:00"],
    )
    assert world["builder"].execute(world["update_query"]) == 1
    assert sql("SELECT status FROM framework_epics WHERE id = 1") == [("completed",)]


@promise("Hostile input")
def hostile(world: World) -> Iterator[None]:
    yield
    assert world["query"] == ("SELECT * FROM framework_epics WHERE name = ?", ["'; DROP TABLE framework_epics; --"])
    assert world["builder"].execute(world["query"]) == []
    assert epic_name("2") == "Two"


# Clean-ups


@promise("The database cleaned")
def database_cleaned(world: World) -> Iterator[None]:
    ((task,),) = sql("SELECT id FROM framework_tasks WHERE task_key = '1.1'")
    sql("UPDATE framework_epics SET created_at = '2025-01-01'")
    sql("INSERT INTO framework_tasks (epic_id, task_key, title) VALUES (4711, 'lost', 'T')")
    sql("INSERT INTO work_sessions (task_id, start_time) VALUES (4712, '2025-01-01'), (?, '2025-01-02')", task)
    sql("UPDATE framework_epics SET status = 'completed', completed_at = '2020-01-01' WHERE epic_key = '6'")
    before = rows()
    yield
    assert sql("SELECT count(*) FROM framework_tasks WHERE task_key = 'lost'") == [(0,)]
    assert sql("SELECT task_id FROM work_sessions") == [(task,)]
    assert sql("SELECT epic_key FROM framework_epics_archive") == [("6",)]
    assert sql("SELECT count(*) FROM framework_epics WHERE epic_key = '6'") == [(0,)]
    world.undo(6)  # three clean-ups, each with a checkpoint before it
    assert rows() == before
    sql("DELETE FROM framework_tasks WHERE task_key = 'lost'")
    sql("DELETE FROM work_sessions")
    sql("UPDATE framework_epics SET status = 'active', completed_at = NULL")


@promise("Files cleaned")
def files_cleaned(world: World) -> Iterator[None]:
    before = files()
    (FILES / "epico_2 (copy).json").write_bytes(before["epico_2.json"])
    (FILES / "epico_1.json").write_bytes(b"\xef\xbb\xbf" + before["epico_1.json"])
    yield
    assert not world["validation_results"]["valid"]
    assert world["json_cleanup"].validate_all_json_files()["valid"]
    after = files()
    assert after.keys() == before.keys()
    assert after["epico_1.json"] == before["epico_1.json"]
    assert {name: as_epic(data) for name, data in after.items()} == {name: as_epic(d) for name, d in before.items()}


@promise("Caches cleaned")
def caches_cleaned(world: World) -> Iterator[None]:
    before = files(), rows()
    caches = Path(".epicvc")
    assert list(caches.glob("*.cache"))
    yield
    assert not list(caches.glob("*.cache"))
    assert (files(), rows()) == before
    assert world["sync"].get_sync_status()["total_epics"] == 8


# Workflows


@promise("From nothing")
def from_nothing(world: World) -> Iterator[None]:
    yield
    assert epic_name("N") == "New"
    assert Path("epics/enriched/enriched_new.json").is_file()


@promise("Every day")
def every_day(world: World) -> Iterator[None]:
    yield
    rename("epico_3.json", "Ours")
    sql("UPDATE framework_epics SET name = 'Theirs' WHERE epic_key = '3'")
    sql("UPDATE framework_epics SET summary = 'Theirs' WHERE epic_key = '2'")
    report = world["daily_sync_workflow"]()
    assert [conflict["field"] for conflict in world["handled"][0]] == ["3:name"]
    assert json.loads((FILES / "epico_2.json").read_bytes())["epic"]["summary"] == "Theirs"
    assert (report["conflict_count"], report["total_epics"]) == (1, 8)
    assert world["sync"].resolve_conflict("3:name", "json")["success"]


@promise("Validating everything")
def validating(world: World) -> Iterator[None]:
    yield
    assert world["enricher"].update_enriched_files()["success"]
    found = world["validate_data_integrity"]()
    assert [part for part, result in found.items() if result["valid"]] == ["sync", "enrichment", "schema"]


# Backups


@promise("Backups made")
def backups_made(world: World) -> Iterator[None]:
    world.names["backed up"] = files(), rows()
    yield
    full, incremental, json_files = world["backup_manager"].list_backups()
    assert [one["id"] for one in (full, incremental, json_files)] == [
        world["backup_id"],
        world["incremental_id"],
        world["json_backup_id"],
    ]
    assert [one["kind"] for one in (full, incremental, json_files)] == ["full", "incremental", "json"]
    assert incremental["size"] < full["size"] / 2
    assert json_files["files"] == sum(1 for _ in Path("epics").rglob("*.json"))


@promise("Backups restored")
def backups_restored(world: World) -> Iterator[None]:
    rename("epico_1.json", "Lost")
    (FILES / "epico_2.json").unlink()
    sql("DELETE FROM framework_tasks")
    yield
    assert (files(), rows()) == world["backed up"]
    late = world["recovery_result"]
    assert not late["success"] and "no backup at or before" in late["error"]
    assert world["backup_manager"].restore_from_backup(world["incremental_id"])["success"]
    assert all(result["valid"] for result in world["validation_result"].values())


# Figures


@promise("Speed")
def speed(world: World) -> Iterator[None]:
    yield
    figures = world["metrics"]
    assert world.said() == (
        f"Average sync time: {figures['avg_sync_time_ms']}ms\nRecords processed: {figures['records_processed']}\n"
        f"Conflict rate: {figures['conflict_rate']}%\nSuccess rate: {figures['success_rate']}%\n"
    )
    assert figures["avg_sync_time_ms"] > 0
    assert 0 <= figures["conflict_rate"] <= 100
    assert 0 < figures["success_rate"] <= 100


@promise("Quality")
def quality(world: World) -> Iterator[None]:
    yield
    assert world.said().startswith("Data consistency: 100.0%\nCompleteness: ")
    assert 0 < world["quality_metrics"]["completeness_score"] <= 100
    assert 0 <= world["quality_metrics"]["accuracy_score"] <= 100


@promise("A dashboard")
def dashboard(world: World) -> Iterator[None]:
    yield
    status = world["status"]
    assert world.said() == f"System Status: {status}\n"
    assert status["schema_version"] == "003"
    assert status["pending_migrations"] == status["sync_conflicts"] == []
    assert status["last_sync"] is not None and status["last_sync"].tzinfo is UTC
    assert status["data_integrity"]["valid"]


# In an application


@promise("A page of Streamlit")
def streamlit(world: World) -> Iterator[None]:
    yield
    assert world["get_enriched_epic_data"]("1")["metadata"]["data_source"] == "database"
    assert world["get_enriched_epic_data"]("1") is world["get_enriched_epic_data"]("1")


@promise("An application's durations")
def durations(world: World) -> Iterator[None]:
    yield
    planned = world["migration_calculator"].calculate_planned_dates("a sprint")
    assert (planned.duration_days, planned.end_date) == (4.0, date(2040, 1, 4))


@promise("An application's database")
def database(world: World) -> Iterator[None]:
    yield
    assert world["sync"].get_sync_status()["in_sync"]
    rename("epico_1.json", "By the manager")
    world["sync"].sync_all_epics()
    assert epic_name("1") == "By the manager"
