"""Labels of items whose ids are numbers, in every command that takes or prints one."""

from __future__ import annotations

import json

import pytest
from support.repos import EpicRepo


@pytest.fixture
def steps(garden: EpicRepo) -> EpicRepo:
    """An epic with a list of objects told apart by numbers."""
    items = [{"id": 1, "text": "a"}, {"id": 2.5, "text": "b"}, {"id": -3, "text": "c"}]
    garden.rewrite("1", lambda body: body.update(checklist_epic_level=items))
    garden.ok("sync")
    return garden


def _set(repo: EpicRepo, place: int, text: str) -> None:
    items = json.loads(repo.one("SELECT checklist_epic_level FROM framework_epics WHERE epic_key = '1'"))
    items[place]["text"] = text
    repo.sql("UPDATE framework_epics SET checklist_epic_level = ? WHERE epic_key = '1'", json.dumps(items))


@pytest.mark.parametrize(("place", "key"), [(0, "1"), (1, "2.5"), (2, "-3")])
def test_an_item_in_every_command(steps: EpicRepo, place: int, key: str) -> None:
    label = f"1:checklist_epic_level/{key}/text"
    old = steps.body("1")["checklist_epic_level"][place]["text"]
    steps.rewrite("1", lambda body: body["checklist_epic_level"][place].update(text="files"))
    assert [change["label"] for change in steps.json("diff", label)["changes"]] == [label]
    _set(steps, place, "db")
    (found,) = steps.json("sync", code=1)["conflicts"]
    assert (found["label"], found["base"], found["files"], found["db"]) == (label, old, "files", "db")
    assert [field["label"] for field in steps.json("status")["epics"][0]["fields"]] == [label]
    steps.ok("resolve", "--set", f'{label}="both"')
    assert steps.body("1")["checklist_epic_level"][place]["text"] == "both"
    assert label in steps.ok("show", "HEAD", label).out
    steps.ok("restore", "--source", "HEAD~1", label)
    assert steps.body("1")["checklist_epic_level"][place]["text"] == old
    steps.ok("sync", label)
    assert steps.json("status")["in_sync"] is True


def test_both_sides_add(steps: EpicRepo) -> None:
    steps.rewrite("1", lambda body: body["checklist_epic_level"].append({"id": 7, "text": "mine"}))
    items = [*steps.body("1")["checklist_epic_level"][:3], {"id": 4, "text": "theirs"}]
    steps.sql("UPDATE framework_epics SET checklist_epic_level = ? WHERE epic_key = '1'", json.dumps(items))
    steps.ok("sync")
    assert [item["id"] for item in steps.body("1")["checklist_epic_level"]] == [1, 2.5, -3, 4, 7]
