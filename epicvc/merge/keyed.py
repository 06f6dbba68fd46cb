"""The rule for lists of objects told apart by ``id``, as tasks are: membership, order, then fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, cast

from epicvc.jsonio import JSON
from epicvc.merge.order import merge_order, weave
from epicvc.merge.threeway import ABSENT, Context, Triple, Value, merge_scalar
from epicvc.model.document import Core, Tasks, natural_key
from epicvc.model.labels import Label

MergeItem: TypeAlias = Callable[[Context, Label, Core, Core, Core], Triple]


def merge_optional(
    merge_item: MergeItem, context: Context, label: Label, base: Value, ours: Value, theirs: Value
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
    context: Context,
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
    before, mine, other = ({cast("str", item["id"]): item for item in side} for side in (base, ours, theirs))
    after: tuple[dict[str, JSON], dict[str, JSON], dict[str, JSON]] = ({}, {}, {})
    for key in dict.fromkeys([*mine, *other, *before]):
        values = (cast("Value", side.get(key, ABSENT)) for side in (before, mine, other))
        triple = merge_optional(merge_item, context, label.child(key), *values)
        for result, value in zip(after, (triple.ours, triple.theirs, triple.base), strict=True):
            if value is not ABSENT:
                result[key] = value
    orders = (list(before), list(mine), list(other))
    order = _merge_order(context, label, *orders, unplaced)
    in_ours, in_theirs, in_base = (cast("list[str]", side) for side in (order.ours, order.theirs, order.base))
    # The base goes by itself first, since the sides change later.
    in_base = weave(after[2].keys() & {*in_base, *before}, in_base, orders[0], orders[0])
    arranged = (
        [items[key] for key in weave(items, chosen, *orders[1:])]
        for items, chosen in zip(after, (in_ours, in_theirs, in_base), strict=True)
    )
    return Triple(*arranged)


def _merge_order(
    context: Context,
    label: Label,
    base: list[str],
    ours: list[str],
    theirs: list[str],
    unplaced: frozenset[str],
) -> Triple:
    """Merge the relative order of the items that both sides have; each result is a whole order of ids."""
    orders = (cast("JSON", base), cast("JSON", ours), cast("JSON", theirs))
    if not context.selects(label):
        return context.keep(*orders)
    order = merge_order(base, ours, theirs, unplaced)
    if order is None:
        common = set(ours) & set(theirs)
        in_ours, in_theirs = (cast("JSON", [key for key in side if key in common]) for side in (ours, theirs))
        in_base = [key for key in base if key in common and key not in unplaced]
        chosen = context.choose(label, cast("JSON", in_base) if in_base else ABSENT, in_ours, in_theirs)
        if chosen is None:
            return context.keep(*orders)
        order = _as_order(chosen.value)
    everything = list(dict.fromkeys([*ours, *theirs]))
    return context.agree(*orders[1:], cast("JSON", weave(everything, order, ours, theirs)))


def _as_order(value: Value) -> list[str]:
    """The ids that a chosen order names, each once; what is no order names none."""
    keys = map(natural_key, value) if isinstance(value, list) else ()
    return list(dict.fromkeys(key for key in keys if key is not None))
