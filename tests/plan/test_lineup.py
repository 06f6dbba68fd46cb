"""Tasks that come into a row one by one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import cast

from epicvc.model.document import Core, Tasks, place
from epicvc.plan.moves.lineup import Lineup


def put(tasks: Tasks, task: Core, reference: Sequence[str]) -> Tasks:
    """What the row does, spelled out: take the task out, and put it in after its nearest predecessor."""
    by_id = {cast("str", item["id"]): item for item in [*tasks, task]}
    others = [cast("str", item["id"]) for item in tasks if item["id"] != task["id"]]
    return [by_id[name] for name in place(others, [cast("str", task["id"])], reference)]


def test_a_row_is_what_inserting_one_by_one_makes() -> None:
    source = random.Random(3)
    for _ in range(300):
        names = [f"t{n}" for n in range(9)]
        references = [source.sample(names, source.randrange(4, 9)) for _ in range(3)]
        tasks: Tasks = [{"id": name} for name in source.sample(names, source.randrange(5))]
        row = Lineup(tasks)
        for number in range(8):
            reference = source.choice(references)
            task: Core = {"id": source.choice(reference), "number": number}
            row.insert(task, reference)
            tasks = put(tasks, task, reference)
            assert row.tasks() == tasks


def test_an_empty_row_takes_a_task() -> None:
    row = Lineup(())
    assert row.tasks() == []
    row.insert({"id": "a"}, ["a"])
    assert row.tasks() == [{"id": "a"}]
