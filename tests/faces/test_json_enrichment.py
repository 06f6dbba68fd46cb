"""``JSONEnrichmentEngine`` as its users call it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import chdir, closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from support.database import make_database
from support.epics import write_epics

from epicvc import DataBaseCalculator, DateBaseStrategy, DurationError, EpicvcError, JSONEnrichmentEngine

TODAY = "2025-08-13"
FILES = ("epico_1.json", "epico_2.json", "epico_3.json")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A directory as the original description has it, with no epic repo in sight."""
    write_epics(tmp_path / "epics" / "user_epics")
    make_database(tmp_path / "framework.db")
    with chdir(tmp_path):
        yield tmp_path


def sql(query: str, *parameters: Any) -> None:
    with closing(sqlite3.connect("framework.db")) as connection, connection:
        connection.execute(query, parameters)
    connection.close()


def insert(epic: str, duration: str, **fields: Any) -> None:
    names = ["epic_key", "name", "duration_description", *fields]
    marks = ", ".join("?" * len(names))
    sql(f"INSERT INTO framework_epics ({', '.join(names)}) VALUES ({marks})", epic, "Name", duration, *fields.values())


def originals(place: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted((place / "epics" / "user_epics").rglob("*.json"))}


def without_times(enriched: Any) -> Any:
    """Return an enriched epic without the times of the call that made it; the clock may move on between two calls."""
    calculated, metadata = dict(enriched["calculated_fields"]), dict(enriched["metadata"])
    assert calculated.pop("last_calculated") == metadata.pop("enriched_at")
    return {"epic": enriched["epic"], "calculated_fields": calculated, "metadata": metadata}


def test_the_calls_of_the_description(place: Path) -> None:
    before = originals(place)
    engine = JSONEnrichmentEngine(db_path="framework.db", today=TODAY)
    found = engine.enrich_epic_json("epico_1.json")
    assert found["epic"] == json.loads(before[str(place / "epics" / "user_epics" / "epico_1.json")])["epic"]
    assert set(found) == {"epic", "calculated_fields", "metadata"}
    assert found["calculated_fields"]["planned_start_date"] == "2025-08-18"
    assert not (place / "epics" / "enriched").exists()
    path = engine.save_enriched_epic("epico_1.json", output_dir="epics/enriched/")
    assert path == place / "epics" / "enriched" / "enriched_epico_1.json"
    assert without_times(json.loads(path.read_bytes())) == without_times(found)
    result = engine.enrich_all_epics(input_dir="epics/user_epics/", output_dir="epics/enriched/")
    assert (result["success"], result["total"], result["unchanged"]) == (True, 6, 1)
    assert len(result["written"]) == 5
    assert engine.enrich_epic_list(list(FILES), output_dir="epics/enriched/")["unchanged"] == 3
    assert engine.update_enriched_files()["written"] == []
    assert engine.validate_enrichment("epico_1.json") == {"valid": True, "errors": []}
    assert engine.validate_all_enrichments() == {"valid": True, "errors": []}
    assert originals(place) == before


def test_the_example_of_the_description(place: Path) -> None:
    """Two days from the 17th, three tasks of four done, sixteen hours."""
    insert("9", "2 dias")
    tasks = [("9.1", "completed"), ("9.2", "completed"), ("9.3", "completed"), ("9.4", "pending")]
    for key, state in tasks:
        sql(
            "INSERT INTO framework_tasks (task_key, epic_id, title, status) "
            "SELECT ?, id, 'T', ? FROM framework_epics WHERE epic_key = '9'",
            key,
            state,
        )
    file = place / "nine.json"
    file.write_text(json.dumps({"epic": {"id": "9", "duration": "2 dias", "tasks": [{"id": k} for k, _ in tasks]}}))
    found = JSONEnrichmentEngine(today="2025-08-17").enrich_epic_json(file)
    calculated = found["calculated_fields"]
    calculated.pop("last_calculated")
    assert calculated == {
        "planned_start_date": "2025-08-18",
        "planned_end_date": "2025-08-20",
        "calculated_duration_days": 2.0,
        "task_completion_percentage": 75.0,
        "estimated_hours": 16.0,
    }
    assert found["metadata"]["data_source"] == "database"


