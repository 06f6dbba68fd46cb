"""``enrich``: files of their own, written when something changed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from support.repos import EpicRepo

DAY, LATER = "2025-08-13", "2025-11-05"


def enriched(repo: EpicRepo, epic: str) -> Path:
    path = Path(repo.facts.paths[epic])
    return repo.directory / "enriched" / path.parent / f"enriched_{path.name}"


def read(repo: EpicRepo, epic: str) -> Any:
    return json.loads(enriched(repo, epic).read_bytes())


def times(repo: EpicRepo) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in sorted((repo.directory / "enriched").rglob("*.json"))}


def originals(repo: EpicRepo) -> dict[str, tuple[bytes, int]]:
    return {
        path: (data, (repo.directory / path).stat().st_mtime_ns)
        for path, data in repo.files().items()
        if "enriched" not in path
    }


def age(repo: EpicRepo) -> None:
    """Make every enriched file look old, so that a rewrite shows."""
    for path in (repo.directory / "enriched").rglob("*.json"):
        os.utime(path, ns=(10**18, 10**18))


def test_what_is_written(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    before = originals(repo)
    report = repo.json("enrich", "--from", DAY)
    found = read(repo, epic)
    assert originals(repo) == before
    assert found["epic"] == repo.body(epic)
    assert enriched(repo, epic).read_bytes().count(b'"calculated_fields"') == 1
    calculated, metadata = found["calculated_fields"], found["metadata"]
    assert (calculated["planned_start_date"], calculated["planned_end_date"]) == ("2025-08-18", "2025-08-20")
    assert calculated["calculated_duration_days"] == 1.5
    assert calculated["task_completion_percentage"] == 0.0
    minutes = sum(task.get("estimate_minutes", 0) for task in repo.body(epic)["tasks"])
    assert calculated["estimated_hours"] == round(minutes / 60, 2)
    assert calculated["last_calculated"] == metadata["enriched_at"]
    assert metadata["version"] == "v1.0"
    assert metadata["calculation_strategy"] == "next_monday"
    assert metadata["data_source"] == "database"
    assert metadata["reference_date"] == DAY
    own = next(entry for entry in report["warnings"] if entry["id"] == repo.facts.own[0])
    assert own["warning"] == "the epic has no duration"
    assert repo.json("status")["clean"]
    assert repo.ok("sync").code == 0


def test_an_unchanged_result_leaves_the_file_alone(repo: EpicRepo) -> None:
    repo.ok("enrich", "--from", DAY)
    age(repo)
    before, files = times(repo), repo.files()
    assert repo.json("enrich", "--from", LATER)["stale"] == []
    assert (times(repo), repo.files()) == (before, files)


def test_only_what_changed_is_written(repo: EpicRepo) -> None:
    epic, other = repo.facts.epic, repo.facts.other
    repo.ok("enrich", "--from", DAY)
    age(repo)
    before = times(repo)
    repo.sql("UPDATE framework_tasks SET status = 'completed' WHERE task_key = ?", repo.facts.tasks[0])
    report = repo.json("enrich", "--from", LATER)
    assert [stale["id"] for stale in report["stale"]] == [epic]
    changed = {path for path, time in times(repo).items() if before[path] != time}
    assert changed == {str(enriched(repo, epic))}
    done = read(repo, epic)["calculated_fields"]
    assert done["task_completion_percentage"] == round(100 / len(repo.body(epic)["tasks"]), 2)
    assert done["planned_start_date"] == "2025-08-18"
    repo.rewrite(other, lambda body: body.update(name="Renamed"))
    assert [stale["id"] for stale in repo.json("enrich")["stale"]] == [other]
    assert read(repo, other)["epic"]["name"] == "Renamed"


def test_check_says_what_is_stale_and_writes_nothing(repo: EpicRepo) -> None:
    with repo.unchanged():
        assert repo.json("enrich", "--check", code=1)["written"] is False
        assert repo.ok("enrich", "--dry-run").out.startswith("stale: ")
    repo.ok("enrich")
    assert repo.json("enrich", "--check")["stale"] == []
    repo.rewrite(repo.facts.epic, lambda body: body.update(duration="3 dias"))
    with repo.unchanged():
        said = repo.run("enrich", "--check")
    assert said.code == 1
    assert enriched(repo, repo.facts.epic).name in said.out


def test_planned_dates_of_the_database_count(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    repo.ok("enrich", "--from", DAY)
    repo.ok("plan", "--from", "2025-09-10")
    repo.ok("enrich", "--from", LATER)
    found = read(repo, epic)
    assert found["calculated_fields"]["planned_start_date"] == "2025-09-15"
    assert "reference_date" not in found["metadata"]


def test_a_new_duration_or_strategy_gives_a_new_start(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    repo.ok("enrich", "--from", DAY)
    repo.rewrite(epic, lambda body: body.update(duration="36 horas"))
    repo.ok("enrich", "--from", LATER)
    assert read(repo, epic)["calculated_fields"]["planned_start_date"] == "2025-11-10"
    config = repo.root / "epicvc.toml"
    text = '\n[plan]\nstrategy = "next_workday"\nbusiness_days = true\nholidays = true\n'
    config.write_text(config.read_text(encoding="utf-8") + text, encoding="utf-8")
    repo.ok("enrich", "--from", "2025-11-18")
    found = read(repo, epic)
    assert found["calculated_fields"]["planned_start_date"] == "2025-11-19"
    assert found["calculated_fields"]["planned_end_date"] == "2025-11-27"
    assert found["metadata"]["holidays"] == {"2025-11-20": "National Day of Zumbi and Black Awareness"}
    assert found["metadata"]["holidays_version"]
    assert (found["metadata"]["unit"], found["metadata"]["country"]) == ("business_days", "BR")


@pytest.mark.parametrize("text", ["[X dias]", None])
def test_no_duration_no_dates(repo: EpicRepo, text: str | None) -> None:
    epic = repo.facts.epic
    repo.rewrite(epic, lambda body: body.update(duration=text))
    repo.ok("enrich", epic)
    found = read(repo, epic)
    names = ("planned_start_date", "planned_end_date", "calculated_duration_days")
    assert [found["calculated_fields"][name] for name in names] == [None, None, None]
    assert "duration" in found["metadata"]["warning"]
    assert f"warning: {epic}: " in repo.ok("enrich").out


def test_an_epic_that_the_database_does_not_have(repo: EpicRepo) -> None:
    (repo.directory / "new.json").write_text('{"id": "new", "duration": "2 dias"}', encoding="utf-8")
    repo.ok("enrich", "new", "--from", DAY)
    found = json.loads((repo.directory / "enriched" / "enriched_new.json").read_bytes())
    assert found["epic"] == {"id": "new", "duration": "2 dias"}
    assert found["metadata"]["data_source"] == "json"
    assert found["calculated_fields"]["task_completion_percentage"] is None
    assert found["calculated_fields"]["estimated_hours"] == 16.0


def test_a_damaged_enriched_file_is_stale(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    repo.ok("enrich", "--from", DAY)
    good = enriched(repo, epic).read_bytes()
    for bad in (b"", good[: len(good) // 2], b"[]", good.replace(b"2025-08-20", b"2025-08-21")):
        enriched(repo, epic).write_bytes(bad)
        assert [stale["id"] for stale in repo.json("enrich", "--check", code=1)["stale"]] == [epic]
        repo.ok("enrich", "--from", DAY)
        assert read(repo, epic)["calculated_fields"]["planned_end_date"] == "2025-08-20"


def test_an_invalid_file_does_not_keep_the_others(repo: EpicRepo) -> None:
    (repo.directory / "broken.json").write_text('{"epic": {', encoding="utf-8")
    said = repo.run("enrich")
    assert said.code == 4
    assert "problem: broken.json:1:" in said.out
    assert enriched(repo, repo.facts.epic).exists()
    assert not (repo.directory / "enriched" / "enriched_broken.json").exists()


def test_elsewhere_and_orphans(repo: EpicRepo) -> None:
    repo.ok("enrich", "--to", "out", "--from", DAY)
    assert not (repo.directory / "enriched").exists()
    path = Path(repo.facts.path)
    target = repo.root / "out" / path.parent / f"enriched_{path.name}"
    assert target.exists()
    (repo.root / "out" / "enriched_gone.json").write_bytes(target.read_bytes())
    assert repo.json("enrich", "--to", "out", "--check")["orphans"] == ["enriched_gone.json"]


def test_a_symlink_is_not_followed(repo: EpicRepo, tmp_path: Path) -> None:
    victim = tmp_path / "victim.json"
    victim.write_text("mine", encoding="utf-8")
    enriched(repo, repo.facts.epic).parent.mkdir(parents=True)
    enriched(repo, repo.facts.epic).symlink_to(victim)
    assert repo.run("enrich").code == 6
    assert victim.read_text(encoding="utf-8") == "mine"


def test_unknown_epic(repo: EpicRepo) -> None:
    assert repo.run("enrich", "nothing").code == 3
    assert repo.run("enrich", "--from", "soon").code == 2
