"""Circles among the tasks of one state."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from epicvc.merge.circles import circles
from epicvc.merge.graph import Node


def found(**edges: str) -> list[str]:
    graph: dict[Node, list[Node]] = {("1", key): [("1", to) for to in targets] for key, targets in edges.items()}
    return sorted("".join(key for _, key in circle) for circle in circles(graph))


def test_one_circle_of_each_group_from_its_first_task() -> None:
    assert found(a="b", b="c", c="") == []
    assert found(b="a", a="b", c="a") == ["ab"]
    assert found(a="a", b="a") == ["a"]
    assert found(a="b", b="a", c="da", d="c") == ["ab", "cd"]
    assert found(a="b", b="c", c="ad", d="a") == ["abc"]


def test_long_chains_need_no_recursion() -> None:
    chain: dict[Node, list[Node]] = {("1", f"{n:06}"): [("1", f"{n + 1:06}")] for n in range(50_000)}
    assert list(circles(chain)) == []
    chain["1", "050000"] = [("1", "000000")]
    (circle,) = circles(chain)
    assert len(circle) == 50_001


def reaches(edges: dict[str, str], start: str, goal: str) -> bool:
    seen: set[str] = set()
    waiting = list(edges.get(start, ""))
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += edges.get(node, "")
    return goal in seen


@given(st.dictionaries(st.sampled_from("abcdef"), st.text("abcdef", max_size=3)))
def test_every_task_on_a_circle_is_in_a_group_that_shows_one(edges: dict[str, str]) -> None:
    groups = {
        frozenset(other for other in edges if reaches(edges, key, other) and reaches(edges, other, key))
        for key in edges
        if reaches(edges, key, key)
    }
    shown = found(**edges)
    assert len(shown) == len(groups)
    for circle in shown:
        assert all(to in edges[key] for key, to in zip(circle, circle[1:] + circle[0], strict=True))
        assert any(circle[0] == min(group) and set(circle) <= group for group in groups)
