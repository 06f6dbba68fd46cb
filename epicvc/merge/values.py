"""The rules for values of any shape, on top of the trivial rule: objects, lists, sets and long texts.

:func:`merge_value` merges any JSON; it needs no mapping and no epic.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from typing import Final, TypeAlias, cast

from epicvc.base.jsonio import JSON
from epicvc.merge.diff3 import diff3_items, diff3_lines, join_lines, joined
from epicvc.merge.keyed import merge_keyed
from epicvc.merge.order import merge_order, weave
from epicvc.merge.threeway import ABSENT, MergeContext, Triple, Value, merge_scalar, same
from epicvc.model.diff import keyed
from epicvc.model.document import Core, Tasks, natural_key
from epicvc.model.labels import Label
from epicvc.model.mapping import Rule

_Object: TypeAlias = "dict[str, JSON]"
_Keyed: TypeAlias = "dict[str, _Object]"

_LINE: Final = "\n"


def merge_value(context: MergeContext, label: Label, base: Value, ours: Value, theirs: Value) -> Triple:
    """Merge three values of any shape.

    Objects are merged by key. Lists whose items are all objects with an ``id`` are merged by id, other lists by items;
    texts of several lines by lines. Everything else is taken whole, and so are values whose type is not the same on
    both sides and in the base.

    Args:
        context: what the merge may do; gets the conflicts.
        label: the place.
        base: what both sides started from; null members of objects are absent (:func:`member`).
        ours: one side's value.
        theirs: the other's.
    """
    if not context.whole(label):
        if isinstance(ours, dict) and isinstance(theirs, dict):
            # Where the base is of another type both sides replaced it: their choice as a whole, not key by key.
            if base is ABSENT:
                return merge_objects(context, label, {}, ours, theirs, base_known=False)
            if isinstance(base, dict):
                return merge_objects(context, label, base, ours, theirs)
        elif isinstance(ours, list) and isinstance(theirs, list):
            return merge_list(context, label, base, ours, theirs)
        elif isinstance(base, str) and isinstance(ours, str) and isinstance(theirs, str):
            return merge_text(context, label, base, ours, theirs)
    return merge_scalar(context, label, base, ours, theirs)


def merge_by_rule(rule: Rule, context: MergeContext, label: Label, base: Value, ours: Value, theirs: Value) -> Triple:
    """Merge one field by the rule that the mapping gives it; values of another shape are taken as a whole."""
    if rule is Rule.SET and not context.whole(label) and all(map(_is_set, (base, ours, theirs))):
        return _merge_set(context, label, base, ours, theirs)
    if rule in (Rule.OBJECT, Rule.LIST):
        return merge_value(context, label, base, ours, theirs)
    if rule is Rule.SCALAR and all(isinstance(value, str) for value in (base, ours, theirs)):
        return merge_value(context, label, base, ours, theirs)
    return merge_scalar(context, label, base, ours, theirs)


# Sets


def merge_keys(context: MergeContext, label: Label, base: Value, ours: Value, theirs: Value, *, agreed: bool) -> Triple:
    """Merge a set of ids that rows hold: without an order, and absent where it is empty.

    Args:
        context: what the merge may do; gets the conflicts.
        label: the field.
        base: the last agreed ids.
        ours: one side's ids.
        theirs: the other's.
        agreed: whether the base is something that both sides agreed on; otherwise different sets conflict.
    """
    if not agreed:
        triple = merge_scalar(context, label, base, ours, theirs)
    else:
        values = ([] if value is ABSENT else value for value in (base, ours, theirs))
        triple = merge_by_rule(Rule.SET, context, label, *values)
    return Triple(*map(_as_keys, (triple.ours, triple.theirs, triple.base)))


def _as_keys(value: Value) -> Value:
    keys = {natural_key(item) for item in value} if isinstance(value, list) else set()
    return cast("JSON", sorted(cast("set[str]", keys - {None}))) or ABSENT


def _is_set(value: Value) -> bool:
    """Whether a value can be merged as a set: absent, or a list of distinct texts."""
    if value is ABSENT:
        return True
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return False
    return len(set(cast("list[str]", value))) == len(value)


def _merge_set(context: MergeContext, label: Label, base: Value, ours: Value, theirs: Value) -> Triple:
    """Three-way set merge: a removal on one side wins over "unchanged" on the other; the base's order breaks ties."""
    if not isinstance(ours, list) or not isinstance(theirs, list):
        return merge_scalar(context, label, base, ours, theirs)
    if _settled(base, ours, theirs) or not context.selects(label):
        return merge_scalar(context, label, base, ours, theirs)
    mine, other = cast("list[str]", ours), cast("list[str]", theirs)
    before = cast("list[str]", base) if isinstance(base, list) else []
    kept = set(mine) & set(other)
    added = (set(mine) ^ set(other)) - set(before)
    order = merge_order(before, mine, other)
    if order is None:
        order = [item for item in before if item in kept]
    return context.agree(ours, theirs, cast("JSON", weave([*kept, *added], order, mine, other)))


