"""A plan costs what its epic costs: no step looks at all tasks for each of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from support.growing import grows_evenly

from epicvc.plan.file.filemerge import merge_files

Task = dict[str, Any]


def tasks(start: int, stop: int) -> list[Task]:
    return [{"id": f"t{n}", "title": f"Task {n}", "x": n} for n in range(start, stop)]


def added(n: int) -> tuple[list[Task], ...]:
    return tasks(0, 1) + tasks(1, n), tasks(0, 1), tasks(0, 1) + tasks(n, 2 * n)


def renamed(n: int) -> tuple[list[Task], ...]:
    base = tasks(0, n)
    return [{**task, "id": f"r{task['id']}"} for task in base], base, [{**task, "x": -1} for task in base]


def reversed_(n: int) -> tuple[list[Task], ...]:
    base = tasks(0, n)
    return base[::-1], base, [{**task, "title": "new"} for task in base]


@pytest.mark.parametrize("shape", [added, renamed, reversed_])
def test_a_merge_of_files(shape: Callable[[int], tuple[list[Task], ...]]) -> None:
    def prepare(n: int) -> Callable[[], object]:
        texts = [json.dumps({"id": "1", "name": "n", "tasks": found}).encode() for found in shape(n)]
        return partial(merge_files, *texts)

    assert grows_evenly(prepare, 200)
