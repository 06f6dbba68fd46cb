"""The rule for lists of objects told apart by ``id``, as tasks are: membership, order, then fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, cast

from epicvc.base.jsonio import JSON
from epicvc.merge.order import merge_order, weave
from epicvc.merge.threeway import ABSENT, MergeContext, Value, merge_scalar
from epicvc.merge.versions import Versions
from epicvc.model.document import Core, Tasks, item_key
from epicvc.model.labels import Label

MergeItem: TypeAlias = "Callable[[MergeContext, Label, Versions[Core]], Versions[Value]]"


def merge_optional(
    merge_item: MergeItem, context: MergeContext, label: Label, values: Versions[Value]
) -> Versions[Value]:
    """Merge something that may be absent on a side: an epic, a task.

    An item that both sides have is merged inside, against nothing where the base does not have it: equal values are
    agreed, a value that one side alone has is its addition, and different values conflict. An item that one side
    deleted and the other changed is one conflict, at the item.
    """
    if values.one_object or not context.touches(label):
        return values
    base, ours, theirs = values
    if not isinstance(ours, dict) or not isinstance(theirs, dict):
        return merge_scalar(context, label, values)
    merged = merge_item(context, label, Versions(base if isinstance(base, dict) else {}, ours, theirs))
    if base is ABSENT and not context.selects(label) and _says_nothing(merged.base):
        return merged._replace(base=ABSENT)
    return merged


def _says_nothing(base: Value) -> bool:
    return isinstance(base, dict) and not base.keys() - {"id"}


def merge_keyed(
    merge_item: MergeItem,
    context: MergeContext,
    label: Label,
    lists: Versions[Tasks],
    *,
    unplaced: frozenset[str] = frozenset(),
) -> Versions[Value]:
    """Merge three lists of objects with ids.

    Args:
        merge_item: merges one item that both sides have.
        context: what the merge may do; gets the conflicts.
        label: the list.
        lists: the last agreed items, and those of each side.
        unplaced: items of the base whose place in it was never agreed on.
    """
    before = lists.map(_by_key)
    after: Versions[dict[str, JSON]] = Versions({}, {}, {})
    for key in dict.fromkeys([*before.ours, *before.theirs, *before.base]):
        values: Versions[Value] = Versions(*(items.get(key, ABSENT) for items in before))
        if not values.one_object:  # one object needs no merge
            values = merge_optional(merge_item, context, label.child(key), values)
        for result, value in zip(after, values, strict=True):
            if value is not ABSENT:
                result[key] = value
    return _arranged(context, label, before.map(list), after, unplaced)


def _by_key(items: Tasks) -> dict[str, JSON]:
    return {cast("str", item_key(item["id"])): cast("JSON", item) for item in items}


def _arranged(
    context: MergeContext,
    label: Label,
    before: Versions[list[str]],
    after: Versions[dict[str, JSON]],
    unplaced: frozenset[str],
) -> Versions[Value]:
    """Return the items of each version, in its order.

    Args:
        context: what the merge may do; gets the conflict where the orders do not merge.
        label: the list.
        before: the order of the ids in each version.
        after: the merged items by id, in any order.
        unplaced: items of the base whose place in it was never agreed on.
    """
    base, ours, theirs = before
    order = _merge_order(context, label, before, unplaced)
    chosen, shared = before, list[str]()
    if order is not None:
        # One order of everything, so that what only one side has stands between the others alike on both.
        whole = weave({key for items in after for key in items}, order, ours, theirs)
        agreed = context.agree(cast("Versions[Value]", before), cast("JSON", whole))
        chosen = cast("Versions[list[str]]", agreed)
        shared = [key for key in chosen.base if key in after.ours and key in after.theirs]
    mine = weave(after.ours, chosen.ours, ours, theirs)
    other = weave(after.theirs, chosen.theirs, ours, theirs)
    # Beyond what both sides have, the base goes by itself first, since the sides change later.
    known = weave(after.base.keys() & {*shared, *base}, shared, base, base)
    orders = Versions(weave(after.base, known, mine, other), mine, other)
    return Versions(*([items[key] for key in keys] for items, keys in zip(after, orders, strict=True)))


def _merge_order(
    context: MergeContext, label: Label, before: Versions[list[str]], unplaced: frozenset[str]
) -> list[str] | None:
    """Return the order of the items that both sides have; ``None`` where each side keeps its own."""
    if not context.selects(label):
        return None
    order = merge_order(before, unplaced)
    if order is not None:
        return order
    common = set(before.ours) & set(before.theirs)
    shown = before.map(lambda keys: [key for key in keys if key in common])
    placed = [key for key in shown.base if key not in unplaced] or ABSENT
    decided = context.choose(label, cast("Versions[Value]", shown._replace(base=cast("list[str]", placed))))
    return None if decided is None else _as_order(decided.value)


def _as_order(value: Value) -> list[str]:
    """Return the ids that a chosen order names, each once. A value that is no order names none."""
    keys = map(item_key, value) if isinstance(value, list) else ()
    return list(dict.fromkeys(key for key in keys if key is not None))
