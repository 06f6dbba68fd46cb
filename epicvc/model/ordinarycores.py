"""Reads the canonical cores of ordinary epics, for callers that name many files and want nothing else of them.

An ordinary file has what the mapping expects: texts, lists of texts, integers. Its core goes through msgspec into
structs that have the core fields in canonical order, and out again. That takes a quarter of the time of
:func:`~epicvc.model.document.read_file_epic` with :func:`~epicvc.model.document.core_bytes`. Files that are not
ordinary are left to these two functions. So is every fault, since they have the messages for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, TypeAlias

import msgspec

from epicvc.base.jsonio import JSON, canonical_encoder, is_plain
from epicvc.model.document import INT64, PLAIN_TYPE, WRAPPER, is_ambiguous
from epicvc.model.mapping import Field, Kind, Mapping, Rule

_Type: TypeAlias = Any
"""The type of a value, as msgspec takes it."""

_INTEGER: Final[_Type] = Annotated[int, msgspec.Meta(ge=INT64[0], le=INT64[-1])]
_TEXTS: Final[_Type] = list[str]
_KINDS: Final[dict[Kind, _Type]] = {**PLAIN_TYPE, Kind.NUMBER: _INTEGER}

_encode = canonical_encoder().encode


class OrdinaryCores:
    """Reads the canonical cores of ordinary epics.

    Args:
        mapping: says which fields are core.
    """

    def __init__(self, mapping: Mapping) -> None:
        self._forms = _forms(mapping)

    def read(self, parsed: JSON) -> tuple[str, bytes] | None:
        """Return the id and the canonical core of the epic in a parsed file.

        Returns ``None`` where the epic is not ordinary, or where the file holds none.
        """
        if self._forms is None or not isinstance(parsed, dict) or is_ambiguous(parsed):
            return None
        epics, tasks = self._forms
        try:
            epic = msgspec.convert(parsed.get(WRAPPER, parsed), epics.struct)
            if not epic.id or not _tidy(epic):
                return None
            core, free = _encode(epic), epics.free_of((epic,)) + tasks.free_of(epic.tasks or ())
            return None if free and not is_plain(_encode(free)) else (epic.id, core)
        except ValueError:
            return None


def _tidy(epic: Any) -> bool:
    """Bring lists of links and tasks into the one form that a core has.

    Returns whether the tasks have ids of their own, and neither an id nor a link is empty.
    """
    tasks = epic.tasks
    if not tasks:
        epic.tasks = None
        return True
    for task in tasks:
        links = getattr(task, "links", None)
        if links is not None:
            task.links = sorted(set(links)) or None
            if "" in links:
                return False
    ids = {task.id for task in tasks}
    return len(ids) == len(tasks) and "" not in ids


class _Form:
    """The struct of an ordinary epic or task.

    Args:
        name: the name of the struct.
        fields: the core fields.
        more: further members, by their name in a file: the name in the struct and the type.

    Attributes:
        struct: the struct, with its members in canonical order.

    Raises:
        ValueError: msgspec cannot write a member of such a name.
    """

    def __init__(self, name: str, fields: Sequence[Field], more: dict[str, tuple[str, _Type]]) -> None:
        members: dict[str, tuple[str, _Type]] = {"id": ("id", str)} | more
        members |= {field.name: (f"f{number}", _type(field)) for number, field in enumerate(fields)}
        ordered = [(key, *members[key]) for key in sorted(members)]
        self._free: Final = [attribute for _, attribute, kind in ordered if kind is Any]
        self.struct: Final[Any] = msgspec.defstruct(
            name,
            [(attribute, kind) if key == "id" else (attribute, kind | None, None) for key, attribute, kind in ordered],
            rename={attribute: key for key, attribute, _ in ordered},
            omit_defaults=True,
            kw_only=True,
        )

    def free_of(self, values: Sequence[Any]) -> list[object]:
        """Return the values of members that can be of any type.

        Nulls and odd numbers in them have another canonical form than what msgspec writes.
        """
        found = [getattr(value, name) for name in self._free for value in values]
        return [each for each in found if each is not None]


def _forms(mapping: Mapping) -> tuple[_Form, _Form] | None:
    """Return the forms of epics and of tasks.

    Returns ``None`` where msgspec cannot write a member of some name, or where the links and a field have the same
    name.
    """
    links = mapping.links.field if mapping.links else None
    if links == "id" or links in mapping.tasks.by_name:
        return None
    try:
        task = _Form("Task", mapping.tasks.core, {links: ("links", _TEXTS)} if links is not None else {})
        return _Form("Epic", mapping.epics.core, {Mapping.TASKS: ("tasks", list[task.struct])}), task  # type: ignore[name-defined]
    except ValueError:
        return None


def _type(field: Field) -> _Type:
    if field.kind is Kind.JSON:
        return _TEXTS if field.rule in (Rule.LIST, Rule.SET) else Any
    return _KINDS[field.kind]
