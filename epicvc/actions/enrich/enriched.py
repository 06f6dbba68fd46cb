"""Enriched files: an original epic with what is calculated of it, as bytes.

The original's own bytes are carried over, so that nothing of it can change on the way: not a number's last digit,
and not a key that is there twice. What is needed of it is read by a parser that skips everything else; text that this
parser does not take goes to :func:`epicvc.base.jsonio.parse`, which says what is wrong where.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field

from epicvc.base.depth import require_shallow
from epicvc.base.jsonio import JSON, dumps_text, parse
from epicvc.errors import InvalidFile
from epicvc.model.document import CALCULATED, WRAPPER, doubt, natural_key
from epicvc.model.templates import is_template

if TYPE_CHECKING:
    import msgspec

METADATA: Final = "metadata"
VERSION: Final = "v1.0"
"""The version of the enriched format."""

MOST_MINUTES: Final = 10**9
"""Minutes in some two thousand years; a larger estimate is none."""


class Original(Struct, frozen=True):
    """What is needed of an author's file.

    Attributes:
        id: the epic.
        duration: its text; ``None`` where there is none or it is no text.
        minutes: the sum of the tasks' estimates; ``None`` where no task has one.
        body: the bytes of the epic itself.
        siblings: the bytes of what stands beside it, by name.
    """

    id: str
    duration: str | None
    minutes: float | None
    body: bytes
    siblings: Mapping[str, bytes] = field(default_factory=dict)


class Parts(Struct, frozen=True):
    """An enriched file taken apart.

    Attributes:
        body: the bytes of the epic.
        duration: the epic's duration.
        calculated: the calculated fields.
        metadata: how they came about.
    """

    body: bytes
    duration: str | None
    calculated: dict[str, Any]
    metadata: dict[str, Any]


class _Decoders(Struct, frozen=True):
    """Parsers for just what is needed."""

    members: msgspec.json.Decoder[dict[str, msgspec.Raw]]
    epic: msgspec.json.Decoder[Any]


@cache
def _decoders() -> _Decoders:
    import msgspec

    task = msgspec.defstruct("Task", [("estimate_minutes", Any, None)])
    epic = msgspec.defstruct("Epic", [("id", Any, None), ("duration", Any, None), ("tasks", list[task] | None, None)])  # type: ignore[valid-type]
    return _Decoders(msgspec.json.Decoder(dict[str, msgspec.Raw]), msgspec.json.Decoder(epic))


def read_original(data: bytes, source: str) -> Original | None:
    """Read an author's file.

    Args:
        data: its bytes.
        source: the file, for messages.

    Returns:
        What is needed of it; ``None`` for a template, which is no epic yet.

    Raises:
        InvalidJSON: it is no strict JSON.
        InvalidFile: it is no epic, or may be either of two.
    """
    try:
        require_shallow(data)
        data.decode()  # the parser does not look into the texts that it skips
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
    # Only a file in which the two stand side by side may be either, and that is seldom enough to be parsed in full.
    unsure = "id" in members if wrapped else WRAPPER in members
    if unsure and (reason := doubt(parse(data, source=source))) is not None:
        raise InvalidFile(source, reason)
    if key is None:
        raise InvalidFile(source, 'the epic has no "id" (a text or an integer)')
    if not wrapped:
        body = body.replace(b"\n", b"\n  ")  # no text holds a line end as it is
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
    """Take an enriched file apart; ``None`` where it is none."""
    import msgspec

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
    """The bytes of an enriched file: the epic, what stood beside it, what is calculated, and how."""
    import msgspec

    added = msgspec.json.format(msgspec.json.encode({CALCULATED: calculated, METADATA: metadata}), indent=2)
    own = [(WRAPPER, original.body), *original.siblings.items()]
    lines = [b"  " + dumps_text(name, indent=None).encode() + b": " + value for name, value in own]
    return b"{\n" + b",\n".join(lines) + b"," + added[1:] + b"\n"