# Texts


def merge_text(context: MergeContext, label: Label, base: str, ours: str, theirs: str) -> Triple:
    """Merge texts: by lines where the base has several."""
    if _LINE in base and not _settled(base, ours, theirs) and context.selects(label):
        lines = joined(diff3_lines(base, ours, theirs))
        if lines:  # without a line there would be an empty text, which nobody wrote
            return context.agree(ours, theirs, join_lines(lines))
    return merge_scalar(context, label, base, ours, theirs)


# Lists


def merge_list(context: MergeContext, label: Label, base: Value, ours: list[JSON], theirs: list[JSON]) -> Triple:
    """Merge lists: by id where all items are objects with one, else by items; where they overlap, it is a conflict."""
    before, mine, other = _by_id(base), _by_id(ours), _by_id(theirs)
    if before is not None and mine is not None and other is not None and (before or mine or other):
        return _merge_items(context, label, base, before, mine, other)
    if isinstance(base, list) and not _settled(base, ours, theirs) and context.selects(label):
        items = joined(diff3_items(base, ours, theirs))
        if items is not None:
            return context.agree(ours, theirs, items)
    return merge_scalar(context, label, base, ours, theirs)


def _by_id(value: Value) -> _Keyed | None:
    """A list as its objects by id; nothing, an empty list included, has no items."""
    if value is ABSENT or value == []:
        return {}
    return keyed(value)


def _merge_items(
    context: MergeContext, label: Label, whole: Value, base: _Keyed, ours: _Keyed, theirs: _Keyed
) -> Triple:
    """Merge lists of objects with ids.

    Nothing notes which places were never agreed on inside a value, as the base of an epic does for its tasks. So an
    order that does not merge is a conflict of the list as a whole: no part of it becomes the base.
    """
    if not context.touches(label):
        return context.keep(whole, _items(ours), _items(theirs))
    orders = (list(base), list(ours), list(theirs))
    if context.selects(label) and merge_order(*orders) is None:
        return merge_scalar(context, label, whole, _items(ours), _items(theirs))
    triple = merge_keyed(_merge_item, context, label, *(cast("Tasks", _items(side)) for side in (base, ours, theirs)))
    agreed = whole is not ABSENT or triple.base or (context.selects(label) and not ours and not theirs)
    return triple if agreed else Triple(triple.ours, triple.theirs, ABSENT)


def _items(side: _Keyed) -> list[JSON]:
    return cast("list[JSON]", list(side.values()))


def _merge_item(context: MergeContext, label: Label, base: Core, ours: Core, theirs: Core) -> Triple:
    return merge_objects(context, label, base, ours, theirs, base_known=bool(base))


# Objects


def merge_objects(
    context: MergeContext, label: Label, base: _Object, ours: _Object, theirs: _Object, *, base_known: bool = True
) -> Triple:
    """Recurse into an object by key; what neither side touched keeps its place in each copy."""
    if not context.touches(label):
        return context.keep(base if base_known else ABSENT, ours, theirs)
    results: tuple[_Object, _Object, _Object] = ({}, {}, {})
    for name in dict.fromkeys([*ours, *theirs, *base]):
        values = (member(side, name) for side in (base, ours, theirs))
        triple = merge_value(context, label.child(name), *values)
        for result, value in zip(results, (triple.ours, triple.theirs, triple.base), strict=True):
            if value is not ABSENT:
                result[name] = value
    # Two objects of which nothing was agreed leave the base without one, unless it was agreed that both are empty.
    agreed = base_known or results[2] or (context.selects(label) and same(ours, theirs))
    return Triple(results[0], results[1], results[2] if agreed else ABSENT)


def member(value: MappingABC[str, JSON], name: str) -> Value:
    """What an object has under a name; null is absent."""
    inner = value.get(name)
    return ABSENT if inner is None else inner


def _settled(base: Value, ours: Value, theirs: Value) -> bool:
    """Whether the trivial rule says all."""
    return same(ours, theirs) or same(ours, base) or same(theirs, base)
