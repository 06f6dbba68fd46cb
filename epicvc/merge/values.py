"""The rules for sets and nested objects, on top of the trivial rule."""

from __future__ import annotations

from typing import TypeGuard

from epicvc.jsonio import JSON
from epicvc.merge.threeway import ABSENT, Context, Triple, Value, merge_scalar, same
from epicvc.model.labels import Label
from epicvc.model.mapping import Rule


def merge_by_rule(rule: Rule, context: Context, label: Label, base: Value, ours: Value, theirs: Value) -> Triple:
    """Merge one field by the rule that the mapping gives it; values of another shape are taken as a whole."""
    if rule is Rule.SET and all(map(_is_set, (base, ours, theirs))):
        return _merge_set(context, label, base, ours, theirs)
    if rule is Rule.OBJECT and _is_object(ours) and _is_object(theirs):
        return merge_objects(context, label, base if _is_object(base) else {}, ours, theirs, base_known=_is_object(base))
    return merge_scalar(context, label, base, ours, theirs)


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
    names = [*ours, *(n for n in theirs if n not in ours), *(n for n in base if n not in ours and n not in theirs)]
    results: tuple[dict[str, JSON], dict[str, JSON], dict[str, JSON]] = ({}, {}, {})
    for name in names:
        triple = merge_by_rule(
            Rule.OBJECT, context, label.child(name), _member(base, name), _member(ours, name), _member(theirs, name)
        )
        for result, value in zip(results, (triple.ours, triple.theirs, triple.base), strict=True):
            if value is not ABSENT:
                result[name] = value
    new_base: Value = results[2]
    if not base_known and not results[2] and (ours or theirs):
        new_base = ABSENT
    return Triple(results[0], results[1], new_base)


def _member(value: dict[str, JSON], name: str) -> Value:
    inner = value.get(name)
    return ABSENT if inner is None else inner


def _is_object(value: Value) -> TypeGuard[dict[str, JSON]]:
    return isinstance(value, dict)


def _is_set(value: Value) -> bool:
    """Whether a value can be merged as a set: absent, or a list of distinct texts."""
    if value is ABSENT:
        return True
    return isinstance(value, list) and all(isinstance(item, str) for item in value) and len(set(map(str, value))) == len(value)


def _merge_set(context: Context, label: Label, base: Value, ours: Value, theirs: Value) -> Triple:
    """Three-way set merge: a removal on one side wins over "unchanged" on the other; the order of ours is kept."""
    if ABSENT in (ours, theirs) or same(ours, theirs) or same(ours, base) or same(theirs, base):
        return merge_scalar(context, label, base, ours, theirs)
    if not context.selects(label):
        return context.keep(base, ours, theirs)
    before, mine, other = (list(value) if isinstance(value, list) else [] for value in (base, ours, theirs))
    merged: list[JSON] = [item for item in mine if item in other or item not in before]
    merged.extend(item for item in other if item not in mine and item not in before)
    return context.agree(ours, theirs, merged)
