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
from epicvc.merge.threeway import ABSENT, MergeContext, Value, merge_scalar, same
from epicvc.merge.versions import Versions
from epicvc.model.diff import keyed
from epicvc.model.document import Core, Tasks, natural_key
from epicvc.model.labels import Label
from epicvc.model.mapping import Rule

_Object: TypeAlias = "dict[str, JSON]"
_Keyed: TypeAlias = "dict[str, _Object]"

_LINE: Final = "\n"


def merge_value(context: MergeContext, label: Label, values: Versions[Value]) -> Versions[Value]:
    """Merge three values of any shape.

    Objects are merged by key. Lists whose items are all objects with an ``id`` are merged by id, other lists by items;
    texts of several lines by lines. Everything else is taken whole, and so are values whose type is not the same on
    both sides and in the base.

    Args:
        context: what the merge may do; gets the conflicts.
        label: the place.
        values: the three values; null members of objects are absent (:func:`member`).
    """
    base, ours, theirs = values
    if not context.whole(label):
        if isinstance(ours, dict) and isinstance(theirs, dict):
            # Where the base is of another type both sides replaced it: their choice as a whole, not key by key.
            if base is ABSENT:
                return merge_objects(context, label, Versions({}, ours, theirs), base_known=False)
            if isinstance(base, dict):
                return merge_objects(context, label, Versions(base, ours, theirs))
        elif isinstance(ours, list) and isinstance(theirs, list):
            return _merge_list(context, label, values)
        elif isinstance(base, str) and isinstance(ours, str) and isinstance(theirs, str):
            return _merge_text(context, label, values, Versions(base, ours, theirs))
    return merge_scalar(context, label, values)


def merge_by_rule(rule: Rule, context: MergeContext, label: Label, values: Versions[Value]) -> Versions[Value]:
    """Merge one field by the rule that the mapping gives it; values of another shape are taken as a whole."""
    if rule is Rule.SET and not context.whole(label) and all(map(_is_set, values)):
        return _merge_set(context, label, values)
    if rule in (Rule.OBJECT, Rule.LIST):
        return merge_value(context, label, values)
    if rule is Rule.SCALAR and all(isinstance(value, str) for value in values):
        return merge_value(context, label, values)
    return merge_scalar(context, label, values)


# Sets


def merge_keys(context: MergeContext, label: Label, values: Versions[Value], *, agreed: bool) -> Versions[Value]:
    """Merge a set of ids that rows hold: without an order, and absent where it is empty.

    Args:
        context: what the merge may do; gets the conflicts.
        label: the field.
        values: the last agreed ids, and those of each side.
        agreed: whether the base is something that both sides agreed on; otherwise different sets conflict.
    """
    if not agreed:
        return merge_scalar(context, label, values).map(_as_keys)
    sets: Versions[Value] = values.map(lambda value: [] if value is ABSENT else value)
    return merge_by_rule(Rule.SET, context, label, sets).map(_as_keys)


def _as_keys(value: Value) -> Value:
    keys = {natural_key(item) for item in value} if isinstance(value, list) else set()
    return cast("JSON", sorted(cast("set[str]", keys - {None}))) or ABSENT


def _is_set(value: Value) -> bool:
    """Tell whether a value can be merged as a set: it is absent, or a list of distinct texts."""
    if value is ABSENT:
        return True
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return False
    return len(set(cast("list[str]", value))) == len(value)


def _merge_set(context: MergeContext, label: Label, values: Versions[Value]) -> Versions[Value]:
    """Merge sets: a removal on one side wins over "unchanged" on the other; the base's order breaks ties."""
    if not isinstance(values.ours, list) or not isinstance(values.theirs, list):
        return merge_scalar(context, label, values)
    if _settled(values) or not context.selects(label):
        return merge_scalar(context, label, values)
    sets = values.map(lambda value: cast("list[str]", value) if isinstance(value, list) else [])
    before, mine, other = sets
    kept = set(mine) & set(other)
    added = (set(mine) ^ set(other)) - set(before)
    order = merge_order(sets)
    if order is None:
        order = [item for item in before if item in kept]
    return context.agree(values, cast("JSON", weave([*kept, *added], order, mine, other)))


