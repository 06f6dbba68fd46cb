"""The rules for sets and nested objects, on top of the trivial rule."""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from typing import TypeGuard, cast

from epicvc.jsonio import JSON
from epicvc.merge.threeway import ABSENT, Context, Triple, Value, merge_scalar, same
from epicvc.model.document import natural_key
from epicvc.model.labels import Label
from epicvc.model.mapping import Rule


def merge_by_rule(rule: Rule, context: Context, label: Label, base: Value, ours: Value, theirs: Value) -> Triple:
    """Merge one field by the rule that the mapping gives it; values of another shape are taken as a whole."""
    if rule is Rule.SET and all(map(_is_set, (base, ours, theirs))):
        return _merge_set(context, label, base, ours, theirs)
    if rule is Rule.OBJECT and _is_object(ours) and _is_object(theirs):
        # Where the base is of another type both sides replaced it: their choice as a whole, not key by key.
        if base is ABSENT:
            return merge_objects(context, label, {}, ours, theirs, base_known=False)
        if _is_object(base):
            return merge_objects(context, label, base, ours, theirs)
    return merge_scalar(context, label, base, ours, theirs)


def merge_keys(context: Context, label: Label, base: Value, ours: Value, theirs: Value, *, agreed: bool) -> Triple:
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


def merge_objects(
    context: Context,
    label: Label,
    base: dict[str, JSON],
    ours: dict[str, JSON],
    theirs: dict[str, JSON],
    *,
    base_known: bool = True,
) -> Triple:
    """Recurse into an object by key; what neither side touched keeps its place in each copy."""
    if not context.touches(label):
        return context.keep(base if base_known else ABSENT, ours, theirs)
    results: tuple[dict[str, JSON], dict[str, JSON], dict[str, JSON]] = ({}, {}, {})
    for name in dict.fromkeys([*ours, *theirs, *base]):
        values = (member(side, name) for side in (base, ours, theirs))
        triple = merge_by_rule(Rule.OBJECT, context, label.child(name), *values)
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


def _is_object(value: Value) -> TypeGuard[dict[str, JSON]]:
    return isinstance(value, dict)


def _is_set(value: Value) -> bool:
    """Whether a value can be merged as a set: absent, or a list of distinct texts."""
    if value is ABSENT:
        return True
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return False
    return len(set(cast("list[str]", value))) == len(value)


def _merge_set(context: Context, label: Label, base: Value, ours: Value, theirs: Value) -> Triple:
    """Three-way set merge: a removal on one side wins over "unchanged" on the other; ours keeps its order."""
    if not isinstance(ours, list) or not isinstance(theirs, list):
        return merge_scalar(context, label, base, ours, theirs)
    if same(ours, theirs) or same(ours, base) or same(theirs, base) or not context.selects(label):
        return merge_scalar(context, label, base, ours, theirs)
    mine, other = set(cast("list[str]", ours)), set(cast("list[str]", theirs))
    before = set(cast("list[str]", base)) if isinstance(base, list) else set()
    merged = [item for item in ours if item in other or item not in before]
    merged += [item for item in theirs if item not in mine and item not in before]
    return context.agree(ours, theirs, merged)
