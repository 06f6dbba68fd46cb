"""Enriched files: the bytes of an original epic together with its calculated fields.

The bytes of the original are copied, so that nothing of it can change: neither the last digit of a number nor a key
that is there twice. A parser reads only the needed members and skips all others. Text that this parser refuses goes to
:func:`epicvc.base.jsonio.parse`, which names the fault and its place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from epicvc.base.depth import require_shallow
from epicvc.base.jsonio import JSON, dumps_text, parse
from epicvc.errors import InvalidFile
from epicvc.model.document import CALCULATED, WRAPPER, doubt, natural_key
from epicvc.model.templates import is_template

METADATA: Final = "metadata"
VERSION: Final = "v1.0"
"""The version of the enriched format."""

MOST_MINUTES: Final = 10**9
"""The minutes of some two thousand years. A larger estimate is ignored."""


class Original(Struct, frozen=True):
    """The needed parts of an author's file.

    Attributes:
        id: the id of the epic.
        duration: its duration; ``None`` if it is missing or no text.
        minutes: the sum of the tasks' estimates; ``None`` if no task has one.
        body: the bytes of the epic itself.
        siblings: the bytes of the members beside the epic, by name.
    """

    id: str
    duration: str | None
    minutes: float | None
    body: bytes
    siblings: Mapping[str, bytes] = field(default_factory=dict)


class Parts(Struct, frozen=True):
    """The parts of an enriched file.

    Attributes:
        body: the bytes of the epic.
        duration: the epic's duration.
        calculated: the calculated fields.
        metadata: the metadata of the calculation.
    """

    body: bytes
    duration: str | None
    calculated: dict[str, Any]
    metadata: dict[str, Any]


class _Decoders(Struct, frozen=True):
    """Parsers for the needed members alone."""

    members: msgspec.json.Decoder[dict[str, msgspec.Raw]]
    epic: msgspec.json.Decoder[Any]


@cache
def _decoders() -> _Decoders:
    task = msgspec.defstruct("Task", [("estimate_minutes", Any, None)])
    epic = msgspec.defstruct("Epic", [("id", Any, None), ("duration", Any, None), ("tasks", list[task] | None, None)])  # type: ignore[valid-type]
    return _Decoders(msgspec.json.Decoder(dict[str, msgspec.Raw]), msgspec.json.Decoder(epic))


def read_original(data: bytes, source: str) -> Original | None:
    """Read an author's file.

    Args:
        data: the bytes of the file.
        source: the name of the file, for messages.

    Returns:
        The needed parts; ``None`` for a template, which is no epic yet.

    Raises:
        InvalidJSON: the file is no strict JSON.
        InvalidFile: the file is no epic, or may be read as two different ones.
    """
    try:
        require_shallow(data)
        data.decode()  # the parser does not check the encoding of texts that it skips
        members = _decoders().members.decode(data)
        wrapped = bytes(members.get(WRAPPER, b"")).startswith(b"{")
        body = bytes(members[WRAPPER]) if wrapped else data.strip()
        epic = _decoders().epic.decode(body)
    except ValueError as error:
        parse(data, source=source)
        raise InvalidFile(source, f"is no epic: {error}") from error
    key = natural_key(epic.id)
    if key is not None and is_template({"id": key}):
        return None
    # A file may be read in two ways only if both members stand side by side. Such a file is rare, so that it is parsed
    # in full.
    unsure = "id" in members if wrapped else WRAPPER in members
    if unsure and (reason := doubt(parse(data, source=source))) is not None:
        raise InvalidFile(source, reason)
    if key is None:
        raise InvalidFile(source, 'the epic has no "id" (a text or an integer)')
    if not wrapped:
        body = body.replace(b"\n", b"\n  ")  # a JSON text holds no bare line end, so that only the indentation changes
    siblings = {
        name: bytes(value) for name, value in members.items() if wrapped and name not in (WRAPPER, CALCULATED, METADATA)
    }
    return Original(key, _text(epic.duration), _minutes(epic.tasks or ()), body, siblings)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _minutes(tasks: Any) -> float | None:
    found = [
        task.estimate_minutes
        for task in tasks
        if type(task.estimate_minutes) in (int, float) and 0 <= task.estimate_minutes <= MOST_MINUTES
    ]
    return math.fsum(found) if found else None


def read_parts(data: bytes) -> Parts | None:
    """Return the parts of an enriched file, or ``None`` if the file is no enriched one."""
    try:
        require_shallow(data)
        members = _decoders().members.decode(data)
        calculated = msgspec.json.decode(members[CALCULATED], type=dict[str, Any])
        metadata = msgspec.json.decode(members[METADATA], type=dict[str, Any])
        epic = _decoders().epic.decode(members[WRAPPER])
    except (ValueError, KeyError):
        return None
    return Parts(bytes(members[WRAPPER]), _text(epic.duration), calculated, metadata)


def compose(original: Original, calculated: Mapping[str, JSON], metadata: Mapping[str, JSON]) -> bytes:
    """Return the bytes of an enriched file: the epic, its siblings, the calculated fields and the metadata."""
    added = msgspec.json.format(msgspec.json.encode({CALCULATED: calculated, METADATA: metadata}), indent=2)
    own = [(WRAPPER, original.body), *original.siblings.items()]
    lines = [b"  " + dumps_text(name, indent=None).encode() + b": " + value for name, value in own]
    return b"{\n" + b",\n".join(lines) + b"," + added[1:] + b"\n"
