"""Merges three JSON files into one, without a repo: epics by the rules of epics, anything else by its shape. Pure.

The result is an edit of ours that keeps its formatting. Where something conflicts it has our value, so that it is
always JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

from msgspec import Struct

from epicvc.base.jsonio import JSON, equal, parse
from epicvc.errors import InvalidData
from epicvc.files.format.rewrite import rewrite
from epicvc.merge.document import DocumentMerge
from epicvc.merge.threeway import ABSENT, Chosen, Conflict, Decide, MergeContext, Value, undecided
from epicvc.merge.values import merge_value
from epicvc.merge.versions import Versions
from epicvc.model.document import Core, epic_body, natural_key, read_file_epic, tasks_of
from epicvc.model.labels import Label, escape
from epicvc.model.mapping import BUILTIN
from epicvc.plan.file.wholefile import Text, merged_bytes, of_file


class FileMerge(Struct, frozen=True):
    """The merge of three files.

    Attributes:
        data: the merged file.
        conflicts: the conflicts that nobody decided, each with its place as users name it: a label in epics, a path
            elsewhere.
    """

    data: bytes
    conflicts: tuple[tuple[str, Conflict], ...]


def merge_files(
    ours: bytes,
    base: bytes,
    theirs: bytes,
    decide: Decide = undecided,
    names: tuple[str, str, str] = ("OURS", "BASE", "THEIRS"),
) -> FileMerge:
    """Merge three JSON files.

    Args:
        ours: one file; its formatting stays.
        base: the file that both come from; empty where they have nothing in common, as git gives it for a file that
            both sides added.
        theirs: the other file.
        decide: settles conflicts.
        names: the names of the three in messages.

    Raises:
        InvalidJSON: one of them is no strict JSON.
    """
    raws = (ours, base, theirs)
    mine, other = parse(ours, source=names[0]), parse(theirs, source=names[2])
    old: Value = parse(base, source=names[1]) if base else ABSENT
    values: tuple[Value, ...] = (mine, old, other)
    context = MergeContext(decide=_something(decide))
    if same_epic(*(value for value in values if value is not ABSENT)):
        try:
            texts = [
                None if value is ABSENT else Text(raw, read_file_epic(value, BUILTIN, name))
                for raw, value, name in zip(raws, values, names, strict=True)
            ]
        except InvalidData:
            texts = []  # one is nearly an epic: they are merged by their shape
        if texts:
            return _merge_epics(context, *texts)
    return _merge_shapes(context, ours, Versions(old, mine, other))


def _something(decide: Decide) -> Decide:
    """Return a decision that never makes the whole file absent, as choosing a missing base would."""

    def decided(conflict: Conflict) -> Chosen | None:
        chosen = decide(conflict)
        return None if chosen is not None and chosen.value is ABSENT and not conflict.label.path else chosen

    return decided


def same_epic(*values: JSON) -> bool:
    """Tell whether all are files of one epic."""
    keys = {natural_key(epic_body(value).get("id")) if isinstance(value, dict) else None for value in values}
    return len(keys) == 1 and None not in keys


def _merge_epics(context: MergeContext, ours: Text | None, base: Text | None, theirs: Text | None) -> FileMerge:
    assert ours is not None  # only the base may be missing
    texts = Versions(base, ours, theirs)
    cores = texts.map(lambda text: None if text is None else of_file(text.file, BUILTIN))
    epic = ours.file.id
    ids = cores.map(_ids)
    if ids.base == ids.ours == ids.theirs:
        merged = DocumentMerge(BUILTIN).merge(context, epic, cores).ours
        conflicts: Iterable[Conflict] = context.conflicts
    else:
        merged, conflicts = _with_other_ids(context, epic, cores)
    data = merged_bytes(BUILTIN, cast("Core", merged), base, ours, theirs, form_of_ours=True)
    assert data is not None  # ours is there
    return FileMerge(data, tuple((str(conflict.label), conflict) for conflict in conflicts))


def _ids(core: Core | None) -> set[JSON]:
    return {task["id"] for task in tasks_of(core or {})}


def _with_other_ids(context: MergeContext, epic: str, cores: Versions[Core | None]) -> tuple[Value, Iterable[Conflict]]:
    """Merge an epic in which tasks came, went, or got other ids."""
    from epicvc.plan.epic import Policy, plan_epic
    from epicvc.plan.moves.findmoves import Places, find_moves  # seldom needed, and the command has to start fast

    links = BUILTIN.links.field if BUILTIN.links else None
    moves = find_moves(filter(None, [Places.of(epic, cores)]), lambda _: cores, links, unique=False)
    outcome = plan_epic(BUILTIN, Policy(decide=context.decide, moves=moves), epic, *cores)
    return cast("Value", outcome.files), outcome.conflicts


# Any JSON


def _merge_shapes(context: MergeContext, raw: bytes, shapes: Versions[Value]) -> FileMerge:
    """Merge three values by their shape.

    The merge takes a null member for an absent one. In a file it is a value, so a text that occurs in none of them
    stands for null during the merge.
    """
    null = "null\0"
    ours = cast("JSON", shapes.ours)
    known = [value for value in shapes if value is not ABSENT]
    taken = {text for value in known for text in _texts(value)}
    while null in taken:
        null += "\0"
    values = shapes.map(lambda value: ABSENT if value is ABSENT else cast("Value", _put_null(value, null)))
    merged = merge_value(context, Label(""), values).ours
    assert merged is not ABSENT  # two versions are there, and no decision makes the whole absent
    result = _take_null(merged, null)
    conflicts = tuple((_pointer(found.label), _plain(found, null)) for found in context.conflicts)
    data = raw if equal(result, ours) and _same_keys(result, ours) else rewrite(raw, result, ours)
    return FileMerge(data, conflicts)


def _texts(value: JSON) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _put_null(value: JSON, null: str) -> JSON:
    if isinstance(value, dict):
        return {name: _put_null(inner, null) for name, inner in value.items()}
    if isinstance(value, list):
        return [_put_null(inner, null) for inner in value]
    return null if value is None else value


def _take_null(value: JSON, null: str) -> JSON:
    if isinstance(value, dict):
        return {name: _take_null(inner, null) for name, inner in value.items()}
    if isinstance(value, list):
        return [_take_null(inner, null) for inner in value]
    return None if value == null else value


def _same_keys(one: JSON, other: JSON) -> bool:
    """Tell whether two equal values also have the same null members."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same_keys(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return all(_same_keys(*pair) for pair in zip(one, other, strict=True))
    return True


def _plain(found: Conflict, null: str) -> Conflict:
    values = (
        ABSENT if value is ABSENT else _take_null(value, null) for value in (found.base, found.ours, found.theirs)
    )
    return Conflict(found.label, *values)


def _pointer(label: Label) -> str:
    """Return a place as a JSON Pointer; items of lists of objects with ids go by id."""
    return "".join("/" + escape(name) if name else "/" for name in label.path)
