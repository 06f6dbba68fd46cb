"""Counts how deeply texts and values nest: one limit for everything that is read, on every interpreter.

Parsers stop at the interpreter's limit of recursion, which differs between releases, and some accept more than a later
walk over the value can take. So a text is counted before it is parsed. The module knows brackets, strings and comments
of JSON and TOML, and no more of them.
"""

from __future__ import annotations

from functools import cache
from itertools import accumulate

from epicvc.base.limits import MAX_DEPTH

TYPE_CHECKING = False  # `typing` takes longer to import than `textconv` may run
if TYPE_CHECKING:
    import re
    from typing import TypeVar

    T = TypeVar("T")

_NO_BRACKET = bytes(range(256)).translate(None, b"[]{}")
_NO_MARK = bytes(range(256)).translate(None, b'[]{}"')
_STEPS = bytes(1 if char in b"[{" else 255 if char in b"]}" else 0 for char in range(256))
"""The step of each byte, as signed bytes: 1 opens a bracket, -1 closes one."""

_TOML_TEXTS = (
    rb"\"\"\"(?:[^\"\\]|\\.|\"(?!\"\"))*+(?:\"\"\"|\Z)"
    rb"|'''(?:[^']|'(?!''))*+(?:'''|\Z)"
    rb"|\"(?:[^\"\\\n]|\\.)*+\"?"
    rb"|'[^'\n]*+'?"
    rb"|#[^\n]*+"
)


class TooDeep(ValueError):
    """Raised where something is nested more deeply than the limit."""

    def __init__(self) -> None:
        super().__init__(f"nested more than {MAX_DEPTH} levels deep")


def too_deep(text: bytes) -> bool:
    """Return whether containers of a JSON text are nested too deeply."""
    return _may_be_deep(text) and _depth(_without_texts(text)) > MAX_DEPTH


def require_shallow(text: bytes) -> None:
    """Refuse a JSON text that is nested too deeply.

    Raises:
        TooDeep: the text is.
    """
    if too_deep(text):
        raise TooDeep


def decode(data: bytes, kind: type[T]) -> T:
    """Read JSON that epicvc wrote itself into a type.

    It is not proved that nothing was lost, as :mod:`.jsonio` does.

    Args:
        data: the text, in UTF-8.
        kind: the type of the value.

    Raises:
        ValueError: the text is no JSON, is not of this type, or is nested too deeply.
    """
    import msgspec  # imported here, since it takes as long to import as a fast command may run

    require_shallow(data)
    return msgspec.json.decode(data, type=kind)


def require_shallow_toml(text: bytes) -> None:
    """Refuse a TOML text whose arrays, inline tables and dotted keys are nested too deeply.

    A dotted key in a table with a dotted header is not seen here; see :func:`require_shallow_value`. The time of the
    parser grows with the square of a key's parts, so long keys are refused before parsing.

    Raises:
        TooDeep: they are, or a key has too many parts.
    """
    bare = _toml_texts().sub(b"a", text)
    if _depth(bare) > MAX_DEPTH or _long_key().search(bare):
        raise TooDeep


def require_shallow_value(value: object) -> None:
    """Refuse a value whose lists and dictionaries are nested too deeply.

    Raises:
        TooDeep: the value is.
    """
    level, depth = [value], 0
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        if depth > MAX_DEPTH:
            raise TooDeep
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]


def _may_be_deep(text: bytes) -> bool:
    """Return whether a JSON text has enough brackets for containers that are nested too deeply.

    Most texts have too few.

    Around the innermost container of such a text, more brackets than the limit open before it, and as many close after
    it. So that many open in the first half of all brackets, or close in the second half. Brackets in strings can only
    add to them. A text that breaks off may be twice as deep unseen. No parser has a problem with that depth, and all
    refuse such a text.
    """
    brackets = text.translate(None, _NO_BRACKET)
    if len(brackets) <= 2 * MAX_DEPTH:
        return False
    half = len(brackets) // 2
    opening = brackets.count(b"[", 0, half) + brackets.count(b"{", 0, half)
    return opening > MAX_DEPTH or brackets.count(b"]", half) + brackets.count(b"}", half) > MAX_DEPTH


def _without_texts(text: bytes) -> bytes:
    """Return the brackets of a JSON text that stand outside its strings."""
    first, *escapes = text.split(b"\\")
    if b"" in escapes:  # an escaped backslash: the character after it is not escaped
        first, *escapes = text.replace(b"\\\\", b"").split(b"\\")
    if escapes:
        text = first + b"".join([escape[1:] for escape in escapes])
    marks = text.translate(None, _NO_MARK).replace(b'""', b"")
    return b"".join(marks.split(b'"')[::2]) if b'"' in marks else marks


def _depth(text: bytes) -> int:
    """Return the largest number of brackets that are open at once."""
    brackets = text.translate(None, _NO_BRACKET)
    return max(accumulate(memoryview(brackets.translate(_STEPS)).cast("b")), default=0)


@cache
def _toml_texts() -> re.Pattern[bytes]:
    import re  # imported here: most commands find the parsed configuration in a cache

    return re.compile(_TOML_TEXTS, re.DOTALL)


@cache
def _long_key() -> re.Pattern[bytes]:
    import re

    return re.compile(rb"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){%d}" % MAX_DEPTH)
