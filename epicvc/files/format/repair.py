"""Mends faults that hand-written JSON often has, without a guess: the meaning never changes.

It mends a byte order mark, Windows' line ends, comments, commas before a closing bracket, and an epic that lies bare
where others lie below ``epic``. Any other fault stays as it is, for the author.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from msgspec import Struct

from epicvc.base.jsonio import JSON, dumps_canonical, parse
from epicvc.errors import InvalidJSON
from epicvc.model.document import WRAPPER, natural_key

_BOM: Final = b"\xef\xbb\xbf"
_TOKEN: Final = re.compile(
    rb'"(?:[^"\\]++|\\.)*+(?:"|\Z)'  # a text: nothing inside it is a comment or comma
    rb"|//[^\n]*+|/\*(?>.*?(?:\*/|\Z))"
    rb"|,(?=(?:\s++|//[^\n]*+|/\*(?>.*?\*/))*+[\]}])",
    re.DOTALL,
)
"""The pattern of tokens that may go, and of texts, in which nothing may go.

Nothing is read twice: a token without an end goes to the end of the file, and no group gives back what it took. Else
the time would grow with the square of a file, or worse, and the memory with its texts.
"""
_SPACE: Final = b" \t\n\r\v\f"
_NO_VALUE: Final = b"[{,/"
"""The characters behind which a comma has no value before it."""
_INDENT: Final = b"  "


class Repair(Struct, frozen=True):
    """A mended file.

    Attributes:
        data: the bytes of the file.
        fixes: the mended faults, in words; empty where the file is as it was.
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
    text = _stripped(text, fixes)
    bare = _is_bare_in(data, text, changed=bool(fixes))
    if bare is None:
        return Repair(data, ())
    if wrap and bare:
        text = b'{\n  "' + WRAPPER.encode() + b'": ' + text.strip().replace(b"\n", b"\n" + _INDENT) + b"\n}\n"
        fixes.append('an epic without "epic" around it')
    return Repair(text, tuple(dict.fromkeys(fixes))) if fixes else Repair(data, ())


def _is_bare_in(data: bytes, text: bytes, *, changed: bool) -> bool | None:
    """Tell whether a mended text is a bare epic; ``None`` where it is no strict JSON, or says something else.

    Only one of the two values is in memory at a time, since a value can take twenty times the memory of its text.
    """
    before = _meaning(data.removeprefix(_BOM)) if changed else None
    try:
        value = parse(text)
    except InvalidJSON:
        return None
    bare = _is_bare(value)
    if before is None:
        return bare
    return bare if _digest(value) == before else None  # the digests cannot differ; if they ever do, nothing is touched


def _stripped(text: bytes, fixes: list[str]) -> bytes:
    """Return a text without comments, and without commas before a closing bracket."""
    kept = bytearray()
    start = 0
    for found in _TOKEN.finditer(text):
        fix = _fix(text, found)
        if fix is not None:
            fixes.append(fix)
            kept += memoryview(text)[start : found.start()]
            start = found.end()
    if not start:
        return text
    kept += memoryview(text)[start:]
    return bytes(kept)


def _fix(text: bytes, found: re.Match[bytes]) -> str | None:
    """Return the name of the fault that leaving a token out mends; ``None`` where the token stays."""
    first = text[found.start() : found.start() + 2]
    if first.startswith(b'"'):
        return None
    if first.startswith(b","):
        return None if _lacks_value(text, found.start()) else "a comma before a closing bracket"
    if first == b"/*" and not text.endswith(b"*/", found.start() + 2, found.end()):
        return None  # it has no end
    return "a comment"


def _lacks_value(text: bytes, comma: int) -> bool:
    """Tell whether a value is missing before a comma, and nobody knows which."""
    last = comma - 1
    while last >= 0 and text[last] in _SPACE:
        last -= 1
    return last >= 0 and text[last] in _NO_VALUE


def _meaning(data: bytes) -> bytes | None:
    """Return the digest of a text's value; ``None`` where the text is no strict JSON."""
    try:
        value = parse(data)
    except InvalidJSON:
        return None
    return _digest(value)


def _digest(value: JSON) -> bytes:
    return hashlib.sha256(dumps_canonical(value)).digest()


def _is_bare(value: JSON) -> bool:
    return isinstance(value, dict) and WRAPPER not in value and natural_key(value.get("id")) is not None
