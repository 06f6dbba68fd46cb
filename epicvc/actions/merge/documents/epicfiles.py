"""The file of an epic that is merged: parsed already, and read as a core with what it has beside it. Pure."""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from typing import NamedTuple, cast

from msgspec import Struct, field

from epicvc.actions.merge.snapshots.untouched import Items, bare_file, items_of
from epicvc.base.jsonio import JSON, dumps_canonical, to_the_letter
from epicvc.model.document import Core, join_core, read_file_epic, tasks_of
from epicvc.model.mapping import Mapping
from epicvc.plan.file.wholefile import Text
from epicvc.store.objects import ObjectId, ObjectType, object_id


class Parsed(NamedTuple):
    """A file's bytes, and the value that they are."""

    raw: bytes
    value: JSON


class Still(Struct, frozen=True):
    """The tasks of an epic that nobody touched.

    Attributes:
        items: as its file has them.
        cores: what both sides own of them, as the file says it.
        canonical: the same in its canonical form.
    """

    items: Items = field(default_factory=dict)
    cores: MappingABC[str, Core] = field(default_factory=dict)
    canonical: MappingABC[str, bytes] = field(default_factory=dict)


class Version(NamedTuple):
    """An epic's file.

    Attributes:
        path: where it is.
        blob: the id of its bytes.
        text: its bytes and what they say; tasks that nobody touched by their ids alone.
        core: the id of its core, which has these as well.
    """

    path: str
    blob: ObjectId
    text: Text
    core: ObjectId


def read_still(epic: str, items: Items, mapping: Mapping, path: str) -> Still:
    """The tasks that nobody touched.

    Raises:
        InvalidData: they are none, or a field's value does not fit its column.
    """
    tasks = cast("JSON", list(items.values()))
    core = read_file_epic({"id": epic, Mapping.TASKS: tasks}, mapping, path).core
    cores = {cast("str", task["id"]): task for task in tasks_of(core)}
    return Still(items, cores, {key: dumps_canonical(cast("JSON", task)) for key, task in cores.items()})


def read_version(epic: str, place: tuple[str, ObjectId], parsed: Parsed, still: Still, mapping: Mapping) -> Version:
    """An epic's file in which the tasks that nobody touched are as they were.

    Raises:
        InvalidData: it is no epic, or a field's value does not fit its column.
    """
    path, blob = place
    whole = bare_file(parsed.value, still.items) if isinstance(parsed.value, dict) and still.items else parsed.value
    file = read_file_epic(whole, mapping, path, stored=True)
    tasks = [
        still.canonical.get(cast("str", task["id"])) or dumps_canonical(cast("JSON", task))
        for task in tasks_of(file.core)
    ]
    core = object_id(ObjectType.CORE, join_core(epic, file.core, tasks))
    return Version(path, blob, Text(parsed.raw, file, frozenset(still.items), parsed.value), core)


def holds(value: JSON, still: Still) -> bool:
    """Whether a file has the tasks that nobody touched as they were."""
    items = items_of(value) or {}
    return all(
        key in items and to_the_letter(cast("JSON", items[key])) == to_the_letter(cast("JSON", item))
        for key, item in still.items.items()
    )
