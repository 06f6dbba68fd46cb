"""The instruments: the load is what it claims to be, references do the same work, the pages say what was measured."""

from __future__ import annotations

import json
import sqlite3
import statistics
import subprocess
import sys
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import Any

import pytest
from support.guard import ROOT

from tests.benchmarks import against, report
from tests.benchmarks.against import NoHistory, Pair, built, compare
from tests.benchmarks.load import path_of, write_load
from tests.benchmarks.measure import Command, CommandFailed, Sample, interleave, median
from tests.benchmarks.results import Result, Row
from tests.benchmarks.scene import REFERENCES, Scene
from tests.benchmarks.works import BY_NAME, ROWS


@pytest.fixture
def load(tmp_path: Path) -> Path:
    write_load(40, tmp_path / "load")
    return tmp_path / "load"


@pytest.fixture
def scene(tmp_path: Path, load: Path) -> Scene:
    (tmp_path / "scene").mkdir()
    made = Scene(tmp_path / "scene", load, 40)
    made.environment["PYTHONPATH"] = str(ROOT)
    return made


def epics(load: Path) -> list[dict[str, Any]]:
    return [json.loads((load / path_of(number)).read_bytes())["epic"] for number in range(40)]


def test_the_load_has_the_shape_of_real_plans(load: Path) -> None:
    sizes = [(load / path_of(number)).stat().st_size for number in range(40)]
    found = epics(load)
    assert 30_000 < statistics.mean(sizes) < 40_000
    assert 22 < statistics.mean(len(epic["tasks"]) for epic in found) < 30
    for number, epic in enumerate(found):
        keys = [task["id"] for task in epic["tasks"]]
        assert epic["id"] == str(number)
        assert len(set(keys)) == len(keys)
        assert all(needed in keys for task in epic["tasks"] for needed in task["dependencies"])


def test_the_load_is_always_the_same(load: Path, tmp_path: Path) -> None:
    write_load(40, tmp_path / "again")
    for path in load.rglob("*.json"):
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(load)).read_bytes()


def rows_of(path: Path) -> list[tuple[Any, ...]]:
    """All mapped values, JSON by what it says."""
    database = sqlite3.connect(path)
    try:
        found = database.execute("""
            SELECT e.epic_key, e.name, e.summary, e.tdd_enabled, e.methodology, e.duration_description, e.goals,
                   e.definition_of_done, e.labels, e.performance_constraints, e.quality_gates, e.automation_hooks,
                   e.checklist_epic_level, t.task_key, t.task_sequence, t.title, t.description, t.tdd_phase,
                   t.tdd_skip_reason, t.estimate_minutes, t.story_points, t.github_branch, t.test_specs,
                   t.acceptance_criteria, t.deliverables, t.files_touched, t.test_plan, t.risk, t.mitigation,
                   (SELECT group_concat(depends_on_task_key) FROM task_dependencies WHERE task_id = t.id)
            FROM framework_epics e JOIN framework_tasks t ON t.epic_id = e.id ORDER BY t.task_key
        """).fetchall()
    finally:
        database.close()
    return [tuple(map(meaning, row)) for row in found]


def meaning(value: object) -> object:
    return json.loads(value) if isinstance(value, str) and value[:1] in ("[", "{") else value


def test_the_bare_insert_makes_the_same_rows(scene: Scene) -> None:
    pytest.importorskip("orjson", reason="orjson is in the group `bench` only")
    scene.command((sys.executable, "-m", "epicvc", "init", "--files", "load", "--db", "a.db"), scene.load.parent).run()
    schema = scene.scratch / "schema.sql"
    database = sqlite3.connect(scene.load.parent / "a.db")
    statements = database.execute("SELECT sql FROM sqlite_master WHERE sql NOT NULL AND name NOT LIKE 'sqlite_%'")
    schema.write_text(";\n".join(sql for (sql,) in statements) + ";\n", "utf-8")
    database.close()
    scene.command((sys.executable, "-m", "epicvc", "sync"), scene.load.parent).run()
    bare = str(REFERENCES / "bare_insert.py")
    scene.python(bare, str(scene.load), str(schema), str(scene.scratch / "b.db")).run()
    rows = rows_of(scene.load.parent / "a.db")
    assert len(rows) == sum(len(epic["tasks"]) for epic in epics(scene.load))
    assert rows == rows_of(scene.scratch / "b.db")


def test_edits_hit_different_epics(scene: Scene) -> None:
    for count in (1, 7, 10, 40):
        for turn in range(20):
            assert len(set(scene._spread(count, turn))) == count


def test_a_command_is_measured(tmp_path: Path) -> None:
    code = "import time; data = bytearray(40_000_000); time.sleep(0.3)"
    sample = Command((sys.executable, "-c", code), tmp_path, {}).run()
    assert sample.wall >= 0.3
    assert sample.cpu > 0
    assert sample.peak > 40_000_000


def test_a_command_that_fails_is_not_measured(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="exit 3\nwhy"):
        Command((sys.executable, "-c", "import sys; print('why', file=sys.stderr); sys.exit(3)"), tmp_path, {}).run()


