"""The blocks of ``bidirectional_sync.md`` run in their order, in one repo; and the page has all that it is to have."""

from __future__ import annotations

import ast
import functools
import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from support.epics import write_epics
from support.guard import ROOT

from epicvc import MigrationRunner
from epicvc.model.mapping import BUILTIN
from tests.docs.console import fenced
from tests.faces.original import blocks
from tests.faces.place import FILES, edit, epic_name, files, rename, sql

PAGE = ROOT / "tests" / "faces" / "bidirectional_sync.md"
SECTIONS = ("Bidirectional Sync Engine", "Integration Workflows", "Migration Metrics", "Integration Points")
OTHERS = ("backup_manager", "DurationCalculator")
"""What other faces are promised in these sections."""

Names = dict[str, Any]


class DatabaseManager:
    """The application's: gives a new connection each time."""

    def __init__(self, db_path: str) -> None:
        self._path = db_path

    @contextmanager
    def get_connection(self, name: str = "framework") -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path)) as connection:
            yield connection


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch) -> Names:
    """What the blocks take for granted: the application's names and modules."""
    module = ModuleType("streamlit_extension.utils.database")
    module.DatabaseManager = DatabaseManager  # type: ignore[attr-defined]
    for name in ("streamlit_extension", "streamlit_extension.utils"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    handled: list[Any] = []
    return {
        "validation_failed": True,
        "handle_conflicts": handled.append,
        "handled": handled,
        "generate_validation_report": lambda results: results,
        "st": SimpleNamespace(cache_data=functools.cache),
    }


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """Epics in files, and a database with a history of migrations that has none of them."""
    write_epics(FILES)
    MigrationRunner(db_path="framework.db").apply_migrations()
    # Alone in the database, no epic may depend on another one's task.
    edit("epico_1.json", lambda body: body["tasks"][3].update(dependencies=["1.3"]))
    return tmp_path


def run(block: str, names: Names) -> None:
    exec(compile(block, PAGE.name, "exec"), names)


def test_they_run_in_their_order(prepared: Path, application: Names, capsys: pytest.CaptureFixture[str]) -> None:
    names = application
    text = PAGE.read_text("utf-8")
    (*fields, first, policy, tracking, rollback, batch, integrity, setup) = fenced(text, "python")[:10]
    (daily, validating, speed, quality, dashboard, streamlit, manager) = fenced(text, "python")[10:]

    def said() -> str:
        return capsys.readouterr().out

    for block in fields:
        run(block, names)
    assert set(names["core_fields"]) <= {field.name for field in BUILTIN.epics.core} | {"tasks"}

    run(first, names)
    assert said() == "Synced epic: Integração de cache\nSynced 6 epics\n"
    assert names["result"]["created"]
    assert len(list(Path("epics/enriched").rglob("*.json"))) == 6

    rename("epico_1.json", "Ours")
    sql("UPDATE framework_epics SET name = 'Theirs' WHERE epic_key = '1'")
    run(policy, names)
    assert said() == ""
    assert names["result"]["decided"][0]["value"] == "Theirs"

    rename("epico_2.json", "Two")
    (FILES / "new.json").write_text('{"epic": {"id": "N", "name": "New"}}')
    run(tracking, names)
    assert said() == "Modified epics: 2\nNew epics: 1\nUnchanged epics: 4\n"

    before = files()
    run(rollback, names)
    assert files() == before
    assert sql("SELECT count(*) FROM framework_epics WHERE epic_key = 'N'") == [(0,)]

    run(batch, names)
    assert epic_name("2") == "Two"
    assert sql("SELECT count(*) FROM framework_epics WHERE epic_key = 'N'") == [(0,)]

    run(integrity, names)
    assert "Integrity error" not in (out := said())
    assert "Total epics: 7\nSync conflicts: 0\n" in out

    run(setup, names)
    assert epic_name("N") == "New"

    run(daily, names)
    rename("epico_3.json", "Ours")
    sql("UPDATE framework_epics SET name = 'Theirs' WHERE epic_key = '3'")
    sql("UPDATE framework_epics SET summary = 'Theirs' WHERE epic_key = '2'")
    report = names["daily_sync_workflow"]()
    assert [conflict["field"] for conflict in names["handled"][0]] == ["3:name"]
    assert json.loads((FILES / "epico_2.json").read_bytes())["epic"]["summary"] == "Theirs"
    assert (report["conflict_count"], report["total_epics"]) == (1, 7)
    names["sync"].resolve_conflict("3:name", "json")

    run(validating, names)
    found = names["validate_data_integrity"]()
    assert found["sync"]["valid"] and found["schema"]["valid"]
    assert names["enricher"].update_enriched_files()["success"]
    assert names["validate_data_integrity"]()["enrichment"] == {"valid": True, "errors": []}

    for block, begins in ((speed, "Average sync time: "), (quality, "Data consistency: 100.0%")):
        run(block, names)
        assert said().startswith(begins)
    run(dashboard, names)
    assert names["status"]["pending_migrations"] == names["status"]["sync_conflicts"] == []
    assert names["status"]["last_sync"] is not None

    run(streamlit, names)
    assert names["get_enriched_epic_data"]("1")["metadata"]["data_source"] == "database"
    run(manager, names)
    assert names["sync"].get_sync_status()["in_sync"]


def test_the_page_has_what_the_description_has() -> None:
    wanted = [block for section in SECTIONS for block in blocks(section)]
    mine = [ast.dump(ast.parse(block)) for block in fenced(PAGE.read_text("utf-8"), "python")]
    assert [ast.dump(ast.parse(block)) for block in wanted if not any(other in block for other in OTHERS)] == mine
