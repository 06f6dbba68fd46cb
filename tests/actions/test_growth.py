"""What services look up, they look up: no price goes with the square of the tasks of an epic."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from support.growing import Counted, grows_evenly

from epicvc.actions.sync.graph import GraphWatch
from epicvc.model.document import Core
from epicvc.repo.documents import Three


def core(start: int, stop: int) -> Core:
    return {"name": "n", "tasks": [{"id": Counted(f"t{n}")} for n in range(start, stop)]}


def test_tasks_of_one_side_are_found_in_one_go() -> None:
    def prepare(n: int) -> Callable[[], object]:
        watch = GraphWatch("dependencies")
        return partial(watch._compare, Three("1", None, core(0, n), core(n // 2, n), None), core(0, n), core(0, n), ())

    assert grows_evenly(prepare, 60)
