"""Whom a field comes from is looked up: the price of a question does not go with how much changed beside it."""

from __future__ import annotations

from typing import cast

import pytest

from epicvc.actions.origin import tracing
from epicvc.base.jsonio import JSON
from epicvc.model import diff
from epicvc.model.diff import Change, Op
from epicvc.model.labels import Label


def epic(count: int) -> JSON:
    return {"name": "n", "tasks": cast("JSON", [{"id": f"t{n}", "title": "T"} for n in range(count)])}


@pytest.mark.parametrize("whole", [False, True])
def test_an_epic_that_came_whole_is_taken_apart_once(monkeypatch: pytest.MonkeyPatch, whole: bool) -> None:
    taken: list[int] = []

    def keyed(value: JSON) -> diff.Keyed | None:
        taken.append(1)
        return diff.keyed(value)

    monkeypatch.setattr(tracing, "keyed", keyed)
    root = Label("1")
    pair = tracing._Pair({"files": [Change(root, Op.ADD, None, epic(500))], "db": []}, whole=whole)
    places = [root.child("tasks").child(f"t{n}").child("title") for n in range(600)]
    assert [pair.concerns(("files", place)) for place in places] == [n < 500 for n in range(600)]
    assert not any(pair.concerns(("db", place)) for place in places)
    assert len(taken) == 1


def test_a_place_is_concerned_by_what_lies_above_and_below_it() -> None:
    task = Label("1").child("tasks").child("t1")
    changes = [
        Change(task.child("title"), Op.REPLACE, "old", "new"),
        Change(Label("1").child("tasks").child("t2"), Op.MOVE, None, "1:tasks/t1"),
        Change(Label("1").child("quality_gates"), Op.ADD, None, {"coverage": 80}),
    ]
    pair = tracing._Pair({"files": changes, "db": []}, whole=False)

    def concerns(label: Label) -> bool:
        return pair.concerns(("files", label))

    assert concerns(task.child("title")) and concerns(task) and concerns(Label("1"))
    assert not concerns(task.child("description"))
    assert not concerns(Label("1").child("tasks").child("t2"))
    assert concerns(Label("1").child("tasks"))
    assert concerns(Label("1").child("quality_gates").child("coverage"))
    assert not concerns(Label("1").child("quality_gates").child("speed"))
    assert not concerns(Label("2"))
