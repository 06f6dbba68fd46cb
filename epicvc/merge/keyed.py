"""The rule for lists of objects that are told apart by ``id``, as tasks are: membership, order, then fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, cast

from epicvc.jsonio import JSON
from epicvc.merge.threeway import ABSENT, Context, Triple, Value, merge_scalar, same
from epicvc.model.document import Core, Tasks, place
from epicvc.model.labels import Label

MergeItem: TypeAlias = Callable[[Context, Label, Core, Core, Core], Triple]


def merge_optional(
    merge_item: MergeItem, context: Context, label: Label, base: Value, ours: Value, theirs: Value
) -> Triple:
    """Merge something that may be absent on a side: an epic, a task.

    Present on both sides it is merged inside, against nothing where the base does not know it: equal values are
    agreed, a value that one side alone has is its addition, different values conflict. Deleted on one side and
    changed on the other it is one conflict, at the item.
    """
    if not context.touches(label):
        return context.keep(base, ours, theirs)
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return merge_item(context, label, base if isinstance(base, dict) else {}, ours, theirs)
    return merge_scalar(context, label, base, ours, theirs)


def merge_keyed(merge_item: MergeItem, context: Context, label: Label, base: Tasks, ours: Tasks, theirs: Tasks) -> Triple:
    """Merge three lists of objects with ids."""
    lists = tuple({cast("str", item["id"]): item for item in side} for side in (ours, theirs, base))
    mine, other, before = lists
    after: tuple[dict[str, JSON], dict[str, JSON], dict[str, JSON]] = ({}, {}, {})
    for key in dict.fromkeys([*mine, *other, *before]):
        triple = merge_optional(
            merge_item, context, label.child(key), *(cast("Value", side.get(key, ABSENT)) for side in (before, mine, other))
        )
        for result, value in zip(after, (triple.ours, triple.theirs, triple.base), strict=True):
            if value is not ABSENT:
                result[key] = value
    order = _merge_order(context, label, list(before), list(mine), list(other))
    fallbacks = (list(mine), list(other), list(before))
    ordered = [
        [items[key] for key in arrange(list(items), cast("list[str]", chosen), *fallbacks)]
        for items, chosen in zip(after, (order.ours, order.theirs, order.base), strict=True)
    ]
    return Triple(*ordered)


def _merge_order(context: Context, label: Label, base: list[str], ours: list[str], theirs: list[str]) -> Triple:
    """Merge the relative order of the items that both sides have; each result is a whole order of known ids."""
    mine, other = set(ours), set(theirs)
    in_ours: Value = [key for key in ours if key in other]
    in_theirs: Value = [key for key in theirs if key in mine]
    # The base is compared on what all three have; an item that only the sides know has no order to change.
    known = set(base)
    in_base = [key for key in base if key in mine and key in other]
    ours_known = [key for key in cast("list[str]", in_ours) if key in known]
    theirs_known = [key for key in cast("list[str]", in_theirs) if key in known]
    if not context.selects(label):
        return Triple(cast("JSON", ours), cast("JSON", theirs), cast("JSON", base))
    if same(in_ours, in_theirs):
        return context.agree(cast("JSON", ours), cast("JSON", theirs), cast("JSON", ours))
    if base and theirs_known == in_base and ours_known != in_base:
        return context.agree(cast("JSON", ours), cast("JSON", theirs), cast("JSON", ours))
    if base and ours_known == in_base and theirs_known != in_base:
        return context.agree(cast("JSON", ours), cast("JSON", theirs), cast("JSON", theirs))
    return context.settle(label, cast("JSON", in_base) if base else ABSENT, in_ours, in_theirs)


def arrange(keys: Sequence[str], order: Sequence[str], *others: Sequence[str]) -> list[str]:
    """Put ``keys`` in ``order``; those it lacks go after their nearest predecessor in the first other order with them."""
    wanted = set(keys)
    result = [key for key in order if key in wanted]
    for other in others:
        present = set(result)
        missing = [key for key in other if key in wanted and key not in present]
        if missing:
            result = place(result, missing, other)
    return result
