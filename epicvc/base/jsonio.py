"""Strict, lossless JSON: reading, the canonical form, equality by value, writing for people.

Lossless means that a number keeps its exact value (``int``, ``float`` where the shortest float has the same value,
``Decimal`` otherwise), and that every text with two possible readings (duplicate keys, NaN, lone surrogates) is
refused.

Reading is a fast parser plus a proof that it lost nothing. Only a text that fails the proof is read again, more slowly.
This module knows nothing of epics and does not keep formatting: :mod:`epicvc.files.format` does.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import TYPE_CHECKING, Final, NoReturn, TypeAlias, cast

from epicvc.base.depth import too_deep
from epicvc.base.limits import MAX_DEPTH
from epicvc.errors import InvalidJSON

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import msgspec

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | int | float | Decimal | bool | None"

_MAX_INT_DIGITS: Final = 4300  # the interpreter's default limit for text -> int; a process may have another one
_PLAIN_DIGITS: Final = 40  # integers up to this length are written out in canonical form
_BOM: Final = b"\xef\xbb\xbf"

_SPACE: Final = r"[ \t\n\r]*+"
_NUMBER: Final = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?"
_STRING_BODY: Final = r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+'
_ESCAPE: Final = r"\\(?:u([0-9a-fA-F]{4})|.)"
_WORD: Final = r"[-+.\w]+"
_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}

# Every byte that may begin an odd number is mapped to one rare byte first: a pattern with a literal start is ten times
# as fast as one that starts with a class.
_MARK: Final = bytes.maketrans(b"0123456789NI", b"\x01" * 12)
_ODD_NUMBER: Final = rb"\x01(?:[.eE][-+.eE\x01]*+(?:[,\]}]|\Z)|\x01{40}|a\x01|nfinity)"


@cache
def canonical_encoder() -> msgspec.json.Encoder:
    """Return the encoder of the canonical form, for values whose encoding passes :func:`is_plain`.

    A struct keeps the order of its members.
    """
    # imported here: it takes as long to import as a fast command may run, and most of those read no JSON
    import msgspec

    return msgspec.json.Encoder(order="deterministic", decimal_format="number")


@cache
def _plain_encoder() -> msgspec.json.Encoder:
    import msgspec

    return msgspec.json.Encoder(decimal_format="number")


@cache
def _raw() -> type[msgspec.Raw]:
    import msgspec

    return msgspec.Raw


@cache
def _odd_number() -> re.Pattern[bytes]:
    return re.compile(_ODD_NUMBER)


@cache
def _quote(*, ensure_ascii: bool = False) -> Callable[[str], str]:
    """Return the function that quotes texts. The module ``json`` is imported only when there is a text to write."""
    from json import encoder

    return encoder.encode_basestring_ascii if ensure_ascii else encoder.encode_basestring


# --- reading ---


def parse(data: bytes, *, source: str | None = None) -> JSON:
    """Read one JSON document, exactly or not at all.

    Args:
        data: UTF-8 without a byte order mark.
        source: the file or column, for the error message.

    Returns:
        The value. For its numbers see :func:`number`.

    Raises:
        InvalidJSON: the text is not valid; the error has the place of the first fault.
    """
    import msgspec

    if too_deep(data):
        return _JSONReader(_text(data, source), source).document()
    try:
        value: JSON = msgspec.json.decode(data)
        compact = msgspec.json.format(data, indent=-1)
    except (msgspec.MsgspecError, ValueError):
        return _JSONReader(_text(data, source), source).document()
    # The parser keeps the last of two equal keys and rounds numbers. Either shows when the value is encoded again.
    if msgspec.json.encode(value) == compact:
        return value
    return _parse_hooked(data, source)


def number(text: str) -> int | float | Decimal:
    """Return the exact value of a JSON number.

    Args:
        text: a token that fits the JSON grammar.

    Returns:
        ``int`` without fraction or exponent (``Decimal`` above 4300 digits), ``float`` where its shortest
        decimal has the same value, else ``Decimal``.

    Raises:
        InvalidOperation: the exponent is beyond ``Decimal``.
    """
    digits = text.lstrip("-")
    if digits.isdigit():
        if len(digits) > _MAX_INT_DIGITS:
            return Decimal(text)
        try:
            # May fail: a process can set a lower limit of digits.
            return int(text)
        except ValueError:
            return Decimal(text)
    near = float(text)
    if near == 0 and not re.search("[1-9]", re.split("[eE]", text)[0]):
        return near  # a zero may have any exponent
    exact = Decimal(text)
    return near if math.isfinite(near) and Decimal(repr(near)) == exact else exact


def _parse_hooked(data: bytes, source: str | None) -> JSON:
    """Read a text that is known to be grammatical and not too deep, but not known to be read exactly."""
    import json

    text = data.decode()
    try:
        value: JSON = json.loads(text, object_pairs_hook=_unique, parse_float=number, parse_int=number)
    except (ValueError, InvalidOperation):
        return _JSONReader(text, source).document()
    return value


def _unique(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _text(data: bytes, source: str | None) -> str:
    if data.startswith(_BOM):
        raise InvalidJSON("byte order mark; save the file as UTF-8 without one", 1, 1, source)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        line, column = _place(before, len(before))
        raise InvalidJSON(f"byte 0x{data[error.start]:02x} is not UTF-8", line, column, source) from None


def _place(text: str, position: int) -> tuple[int, int]:
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)


_Open: TypeAlias = "list[tuple[dict[str, JSON] | list[JSON], str]]"
"""The open containers, each with the key that is being read."""


@cache
def _pattern(expression: str) -> re.Pattern[str]:
    """Compile a pattern when the exact reader first needs it. Most commands never do."""
    return re.compile(expression)


class _JSONReader:
    """The exact reader. It is slow, works without recursion, and knows its position."""

    def __init__(self, text: str, source: str | None) -> None:
        self.text, self.source, self.position = text, source, 0

    def document(self) -> JSON:
        stack: _Open = []
        while True:
            value: JSON
            opening = self.peek()
            if opening in ("{", "["):
                if len(stack) == MAX_DEPTH:
                    self.fail(f"nested more than {MAX_DEPTH} levels deep")
                self.position += 1
                value = {} if opening == "{" else []
                if self.peek() != ("}" if opening == "{" else "]"):
                    stack.append((value, self.key({}) if isinstance(value, dict) else ""))
                    continue
                self.position += 1
            else:
                value = self.scalar()
            while stack and self.close(stack, value):
                value = stack.pop()[0]
            if not stack:
                if self.peek():
                    self.fail("text after the end of the document")
                return value

    def close(self, stack: _Open, value: JSON) -> bool:
        """Put a value into the innermost container.

        Return whether the container ends there; else another value follows.
        """
        container, key = stack[-1]
        if isinstance(container, dict):
            container[key] = value
        else:
            container.append(value)
        closing = "}" if isinstance(container, dict) else "]"
        found = self.peek()
        if found not in (",", closing):
            self.fail(f"',' or '{closing}' expected" if found else "the text ends too early")
        self.position += 1
        if found == "," and isinstance(container, dict):
            stack[-1] = (container, self.key(container))
        return found == closing

    def key(self, members: dict[str, JSON]) -> str:
        if self.peek() != '"':
            self.fail("a key in double quotes expected" if self.peek() else "the text ends too early")
        start = self.position
        key = self.string()
        if key in members:
            import json

            self.fail(f"duplicate key {json.dumps(key, ensure_ascii=False)}", start)
        if self.peek() != ":":
            self.fail("':' expected" if self.peek() else "the text ends too early")
        self.position += 1
        return key

    def scalar(self) -> JSON:
        start = self.position
        if self.peek() == '"':
            return self.string()
        word = _pattern(_WORD).match(self.text, start)
        if word is None:
            self.fail("a value expected" if self.peek() else "the text ends too early")
        self.position = word.end()
        token = word.group()
        if token in _WORDS:
            return _WORDS[token]
        if not _pattern(_NUMBER).fullmatch(token):
            self.fail(f"{token[:40]!r} is no JSON value", start)
        try:
            return number(token)
        except InvalidOperation:
            self.fail("number out of range", start)

    def string(self) -> str:
        body = _pattern(_STRING_BODY).match(self.text, self.position)
        if body is None or (end := body.end()) == len(self.text):
            self.fail("string without end")
        if self.text[end] != '"':
            bad = ord(self.text[end])
            fault = f"control character U+{bad:04X}" if bad < 0x20 else "invalid escape"
            self.fail(f"{fault} in a string", end)
        high = None  # the place of a high surrogate that waits for its other half
        for escape in _pattern(_ESCAPE).finditer(self.text, self.position, end):
            code = int(escape[1] or "0", 16)
            if high is not None and (not 0xDC00 <= code < 0xE000 or escape.start() != high + 6):
                self.fail("lone surrogate", high)
            if high is None and 0xDC00 <= code < 0xE000:
                self.fail("lone surrogate", escape.start())
            high = escape.start() if 0xD800 <= code < 0xDC00 else None
        if high is not None:
            self.fail("lone surrogate", high)
        import json

        value: str = json.loads(self.text[self.position : end + 1])
        self.position = end + 1
        return value

    def peek(self) -> str:
        """Skip white space, and return the next character, or an empty text at the end."""
        space = _pattern(_SPACE).match(self.text, self.position)
        self.position = space.end() if space else self.position
        return self.text[self.position : self.position + 1]

    def fail(self, reason: str, position: int | None = None) -> NoReturn:
        line, column = _place(self.text, self.position if position is None else position)
        raise InvalidJSON(reason, line, column, self.source)


# --- the canonical form ---


def dumps_canonical(value: JSON) -> bytes:
    """Return the canonical form of a value, for comparing and hashing.

    It is UTF-8 without spaces, with keys by code point and without null members. Numbers are written by value: integers
    of at most 40 digits in full, every other number as ``<digits>e<exponent>`` with no trailing zero (``5e-1``).

    Raises:
        ValueError: the value has NaN, an infinity or a lone surrogate, none of which :func:`parse` returns.
    """
    try:
        encoded = canonical_encoder().encode(value)
    except ValueError:  # an integer beyond the interpreter's limit of digits
        return canonical_encoder().encode(_canonical(value))
    return encoded if is_plain(encoded) else canonical_encoder().encode(_canonical(value))


def join_canonical(members: Mapping[str, bytes]) -> bytes:
    """Return the canonical form of an object, made of those of its members, none of which may be null."""
    raw = _raw()
    return canonical_encoder().encode({name: raw(value) for name, value in members.items()})


def to_the_letter(value: JSON) -> bytes:
    """Return bytes that are equal for two values only where every text of them would be equal too.

    In contrast to :func:`dumps_canonical`, the order of members counts, and so does the notation of numbers.

    Raises:
        ValueError: a number cannot be written.
    """
    return _plain_encoder().encode(value)


def equal(a: JSON, b: JSON) -> bool:
    """Return whether two values have the same canonical form: 1 equals 1.0 but not true, and absent equals null."""
    if a is b:
        return True
    if isinstance(a, dict):
        if not isinstance(b, dict):
            return False
        for key, value in a.items():
            other = b.get(key)
            if value is not other and not equal(value, other):
                return False
        return all(value is None or key in a for key, value in b.items())
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, bool) or isinstance(b, bool) or isinstance(a, str) or a is None:
        return a is b or (type(a) is type(b) and a == b)
    if not isinstance(b, (int, float, Decimal)):
        return False
    return (type(a) is type(b) and a == b) or canonical_number(a) == canonical_number(b)


def canonical_number(value: float | Decimal) -> str:
    """Return a number's canonical text. A float stands for its shortest decimal, as in the file that it came from.

    Raises:
        ValueError: the number is NaN or an infinity.
    """
    if isinstance(value, int) and abs(value) < 10**_PLAIN_DIGITS:
        return str(value)
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not exact.is_finite():
        raise ValueError(f"{value} is no JSON number")
    sign, digits, exponent = exact.as_tuple()
    whole = "".join(map(str, digits)).lstrip("0")
    shortest = whole.rstrip("0")
    if not shortest:
        return "0"
    zeros = int(exponent) + len(whole) - len(shortest)
    text = shortest + "0" * zeros if 0 <= zeros <= _PLAIN_DIGITS - len(shortest) else f"{shortest}e{zeros}"
    return "-" + text if sign else text


def is_plain(encoded: bytes) -> bool:
    """Return whether an encoded value has no null, and no number but plain integers of at most 40 digits.

    The result may be wrongly false where a string looks like one of these. It is never wrongly true.
    """
    if b"null" in encoded and (encoded == b"null" or any(n in encoded for n in (b":null", b",null", b"[null"))):
        return False
    marked = encoded.translate(_MARK)
    for hit in _odd_number().finditer(marked):
        before = marked[max(0, hit.start() - _PLAIN_DIGITS) : hit.start()].rstrip(b"-s\x01")
        if not before or before.endswith((b":", b",", b"[")):
            return False
    return True


def _canonical(value: JSON) -> object:
    """Return the same value without null members and with numbers in canonical text."""
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, (float, Decimal)) or (isinstance(value, int) and not isinstance(value, bool)):
        return _raw()(canonical_number(value).encode())
    return value


# --- writing for people ---


def dumps_text(
    value: JSON,
    *,
    indent: str | None,
    ensure_ascii: bool = False,
    newline: str = "\n",
    item_sep: str | None = None,
    key_sep: str = ": ",
) -> str:
    r"""Return JSON text for people. The order of keys is kept, and every number is written exactly.

    Args:
        value: the value to write.
        indent: the indentation of one level, or ``None`` for everything on one line.
        ensure_ascii: whether characters beyond ASCII are written as ``\uXXXX``.
        newline: the line end, used where ``indent`` is given.
        item_sep: the text between items; by default ``","`` with an indentation and ``", "`` without.
        key_sep: the text between a key and its value.

    Raises:
        ValueError: a number is NaN or an infinity.
    """
    quote = _quote(ensure_ascii=ensure_ascii)
    separator = item_sep if item_sep is not None else ("," if indent is not None else ", ")

    def write(item: JSON, margin: str) -> str:
        if not isinstance(item, (dict, list)) or not item:
            return scalar(item)
        inner = margin + indent if indent is not None else ""
        if isinstance(item, dict):
            parts = [f"{quote(key)}{key_sep}{write(member, inner)}" for key, member in item.items()]
        else:
            parts = [write(member, inner) for member in item]
        opening, closing = "{}" if isinstance(item, dict) else "[]"
        return f"{opening}{inner}{(separator + inner).join(parts)}{margin}{closing}"

    def scalar(item: JSON) -> str:
        if isinstance(item, str):
            return quote(item)
        if isinstance(item, (dict, list)):
            return "{}" if isinstance(item, dict) else "[]"
        if item is None or isinstance(item, bool):
            return "null" if item is None else "true" if item else "false"
        return number_text(item)

    return write(value, newline if indent is not None else "")


def dumps_line(value: JSON) -> str:
    """Return JSON text on one line, as :func:`dumps_text` writes it without an indentation."""
    if type(value) is list:
        try:
            return "[" + ", ".join(map(_quote(), cast("list[str]", value))) + "]"  # most columns hold a list of texts
        except TypeError:
            pass  # the list has other items than texts
    return dumps_text(value, indent=None)


def number_text(value: float | Decimal) -> str:
    """Return a number as JSON, exactly, in the customary notation of its type.

    Raises:
        ValueError: the number is NaN or an infinity.
    """
    if isinstance(value, int):
        return str(value if abs(value) < 10**_PLAIN_DIGITS else Decimal(value))
    finite = value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)
    if not finite:
        raise ValueError(f"{value} is no JSON number")
    return repr(value) if isinstance(value, float) else str(value)
