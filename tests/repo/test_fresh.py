"""The commits that one history has and another has not, found by a walk of what is between them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from epicvc.repo.history.mergebase import commits_since
from epicvc.repo.history.objects import CommitKind, Snapshot, get_commit, put_commit, put_snapshot
from epicvc.store.objects import ObjectId, ObjectType
from epicvc.store.tree import tree
from tests.store.memory import Memory

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)


def committed(memory: Memory, parents: tuple[ObjectId, ...], second: int) -> ObjectId:
    nothing = tree.empty(memory)
    snapshot = put_snapshot(memory, Snapshot(nothing, None, nothing, memory.put(ObjectType.MAPPING, b"{}")))
    return put_commit(
        memory,
        parents=parents,
        snapshot=snapshot,
        author="a",
        time=BEGIN + timedelta(seconds=second),
        message=str(second),
        kind=CommitKind.COMMIT,
    )


def ancestors(memory: Memory, oid: ObjectId) -> set[ObjectId]:
    found, stack = set[ObjectId](), [oid]
    while stack:
        if (next_one := stack.pop()) not in found:
            found.add(next_one)
            stack += get_commit(memory, next_one).parents
    return found


@given(st.integers(0, 10_000), st.integers(2, 30))
def test_commits_since_are_those_that_the_other_history_has_not(seed: int, number: int) -> None:
    rng, memory, made = random.Random(seed), Memory(), list[ObjectId]()
    for second in range(number):
        wanted = min(rng.choice((0, 1, 1, 1, 2)), len(made))
        parents = tuple(dict.fromkeys(rng.choice(made[-6:]) for _ in range(wanted)))
        made.append(committed(memory, parents, second))
    earlier, later = rng.choice(made), rng.choice(made)
    found = [commit.id for commit in commits_since(memory, earlier, later)]
    assert set(found) == ancestors(memory, later) - ancestors(memory, earlier)
    assert found == [oid for oid in made if oid in found]


def test_a_long_history_is_not_walked_for_a_short_way() -> None:
    memory = Memory()
    tip = committed(memory, (), 0)
    for second in range(1, 500):
        tip = committed(memory, (tip,), second)
    newer = committed(memory, (committed(memory, (tip,), 500),), 501)
    memory.gets = 0
    assert len(commits_since(memory, tip, newer)) == 2
    assert memory.gets < 10
