"""Mends what hand-written JSON often has and strict JSON has not, without a guess: the meaning never changes.

Mended are a byte order mark, Windows' line ends, comments, commas before a closing bracket, and an epic that lies bare
where others lie below ``epic``. Whatever else is wrong stays as it is, for its author.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from epicvc.errors import InvalidJSON
from epicvc.jsonio import JSON, equal, parse
from epicvc.model.document import WRAPPER, natural_key

_BOM: Final = b"\xef\xbb\xbf"
_TOKEN: Final = re.compile(
    rb'"(?:[^"\\]|\\.)*"'  # a text: nothing in it is anything else
    rb"|//[^\n]*|/\*.*?\*/"
    rb"|,(?=(?:\s|//[^\n]*(?:\n|\Z)|/\*.*?\*/)*[\]}])",
    re.DOTALL,
)
_INDENT: Final = b"  "


class Repair(Struct, frozen=True):
    """A mended file.

    Attributes:
        data: its bytes.
        fixes: what was mended, in words; none: it is as it was.
    """

    data: bytes
    fixes: tuple[str, ...]


def repair(data: bytes, *, wrap: bool = True) -> Repair:
    """Mend a file's bytes.

    Args:
        data: the file.
        wrap: put a bare epic below ``epic``.

    Returns:
        The same bytes where nothing is to be mended, or where the result would still be no strict JSON.
    """
    fixes: list[str] = []
    text = data
    if text.startswith(_BOM):
        text = text[len(_BOM) :]
        fixes.append("byte order mark")
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        fixes.append("Windows line ends")
    text = _TOKEN.sub(lambda found: _without(found, fixes), text)
    try:
        value = parse(text)
    except InvalidJSON:
        return Repair(data, ())
    before = _strict(data.removeprefix(_BOM))
    if before is not None and not equal(before, value):  # cannot be; if it ever is, nothing is touched
        return Repair(data, ())
    if wrap and _is_bare(value):
        text = b'{\n  "' + WRAPPER.encode() + b'": ' + text.strip().replace(b"\n", b"\n" + _INDENT) + b"\n}\n"
        fixes.append('an epic without "epic" around it')
    return Repair(text, tuple(dict.fromkeys(fixes))) if fixes else Repair(data, ())


def _without(found: re.Match[bytes], fixes: list[str]) -> bytes:
    token = found[0]
    if token.startswith(b'"'):
        return token
    if token == b",":
        before = found.string[: found.start()].rstrip()
        if before.endswith((b"[", b"{", b",", b"/")):
            return token  # a value is missing, and nobody knows which
        fixes.append("a comma before a closing bracket")
        return b""
    fixes.append("a comment")
    return b""


def _strict(data: bytes) -> JSON:
    try:
        return parse(data)
    except InvalidJSON:
        return None


def _is_bare(value: JSON) -> bool:
    return isinstance(value, dict) and WRAPPER not in value and natural_key(value.get("id")) is not None
