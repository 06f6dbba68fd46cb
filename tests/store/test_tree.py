"""The laws of trees: one root for one set of entries, cost by changes, hostile nodes refused."""

from __future__ import annotations

import itertools
from contextlib import suppress

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from epicvc.errors import DamagedObject
from epicvc.store.objects import ObjectId, ObjectType, object_id
from epicvc.store.tree import node, tree

from .memory import Memory

# Keys of every level, so that small examples have tall trees.
LOW = [b"%d" % number for number in range(60)]
HIGH = [*itertools.islice((b"%d" % n for n in itertools.count() if node.level(b"%d" % n)), 40), b"4163", b"31214"]
keys = st.sampled_from([*LOW, *HIGH]) | st.binary(max_size=3)
entries = st.dictionaries(keys, st.binary(max_size=4), max_size=80)
changes = st.dictionaries(keys, st.none() | st.binary(max_size=4), max_size=60)

Entries = dict[bytes, bytes]


def built(memory: Memory, content: Entries) -> ObjectId:
    return tree.build(memory, sorted(content.items()))


def changed(content: Entries, change: dict[bytes, bytes | None]) -> Entries:
    return {key: value for key, value in {**content, **change}.items() if value is not None}


def numbers(count: int) -> Entries:
    return {b"%06d" % number: b"v%d" % number for number in range(count)}


@given(entries)
def test_items_count_and_get_give_what_was_built(content: Entries) -> None:
    memory = Memory()
    root = built(memory, content)
    assert list(tree.items(memory, root)) == sorted(content.items())
    assert tree.count(memory, root) == len(content)
    assert all(tree.get(memory, root, key) == value for key, value in content.items())
    assert tree.get(memory, root, b"\xff absent") is None
    tree.check(memory, root)


@given(entries, changes)
@example({}, {b"a": None})
@example({b"31214": b""}, {b"31214": None})
@example({b"0": b"", b"31214": b"", b"5": b""}, {b"0": None, b"5": None})
@example({b"0": b"", b"31214": b"", b"5": b""}, {b"31214": None})
def test_update_gives_the_root_that_build_gives(content: Entries, change: dict[bytes, bytes | None]) -> None:
    memory = Memory()
    root = tree.update(memory, built(memory, content), change.items())
    assert root == built(Memory(), changed(content, change))


@given(entries, entries)
def test_diff_applied_to_one_gives_the_other(a: Entries, b: Entries) -> None:
    left, right = Memory(), Memory()
    root_a, root_b = built(left, a), built(right, b)
    found = list(tree.diff(left, root_a, root_b, right))
    assert [key for key, _, _ in found] == sorted(k for k in a.keys() | b.keys() if a.get(k) != b.get(k))
    assert all((a.get(key), b.get(key)) == (old, new) for key, old, new in found)
    assert tree.update(left, root_a, [(key, new) for key, _, new in found]) == root_b
    assert list(tree.diff(right, root_b, root_a, left)) == [(key, new, old) for key, old, new in found]


@given(entries, entries)
def test_growth_is_what_the_other_tree_lacks(a: Entries, b: Entries) -> None:
    memory = Memory()
    root_a, root_b = built(memory, a), built(memory, b)
    found = tree.growth(memory, root_a, root_b)
    assert found.entries == list(tree.diff(memory, root_a, root_b))
    before, after = set[bytes](), set[bytes]()
    list(tree.reachable_nodes(memory, root_a, before))
    list(tree.reachable_nodes(memory, root_b, after))
    assert after - before <= found.nodes <= after


def test_growth_from_nothing_needs_no_empty_tree() -> None:
    memory = Memory()
    root = built(memory, {b"a": b"1"})
    assert tree.growth(memory, node.EMPTY, root) == ({root}, [(b"a", None, b"1")])


@given(entries, st.binary(max_size=2), st.none() | st.binary(max_size=2))
def test_items_of_a_range(content: Entries, start: bytes, stop: bytes | None) -> None:
    memory = Memory()
    wanted = [(k, v) for k, v in sorted(content.items()) if k >= start and (stop is None or k < stop)]
    assert list(tree.items(memory, built(memory, content), start, stop)) == wanted