# Texts


def _merge_text(context: MergeContext, label: Label, values: Versions[Value], texts: Versions[str]) -> Versions[Value]:
    """Merge texts: by lines where the base has several."""
    if _LINE in texts.base and not _settled(values) and context.selects(label):
        lines = joined(diff3_lines(*texts))
        if lines:  # without a line there would be an empty text, which nobody wrote
            return context.agree(values, join_lines(lines))
    return merge_scalar(context, label, values)


# Lists


def _merge_list(context: MergeContext, label: Label, values: Versions[Value]) -> Versions[Value]:
    """Merge lists: by id where all items are objects with one, else by items; where they overlap, it is a conflict."""
    before, mine, other = values.map(_by_id)
    if before is not None and mine is not None and other is not None and (before or mine or other):
        return _merge_items(context, label, values, Versions(before, mine, other))
    if isinstance(values.base, list) and not _settled(values) and context.selects(label):
        items = joined(diff3_items(*cast("Versions[list[JSON]]", values)))
        if items is not None:
            return context.agree(values, items)
    return merge_scalar(context, label, values)


def _by_id(value: Value) -> _Keyed | None:
    """Return the objects of a list by id.

    An absent value and an empty list have no items. Returns ``None`` for any other value that is no list of objects
    with distinct ids.
    """
    if value is ABSENT or value == []:
        return {}
    return keyed(value)


def _merge_items(
    context: MergeContext, label: Label, values: Versions[Value], items: Versions[_Keyed]
) -> Versions[Value]:
    """Merge lists of objects with ids.

    Nothing notes which places were never agreed on inside a value, as the base of an epic does for its tasks. So an
    order that does not merge is a conflict of the list as a whole: no part of it becomes the base.
    """
    lists = items.map(lambda side: cast("Tasks", list(side.values())))
    there = cast("Versions[Value]", lists._replace(base=cast("Tasks", values.base)))
    if not context.touches(label):
        return there
    if context.selects(label) and merge_order(items.map(list)) is None:
        return merge_scalar(context, label, there)
    merged = merge_keyed(_merge_item, context, label, lists)
    nothing = context.selects(label) and not items.ours and not items.theirs
    agreed = values.base is not ABSENT or merged.base or nothing
    return merged if agreed else merged._replace(base=ABSENT)


def _merge_item(context: MergeContext, label: Label, items: Versions[Core]) -> Versions[Value]:
    return merge_objects(context, label, items, base_known=bool(items.base))


# Objects


def merge_objects(
    context: MergeContext, label: Label, objects: Versions[_Object], *, base_known: bool = True
) -> Versions[Value]:
    """Merge objects key by key; what neither side touched keeps its place in each copy.

    Args:
        context: what the merge may do; gets the conflicts.
        label: the place.
        objects: the three objects.
        base_known: there is a base; otherwise an empty object stands for it.
    """
    base, ours, theirs = objects
    if not context.touches(label):
        return Versions(base if base_known else ABSENT, ours, theirs)
    results: Versions[_Object] = Versions({}, {}, {})
    for name in dict.fromkeys([*ours, *theirs, *base]):
        values = Versions(member(base, name), member(ours, name), member(theirs, name))
        for result, value in zip(results, merge_value(context, label.child(name), values), strict=True):
            if value is not ABSENT:
                result[name] = value
    # Two objects of which nothing was agreed leave the base without one, unless it was agreed that both are empty.
    agreed = base_known or results.base or (context.selects(label) and same(ours, theirs))
    return Versions(results.base if agreed else ABSENT, results.ours, results.theirs)


def member(value: MappingABC[str, JSON], name: str) -> Value:
    """Return the member of an object; null is absent."""
    inner = value.get(name)
    return ABSENT if inner is None else inner


def _settled(values: Versions[Value]) -> bool:
    """Tell whether the rule for whole values says all."""
    base, ours, theirs = values
    return same(ours, theirs) or same(ours, base) or same(theirs, base)
