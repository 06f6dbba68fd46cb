"""Reads epics, tasks and links from stored files.

It reads an outline only, which is enough for files that are not merged.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec

from epicvc.base.depth import require_shallow
from epicvc.base.jsonio import JSON, parse
from epicvc.errors import InvalidFile
from epicvc.model.document import WRAPPER, Core, epic_body, natural_key, tasks_of
from epicvc.model.mapping import Mapping
from epicvc.store.objects import ObjectId, ObjectSource, ObjectType

Links = dict[str, tuple[str, ...]]
"""Tasks, each with the tasks that it depends on."""


class Contents:
    """Reads stored files.

    Args:
        source: the store of the files.
        field: the field of a task that holds the tasks that it depends on.
    """

    def __init__(self, source: ObjectSource, field: str) -> None:
        self._source = source
        self._field = field
        self._seen: dict[ObjectId, tuple[str | None, Links]] = {}

    def epic(self, blob: ObjectId, path: str) -> tuple[str, Links]:
        """Return the epic of a file, and its tasks with their links.

        Raises:
            InvalidJSON: the file is no JSON.
            InvalidFile: the file is no epic.
        """
        if blob not in self._seen:
            body = self._outline(self._source.get(blob, ObjectType.BLOB), path)
            self._seen[blob] = natural_key(body.get("id")), links_of(body, self._field)
        epic, found = self._seen[blob]
        if epic is None:
            raise InvalidFile(path, 'the epic has no "id" (a text or an integer)')
        return epic, found

    def _outline(self, raw: bytes, path: str) -> Core:
        """Read the epic in a file with only its id, and the ids and links of its tasks."""
        try:
            require_shallow(raw)
            found: dict[str, JSON] = msgspec.to_builtins(self._decoder.decode(raw))
        except ValueError:  # a value has an unexpected type: read the file as plain JSON
            value = parse(raw, source=path)
            return epic_body(value) if isinstance(value, dict) else {}
        return epic_body(found)

    @cached_property
    def _decoder(self) -> msgspec.json.Decoder[Any]:
        """A decoder that skips all other members, which is ten times as fast as making values of them."""
        key, absent = str | int | None, None
        links = [(self._field, list[str | int] | None, absent)] if self._field.isidentifier() else []
        task = msgspec.defstruct("Task", [("id", key, absent), *links])
        own: list[tuple[str, Any, Any]] = [("id", key, absent), (Mapping.TASKS, list[task] | None, absent)]  # type: ignore[valid-type]
        epic = msgspec.defstruct("Epic", own)
        return msgspec.json.Decoder(msgspec.defstruct("Whole", [*own, (WRAPPER, epic | None, absent)]))


def links_of(body: Core, field: str) -> Links:
    """Return the tasks of an epic, each with the tasks that it depends on."""
    tasks = tasks_of(body) if isinstance(body.get(Mapping.TASKS), list) else []
    found: Links = {}
    for task in tasks:
        key = natural_key(task.get("id")) if isinstance(task, dict) else None
        if key is not None:
            links = task.get(field)
            keys = map(natural_key, links) if isinstance(links, list) else ()
            found[key] = tuple(link for link in keys if link is not None)
    return found