class Edits(RuleBasedStateMachine):
    """Whatever the history, the root is the one that the entries give."""

    def __init__(self) -> None:
        super().__init__()
        self.memory, self.content = Memory(), dict[bytes, bytes]()
        self.root = tree.empty(self.memory)

    def edit(self, change: dict[bytes, bytes | None]) -> None:
        self.root = tree.update(self.memory, self.root, change.items())
        self.content = changed(self.content, change)

    @rule(key=keys, value=st.binary(max_size=3))
    def set(self, key: bytes, value: bytes) -> None:
        self.edit({key: value})

    @rule(low=st.integers(0, 900), count=st.integers(1, 900))
    def add_many(self, low: int, count: int) -> None:
        self.edit({b"%d" % number: b"m" for number in range(low, low + count)})

    @rule(step=st.integers(1, 9))
    def delete_many(self, step: int) -> None:
        self.edit(dict.fromkeys(sorted(self.content)[::step], None))

    @rule(data=st.data())
    def delete_run(self, data: st.DataObject) -> None:
        ordered = sorted(self.content)
        low = data.draw(st.integers(0, len(ordered)))
        self.edit(dict.fromkeys(ordered[low : low + data.draw(st.integers(0, 200))], None))

    @invariant()
    def one_form(self) -> None:
        assert self.root == built(Memory(), self.content)


Edits.TestCase.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)
test_edits = Edits.TestCase


def test_an_update_costs_as_much_as_its_changes() -> None:
    memory = Memory()
    root = built(memory, numbers(50_000))
    height = node.load_root(memory, root).height
    memory.gets = memory.puts = 0
    tree.update(memory, root, [(b"%06d" % n, b"new") for n in (7, 20_000, 20_001, 49_999)])
    # Four paths and the right edge.
    assert memory.gets <= 5 * (height + 1)
    assert memory.puts <= 5 * (height + 1)


def test_a_diff_costs_as_much_as_the_changes() -> None:
    memory = Memory()
    root = built(memory, numbers(50_000))
    other = tree.update(memory, root, [(b"025000", None), (b"025000x", b""), (b"000001", b"")])
    memory.gets = 0
    assert len(list(tree.diff(memory, root, other))) == 3
    assert memory.gets <= 2 * 3 * (node.load_root(memory, root).height + 2)
    memory.gets = 0
    assert list(tree.diff(memory, root, root)) == []
    assert memory.gets == 0


def test_a_diff_with_a_long_new_run_falls_into_step_again() -> None:
    memory = Memory()
    content = numbers(20_000)
    root = built(memory, content)
    other = tree.update(memory, root, [(b"010000/%04d" % n, b"") for n in range(2_000)])
    memory.gets = 0
    assert len(list(tree.diff(memory, root, other))) == 2_000
    assert memory.gets < 80  # 2,000 new entries are some 32 leaves; both trees have more than 600


def test_a_diff_of_trees_of_different_height_costs_no_more() -> None:
    memory = Memory()
    root = built(memory, numbers(20_000))
    high = b"010000/145935"
    assert node.level(high) == 3
    other = tree.update(memory, root, [(high, b"")])
    assert node.load_root(memory, other).height > node.load_root(memory, root).height
    for a, b in ((root, other), (other, root)):
        memory.gets = 0
        assert len(list(tree.diff(memory, a, b))) == 1
        assert memory.gets <= 16


def test_get_count_and_ranges_read_paths_only() -> None:
    memory = Memory()
    root = built(memory, numbers(50_000))
    height = node.load_root(memory, root).height
    memory.gets = 0
    assert tree.count(memory, root) == 50_000
    assert memory.gets == 1
    assert tree.get(memory, root, b"031415") == b"v31415"
    assert memory.gets == height + 2
    memory.gets = 0
    assert len(list(tree.items(memory, root, b"031415", b"031420"))) == 5
    assert memory.gets <= 2 * (height + 1)


def test_empty() -> None:
    memory = Memory()
    assert tree.empty(memory) == tree.EMPTY == tree.build(memory, [])
    assert list(tree.items(memory, tree.EMPTY)) == []
    assert tree.update(memory, tree.EMPTY, [(b"x", None)]) == tree.EMPTY
    assert list(tree.diff(memory, tree.EMPTY, built(memory, {b"a": b"1"}))) == [(b"a", None, b"1")]


