"""The rule for lists of objects told apart by ``id``, as tasks are: membership, order, then fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias, cast

from epicvc.base.jsonio import JSON
from epicvc.merge.order import merge_order, weave
from epicvc.merge.threeway import ABSENT, MergeContext, Triple, Value, merge_scalar
from epicvc.model.document import Core, Tasks, item_key
from epicvc.model.labels import Label

MergeItem: TypeAlias = Callable[[MergeContext, Label, Core, Core, Core], Triple]


def merge_optional(
    merge_item: MergeItem, context: MergeContext, label: Label, base: Value, ours: Value, theirs: Value
) -> Triple:
    """Merge something that may be absent on a side: an epic, a task.

    Present on both sides it is merged inside, against nothing where the base does not know it: equal values
    are agreed, a value that one side alone has is its addition, different values conflict. Deleted on one side
    and changed on the other it is one conflict, at the item.
    """
    if base is ours is theirs or not context.touches(label):
        return context.keep(base, ours, theirs)
    if not isinstance(ours, dict) or not isinstance(theirs, dict):
        return merge_scalar(context, label, base, ours, theirs)
    triple = merge_item(context, label, base if isinstance(base, dict) else {}, ours, theirs)
    if base is ABSENT and not context.selects(label) and _says_nothing(triple.base):
        return Triple(triple.ours, triple.theirs, ABSENT)
    return triple


def _says_nothing(base: Value) -> bool:
    return isinstance(base, dict) and not base.keys() - {"id"}


def merge_keyed(
    merge_item: MergeItem,
    context: MergeContext,
    label: Label,
    base: Tasks,
    ours: Tasks,
    theirs: Tasks,
    *,
    unplaced: frozenset[str] = frozenset(),
) -> Triple:
    """Merge three lists of objects with ids.

    Args:
        merge_item: merges one item that both sides have.
        context: what the merge may do; gets the conflicts.
        label: the list.
        base: the last agreed items.
        ours: one side's items.
        theirs: the other's.
        unplaced: items of the base whose place in it was never agreed on.
    """
    before, mine, other = ({cast("str", item_key(item["id"])): item for item in side} for side in (base, ours, theirs))
    after: tuple[dict[str, JSON], dict[str, JSON], dict[str, JSON]] = ({}, {}, {})
    for key in dict.fromkeys([*mine, *other, *before]):
        was, one, two = (cast("Value", side.get(key, ABSENT)) for side in (before, mine, other))
        if was is one and one is two:  # the same on any terms, so that nothing need be made to say so
            triple = Triple(one, two, was)
        else:
            triple = merge_optional(merge_item, context, label.child(key), was, one, two)
        for result, value in zip(after, (triple.ours, triple.theirs, triple.base), strict=True):
            if value is not ABSENT:
                result[key] = value
    return Triple(*_arranged(context, label, (before, mine, other), after, unplaced))


_Keyed: TypeAlias = "Mapping[str, object]"


def _arranged(
    context: MergeContext,
    label: Label,
    sides: tuple[_Keyed, _Keyed, _Keyed],
    after: tuple[dict[str, JSON], dict[str, JSON], dict[str, JSON]],
    unplaced: frozenset[str],
) -> list[JSON]:
    """The items of ours, theirs and base, each in its order."""
    base, ours, theirs = (list(side) for side in sides)
    order = _merge_order(context, label, base, ours, theirs, unplaced)
    if order is None:
        chosen, shared = (ours, theirs), list[str]()
    else:
        # One order of everything, so that what only one side has stands between the others alike on both.
        whole = weave({key for items in after for key in items}, order, ours, theirs)
        triple = context.agree(cast("JSON", ours), cast("JSON", theirs), cast("JSON", whole))
        chosen = cast("list[str]", triple.ours), cast("list[str]", triple.theirs)
        shared = [key for key in cast("list[str]", triple.base) if key in after[0] and key in after[1]]
    lists = [weave(items, wanted, ours, theirs) for items, wanted in zip(after, chosen, strict=False)]
    # Beyond what both sides have, the base goes by itself first, since the sides change later.
    known = weave(after[2].keys() & {*shared, *base}, shared, base, base)
    lists.append(weave(after[2], known, lists[0], lists[1]))
    return [[items[key] for key in keys] for items, keys in zip(after, lists, strict=True)]


def _merge_order(
    context: MergeContext,
    label: Label,
    base: list[str],
    ours: list[str],
    theirs: list[str],
    unplaced: frozenset[str],
) -> list[str] | None:
    """The order of the items that both sides have; ``None`` where each side keeps its own."""
    if not context.selects(label):
        return None
    order = merge_order(base, ours, theirs, unplaced)
    if order is not None:
        return order
    common = set(ours) & set(theirs)
    in_ours, in_theirs = (cast("JSON", [key for key in side if key in common]) for side in (ours, theirs))
    in_base = [key for key in base if key in common and key not in unplaced]
    decided = context.choose(label, cast("JSON", in_base) if in_base else ABSENT, in_ours, in_theirs)
    return None if decided is None else _as_order(decided.value)


def _as_order(value: Value) -> list[str]:
    """The ids that a chosen order names, each once; what is no order names none."""
    keys = map(item_key, value) if isinstance(value, list) else ()
    return list(dict.fromkeys(key for key in keys if key is not None))
