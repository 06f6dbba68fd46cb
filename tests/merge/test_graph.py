"""Faults of the task graph that a merge makes, and those that it does not."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.merge.graph import FaultKind, GraphFault, check, duplicates

Epics = dict[str, dict[str, str]]
"""By epic and task, the tasks that it depends on, one letter each."""


class State:
    """A document set in memory, which counts the epics that are looked at."""

    def __init__(self, epics: Epics) -> None:
        self.epics = epics
        self.read: set[str] = set()

    def links(self, epic: str) -> Mapping[str, Collection[str]]:
        self.read.add(epic)
        return {task: tuple(keys) for task, keys in self.epics.get(epic, {}).items()}

    def owners(self, keys: Collection[str]) -> Mapping[str, Collection[str]]:
        return {key: [epic for epic, tasks in self.epics.items() if key in tasks] for key in keys}


def faults(ours: Epics, theirs: Epics, after: Epics) -> list[GraphFault]:
    sides = {"ours": ours, "theirs": theirs}
    everything = {*ours, *theirs, *after}
    changed = {name: {e for e in everything if side.get(e) != after.get(e)} for name, side in sides.items()}
    had = {(e, task) for side in sides.values() for e, tasks in side.items() for task in tasks}
    gone = {task for e, task in had if task not in after.get(e, {})}
    return check(State(after), {name: State(side) for name, side in sides.items()}, changed, gone, "dependencies")


def test_a_cycle_that_neither_side_has() -> None:
    (fault,) = faults({"1": {"a": "b", "b": ""}}, {"1": {"a": "", "b": "a"}}, {"1": {"a": "b", "b": "a"}})
    assert fault.kind is FaultKind.CYCLE and not fault.known
    assert [str(label) for label in fault.labels] == ["1:tasks/a/dependencies", "1:tasks/b/dependencies"]
    assert fault.origins == (("ours",), ("theirs",))
    assert str(fault) == (
        "tasks depend on each other in a circle: 1:tasks/a/dependencies (ours) -> 1:tasks/b/dependencies (theirs)"
    )


def test_a_cycle_through_other_epics() -> None:
    common = {"2": {"c": "d"}, "3": {"d": "a"}}
    ours: Epics = {"1": {"a": "b", "b": ""}, **common}
    theirs: Epics = {"1": {"a": "", "b": "c"}, **common}
    (fault,) = faults(ours, theirs, {"1": {"a": "b", "b": "c"}, **common})
    assert [label.root for label in fault.labels] == ["1", "1", "2", "3"]
    assert fault.origins == (("ours",), ("theirs",), ("ours", "theirs"), ("ours", "theirs"))


def test_a_cycle_that_a_side_has_is_known() -> None:
    ours: Epics = {"1": {"a": "b", "b": "a", "c": ""}}
    theirs: Epics = {"1": {"a": "b", "b": "", "c": "a"}}
    (fault,) = faults(ours, theirs, {"1": {"a": "b", "b": "a", "c": "a"}})
    assert fault.known and fault.origins == (("ours", "theirs"), ("ours",))
    # A shorter, known one does not hide the one that the merge makes.
    ours = {"1": {"a": "b", "b": "a", "c": ""}}
    theirs = {"1": {"a": "c", "b": "", "c": "b"}}
    found = faults(ours, theirs, {"1": {"a": "bc", "b": "a", "c": "b"}})
    assert any(not fault.known and len(fault.labels) == 3 for fault in found)


def test_a_task_of_its_own() -> None:
    assert faults({"1": {"a": ""}}, {"1": {"a": "a"}}, {"1": {"a": "a"}}) == []
    (fault,) = faults({"1": {"a": "", "b": ""}}, {"1": {"a": "a"}}, {"1": {"a": "a", "b": ""}})
    assert fault.known and len(fault.labels) == 1


def test_ids_are_those_of_the_own_epic_first() -> None:
    ours: Epics = {"1": {"a": "b", "b": ""}, "2": {"a": "", "b": ""}}
    theirs: Epics = {"1": {"a": "", "b": ""}, "2": {"a": "", "b": "a"}}
    assert faults(ours, theirs, {"1": {"a": "b", "b": ""}, "2": {"a": "", "b": "a"}}) == []


def test_a_dependency_on_what_the_other_side_deleted() -> None:
    (fault,) = faults({"1": {"a": ""}, "2": {}}, {"1": {"a": "x"}, "2": {"x": ""}}, {"1": {"a": "x"}, "2": {}})
    assert fault.kind is FaultKind.DANGLING and not fault.known and fault.missing == "x"
    assert str(fault) == "1:tasks/a/dependencies (theirs) depends on task x, which is gone: 2:tasks/x (not in ours)"


def test_a_dependency_that_a_side_left_dangling_is_known() -> None:
    ours: Epics = {"1": {"a": "x", "b": ""}}
    theirs: Epics = {"1": {"a": "x", "b": "a", "x": ""}}
    (fault,) = faults(ours, theirs, {"1": {"a": "x", "b": "a"}})
    assert fault.known


def test_a_task_that_moved_is_not_gone() -> None:
    ours: Epics = {"1": {"a": ""}, "2": {}, "3": {"x": ""}}
    theirs: Epics = {"1": {"a": "x"}, "2": {"x": ""}, "3": {}}
    assert faults(ours, theirs, {"1": {"a": "x"}, "2": {}, "3": {"x": ""}}) == []


def test_nothing_is_read_where_one_side_alone_changed() -> None:
    after, other = State({"1": {"a": "b", "b": "a"}}), State({})
    assert check(after, {"ours": after, "theirs": other}, {"ours": set(), "theirs": {"1"}}, {"x"}, "dependencies") == []
    assert not after.read and not other.read


def test_only_what_can_be_reached_is_read() -> None:
    common: Epics = {str(n): {f"{n}": ""} for n in range(100)}
    ours, theirs = {**common, "5": {"5": "7"}}, {**common, "6": {"6": "8"}}
    after = State({**common, "5": {"5": "7"}, "6": {"6": "8"}})
    states = {"ours": State(ours), "theirs": State(theirs)}
    assert check(after, states, {"ours": {"6"}, "theirs": {"5"}}, (), "dependencies") == []
    assert after.read <= {"5", "6", "7", "8"}


def test_one_id_in_two_epics() -> None:
    inputs = {"ours": State({"1": {"a": ""}, "2": {}}), "theirs": State({"1": {}, "2": {"a": ""}})}
    (fault,) = duplicates(State({"1": {"a": ""}, "2": {"a": ""}}), inputs, ["a"])
    assert str(fault) == "one task id in more than one epic: 1:tasks/a (ours), 2:tasks/a (theirs)" and not fault.known
    assert duplicates(State({"1": {"a": ""}}), inputs, ["a"]) == []
    both = State({"1": {"a": ""}, "2": {"a": ""}})
    assert [fault.known for fault in duplicates(both, {"ours": both, "theirs": both}, ["a"])] == [True]


small = st.dictionaries(
    st.sampled_from("12"), st.dictionaries(st.sampled_from("abc"), st.text("abc", max_size=2)), min_size=1
)


@given(small, small)
def test_one_of_the_inputs_has_no_new_faults(ours: Epics, theirs: Epics) -> None:
    assert faults(ours, theirs, ours) == faults(ours, theirs, theirs) == []


@given(small, small, small)
def test_what_is_found_is_there(ours: Epics, theirs: Epics, after: Epics) -> None:
    for fault in faults(ours, theirs, after):
        if fault.kind is FaultKind.CYCLE:
            circle = [(label.root, label.path[1]) for label in fault.labels]
            for (epic, task), (_, following) in zip(circle, [*circle[1:], circle[0]], strict=True):
                assert following in after[epic][task]
        else:
            label = fault.labels[0]
            assert fault.missing in after[label.root][label.path[1]]
            assert all(fault.missing not in tasks for tasks in after.values())


@pytest.mark.parametrize("swap", [False, True])
def test_sides_are_treated_alike(swap: bool) -> None:
    ours: Epics = {"1": {"a": "b", "b": "", "c": ""}}
    theirs: Epics = {"1": {"a": "", "b": "c", "c": "a"}}
    after: Epics = {"1": {"a": "b", "b": "c", "c": "a"}}
    (fault,) = faults(theirs, ours, after) if swap else faults(ours, theirs, after)
    assert [label.path[1] for label in fault.labels] == ["a", "b", "c"]