@pytest.mark.parametrize("wrong", [[b"b", b"a"], [b"a", b"a"], [b"76", b"76"], [b"76", b"1"]])
def test_build_refuses_what_is_not_sorted(wrong: list[bytes]) -> None:
    with pytest.raises(ValueError, match="ascend"):
        tree.build(Memory(), [(key, b"") for key in wrong])


def test_update_refuses_a_key_twice() -> None:
    memory = Memory()
    with pytest.raises(ValueError, match="twice"):
        tree.update(memory, tree.empty(memory), [(b"a", b"1"), (b"a", b"2")])


def test_reachable_nodes_and_walk_skip_what_was_seen() -> None:
    memory = Memory()
    root = built(memory, numbers(5_000))
    stored = set(memory.objects)
    other = tree.update(memory, root, [(b"002500", b"new")])
    seen: set[ObjectId] = set()
    assert set(tree.reachable_nodes(memory, root, seen)) == stored == seen
    new = list(tree.reachable_nodes(memory, other, seen))
    assert set(new) == set(memory.objects) - stored
    assert len(new) == node.load_root(memory, other).height + 1
    assert list(tree.reachable_nodes(memory, other, seen)) == []

    walked: set[ObjectId] = set()
    leaves = [found for _, found in tree.walk(memory, root, walked) if not found.height]
    assert [key for leaf in leaves for key in leaf.keys] == sorted(numbers(5_000))
    assert walked == stored
    assert [oid for oid, _ in tree.walk(memory, other, walked)] == new


# --- hostile nodes ---

ID = bytes(32)
MALFORMED: list[object] = [
    None,
    0,
    b"",
    {},
    [],
    [0],
    [0, []],
    [0, [b"a"], []],
    [0, [], [b"a"]],
    [0, [b"b", b"a"], [b"", b""]],
    [0, [b"a", b"a"], [b"", b""]],
    [0, ["a"], [b""]],
    [0, [b"a"], [1]],
    [1, [b"a"], [b""]],
    [True, [], []],
    [0, [b"a"], [ID], [1]],
    [-1, [b"a"], [ID], [1]],
    [65, [b"a"], [ID], [1]],
    [2**63, [b"a"], [ID], [1]],
    [1, [], [], []],
    [1, [b"a"], [ID[1:]], [1]],
    [1, [b"a"], [ID], [0]],
    [1, [b"a"], [ID], [-5]],
    [1, [b"a"], [ID], []],
    [1, [b"a", b"a"], [ID, ID], [1, 1]],
    [1, [b"a"], [ID], [1], []],
]


def use(memory: Memory, root: ObjectId) -> None:
    """Everything that reads a tree; each must fail or none."""
    list(tree.items(memory, root))
    list(tree.walk(memory, root, set()))
    list(tree.reachable_nodes(memory, root, set()))
    tree.get(memory, root, b"a")
    tree.update(memory, root, [(b"a", b"1")])
    list(tree.diff(memory, root, tree.empty(memory)))


@pytest.mark.parametrize("shape", MALFORMED, ids=repr)
def test_a_malformed_node_is_damage(shape: object) -> None:
    memory = Memory()
    root = memory.put(ObjectType.NODE, msgspec.msgpack.encode(shape))
    tree.empty(memory)
    for read in (
        lambda: tree.count(memory, root),
        lambda: tree.get(memory, root, b"a"),
        lambda: list(tree.items(memory, root)),
        lambda: tree.update(memory, root, [(b"a", b"1")]),
        lambda: list(tree.diff(memory, root, tree.EMPTY)),
        lambda: list(tree.diff(memory, tree.EMPTY, root)),
        lambda: list(tree.walk(memory, root, set())),
        lambda: list(tree.reachable_nodes(memory, root, set())),
        lambda: tree.check(memory, root),
    ):
        with pytest.raises(DamagedObject):
            read()


