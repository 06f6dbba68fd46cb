"""``plan``: dates that stay, and a timetable of what needs what."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.repos import EpicRepo

DAY = "2025-08-13"
"""A Wednesday."""
LATER = "2025-11-05"
PLANNED = "SELECT epic_key, planned_start_date, planned_end_date, calculated_duration_days FROM framework_epics"


def dates(repo: EpicRepo) -> dict[str, Any]:
    return {key: tuple(rest) for key, *rest in repo.sql(PLANNED) if rest[0] is not None}


def configure(repo: EpicRepo, text: str) -> None:
    path = repo.root / "epicvc.toml"
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_durations_give_dates_or_a_warning(repo: EpicRepo) -> None:
    files = repo.files()
    report = repo.json("plan", "--from", DAY)
    by_epic = {epic["id"]: epic for epic in report["changed"]}
    half = by_epic[repo.facts.epic]
    assert half["duration"] == "1.5 dias"
    assert (half["start"], half["end"], half["days"], half["unit"]) == ("2025-08-18", "2025-08-20", 1.5, "days")
    assert dates(repo)[repo.facts.epic] == ("2025-08-18", "2025-08-20", 1.5)
    assert {warning["id"] for warning in report["warnings"]} >= set(repo.facts.own)
    assert all(warning["warning"] for warning in report["warnings"])
    assert repo.files() == files
    assert repo.json("status")["clean"]
    assert repo.json("plan", "--from", LATER)["changed"] == []


@pytest.mark.parametrize(
    ("text", "end"), [("1 semana", "2025-08-25"), ("21 dias", "2025-09-08"), ("[X dias]", None), ("1.500 dias", None)]
)
def test_the_durations_of_real_epics(repo: EpicRepo, text: str, end: str | None) -> None:
    epic = repo.facts.epic
    repo.rewrite(epic, lambda body: body.update(duration=text))
    repo.ok("sync")
    report = repo.json("plan", epic, "--from", DAY)
    if end is None:
        assert [warning["id"] for warning in report["warnings"]] == [epic]
        assert text in report["warnings"][0]["warning"]
        assert epic not in dates(repo)
        assert f"warning: {epic}: no duration in '{text}'" in repo.ok("plan").out
    else:
        assert report["changed"][0]["end"] == end
        assert dates(repo)[epic][1] == end


def test_a_start_stays_until_the_duration_changes(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    repo.ok("plan", "--from", DAY)
    before = dates(repo)
    for flags in ([], ["--all"]):
        assert repo.json("plan", *flags, "--from", LATER)["commit"] is None
    assert dates(repo) == before
    repo.rewrite(epic, lambda body: body.update(duration="3 dias"))
    repo.ok("sync")
    report = repo.json("plan", "--from", LATER)
    assert [changed["id"] for changed in report["changed"]] == [epic]
    assert dates(repo) == {**before, epic: ("2025-11-10", "2025-11-13", 3.0)}


def test_a_start_stays_until_the_strategy_changes_or_replan(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    repo.ok("plan", "--from", DAY)
    configure(repo, "\n[plan]\nbusiness_days = true\n")
    repo.ok("plan", "--from", LATER)
    assert dates(repo)[epic] == ("2025-08-18", "2025-08-20", 1.5)
    path = repo.root / "epicvc.toml"
    path.write_text(path.read_text().replace("[plan]", '[plan]\nstrategy = "immediate"'))
    repo.ok("plan", "--from", LATER)
    assert dates(repo)[epic][0] == "2025-11-05"
    repo.ok("plan", epic, "--replan", "--from", "2025-12-01")
    assert dates(repo)[epic][0] == "2025-12-01"


def test_fields_without_a_column_are_left_out(repo: EpicRepo) -> None:
    configure(repo, "\n[mapping.epics.fields]\nduration_unit = false\ncalculated_duration_days = false\n")
    repo.ok("plan", "--from", DAY)
    row = repo.epic_row(repo.facts.epic)
    assert (row["planned_end_date"], row["duration_unit"], row["calculated_duration_days"]) == (
        "2025-08-20",
        None,
        None,
    )
    path = repo.root / "epicvc.toml"
    path.write_text(path.read_text().replace("[mapping", '[plan]\nstrategy = "immediate"\n\n[mapping'))
    repo.ok("plan", "--from", LATER)
    assert repo.epic_row(repo.facts.epic)["planned_start_date"] == LATER


def test_losing_the_records_loses_no_start(repo: EpicRepo) -> None:
    repo.ok("plan", "--from", DAY)
    before = dates(repo)
    (repo.root / ".epicvc" / "plans.json").write_bytes(b"{}")
    assert repo.json("plan", "--from", LATER)["changed"] == []
    assert dates(repo) == before


def test_undo_and_redo(repo: EpicRepo) -> None:
    untouched = repo.dump()
    repo.ok("plan", "--from", DAY)
    planned = dates(repo)
    repo.ok("undo")
    assert repo.dump() == untouched
    repo.ok("redo")
    assert dates(repo) == planned
    assert repo.json("plan", "--from", LATER)["changed"] == []


def test_a_duration_that_goes_takes_its_dates_along(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    repo.ok("plan", "--from", DAY)
    repo.sql("UPDATE framework_epics SET duration_description = NULL WHERE epic_key = ?", epic)
    (changed,) = repo.json("plan")["changed"]
    assert (changed["id"], changed["start"]) == (epic, None)
    assert epic not in dates(repo)


def test_starts_of_the_applications_own_stay(repo: EpicRepo) -> None:
    own, epic = repo.facts.own[0], repo.facts.other
    repo.sql("UPDATE framework_epics SET planned_start_date = '2025-01-01' WHERE epic_key IN (?, ?)", own, epic)
    repo.sql("UPDATE framework_epics SET duration_description = '2 dias' WHERE epic_key = ?", epic)
    repo.ok("plan", "--from", DAY)
    assert repo.epic_row(own)["planned_start_date"] == "2025-01-01"
    assert dates(repo)[epic][:2] == ("2025-01-01", "2025-01-03")


def test_a_dry_run_says_the_same_and_writes_nothing(repo: EpicRepo) -> None:
    with repo.unchanged():
        would = repo.json("plan", "--dry-run", "--from", DAY)
    did = repo.json("plan", "--from", DAY)
    assert would == {**did, "commit": None}
    assert did["commit"]


def test_holidays_are_recorded(repo: EpicRepo) -> None:
    configure(repo, '\n[plan]\nstrategy = "next_workday"\nbusiness_days = true\nholidays = true\n')
    report = repo.json("plan", repo.facts.epic, "--from", "2025-11-19")
    (changed,) = report["changed"]
    assert (changed["start"], changed["end"]) == ("2025-11-21", "2025-11-25")
    assert [holiday["date"] for holiday in changed["holidays"]] == ["2025-11-20"]
    record = json.loads((repo.root / ".epicvc" / "plans.json").read_bytes())["epics"][repo.facts.epic]
    assert list(record["holidays"]) == ["2025-11-20"]
    assert record["holidays_version"] == changed["holidays_version"] is not None


def test_dates_of_another_release_of_the_holidays_are_said_and_renewed(repo: EpicRepo) -> None:
    configure(repo, '\n[plan]\nstrategy = "next_workday"\nbusiness_days = true\nholidays = true\n')
    first = repo.json("plan", "--from", "2025-11-19")
    assert (first["outdated"], first["holidays_version"]) == ([], None)
    planned = len(first["changed"])
    path = repo.root / ".epicvc" / "plans.json"
    installed = first["changed"][0]["holidays_version"]
    path.write_text(path.read_text().replace(f'"holidays_version": "{installed}"', '"holidays_version": "0.1"'))
    report = repo.json("plan")
    assert report["changed"] == []
    assert (report["outdated"], report["holidays_version"]) == (
        [{"holidays_version": "0.1", "epics": planned}],
        installed,
    )
    said = repo.ok("plan").out
    assert f"planned with holidays 0.1; {installed} is installed\n" in said
    assert "next: epicvc plan --all" in said
    before = dates(repo)
    repo.ok("plan", "--all")
    assert dates(repo) == before
    assert "is installed" not in repo.ok("plan").out


def test_a_year_that_the_calendar_does_not_know(repo: EpicRepo) -> None:
    configure(repo, "\n[plan]\nbusiness_days = true\nholidays = true\n")
    repo.rewrite(repo.facts.epic, lambda body: body.update(duration="30000 dias"))
    repo.ok("sync")
    (warning,) = repo.json("plan", repo.facts.epic, "--from", DAY)["warnings"]
    assert warning["warning"].startswith("no dates for '30000 dias': the holidays of BR are known from 1890 to ")


@pytest.mark.parametrize(
    "text",
    [
        '[plan]\nstrategy = "someday"',
        "[plan]\nbusiness_days = 1",
        '[plan]\nstart = "2025-08-18"',
        '[plan]\nstrategy = "custom_date"',
        '[plan]\nholiday_categories = "optional"',
        "[plan]\ncolour = 1",
    ],
)
def test_settings_that_cannot_be(repo: EpicRepo, text: str) -> None:
    configure(repo, f"\n{text}\n")
    repo.refused(4, "plan", naming="plan")


def test_unknown_country(repo: EpicRepo) -> None:
    configure(repo, '\n[plan]\nholidays = true\ncountry = "XX"\n')
    repo.refused(2, "plan", naming="'XX'")


def test_a_row_that_cannot_be_read_keeps_no_other_from_its_dates(repo: EpicRepo) -> None:
    epic, other = repo.facts.epic, repo.facts.other
    repo.rewrite(other, lambda body: body.update(duration="3 dias"))
    repo.ok("sync")
    repo.sql("UPDATE framework_epics SET duration_description = x'00ff' WHERE epic_key = ?", epic)
    report = repo.json("plan", "--from", DAY, code=4)
    assert [error["label"] for error in report["errors"]] == [f"@framework_epics/{epic}/duration_description"]
    assert other in [planned["id"] for planned in report["changed"]]
    assert epic not in [planned["id"] for planned in report["changed"]]


def test_what_cannot_be_read_keeps_no_other_epic_from_the_timetable(garden: EpicRepo) -> None:
    needs = {"id": "2", "name": "Shed", "tasks": [{"id": "2.1", "title": "Roof", "dependencies": ["1.1"]}]}
    (garden.directory / "shed.json").write_text(json.dumps(needs))
    (garden.directory / "garden.json").write_text('{"epic": {"id": "1", ')
    table = garden.json("plan", "--schedule", code=4)
    assert [task["label"] for task in table["tasks"]] == ["2:tasks/2.1"]
    assert [error["path"] for error in table["errors"]] == ["garden.json"]
    assert "2:tasks/2.1 needs 1.1, which does not exist in what can be read" in table["warnings"]
    said = garden.run("plan", "--schedule")
    assert said.code == 4
    assert "2.1" in said.out
    assert "garden.json" in said.err
    assert "garden.json" in garden.refused(4, "plan", "--schedule", "1")
    report = garden.json("report")
    assert [epic["id"] for epic in report["schedule"]["epics"]] == ["2"]
    (garden.directory / "garden.json").unlink()
    garden.ok("plan", "--schedule")


def test_what_cannot_be_planned(repo: EpicRepo) -> None:
    broken = repo.directory / "broken.json"
    broken.write_text('{"epic": {', encoding="utf-8")
    repo.ok("plan", "--dry-run")  # the database has all that it needs
    broken.unlink()
    repo.refused(3, "plan", "nothing", naming="nothing")
    repo.refused(2, "plan", "5:name")
    repo.refused(2, "plan", "--schedule", "--all")
    repo.refused(2, "plan", "--from", "tomorrow", naming="tomorrow")


# The timetable


def chain(repo: EpicRepo, efforts: dict[str, int | None], needs: dict[str, list[str]]) -> None:
    """Give an epic these tasks alone."""

    def change(body: Any) -> None:
        body["tasks"] = [
            {"id": key, "title": f"Task {key}", "estimate_minutes": minutes, "dependencies": needs.get(key, [])}
            for key, minutes in efforts.items()
        ]

    repo.rewrite(repo.facts.epic, change)


def test_a_timetable(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    configure(repo, "\n[plan]\nholidays = true\n")
    chain(repo, {"a": 960, "b": 2400, "c": 240, "d": 480}, {"b": ["a"], "c": ["a"], "d": ["b", "c"]})
    with repo.unchanged():
        table = repo.json("plan", "--schedule", epic, "--from", "2025-11-12")
    rows = {task["label"].split("/")[1]: task for task in table["tasks"]}
    assert [(rows[key]["start"], rows[key]["end"]) for key in "abcd"] == [
        ("2025-11-17", "2025-11-19"),
        ("2025-11-19", "2025-11-27"),  # over a weekend and the 20th
        ("2025-11-19", "2025-11-19"),
        ("2025-11-27", "2025-11-28"),
    ]
    assert [rows[key]["critical"] for key in "abcd"] == [True, True, False, True]
    assert rows["c"]["slack_days"] == 4.5
    assert (rows["b"]["start_day"], rows["b"]["end_day"]) == (2.0, 7.0)
    assert rows["d"]["needs"] == [f"{epic}:tasks/b", f"{epic}:tasks/c"]
    assert table["critical"] == [f"{epic}:tasks/{key}" for key in "abd"]
    assert [holiday["date"] for holiday in table["holidays"]] == ["2025-11-20"]


def test_tasks_wait_for_other_epics(repo: EpicRepo) -> None:
    epic, other = repo.facts.epic, repo.facts.other
    chain(repo, {"a": 480, "b": 480}, {"b": ["a"]})
    repo.rewrite(
        other,
        lambda body: body.update(
            tasks=[
                {"id": "x", "title": "X", "estimate_minutes": 60, "dependencies": ["a"]},
                {"id": "y", "title": "Y", "estimate_minutes": 60, "dependencies": [epic, "nowhere"]},
                {"id": "z", "title": "Z"},
            ]
        ),
    )
    table = repo.json("plan", "--schedule", other, "--from", DAY)
    rows = {task["label"].split("/")[1]: task for task in table["tasks"]}
    assert rows["x"]["start_day"] == 1.0
    assert rows["y"]["start_day"] == 2.0
    assert rows["y"]["needs"] == [epic]
    assert any("nowhere, which does not exist" in warning for warning in table["warnings"])
    assert any(f"{other}:tasks/z has no estimate" in warning for warning in table["warnings"])


def test_an_epic_waits_for_another(repo: EpicRepo) -> None:
    epic, other = repo.facts.epic, repo.facts.other
    chain(repo, {"a": 480}, {})
    repo.rewrite(other, lambda body: body.update(dependencies=[epic]))
    table = repo.json("plan", "--schedule", other, "--from", DAY)
    assert min(task["start_day"] for task in table["tasks"]) == 1.0


def test_a_cycle_is_named(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    chain(repo, {"a": 1, "b": 1, "c": 1}, {"a": ["c"], "b": ["a"], "c": ["b"]})
    said = repo.refused(4, "plan", "--schedule", naming="need each other")
    assert all(f"{epic}:tasks/{key}" in said for key in "abc")


def test_what_is_drawn(repo: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    epic = repo.facts.epic
    chain(repo, {"a": 960, "b": 480, "c": 240}, {"b": ["a"]})
    repo.rewrite(epic, lambda body: body["tasks"][0].update(title="A \x1b[31mred\x1b[0m title that goes on and on"))
    for width in (60, 80, 120):
        monkeypatch.setenv("COLUMNS", str(width))
        lines = repo.ok("plan", "--schedule", epic, "--from", DAY).out.splitlines()
        assert max(map(len, lines[:10])) <= width
        assert "\x1b" not in "".join(lines)
        assert sum("█" in line for line in lines) == 2
        assert any(line.startswith(f"*{epic}:a") for line in lines)
        assert any("critical path: 2 tasks" in line for line in lines)
    assert "epicvc plan --schedule EPIC" not in "".join(lines)


def test_of_many_epics_the_critical_ones_are_drawn(made: EpicRepo) -> None:
    for number in range(60):
        minutes = 4800 if number == 55 else 60
        task = {"id": f"m{number}.1", "title": "T", "estimate_minutes": minutes}
        epic = {"epic": {"id": f"m{number}", "name": "M", "tasks": [task]}}
        (made.directory / f"m{number}.json").write_text(json.dumps(epic), encoding="utf-8")
    said = made.ok("plan", "--schedule", "--from", DAY).out
    assert "*  m55" in said
    assert "and 29 more epics" in said
    assert said.count("2025-08-1") >= 40
