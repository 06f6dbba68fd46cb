"""Differences between two states of a document, as a list of labelled changes. Pure; renders nothing.

Objects are compared by key. Lists of objects that all have an ``id`` are compared by id, with moves told apart from
edits. Any other list and any other value is compared as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import cast

from msgspec import Struct

from epicvc.base.jsonio import JSON, equal, to_the_letter
from epicvc.model.document import item_key
from epicvc.model.labels import Label
from epicvc.model.subsequence import longest_increasing


class Op(StrEnum):
    """The kind of a change."""

    ADD = "add"
    REMOVE = "remove"
    REPLACE = "replace"
    MOVE = "move"


class Change(Struct, frozen=True):
    """One difference between two states.

    Attributes:
        label: the place that changed.
        op: what happened; for a move ``old`` and ``new`` are the ids that stood before the item (``None``: first).
        old: the value before; ``None`` for an addition.
        new: the value after; ``None`` for a removal.
    """

    label: Label
    op: Op
    old: JSON
    new: JSON


Keyed = dict[str, dict[str, JSON]]


def keyed(value: JSON) -> Keyed | None:
    """Return the objects of a list by id, in order.

    Returns ``None`` where the list is empty, or where the value is no list of objects with distinct ids.
    """
    if not isinstance(value, list) or not value:
        return None
    result: Keyed = {}
    for item in value:
        key = item_key(item.get("id")) if isinstance(item, dict) else None
        if key is None or key in result:
            return None
        result[key] = cast("dict[str, JSON]", item)
    return result


def diff(label: Label, old: JSON, new: JSON) -> Iterator[Change]:
    """Yield the changes that turn ``old`` into ``new``; absent and null are the same."""
    if old is new:
        return
    if old is None:
        yield Change(label, Op.ADD, None, new)
    elif new is None:
        yield Change(label, Op.REMOVE, old, None)
    elif isinstance(old, dict) and isinstance(new, dict):
        yield from _diff_objects(label, old, new)
    else:
        before, after = keyed(old), keyed(new)
        if before is not None and after is not None:
            yield from _diff_keyed(label, before, after)
        elif before is not None and new == []:
            yield from _diff_keyed(label, before, {})
        elif after is not None and old == []:
            yield from _diff_keyed(label, {}, after)
        elif not equal(old, new):
            yield Change(label, Op.REPLACE, old, new)


def diff_epic(label: Label, old: JSON, new: JSON) -> Iterator[Change]:
    """Yield the changes of an epic; tasks are always told apart by id, even where one side has none."""
    if old is new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        old, new = dict(old), dict(new)
        tasks = label.child("tasks")
        before, after = old.pop("tasks", None) or [], new.pop("tasks", None) or []
        yield from _diff_objects(label, old, new)
        yield from diff(tasks, before, after)
    else:
        yield from diff(label, old, new)


def _same(old: JSON, new: JSON) -> bool:
    """Return whether two values are the same to the letter.

    Most values are, and are not compared member by member. ``False`` does not mean that they differ: equal numbers can
    be written in two ways.
    """
    if old is new or type(old) is not type(new):
        return old is new
    if not isinstance(old, (dict, list)):
        return old == new
    try:
        return to_the_letter(old) == to_the_letter(new)
    except ValueError:  # a number that can be compared but not written
        return False


def _diff_objects(label: Label, old: dict[str, JSON], new: dict[str, JSON]) -> Iterator[Change]:
    for name in [*old, *(name for name in new if name not in old)]:
        before, after = old.get(name), new.get(name)
        if not _same(before, after):
            yield from diff(label.child(name), before, after)


def _diff_keyed(label: Label, old: Keyed, new: Keyed) -> Iterator[Change]:
    for key in old:
        if key not in new:
            yield Change(label.child(key), Op.REMOVE, cast("JSON", old[key]), None)
    for key, item in new.items():
        if key in old:
            if not _same(cast("JSON", old[key]), cast("JSON", item)):
                yield from _diff_objects(label.child(key), old[key], item)
        else:
            yield Change(label.child(key), Op.ADD, None, cast("JSON", item))
    before = [key for key in old if key in new]
    after = [key for key in new if key in old]
    if before != after:
        stood, stands = (dict(zip(side, (None, *side), strict=False)) for side in (old, new))
        for key in moved(before, after):
            yield Change(label.child(key), Op.MOVE, stood[key], stands[key])


def moved(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """Return the fewest items that must move to turn one order into the other: all but a longest common subsequence."""
    rank = {key: position for position, key in enumerate(before)}
    stay = longest_increasing(after, lambda key: rank[key])
    return [key for key in after if key not in stay]
