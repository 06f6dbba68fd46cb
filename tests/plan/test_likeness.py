"""Which task of many is which: the same answer as comparing all with all, at the cost of a few comparisons each."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from epicvc.base.jsonio import JSON
from epicvc.model.document import Core
from epicvc.plan.moves.likeness import PER_TASK, alike, pairs

Tasks = dict[str, Core]


def compared(old: Tasks, new: Tasks) -> tuple[dict[str, str], int]:
    """The pairs, and how many comparisons found them."""
    count = 0

    def are_alike(one: str, other: str) -> bool:
        nonlocal count
        count += 1
        return alike(old[one], new[other], "dependencies")

    return pairs(old, new, are_alike, "dependencies"), count


def exhaustive(old: Tasks, new: Tasks) -> dict[str, str]:
    edges = [(one, other) for one in old for other in new if alike(old[one], new[other], "dependencies")]
    ones, others = [edge[0] for edge in edges], [edge[1] for edge in edges]
    return {one: other for one, other in edges if ones.count(one) == others.count(other) == 1}


def random_tasks(source: random.Random, prefix: str) -> Tasks:
    values: tuple[JSON, ...] = (None, "", "a", "b", 1, 1.0, True, ["a"], ["a", None], {"k": None}, {})
    names = ("title", "description", "risk", "mitigation", "dependencies", "x")
    return {
        f"{prefix}{n}": {"id": f"{prefix}{n}"}
        | {name: source.choice(values) for name in names if source.random() < 0.8}
        for n in range(source.randrange(7))
    }


def test_looking_up_finds_what_comparing_all_with_all_finds() -> None:
    source = random.Random(7)
    found = 0
    for _ in range(600):
        old, new = random_tasks(source, "o"), random_tasks(source, "n")
        new |= {key.replace("o", "m"): task for key, task in old.items() if source.random() < 0.5}
        result = compared(old, new)[0]
        assert result == exhaustive(old, new), (old, new)
        found += len(result)
    assert found > 100


def test_fields_that_do_not_count_do_not_hide_a_pair() -> None:
    old: Tasks = {"o": {"title": "t", "risk": "r"}, "p": {"title": "t", "a": 1, "b": 2, "c": 3}}
    new: Tasks = {"n": {"title": "t", "d": 0, "e": 0, "f": 0, "risk": "r"}}

    def are_alike(one: str, other: str) -> bool:
        said = {name: value for name, value in new[other].items() if name not in {"d", "e", "f"} - old[one].keys()}
        return alike(old[one], said, None)

    assert pairs(old, new, are_alike, None, lambda _: {"d", "e", "f"}) == {"o": "n"}


def plain(n: int) -> Core:
    return {"title": f"T{n}", "description": f"d{n}", "risk": "same", "estimate_minutes": 5}


SHAPES: dict[str, tuple[Callable[[int], Core], Callable[[int], Core]]] = {
    "replaced": (plain, lambda n: {**plain(n), "title": f"other {n}", "description": f"other {n}"}),
    "renamed": (plain, plain),
    "retitled": (plain, lambda n: {**plain(n), "title": f"new {n}"}),
    "all alike": (lambda _: plain(0), lambda _: plain(0)),
    "nearly alike": (lambda n: {**plain(0), "x": n}, lambda n: {**plain(0), "x": -n}),
    "one title, else nothing": (
        lambda n: {"title": "T", "a": f"a{n}", "b": f"b{n}", "c": f"c{n}"},
        lambda n: {"title": "T", "a": f"x{n}", "b": f"y{n}", "c": f"z{n}"},
    ),
    "one description, titles apart": (
        lambda n: {"title": f"T{n}", "description": "TODO", "a": n, "b": n},
        lambda n: {"title": f"T{n}", "description": "TODO", "a": n, "b": -n},
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_comparisons_go_with_the_number_of_tasks(shape: str) -> None:
    before, after = SHAPES[shape]
    count = 1000
    old, new = {f"o{n}": before(n) for n in range(count)}, {f"n{n}": after(n) for n in range(count)}
    found, comparisons = compared(old, new)
    assert comparisons <= 4 * count
    if shape in ("renamed", "retitled", "one description, titles apart"):
        assert found == {f"o{n}": f"n{n}" for n in range(count)}
    else:
        assert not found


def test_a_task_with_too_many_candidates_is_in_doubt() -> None:
    """Half of what each says is shared by all, and no two are alike: nothing tells where to look."""
    count = 1000
    shared: Core = {"title": "T", "a": 1}
    old = {f"o{n}": {**shared, **{f"x{k}": n for k in range(3)}} for n in range(count)}
    new = {f"n{n}": {**shared, **{f"y{k}": n % 2 for k in range(3)}} for n in range(count)}
    found, comparisons = compared(old, new)
    assert not found
    assert comparisons <= PER_TASK * count
