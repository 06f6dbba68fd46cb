"""Records of plans count where they say what records say, and are none otherwise."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from epicvc.dates.keeping import Planned
from epicvc.dates.settings import Settings
from epicvc.repo.plans import FILE, PlanRecord, load_plans, save_plans

RECORD = PlanRecord(
    "2 days", Settings(), Planned(date(2026, 3, 2), date(2026, 3, 4), 2, "days"), {"2026-03-03": "Feast"}, "0.82"
)


def test_round_trip(tmp_path: Path) -> None:
    assert load_plans(tmp_path) == {}
    save_plans(tmp_path, {"1": RECORD, "2": PlanRecord("?", Settings(), Planned())})
    assert load_plans(tmp_path) == {"1": RECORD, "2": PlanRecord("?", Settings(), Planned())}


@pytest.mark.parametrize(
    ("member", "value"),
    [("duration", ["2 days"]), ("duration", None), ("settings", []), ("settings", {"country": 5}), ("days", "2"),
     ("settings", {"strategy": []}), ("start", 5), ("end", "2026-02-30"), ("unit", {}), ("holidays", {"2026-03-03": 1}),
     ("holidays", None), ("holidays_version", 1)],
)  # fmt: skip
def test_a_record_of_wrong_types_is_none(member: str, value: object, tmp_path: Path) -> None:
    save_plans(tmp_path, {"1": RECORD})
    written: Any = json.loads((tmp_path / FILE).read_text())
    written["epics"]["1"][member] = value
    (tmp_path / FILE).write_text(json.dumps(written))
    assert load_plans(tmp_path) == {}
