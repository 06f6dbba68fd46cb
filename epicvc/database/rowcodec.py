"""Encodes rows and their keys as bytes, and decodes them.

**Row**: one MessagePack array of the column values in table column order, in the shortest form MessagePack has: nil,
integer (64 bits signed), float 64, str, bin (a BLOB). TEXT that is no valid UTF-8 is extension type 1 with the raw
bytes.

**Key**: the values of the primary key, or the rowid, one after the other, so that comparing keys as bytes compares them
value by value. Each value is a tag and a body:

=====  =======  =======================================================================================
tag    value    body
=====  =======  =======================================================================================
0x05   NULL     none
0x10   integer  8 bytes, big-endian, offset by 2^63
0x18   float    8 bytes, IEEE 754 big-endian; negative: every bit flipped, otherwise the sign bit flipped
0x20   TEXT     the bytes with 00 written as 00 FF, closed by 00 00
0x30   BLOB     as TEXT
=====  =======  =======================================================================================

Values of one type keep the database's binary order; types are ordered by tag. A table whose primary key allows NULL
appends the rowid as one more integer to a key that has a NULL, since such keys need not be unique.

Both forms are canonical: decoding refuses any bytes that encoding would not have made. This module knows nothing of
SQL.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias

from epicvc.errors import InvalidData

if TYPE_CHECKING:
    import msgspec

INVALID_TEXT: Final = 1  # MessagePack extension type of TEXT that is no valid UTF-8

_NULL, _INTEGER, _FLOAT, _TEXT, _BLOB = 0x05, 0x10, 0x18, 0x20, 0x30
_SIGN: Final = 1 << 63
_ALL: Final = (1 << 64) - 1
_INTEGER_BASE: Final = (_INTEGER << 64) + _SIGN  # tag and offset in one addition
_DOUBLE: Final = struct.Struct(">d")
_NUMBER_SIZE: Final = 9


class RawText:
    """TEXT whose bytes are no valid UTF-8.

    It is not a struct, because MessagePack encoders write a struct as a map without asking the hook.
    """

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data: Final = data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RawText) and other.data == self.data

    def __hash__(self) -> int:
        return hash((RawText, self.data))

    def __repr__(self) -> str:
        return f"RawText({self.data!r})"


SQLValue: TypeAlias = int | float | str | bytes | RawText | None
_VALUE_TYPES: Final = frozenset({type(None), int, float, str, bytes, RawText})
# A decoded value of these types is valid, except an integer over 64 bits signed, which begins with _LARGE_INTEGER.
_DECODED_TYPES: Final = frozenset({type(None), int, float, str, bytes})
_LARGE_INTEGER: Final = b"\xcf"


def raw_text(data: bytes) -> str | RawText:
    """Return TEXT from its bytes: a ``str`` where they are valid UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return RawText(data)


@cache
def row_encoder() -> Callable[[Sequence[SQLValue]], bytes]:
    """Return the bare encoder for values that a database returned. It checks nothing, for loops over many rows."""
    import msgspec  # importing it takes longer than a fast command may run

    def extension(value: object) -> msgspec.msgpack.Ext:
        if not isinstance(value, RawText):
            raise TypeError(f"no column value: {type(value).__name__}")
        return msgspec.msgpack.Ext(INVALID_TEXT, value.data)

    return msgspec.msgpack.Encoder(enc_hook=extension).encode


@cache
def _decoder() -> Callable[[bytes], object]:
    import msgspec

    def extension(code: int, data: memoryview) -> RawText:
        if code != INVALID_TEXT:
            raise ValueError(f"unknown extension type {code}")
        return RawText(bytes(data))

    return msgspec.msgpack.Decoder(ext_hook=extension).decode


def encode_row(values: Sequence[SQLValue]) -> bytes:
    """Return the bytes of a row.

    Raises:
        InvalidData: a value is of a kind that no column holds.
    """
    _check(values)
    return row_encoder()(tuple(values))


def decode_row(data: bytes) -> tuple[SQLValue, ...]:
    """Return the column values of a row.

    Raises:
        InvalidData: these bytes are no row, or not its canonical form.
    """
    try:
        values = _decoder()(data)
    # RecursionError: values nested too deep; a row holds no nested value at all
    except (ValueError, RecursionError) as error:
        raise InvalidData(f"damaged row: {error}") from error
    if not isinstance(values, list):
        raise InvalidData("damaged row: not an array")
    if _LARGE_INTEGER in data or not _DECODED_TYPES.issuperset(map(type, values)):
        _check(values)
    row = tuple(values)
    if row_encoder()(row) != data:
        raise InvalidData("damaged row: not in canonical form")
    return row