def test_both_take_turns() -> None:
    order: list[str] = []

    def runs(name: str) -> Sample:
        order.append(name)
        return Sample(len(order), len(order), len(order))

    mine, theirs = interleave(4, lambda: runs("a"), lambda: runs("b"))
    assert "".join(order) == "baabbaab"
    assert (median(mine).wall, median(theirs).peak) == (4.5, 8)


def test_verdicts() -> None:
    row = Row("x", "work", "reference", 1.5, 1.1)
    assert [row.judge(value) for value in (None, 1.0, 1.1, 1.11, 1.5, 1.51)] == [
        "-", "beyond", "beyond", "bar", "bar", "missed",
    ]  # fmt: skip
    measured = Result(row, [Sample(3, 2, 1)], [Sample(2, 2, 1)])
    assert (measured.ratio, measured.cpu_ratio, measured.verdict) == (1.5, 1.0, "bar")
    assert measured.as_json()["cpu_verdict"] == "beyond"
    size = Result(Row("x", "memory", "-", 400, 150, "bytes"), size=200)
    assert (size.ratio, size.verdict) == (None, "bar")


def test_seconds_beyond_a_start() -> None:
    row = Row("x", "work", "start", 1, unit="s beyond")
    measured = Result(row, [Sample(9, 1.3, 1)], [Sample(9, 0.2, 1)])
    assert (round(measured.excess or 0, 6), measured.verdict) == (1.1, "missed")
    (_, cells) = report.table([measured.as_json()])
    assert cells[7:] == ("–", "+1.10 s", "≤ +1.00 s", "–", "**missed**")


def test_two_branches_have_half_of_their_changes_in_common(scene: Scene) -> None:
    """In other fields, so that they merge, and half in files and half in the database."""
    name = scene.two_branches(8)
    merge = [sys.executable, "-m", "epicvc", "merge", name, "--json"]
    done = subprocess.run(merge, cwd=scene.synced, env=scene.environment, check=True, capture_output=True)
    said = json.loads(done.stdout)
    assert (said["merged"], said["conflicts"], said["fast_forward"]) == (8, [], False)
    changed = [epic["tasks"][0] for epic in epics(scene.synced / "epics")]
    titles, descriptions = (
        {number for number, task in enumerate(changed) if task[field].startswith(f"{field} ")}
        for field in ("title", "description")
    )
    assert (len(titles), len(descriptions), len(titles & descriptions)) == (8, 8, 4)


def test_rows_have_names_of_their_own() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_the_page_says_what_was_measured() -> None:
    """Nobody edits figures by hand: the page is made of the JSON beside it."""
    figures = report.read_figures()
    assert figures["loads"]
    assert (ROOT / "docs" / "benchmarks.md").read_text("utf-8") == report.page(figures)
    for measured in figures["loads"]:
        names = [row["name"] for row in measured["rows"]]
        assert names == [row.name for row in ROWS if row.name in names]


def test_pairs_tell_what_is_slower() -> None:
    row = BY_NAME["sync"]
    slow, quick = Sample(1.2, 1.0, 1), Sample(1.0, 1.0, 1)
    assert Pair(row, [slow], [quick]).cells()[3:] == ["1.20×", "1.00×", "slower"]
    assert Pair(row, [quick], [slow]).cells()[-1] == "quicker"
    assert Pair(row, [quick], [quick]).cells()[-1] == "as quick"
    assert Pair(row, [quick], [], note="one of them cannot do it").cells()[-1] == "one of them cannot do it"
    assert Pair(row, sizes=([3_000_000], [2_000_000])).cells()[1:] == ["3.0 MB", "2.0 MB", "1.50×", "–", "slower"]


def test_each_wanted_row_is_compared_or_said_not_to_be(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that fails ends its group, once; the rows behind it are not left out of the table."""
    done: list[str] = []

    def works(_scene: Scene, _wanted: Any, _runs: int) -> Iterator[Result]:
        yield Result(BY_NAME["sync"], [Sample(1.0, 1.0, 1)])

    def fails(_scene: Scene, _wanted: Any, _runs: int) -> Iterator[Result]:
        done.append("turn")
        yield Result(BY_NAME["diff"], [Sample(1.0, 1.0, 1)])
        raise CommandFailed(["epicvc", "commit"], 2, "no such option")

    monkeypatch.setattr(against, "GROUPS", (works, fails))
    told: list[str] = []
    pairs = list(compare(scene, copy(scene), {"diff", "commit", "sync"}, 3, told.append))
    assert [pair.row.name for pair in pairs] == ["sync", "diff", "commit"]
    assert [pair.cells()[-1] for pair in pairs] == ["as quick", "one of them cannot do it", "not measured"]
    assert done == ["turn"]
    assert told[1].startswith("then: epicvc commit: exit 2")


def test_no_such_commit(tmp_path: Path) -> None:
    with pytest.raises(NoHistory, match="no commit nowhere"):
        built(ROOT, "nowhere", tmp_path)
    with pytest.raises(NoHistory):
        built(tmp_path, "HEAD", tmp_path)
