"""Two versions of a file without the tasks that they share: what is read and left out, and when it is not tried."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from epicvc.base.jsonio import parse
from epicvc.base.limits import MAX_DEPTH
from epicvc.errors import InvalidJSON
from epicvc.model import sharedtasks
from epicvc.model.sharedtasks import without_shared

TASKS = [{"id": f"5.{number}", "title": f"Task {number}", "inner": {"a": [1.5, {}]}} for number in range(1, 6)]


def text(tasks: object, *, wrapped: bool = True, indent: int | None = 2, **fields: object) -> bytes:
    body = {"id": "5", "name": "N", **fields, "tasks": tasks, "late": [{"id": "5.1"}]}
    return json.dumps({"epic": body, "_metadata": {"tasks": []}} if wrapped else body, indent=indent).encode()


def edited(number: int, **fields: object) -> list[dict[str, Any]]:
    return [{**task, **fields} if at == number else task for at, task in enumerate(TASKS)]


def reduced(old: bytes, new: bytes) -> tuple[Any, Any]:
    pair = without_shared(old, new)
    assert pair is not None
    return pair


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["N", "other"])
def test_only_the_task_that_differs_is_read(wrapped: bool, indent: int | None, name: str) -> None:
    sides = [
        text(TASKS, wrapped=wrapped, indent=indent),
        text(edited(2, title="New"), wrapped=wrapped, indent=indent, name=name),
    ]
    values = reduced(*sides)
    old, new = (value["epic"] if wrapped else value for value in values)
    assert [task if task is TASKS[2] else {"id": task["id"]} for task in TASKS[:2]] == old["tasks"][:2]
    assert (old["tasks"][2], new["tasks"][2]["title"]) == (TASKS[2], "New")
    assert old["tasks"][3:] == [{"id": "5.4"}, {"id": "5.5"}]
    assert all(old["tasks"][at] is new["tasks"][at] for at in (0, 1, 3, 4))
    for side, value in zip(sides, values, strict=True):
        whole = cast("Any", parse(side))
        (value["epic"] if wrapped else value)["tasks"] = (whole["epic"] if wrapped else whole)["tasks"]
        assert value == whole


@pytest.mark.parametrize(
    ("new", "ids"),
    [
        (TASKS[:2] + TASKS[3:], ["5.1", "5.2", "5.4", "5.5"]),
        (TASKS[1:], ["5.2", "5.3", "5.4", "5.5"]),
        (TASKS[:-1], ["5.1", "5.2", "5.3", "5.4"]),
        ([*TASKS, {"id": 6}], ["5.1", "5.2", "5.3", "5.4", "5.5", 6]),
        ([TASKS[0], TASKS[3], *TASKS[1:3], TASKS[4]], ["5.1", "5.4", "5.2", "5.3", "5.5"]),
    ],
)
def test_tasks_come_and_go(new: object, ids: list[object]) -> None:
    _, after = reduced(text(TASKS), text(new))
    assert [task["id"] for task in after["epic"]["tasks"]] == ids


def test_where_no_task_differs_all_are_left_out() -> None:
    for tasks in (TASKS, [{}], [{"id": "1"}, {"id": "1"}], [{"a": 1}]):
        old, new = reduced(text(tasks), text(tasks, name="other"))
        assert (old["epic"]["tasks"], new["epic"]["tasks"]) == ([], [])
        assert (old["epic"]["name"], new["epic"]["name"]) == ("N", "other")


@pytest.mark.parametrize("tasks", [None, [], {}, "x", [1], [[], []], ["{}"]])
def test_without_a_list_of_objects_it_is_not_tried(tasks: object) -> None:
    assert without_shared(text(tasks), text(tasks, name="other")) is None
    assert without_shared(text(tasks), text([*TASKS, *(tasks if isinstance(tasks, list) else [])])) is None


@pytest.mark.parametrize(
    "tasks",
    [
        [*TASKS, {"id": "5.1"}],  # twice
        [*TASKS, {"id": ""}],  # no id
        [*TASKS, {"title": "none"}],
        [*TASKS, 1],
    ],
)
def test_tasks_that_are_not_told_apart_by_id_are_read_whole(tasks: list[object]) -> None:
    """Then the lists differ as a whole, and every task is part of the difference."""
    for old, new in ((TASKS, tasks), (tasks, [*tasks, {"id": "9"}]), ([{"id": "8"}, *tasks], tasks)):
        assert without_shared(text(old), text(new)) is None
        assert without_shared(text(new), text(old)) is None


@pytest.mark.parametrize(
    "text_of_tasks",
    [
        b'[{"id":"1"}, {"id":"2"},{"id":"3"}]',  # not set apart alike
        b'{"id":"1"}',
        b'[{"id":"1"},{"id":"2"}], "tasks": [{"id":"1"},{"id":"2"}]',
        b'[{"id":"1"},{"id":"2"}], "t\\u0061sks": [{"id":"1"},{"id":"2"}]',
        b'[{"id":"1"},{"id":"2"}], "name": 1, "name": 2',
        b'[{"id":"1"},{"id":"2"}], "x": [1,]',
        b'[{"id":"1"},{"id":"2"}], "x": "\xff"',
        b'[{"id":"1"},{"id":"2"}], "x": "\\ud800"',
        b'[{"id":"1"},{"id":"2"}], "x": ' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH,
        b'[{"id":"1"},{"id":"2","a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}]",
    ],
)
def test_what_cannot_be_told_is_read_whole(text_of_tasks: bytes) -> None:
    for form in (b'{"id":"5","n":%d,"tasks":%b}', b'{"epic":{"id":"5","n":%d,"tasks":%b}}'):
        old, new = (form % (number, text_of_tasks) for number in (1, 2))
        assert without_shared(old, new) is None


def test_the_same_bytes_elsewhere_are_not_the_tasks() -> None:
    tasks = '[{"id":"1"},{"id":"2"}]'
    for before in (f'"x":{tasks}', '"x":[{"id":"1"}]', '"x":{"id":"1"}'):
        old = f'{{{before},"id":"5","n":1,"tasks":{tasks}}}'.encode()
        new = old.replace(b'"n":1', b'"n":2')
        pair = without_shared(old, new)
        assert pair is None or (pair[0]["x"], pair[0]["tasks"]) == (cast("Any", parse(old))["x"], [])
    in_a_text = [{"id": "1", "a": 1}]
    old = text(in_a_text, note=json.dumps(in_a_text), indent=None)
    assert reduced(old, old + b" ")[0]["epic"]["note"] == json.dumps(in_a_text)


def test_a_task_counts_as_deep_as_it_stands() -> None:
    """In the text that is left of a version a task stands as deep as in the whole."""
    for above, form in ((2, b'{"id":"5","tasks":[%b]}'), (3, b'{"epic":{"id":"5","tasks":[%b]}}')):
        for depth in (MAX_DEPTH - above, MAX_DEPTH - above + 1):
            deep = b'{"id":"2","a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"
            old, new = form % b'{"id":"1"}', form % (b'{"id":"1"},' + deep)
            for pair in ((old, new), (new, old)):
                assert (without_shared(*pair) is None) == (above + depth > MAX_DEPTH)


@pytest.mark.parametrize("fault", [b'{"id":"2","a":1,"a":2}', b'{"id":"2","a":"\xff"}'])
def test_a_fault_in_a_task_that_both_have_is_not_looked_for(fault: bytes) -> None:
    old, new = (b'{"id":"5","tasks":[{"id":"1","n":%d},%b]}' % (number, fault) for number in (1, 2))
    for side in (old, new):
        with pytest.raises(InvalidJSON):
            parse(side)
    assert reduced(old, new)[1] == {"id": "5", "tasks": [{"id": "1", "n": 2}, {"id": "2"}]}
    healed = new.replace(fault, b'{"id":"2"}')
    assert without_shared(old, healed) is None


def test_what_is_shared_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def reading(data: bytes) -> object:
        seen.append(data)
        return parse(data)

    monkeypatch.setattr(sharedtasks, "parse", reading)
    reduced(text(TASKS), text(edited(2, title="New")))
    read = b"".join(seen)
    assert b"Task 3" in read and b"New" in read
    assert not any(b"Task %d" % number in read for number in (1, 2, 4, 5))
    assert read.count(b"_metadata") == 1, "what stands around the same tasks is read once"
