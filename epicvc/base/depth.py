"""How deeply texts and values nest, counted: one limit for everything that is read, on every interpreter.

Parsers stop at the interpreter's limit of recursion, which differs between releases, and some take more than a walk
over the value then can. So a text is counted before it is parsed. Of JSON and TOML this module knows brackets, strings
and comments, and no more.
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
"""A step down, a step up, as signed bytes."""

_TOML_TEXTS = (
    rb"\"\"\"(?:[^\"\\]|\\.|\"(?!\"\"))*+(?:\"\"\"|\Z)"
    rb"|'''(?:[^']|'(?!''))*+(?:'''|\Z)"
    rb"|\"(?:[^\"\\\n]|\\.)*+\"?"
    rb"|'[^'\n]*+'?"
    rb"|#[^\n]*+"
)


class TooDeep(ValueError):
    """Something is nested more deeply than anything may be."""

    def __init__(self) -> None:
        super().__init__(f"nested more than {MAX_DEPTH} levels deep")


def too_deep(text: bytes) -> bool:
    """Whether containers of a JSON text are nested too deeply."""
    return _may_be_deep(text) and _depth(_without_texts(text)) > MAX_DEPTH


def require_shallow(text: bytes) -> None:
    """Refuse a JSON text that is nested too deeply.

    Raises:
        TooDeep: it is.
    """
    if too_deep(text):
        raise TooDeep


def decode(data: bytes, kind: type[T]) -> T:
    """Read JSON that epicvc wrote itself: into a type, and without the proof that nothing was lost.

    Args:
        data: UTF-8.
        kind: the type.

    Raises:
        ValueError: it is no JSON, none of this type, or nested too deeply.
    """
    import msgspec  # as long to import as a fast command may run

    require_shallow(data)
    return msgspec.json.decode(data, type=kind)


def require_shallow_toml(text: bytes) -> None:
    """Refuse a TOML text whose arrays, inline tables and dotted keys are nested too deeply.

    A dotted key in a table with a dotted header is not seen here; see :func:`require_shallow_value`. The parser takes
    time with the square of a key's parts.

    Raises:
        TooDeep: they are.
    """
    bare = _toml_texts().sub(b"a", text)
    if _depth(bare) > MAX_DEPTH or _long_key().search(bare):
        raise TooDeep


def require_shallow_value(value: object) -> None:
    """Refuse a value whose lists and dictionaries are nested too deeply.

    Raises:
        TooDeep: they are.
    """
    level, depth = [value], 0
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        if depth > MAX_DEPTH:
            raise TooDeep
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]


def _may_be_deep(text: bytes) -> bool:
    """Whether the brackets of a JSON text allow for containers that are nested too deeply; most texts have too few.

    Around the innermost one there are more than the limit that open before, and as many that close behind. So many open
    in the first half of all brackets or close in the second. Brackets in strings can only add to them. A text that
    breaks off may go twice as deep unseen, which no parser minds, and all refuse it.
    """
    brackets = text.translate(None, _NO_BRACKET)
    if len(brackets) <= 2 * MAX_DEPTH:
        return False
    half = len(brackets) // 2
    opening = brackets.count(b"[", 0, half) + brackets.count(b"{", 0, half)
    return opening > MAX_DEPTH or brackets.count(b"]", half) + brackets.count(b"}", half) > MAX_DEPTH


def _without_texts(text: bytes) -> bytes:
    """The brackets of a JSON text that stand outside its strings."""
    first, *escapes = text.split(b"\\")
    if b"" in escapes:  # an escaped backslash, behind which the next character is not escaped
        first, *escapes = text.replace(b"\\\\", b"").split(b"\\")
    if escapes:
        text = first + b"".join([escape[1:] for escape in escapes])
    marks = text.translate(None, _NO_MARK).replace(b'""', b"")
    return b"".join(marks.split(b'"')[::2]) if b'"' in marks else marks


def _depth(text: bytes) -> int:
    """How many brackets are open at the most."""
    brackets = text.translate(None, _NO_BRACKET)
    return max(accumulate(memoryview(brackets.translate(_STEPS)).cast("b")), default=0)


@cache
def _toml_texts() -> re.Pattern[bytes]:
    import re  # most commands find in a cache what the configuration says

    return re.compile(_TOML_TEXTS, re.DOTALL)


@cache
def _long_key() -> re.Pattern[bytes]:
    import re

    return re.compile(rb"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){%d}" % MAX_DEPTH)