def leaf(memory: Memory, *found: bytes) -> ObjectId:
    return memory.put(ObjectType.NODE, node.encode_leaf(found, [b""] * len(found)))


@pytest.mark.parametrize(
    ("height", "last", "total"), [(2, b"b", 2), (1, b"c", 2), (1, b"b", 3), (1, b"a", 1), (64, b"b", 2)]
)
def test_a_child_that_contradicts_its_parent_is_damage(height: int, last: bytes, total: int) -> None:
    memory = Memory()
    child = leaf(memory, b"a", b"b")
    root = memory.put(ObjectType.NODE, node.encode_inner(height, [last], [child], [total]))
    with pytest.raises(DamagedObject):
        list(tree.items(memory, root))
    with pytest.raises(DamagedObject):
        tree.update(memory, root, [(b"a", b"1")])


def test_overlapping_leaves_are_damage_even_across_inner_nodes() -> None:
    memory = Memory()
    first, second = leaf(memory, b"a", b"m"), leaf(memory, b"c", b"z")
    flat = memory.put(ObjectType.NODE, node.encode_inner(1, [b"m", b"z"], [first, second], [2, 2]))
    inner = [
        memory.put(ObjectType.NODE, node.encode_inner(1, [last], [child], [2]))
        for last, child in ((b"m", first), (b"z", second))
    ]
    tall = memory.put(ObjectType.NODE, node.encode_inner(2, [b"m", b"z"], inner, [2, 2]))
    for root in (flat, tall):
        with pytest.raises(DamagedObject, match="overlap"):
            list(tree.items(memory, root))


def test_another_form_of_the_same_entries_is_found_by_check() -> None:
    memory = Memory()
    needless = memory.put(ObjectType.NODE, node.encode_inner(1, [b"b"], [leaf(memory, b"a", b"b")], [2]))
    longer = memory.put(ObjectType.NODE, b"\x93\x00\x91\xc5\x00\x01a\x91\xc4\x00")  # bin 16 for one byte
    assert list(tree.items(memory, longer)) == [(b"a", b"")]
    for root in (needless, longer):
        with pytest.raises(DamagedObject, match="form"):
            tree.check(memory, root)


def test_updating_another_form_still_gives_the_right_entries() -> None:
    memory = Memory()
    chain = leaf(memory, b"a", b"b")
    for height in range(1, 65):
        chain = memory.put(ObjectType.NODE, node.encode_inner(height, [b"b"], [chain], [2]))
    assert tree.update(memory, chain, [(b"c", b"")]) == leaf(memory, b"a", b"b", b"c")

    halves = [leaf(memory, b"a", b"b"), leaf(memory, b"c", b"d")]
    split = memory.put(ObjectType.NODE, node.encode_inner(1, [b"b", b"d"], halves, [2, 2]))
    assert tree.update(memory, split, [(b"d", None)]) == leaf(memory, b"a", b"b", b"c")


def test_nesting_that_would_exhaust_a_stack_is_damage() -> None:
    payload = b"\x93\x00\x91" + b"\x91" * 100_000 + b"\xc4\x00"
    with pytest.raises(DamagedObject):
        node.decode(ID, payload)


@given(st.binary(max_size=60) | st.binary(max_size=30).map(lambda tail: b"\x93\x00" + tail))
@settings(max_examples=300)
def test_any_bytes_are_a_node_or_damage(payload: bytes) -> None:
    memory = Memory()
    tree.empty(memory)
    root = memory.put(ObjectType.NODE, payload)
    with suppress(DamagedObject):
        use(memory, root)


@given(entries, st.data())
def test_any_change_of_a_node_keeps_to_our_errors(content: Entries, data: st.DataObject) -> None:
    """A hostile node has a true name, so only its shape can give it away."""
    memory = Memory()
    root = built(memory, content)
    payload = bytearray(memory.objects[root])
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    memory.objects[object_id(ObjectType.NODE, bytes(payload))] = bytes(payload)
    with suppress(DamagedObject):
        use(memory, object_id(ObjectType.NODE, bytes(payload)))


def test_levels_follow_the_rule() -> None:
    assert [node.level(key) for key in (b"1", b"76", b"4163", b"31214")] == [0, 1, 2, 3]