def test_strategies_and_calculators(place: Path) -> None:
    engine = JSONEnrichmentEngine(
        calculation_strategy="next_workday", business_calendar=True, exclude_holidays=True, today="2025-11-19"
    )
    found = engine.enrich_epic_json("epico_3.json")  # two weeks
    assert found["calculated_fields"]["planned_start_date"] == "2025-11-21"
    assert found["calculated_fields"]["calculated_duration_days"] == 10.0
    assert found["metadata"]["calculation_strategy"] == "next_workday"
    assert list(found["metadata"]["holidays"]) == ["2025-11-20"]
    engine.set_calculator(DataBaseCalculator(DateBaseStrategy.IMMEDIATE, today="2025-12-01"))
    found = engine.enrich_epic_json("epico_3.json")
    assert found["calculated_fields"]["planned_start_date"] == "2025-12-01"
    assert found["calculated_fields"]["calculated_duration_days"] == 14.0

    class Mine:
        def parse_and_convert_to_days(self, text: str) -> float:
            return 3.0

    engine.set_calculator(Mine())
    assert engine.enrich_epic_json("epico_3.json")["calculated_fields"]["calculated_duration_days"] == 3.0
    with pytest.raises(EpicvcError):
        engine.set_calculator(object())


def test_what_validation_finds(place: Path) -> None:
    engine = JSONEnrichmentEngine(today=TODAY)
    missing = engine.validate_enrichment("epico_1.json")
    assert missing == {"valid": False, "errors": ["there is no enriched file"]}
    path = engine.save_enriched_epic("epico_1.json")
    good = path.read_text(encoding="utf-8")

    def errors(old: str, new: str) -> list[str]:
        assert good.count(old) >= 1
        path.write_text(good.replace(old, new), encoding="utf-8")
        return engine.validate_enrichment("epico_1.json")["errors"]

    assert errors('"planned_end_date": "2025-08-20"', '"planned_end_date": "2025-08-21"') == [
        "planned_end_date: '2025-08-21' instead of '2025-08-20'"
    ]
    shifted = errors("2025-08-18", "2025-08-19")
    assert shifted == ["planned_start_date: '2025-08-19' instead of '2025-08-18'"]
    assert errors('"name": "Integra', '"name": "Desintegra') == ["epic: it is not the original"]
    assert errors('"data_source": "json"', '"data_source": "database"') == [
        "metadata.data_source: 'database' instead of 'json'"
    ]
    assert "reference_date" in errors('"reference_date"', '"somewhen"')[0]
    assert errors('"estimated_hours"', '"worked_hours"') != []
    path.write_text("{}", encoding="utf-8")
    assert engine.validate_all_enrichments()["errors"][0] == "epico_1.json: it is no enriched file"


def test_accuracy(place: Path) -> None:
    engine = JSONEnrichmentEngine()
    assert engine.get_calculation_accuracy() == {"accuracy_percentage": 100.0, "checked": 0, "mismatches": []}
    insert(
        "7", "2 dias", planned_start_date="2025-08-18", planned_end_date="2025-08-20", actual_start_date="2025-08-18"
    )
    insert("8", "1 dia", planned_end_date="2025-08-20", actual_end_date="2025-08-22 10:00:00")
    insert("9", "1 dia", planned_end_date="2025-08-20")
    assert engine.get_calculation_accuracy() == {
        "accuracy_percentage": 50.0,
        "checked": 2,
        "mismatches": [
            {"epic_id": "8", "field": "planned_end_date", "planned": "2025-08-20", "actual": "2025-08-22", "days": 2}
        ],
    }


def test_dates_of_the_database_are_kept(place: Path) -> None:
    insert("1", "1.5 dias", planned_start_date="2024-02-05", calculated_duration_days=1.5)
    found = JSONEnrichmentEngine(today=TODAY).enrich_epic_json("epico_1.json")
    assert found["calculated_fields"]["planned_start_date"] == "2024-02-05"
    assert found["calculated_fields"]["planned_end_date"] == "2024-02-07"


def test_without_a_database(place: Path) -> None:
    (place / "framework.db").unlink()
    found = JSONEnrichmentEngine(today=date(2025, 8, 13)).enrich_epic_json("epico_1.json")
    assert found["metadata"]["data_source"] == "json"
    assert not (place / "framework.db").exists()


def test_errors(place: Path) -> None:
    engine = JSONEnrichmentEngine()
    with pytest.raises(EpicvcError):
        engine.enrich_epic_json("nothing.json")
    with pytest.raises(EpicvcError):
        JSONEnrichmentEngine(calculation_strategy="someday")
    (place / "epics" / "user_epics" / "bad.json").write_text("{", encoding="utf-8")
    result = engine.enrich_all_epics()
    assert result["success"] is False
    assert len(result["errors"]) == 1
    assert len(result["written"]) == 6
    assert DurationError.__name__ in dir(__import__("epicvc"))


def test_inside_a_repo_its_configuration_counts(place: Path) -> None:
    from epicvc.cli.edge import run_application

    shutil.rmtree(place / "epics" / "user_epics" / "later")
    assert run_application(["init", "--quiet"]) == 0
    engine = JSONEnrichmentEngine(today=TODAY)
    assert engine.save_enriched_epic("epico_1.json") == place / "epics" / "enriched" / "enriched_epico_1.json"
    assert engine.update_enriched_files()["total"] == 5
