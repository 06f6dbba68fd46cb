"""The file of an epic in a merge, parsed once and read as a core with its extra keys. Pure."""

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
    """A file's bytes and their JSON value."""

    raw: bytes
    value: JSON


class Still(Struct, frozen=True):
    """The tasks of an epic that neither side changed.

    Attributes:
        items: the tasks as the file has them.
        cores: the fields of the tasks that both sides own, as the file has them.
        canonical: the cores in their canonical form.
    """

    items: Items = field(default_factory=dict)
    cores: MappingABC[str, Core] = field(default_factory=dict)
    canonical: MappingABC[str, bytes] = field(default_factory=dict)


class Version(NamedTuple):
    """The file of an epic in one state.

    Attributes:
        path: the path of the file.
        blob: the id of its bytes.
        text: the bytes and the core read from them, with only the ids of unchanged tasks.
        core: the id of the whole core, unchanged tasks included.
    """

    path: str
    blob: ObjectId
    text: Text
    core: ObjectId


def read_still(epic: str, items: Items, mapping: Mapping, path: str) -> Still:
    """Read the tasks that neither side changed.

    Raises:
        InvalidData: a task is not valid, or a field's value does not fit its column.
    """
    tasks = cast("JSON", list(items.values()))
    core = read_file_epic({"id": epic, Mapping.TASKS: tasks}, mapping, path).core
    cores = {cast("str", task["id"]): task for task in tasks_of(core)}
    return Still(items, cores, {key: dumps_canonical(cast("JSON", task)) for key, task in cores.items()})


def read_version(epic: str, place: tuple[str, ObjectId], parsed: Parsed, still: Still, mapping: Mapping) -> Version:
    """Read the file of an epic, in which the unchanged tasks are not read again.

    Raises:
        InvalidData: the file is no epic, or a field's value does not fit its column.
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
    """Return whether a file has the unchanged tasks to the letter as they were."""
    items = items_of(value) or {}
    return all(
        key in items and to_the_letter(cast("JSON", items[key])) == to_the_letter(cast("JSON", item))
        for key, item in still.items.items()
    )
