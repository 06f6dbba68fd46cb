"""The critical path against its definition."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from epicvc.dates.schedule import Cycle, Task, schedule

Graph = dict[int, Task[int]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Tasks that need earlier ones, in any order."""
    size = draw(st.integers(1, 12))
    tasks = {}
    for number in range(size):
        needs = draw(st.lists(st.integers(0, number - 1), max_size=3)) if number else []
        tasks[number] = Task(Fraction(draw(st.integers(0, 9))), tuple(needs))
    order = draw(st.permutations(range(size)))
    return {number: tasks[number] for number in order}


def ends(tasks: Graph) -> dict[int, Fraction]:
    """The earliest ends, by following needs."""

    @cache
    def end(key: int) -> Fraction:
        return tasks[key].effort + max(map(end, tasks[key].needs), default=Fraction(0))

    return {key: end(key) for key in tasks}


@given(graphs())
def test_earliest_times_are_the_longest_paths(tasks: Graph) -> None:
    found = schedule(tasks)
    assert {key: slot.end for key, slot in found.items()} == ends(tasks)
    for key, slot in found.items():
        assert slot.end - slot.start == tasks[key].effort
        assert all(found[need].end <= slot.start for need in tasks[key].needs)


@given(graphs())
def test_an_order_in_which_they_can_be_done(tasks: Graph) -> None:
    done: set[int] = set()
    for key in schedule(tasks):
        assert done.issuperset(tasks[key].needs)
        done.add(key)
    assert done == tasks.keys()


@given(graphs(), st.data())
def test_slack_is_how_much_a_task_may_be_late(tasks: Graph, data: st.DataObject) -> None:
    found = schedule(tasks)
    key = data.draw(st.sampled_from(sorted(tasks)))
    whole = max(ends(tasks).values())

    def late(by: Fraction) -> Fraction:
        return max(ends({**tasks, key: replace(tasks[key], effort=tasks[key].effort + by)}).values())

    assert late(found[key].slack) == whole
    assert late(found[key].slack + 1) == whole + 1
    assert found[key].critical is (late(Fraction(1)) == whole + 1)


@given(graphs())
def test_there_is_a_critical_path_through_the_whole_plan(tasks: Graph) -> None:
    found = schedule(tasks)
    critical = {key for key, slot in found.items() if slot.critical}
    at = Fraction(0)
    whole = max(slot.end for slot in found.values())
    while at < whole:
        (at, *_) = sorted({found[key].end for key in critical if found[key].start == at and found[key].end > at})
    assert at == whole


@given(graphs(), st.data())
def test_a_cycle_is_named(tasks: Graph, data: st.DataObject) -> None:
    way = data.draw(st.lists(st.sampled_from(sorted(tasks)), min_size=1, max_size=len(tasks), unique=True))
    closed = dict(tasks)
    for key, need in zip(way, [*way[1:], way[0]], strict=True):
        closed[key] = replace(closed[key], needs=(*closed[key].needs, need))
    with pytest.raises(Cycle) as caught:
        schedule(closed)
    path = caught.value.path
    assert path
    for key, need in zip(path, [*path[1:], path[0]], strict=True):
        assert need in closed[key].needs


def test_a_long_chain_is_no_recursion() -> None:
    chain = {n: Task(Fraction(1), (n - 1,) if n else ()) for n in range(50_000)}
    assert schedule(chain)[49_999].end == 50_000


def test_nothing() -> None:
    assert schedule({}) == {}
