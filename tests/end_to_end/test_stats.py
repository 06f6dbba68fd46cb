"""``epicvc stats``: figures of runs and the quality of the data, for people and for programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.repos import NO_FACTS, EpicRepo

from epicvc.repo.runs import FILE, Run, keep_run

DAY_MS = 86_400_000


def ago(days: float) -> int:
    return round(datetime.now(UTC).timestamp() * 1000 - days * DAY_MS)


@pytest.fixture
def busy(made: EpicRepo) -> EpicRepo:
    """A repo in sync with a made record of runs."""
    made.ok("sync")
    private = made.root / ".epicvc"
    (private / FILE).unlink()
    for days in range(60):
        keep_run(private, Run("sync", ago(days + 0.1), 40.0 + days, 0, None, 2, 1, 1, 0))
    keep_run(private, Run("sync", ago(3), 30_000.0, 6, "database_locked"))
    keep_run(private, Run("push", ago(2), 55.0, 1, None, 1, 0, 1, 2))
    keep_run(private, Run("backup create", ago(1), 200_000.0, 0))
    keep_run(private, Run("backup verify", ago(1), 1_234.0, 130))
    return made


def test_the_last_month(busy: EpicRepo) -> None:
    found = busy.json("stats")
    assert found["format"] == "epicvc.stats/1"
    assert (found["total"]["runs"], found["total"]["failed"], found["total"]["interrupted"]) == (34, 1, 1)
    syncs = found["synchronising"]
    assert (syncs["runs"], syncs["succeeded"], syncs["failed"]) == (32, 31, 1)
    assert (syncs["records"], syncs["conflicts"], syncs["success_rate"]) == (61, 2, 96.88)
    assert (syncs["median_ms"], syncs["p95_ms"]) == (55.0, 68.0)
    assert [part["command"] for part in found["by_command"]] == ["sync", "backup create", "backup verify", "push"]
    assert found["trend"]["unit"] == "day"
    assert sum(period["runs"] for period in found["trend"]["periods"]) == 32
    (failure,) = found["failures"]
    assert (failure["command"], failure["error"], failure["exit"], failure["count"]) == (
        "sync",
        "database_locked",
        6,
        1,
    )
    assert found["quality"]["consistency"]["score"] == found["quality"]["completeness"]["score"] == 100.0
    assert found["warnings"] == []


def test_some_commands_and_periods(busy: EpicRepo) -> None:
    assert busy.json("stats", "--since", "100d")["total"]["runs"] == 64
    found = busy.json("stats", "--since", "2d", "--command", "sync", "--command", "backup", "--no-quality")
    assert found["commands"] == ["sync", "backup"]
    assert [(part["command"], part["runs"]) for part in found["by_command"]] == [
        ("sync", 2),
        ("backup create", 1),
        ("backup verify", 1),
    ]
    assert found["quality"] is None
    nothing = busy.json("stats", "--since", "2999-01-01")
    assert nothing["total"]["runs"] == 0
    assert nothing["synchronising"]["median_ms"] is None


@pytest.mark.parametrize(
    ("words", "naming"),
    [(("--since", "yesterday"), "yesterday"), (("--command", "gaols"), "gaols"), (("--command", "log"), "'log'")],
)
def test_words_that_match_nothing(busy: EpicRepo, words: tuple[str, ...], naming: str) -> None:
    busy.refused(2, "stats", *words, naming=naming)


def test_the_page(busy: EpicRepo) -> None:
    busy.rewrite("2", lambda body: body.update(name=" "))
    page = busy.ok("stats").out
    lines = page.splitlines()
    assert lines[0].startswith("34 runs since ")
    assert "32 synchronisations: 96.9 % succeeded, 3.2 % left conflicts" in lines[1]
    assert "61 epics changed; time: median 55 ms, average 55 ms, 95 % within 68 ms" in lines[2]
    (command,) = [line for line in lines if line.startswith("backup create")]
    assert command.split("  ")[-1].strip() == "24 h ago"
    assert "3.3 min" in command
    assert any("sync: database_locked (exit 6)" in line for line in lines)
    assert "    2:name differs" in lines
    assert "    2:name is empty" in lines
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in page


def test_colour_and_letters_that_the_terminal_has(busy: EpicRepo) -> None:
    assert "\x1b[" in busy.ok("stats", "--color", "always").out
    plain = busy.process("stats", PYTHONIOENCODING="ascii", COLUMNS="80")
    assert plain.code == 0
    assert plain.out.isascii()
    assert "#####" in plain.out


def test_what_a_damaged_record_says_moves_no_cursor(busy: EpicRepo) -> None:
    keep_run(busy.root / ".epicvc", Run("\x1b[31mred", ago(1), 1.0, 6, "\x1b[31mred"))
    assert "\x1b" not in busy.ok("stats").out + busy.ok("report").out


def test_a_repo_without_runs(made: EpicRepo) -> None:
    (made.root / ".epicvc" / FILE).unlink()
    page = made.ok("stats").out
    assert page.startswith("no run is recorded since ")
    assert "consistency" in page
    assert not (made.root / ".epicvc" / FILE).exists()


def test_the_runs_are_shown_where_the_data_is_gone(busy: EpicRepo) -> None:
    busy.database.unlink()
    done = busy.run("stats")
    assert done.code == 0
    assert done.out.startswith("34 runs since ")
    assert "warning: the data cannot be measured: " in done.err
    found = busy.json("stats")
    assert found["quality"] is None
    assert "does not exist" in found["warnings"][0]


def test_what_costs_points(made: EpicRepo) -> None:
    made.ok("sync")
    made.sql("UPDATE framework_epics SET deleted_at = '2025-08-19', status = 'deleted' WHERE epic_key = '2'")
    made.rewrite("1", lambda body: body["tasks"].pop())
    made.rewrite("3", lambda body: body.pop("summary", None))
    made.rewrite("3", lambda body: body.update(labels=["another"]))
    made.sql("UPDATE framework_tasks SET title = '' WHERE task_key = '1.1'")
    found = made.json("stats")["quality"]
    losses: dict[str, Any] = {loss["label"]: loss for loss in found["consistency"]["losses"]}
    assert losses["2"]["why"] == "is not in the database"
    assert losses["2"]["points"] > 5
    assert losses["3:labels"] == {"label": "3:labels", "points": 1, "why": "differs"}
    gone = [label for label in losses if label.startswith("1:tasks/") and "/" not in label.removeprefix("1:tasks/")]
    assert [losses[label]["why"] for label in gone] == ["is not in the files"]
    score = found["consistency"]
    assert score["total"] - score["good"] == sum(loss["points"] for loss in losses.values())
    assert score["places"] == len(losses)
    assert score["score"] < 100


def test_of_many_places_the_first_are_listed(made: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    from epicvc.actions.report import quality

    monkeypatch.setattr(quality, "LISTED", 3)
    made.ok("sync")
    for number in range(1, 6):
        made.rewrite(str(number), lambda body: body.update(name="Other", summary="Other"))
    found = made.json("stats")["quality"]["consistency"]
    assert (len(found["losses"]), found["places"]) == (3, 10)
    assert [loss["label"] for loss in found["losses"]] == ["1:name", "1:summary", "2:name"]


def test_nearly_all_is_not_all(made: EpicRepo) -> None:
    from epicvc.actions.report.quality import Score

    assert Score(99_999, 100_000).percentage == 99.99
    assert Score(100_000, 100_000).percentage == Score().percentage == 100.0


def test_a_repo_without_a_database(tmp_path: Path) -> None:
    (tmp_path / "epics").mkdir()
    (tmp_path / "epics" / "7.json").write_text(json.dumps({"epic": {"id": "7", "name": "Search"}}))
    repo = EpicRepo(tmp_path, NO_FACTS)
    repo.ok("init")
    found = repo.json("stats")["quality"]
    assert (found["consistency"]["total"], found["completeness"]["total"]) == (0, 1)
    assert "there is nothing to measure" in repo.ok("stats").out
