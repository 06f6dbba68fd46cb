"""Conflicts settled by scripts, and resolutions that are remembered, replayed and forgotten."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.disputes import make_conflicts, sides_of
from support.repos import EpicRepo


def _answer(repo: EpicRepo, value: Any, *arguments: str, code: int = 0) -> Any:
    (repo.root / "answers.json").write_text(json.dumps(value), encoding="utf-8")
    return repo.json("resolve", "--from", "answers.json", *arguments, code=code)


def test_the_listing_has_what_a_script_needs(repo: EpicRepo) -> None:
    name, goals = make_conflicts(repo)
    with repo.unchanged():
        listing = repo.json("resolve", code=1)
        one = repo.json("resolve", name, code=1)
    assert (listing["format"], listing["commit"], listing["merged"]) == ("epicvc.merge/1", None, 0)
    found = {conflict["label"]: conflict for conflict in listing["conflicts"]}
    assert sorted(found) == sorted([name, goals])
    assert (found[name]["kind"], found[name]["overlaps"]) == ("text", [])
    assert (found[name]["ours"], found[name]["theirs"]) == ("name of the files", "name of the db")
    assert found[goals]["overlaps"][0]["ours"] == ["mine"]
    assert found[goals]["overlaps"][0]["theirs"] == ["theirs"]
    origins = found[name]["origins"]
    assert origins["base"]["commit"] == repo.head()
    assert (origins["ours"]["side"], origins["ours"]["commit"]) == ("files", None)
    assert [conflict["label"] for conflict in one["conflicts"]] == [name]
    repo.ok("resolve", "--prefer", "db")
    assert repo.json("resolve")["conflicts"] == []


def test_the_listing_filled_in_is_the_answer(repo: EpicRepo) -> None:
    make_conflicts(repo)
    listing = repo.json("resolve", code=1)
    for conflict in listing["conflicts"]:
        if conflict["overlaps"]:
            conflict["pieces"] = ["theirs"] + ["both"] * (len(conflict["overlaps"]) - 1)
        else:
            conflict["take"] = "files"
    assert _answer(repo, listing)["merged"] == 2
    assert sides_of(repo, "name") == ("name of the files", "name of the files")
    file, row = sides_of(repo, "goals")
    assert file == row
    assert file[0] == "theirs"
    assert file[-2:] == ["files' own", "db's own"]
    assert repo.json("status")["in_sync"] is True


def test_values_and_the_rest(repo: EpicRepo) -> None:
    name, _ = make_conflicts(repo)
    report = _answer(repo, {"conflicts": [{"label": name, "value": "settled ✓"}], "otherwise": "theirs"})
    assert report["merged"] == 2
    assert sides_of(repo, "name") == ("settled ✓", "settled ✓")
    assert sides_of(repo, "goals")[0][0] == "theirs"


def test_what_is_not_answered_stays_open(repo: EpicRepo) -> None:
    name, goals = make_conflicts(repo)
    report = _answer(repo, {"conflicts": [{"label": name, "take": "base"}, {"label": goals}]}, code=1)
    assert report["merged"] == 1
    assert [conflict["label"] for conflict in report["conflicts"]] == [goals]


def test_a_script_settles_nothing_that_it_has_not_seen(repo: EpicRepo) -> None:
    name, _ = make_conflicts(repo)
    listing = repo.json("resolve", name, code=1)
    repo.sql("UPDATE framework_epics SET name = 'later' WHERE epic_key = ?", repo.facts.epic)
    listing["conflicts"][0]["take"] = "theirs"
    for value in (listing, {**listing, "otherwise": "ours"}):
        report = _answer(repo, value, "--dry-run", code=1)
        assert name in [conflict["label"] for conflict in report["conflicts"]]
    assert sides_of(repo, "name") == ("name of the files", "later")


def test_a_dry_run_says_the_same_and_changes_nothing(repo: EpicRepo) -> None:
    make_conflicts(repo)
    with repo.unchanged():
        (repo.root / "answers.json").write_text('{"conflicts": [], "otherwise": "ours"}')
        dry = repo.json("resolve", "--from", "answers.json", "--dry-run")
    assert (dry["merged"], dry["commit"]) == (2, None)
    assert repo.json("resolve", "--from", "answers.json")["merged"] == 2


@pytest.mark.parametrize(
    ("text", "code", "naming"),
    [
        ("{", 4, "answers.json"),
        ("[]", 4, "conflicts"),
        ('{"conflicts": {}}', 4, "conflicts"),
        ('{"format": "epicvc.diff/1", "conflicts": []}', 4, "format"),
        ('{"conflicts": [{}]}', 4, "label"),
        ('{"conflicts": [{"label": "NAME", "take": "files", "value": 1}]}', 4, "both take and value"),
        ('{"conflicts": [{"label": "NAME", "take": "files"}, {"label": "NAME", "take": "db"}]}', 4, "twice"),
        ('{"conflicts": [{"label": "NAME", "take": 1}]}', 4, "text"),
        ('{"conflicts": [{"label": "NAME", "take": "mine"}]}', 2, "mine"),
        ('{"conflicts": [{"label": "NAME", "take": "both"}]}', 2, "NAME"),
        ('{"conflicts": [{"label": "NAME", "pieces": ["ours"]}]}', 2, "0 overlaps"),
        ('{"conflicts": [{"label": "NAME", "pieces": "ours"}]}', 4, "pieces"),
        ('{"conflicts": [{"label": "NAME", "value": 12}]}', 4, "NAME"),
        ('{"conflicts": [{"label": "no:such", "take": "ours"}]}', 3, "no:such"),
        ('{"conflicts": [], "otherwise": "both"}', 2, "both"),
        ('{"conflicts": [{"label": "x\\u0000", "take": "ours"}]}', 3, ""),
    ],
)
def test_answers_that_cannot_be(made: EpicRepo, text: str, code: int, naming: str) -> None:
    name, _ = make_conflicts(made)
    (made.root / "answers.json").write_text(text.replace("NAME", name))
    made.refused(code, "resolve", "--from", "answers.json", naming=naming.replace("NAME", name))


def test_answer_files_that_are_not_there(made: EpicRepo) -> None:
    make_conflicts(made)
    made.refused(3, "resolve", "--from", "nowhere.json", naming="nowhere.json")
    made.refused(6, "resolve", "--from", "epics", naming="epics")
    made.refused(6, "resolve", "--from", "x" * 5000, naming="xxx")
    (made.root / "loop.json").symlink_to("loop.json")
    made.refused(6, "resolve", "--from", "loop.json", naming="loop.json")
    made.refused(2, "resolve", "--forget", "--prefer", "db", naming="--forget")
    made.refused(2, "resolve", "1", "--from", "answers.json", naming="--from")


def _again(repo: EpicRepo) -> tuple[str, str]:
    """Settle a conflict, go back to before it, and have it again."""
    repo.ok("checkpoint", "before")
    labels = make_conflicts(repo)
    repo.ok("resolve", "--prefer", "files")
    repo.ok("rollback", "before")
    make_conflicts(repo)
    return labels


@pytest.mark.parametrize("command", ["sync", "pull", "push"])
def test_synchronising_settles_what_was_settled_before(repo: EpicRepo, command: str) -> None:
    labels = _again(repo)
    preview = repo.json(command, "--dry-run")
    report = repo.json(command)
    assert sorted(report["replayed"]) == sorted(preview["replayed"]) == sorted(labels)
    assert report["conflicts"] == []
    assert all("settled it" in item["reason"] for item in report["decided"])
    file, row = sides_of(repo, "name")
    assert file == "name of the files"
    assert row == ("name of the db" if command == "pull" else file)  # a pull changes the files alone


def test_a_report_says_what_was_replayed(repo: EpicRepo) -> None:
    name, _ = _again(repo)
    said = repo.ok("sync").out
    assert f"{name}: as " in said
    assert "settled it" in said


def test_replay_on_demand(repo: EpicRepo) -> None:
    name, goals = _again(repo)
    with repo.unchanged():
        assert sorted(repo.json("resolve", "--replay", "--dry-run")["replayed"]) == sorted([name, goals])
    report = repo.json("resolve", "--replay")
    assert (sorted(report["replayed"]), report["merged"]) == (sorted([name, goals]), 2)
    assert sides_of(repo, "name") == ("name of the files", "name of the files")
    assert repo.json("resolve", "--replay")["replayed"] == []


def test_another_conflict_is_not_settled(repo: EpicRepo) -> None:
    name, goals = _again(repo)
    repo.sql("UPDATE framework_epics SET name = 'something else' WHERE epic_key = ?", repo.facts.epic)
    report = repo.json("sync", code=1)
    assert report["replayed"] == [goals]
    assert [conflict["label"] for conflict in report["conflicts"]] == [name]


def test_the_same_conflict_in_another_task_is_the_same(repo: EpicRepo) -> None:
    facts = repo.facts
    for key in facts.tasks[:2]:
        repo.sql("UPDATE framework_tasks SET risk = 'base' WHERE task_key = ?", key)
    repo.ok("sync")
    for key in facts.tasks[:2]:
        repo.rewrite(
            facts.epic,
            lambda body, key=key: next(task for task in body["tasks"] if task["id"] == key).update(risk="ours"),
        )
        repo.sql("UPDATE framework_tasks SET risk = 'theirs' WHERE task_key = ?", key)
    repo.run("resolve", f"{facts.epic}:tasks/{facts.tasks[0]}", "--prefer", "db")
    assert repo.json("sync")["replayed"] == [f"{facts.epic}:tasks/{facts.tasks[1]}/risk"]
    assert repo.file_task(facts.epic, facts.tasks[1])["risk"] == "theirs"


def test_what_was_undone_is_not_replayed_until_it_is_redone(repo: EpicRepo) -> None:
    name, goals = make_conflicts(repo)
    repo.ok("resolve", "--prefer", "files")
    repo.ok("undo")
    report = repo.json("sync", code=1)
    assert report["replayed"] == []
    assert sorted(conflict["label"] for conflict in report["conflicts"]) == sorted([name, goals])


def test_a_policy_comes_first_and_never_auto_stays_a_persons(repo: EpicRepo) -> None:
    name, goals = _again(repo)
    with (repo.root / "epicvc.toml").open("a") as config:
        config.write('\n[sync.fields]\nname = "never-auto"\n')
    report = repo.json("sync", "--policy", "database_wins", code=1)
    assert report["replayed"] == []
    assert [conflict["label"] for conflict in report["conflicts"]] == [name]
    assert sides_of(repo, "goals")[0][0] == "theirs"
    assert goals not in [conflict["label"] for conflict in report["conflicts"]]


def test_forgetting(repo: EpicRepo) -> None:
    name, goals = _again(repo)
    assert repo.json("resolve", "--forget", name, "--dry-run")["labels"] == [name]
    assert repo.json("resolve", "--forget", name) == {"format": "epicvc.forgotten/1", "labels": [name]}
    repo.refused(3, "resolve", "--forget", name, naming=f"nothing is remembered of {name}")
    assert repo.json("sync", code=1)["replayed"] == [goals]
    assert repo.json("resolve", "--forget")["labels"] == [goals]


def test_resolutions_are_private_and_damage_only_forgets(made: EpicRepo) -> None:
    _again(made)
    directory = made.root / ".epicvc" / "resolutions"
    assert directory.stat().st_mode & 0o777 == 0o700
    kept: list[Path] = sorted(directory.iterdir())
    assert len(kept) == 2
    for path, data in zip(kept, (b"\xff{", b'{"version": 1, "label": 3}'), strict=True):
        assert path.stat().st_mode & 0o777 == 0o600
        path.write_bytes(data)
    assert made.json("sync", code=1)["replayed"] == []


def test_forgetting_removes_nothing_but_resolutions(made: EpicRepo) -> None:
    make_conflicts(made)
    made.ok("resolve", "--prefer", "db")
    directory = made.root / ".epicvc" / "resolutions"
    (directory / "notes.txt").write_text("mine")
    (directory / "more").mkdir()
    assert "forgot 2 resolutions" in made.ok("resolve", "--forget").err
    assert sorted(path.name for path in directory.iterdir()) == ["more", "notes.txt"]


def test_resolutions_behind_a_symlink_are_somebody_elses(made: EpicRepo) -> None:
    make_conflicts(made)
    made.ok("resolve", "--prefer", "db")
    directory, elsewhere = made.root / ".epicvc" / "resolutions", made.root / "elsewhere"
    directory.rename(elsewhere)
    directory.symlink_to(elsewhere)
    before = {path.name: path.read_bytes() for path in elsewhere.iterdir()}
    assert len(before) == 2
    made.refused(5, "resolve", "--forget", naming="resolutions is a symbolic link")
    made.refused(5, "undo", naming="resolutions is a symbolic link")
    assert {path.name: path.read_bytes() for path in elsewhere.iterdir()} == before