def _check(values: Sequence[object]) -> None:
    for value in values:
        if type(value) not in _VALUE_TYPES:
            raise InvalidData(f"damaged row: no column holds a {type(value).__name__}")
        if type(value) is int and not -_SIGN <= value < _SIGN:
            raise InvalidData("damaged row: integer over 64 bits")
        if type(value) is RawText and isinstance(raw_text(value.data), str):
            raise InvalidData("damaged row: valid text marked as invalid")
        if type(value) is str and not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
            raise InvalidData("damaged row: lone surrogate")


def encode_integer_key(number: int) -> bytes:
    """Return the key of one 64-bit integer. The same as ``encode_key((number,))``, but faster."""
    return (number + _INTEGER_BASE).to_bytes(_NUMBER_SIZE, "big")


def encode_key(values: Sequence[SQLValue]) -> bytes:
    """Return the bytes of a key.

    Raises:
        InvalidData: a value is of a kind that no column holds.
    """
    _check(values)
    return b"".join(map(_encode_value, values))


def _encode_value(value: SQLValue) -> bytes:
    if value is None:
        return bytes((_NULL,))
    if isinstance(value, int):
        return encode_integer_key(value)
    if isinstance(value, float):
        bits = int.from_bytes(_DOUBLE.pack(value), "big")
        ordered = bits ^ (_ALL if bits & _SIGN else _SIGN)
        return bytes((_FLOAT,)) + ordered.to_bytes(8, "big")
    if isinstance(value, str):
        return _encode_bytes(_TEXT, value.encode())
    if isinstance(value, RawText):
        return _encode_bytes(_TEXT, value.data)
    return _encode_bytes(_BLOB, value)


def _encode_bytes(tag: int, data: bytes) -> bytes:
    return bytes((tag,)) + data.replace(b"\0", b"\0\xff") + b"\0\0"


def decode_key(key: bytes) -> tuple[SQLValue, ...]:
    """Return the values of a key.

    Raises:
        InvalidData: these bytes are no key, or not its canonical form.
    """
    values: list[SQLValue] = []
    at = 0
    while at < len(key):
        value, at = _decode_value(key, at)
        values.append(value)
    if not values:
        raise InvalidData("damaged key: empty")
    return tuple(values)


def _decode_value(key: bytes, at: int) -> tuple[SQLValue, int]:
    tag = key[at]
    if tag == _NULL:
        return None, at + 1
    if tag in (_INTEGER, _FLOAT):
        end = at + _NUMBER_SIZE
        if end > len(key):
            raise InvalidData("damaged key: cut short")
        number = int.from_bytes(key[at + 1 : end], "big")
        if tag == _INTEGER:
            return number - _SIGN, end
        bits = number ^ (_SIGN if number & _SIGN else _ALL)
        return float(_DOUBLE.unpack(bits.to_bytes(8, "big"))[0]), end
    if tag in (_TEXT, _BLOB):
        data, end = _decode_bytes(key, at + 1)
        return (raw_text(data) if tag == _TEXT else data), end
    raise InvalidData(f"damaged key: unknown tag {tag:#04x}")


def _decode_bytes(key: bytes, start: int) -> tuple[bytes, int]:
    """Return the unescaped bytes from ``start`` on, and the position after their terminator."""
    at = start
    while True:
        at = key.find(b"\0", at)
        if at < 0 or at + 1 >= len(key):
            raise InvalidData("damaged key: text without its end")
        if key[at + 1] == 0:
            return key[start:at].replace(b"\0\xff", b"\0"), at + 2
        if key[at + 1] != 0xFF:
            raise InvalidData("damaged key: unknown escape")
        at += 2


def show_key(key: bytes) -> str:
    """Return a key for a message: its values joined by commas, BLOBs and invalid text in hexadecimal."""
    return ",".join(map(show_value, decode_key(key)))


def show_value(value: SQLValue) -> str:
    """Return a value for a message; a long one is cut."""
    if value is None:
        return "NULL"
    if isinstance(value, RawText):
        text = f"text x'{value.data.hex()}'"
    elif isinstance(value, bytes):
        text = f"x'{value.hex()}'"
    else:
        text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def runs(keys: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield ascending keys of rows that are keyed by one number, in lists of consecutive numbers.

    Raises:
        InvalidData: a key is damaged.
    """
    run: list[bytes] = []
    following: SQLValue = None
    for key in keys:
        number = decode_key(key)[0]
        if run and number != following:
            yield run
            run = []
        run.append(key)
        following = number + 1 if isinstance(number, int) else None
    if run:
        yield run


def plain(value: SQLValue) -> bool | int | float | str | None:
    """Return a column value as JSON. Bytes become a text in hexadecimal."""
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    return value if isinstance(value, bool | int | float | str) or value is None else repr(value)
