from __future__ import annotations

import math
from contextlib import suppress

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from epicvc.database.rowcodec import (
    RawText,
    SQLValue,
    decode_key,
    decode_row,
    encode_integer_key,
    encode_key,
    encode_row,
    raw_text,
    show_key,
)
from epicvc.errors import InvalidData

STEADY = settings(deadline=None)  # a busy machine is no failure
INTEGERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
INVALID = st.binary().map(lambda data: RawText(data + b"\xff"))
VALUES = st.one_of(st.none(), INTEGERS, FLOATS, TEXTS, st.binary(), INVALID)


def same(left: tuple[SQLValue, ...], right: tuple[SQLValue, ...]) -> bool:
    """Equal in type as well: 1 and 1.0, 0.0 and -0.0 are different values."""

    def exact(value: SQLValue) -> object:
        return (type(value), value, math.copysign(1, value) if isinstance(value, float) else 0)

    return list(map(exact, left)) == list(map(exact, right))


@STEADY
@given(st.lists(VALUES).map(tuple))
@example((2**63 - 1, -(2**63), 2**32, math.inf, -math.inf, -0.0, "a\0b", RawText(b"\xff"), b"\0", None))
def test_rows_come_back(values: tuple[SQLValue, ...]) -> None:
    assert same(decode_row(encode_row(values)), values)


@STEADY
@given(st.lists(VALUES, min_size=1).map(tuple))
def test_keys_come_back(values: tuple[SQLValue, ...]) -> None:
    assert same(decode_key(encode_key(values)), values)
    assert show_key(encode_key(values)) is not None


@STEADY
@given(INTEGERS)
def test_the_fast_way_makes_the_same_key(number: int) -> None:
    assert encode_integer_key(number) == encode_key([number])


def order(value: SQLValue) -> tuple[int, object]:
    """Where a value stands, by the documented rule."""
    if value is None:
        return 0, 0
    if isinstance(value, int):
        return 1, value
    if isinstance(value, float):
        return 2, (value, math.copysign(1, value))
    if isinstance(value, str):
        return 3, value.encode()
    if isinstance(value, RawText):
        return 3, value.data
    return 4, value


SHORT = st.one_of(
    st.none(),
    st.integers(-3, 3),
    st.sampled_from([-math.inf, -1.5, -0.0, 0.0, 5e-324, 2.0, math.inf]),
    st.text("a\0b\u00ff", max_size=3),
    st.binary(max_size=3),
    st.sampled_from([RawText(b"\xff"), RawText(b"a\xff\0")]),
)


@STEADY
@given(st.lists(SHORT, min_size=1, max_size=3), st.lists(SHORT, min_size=1, max_size=3))
def test_keys_sort_as_their_values(left: list[SQLValue], right: list[SQLValue]) -> None:
    by_value = list(map(order, left)) < list(map(order, right))
    assert (encode_key(left) < encode_key(right)) == by_value


@STEADY
@given(st.lists(st.one_of(INTEGERS, FLOATS, TEXTS, st.binary()), max_size=8))
def test_numbers_and_texts_sort_as_python_does(values: list[SQLValue]) -> None:
    for kind in (int, float, str, bytes):
        some = [value for value in values if type(value) is kind]
        # -0.0 and 0.0 are equal to Python and two keys here
        expected = sorted(some, key=order)  # type: ignore[arg-type,type-var]
        assert [decode_key(key)[0] for key in sorted(encode_key([value]) for value in some)] == expected


@STEADY
@given(st.binary(max_size=40))
def test_any_bytes_are_a_row_or_invalid(data: bytes) -> None:
    try:
        values = decode_row(data)
    except InvalidData:
        return
    assert encode_row(values) == data


@STEADY
@given(st.binary(max_size=40))
@example(b"\x20a\0\0\x20")
@example(b"\x20\0\x01")
@example(b"\x10\0")
def test_any_bytes_are_a_key_or_invalid(data: bytes) -> None:
    try:
        values = decode_key(data)
    except InvalidData:
        return
    assert encode_key(values) == data


@STEADY
@given(st.lists(VALUES, min_size=1), st.data())
def test_a_damaged_row(values: list[SQLValue], data: st.DataObject) -> None:
    whole = encode_row(values)
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:at] + data.draw(st.binary(max_size=2)) + whole[at + data.draw(st.integers(0, 2)) :]
    with suppress(InvalidData):
        assert encode_row(decode_row(damaged)) == damaged


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x91",  # cut short
        b"\x91\x01\x01",  # something behind
        b"\x01",  # no array
        b"\x81\x01\x01",  # a map
        b"\x91\xc3",  # true
        b"\x91\x91\x01",  # an array within
        b"\x91\xcd\x00\x05",  # 5 in three bytes
        b"\x91\xca\x3f\x80\x00\x00",  # a float of 32 bits
        b"\x91\xcf\xff\xff\xff\xff\xff\xff\xff\xff",  # 2^64 - 1
        b"\x91\xa1\xff",  # invalid UTF-8 marked as text
        b"\x91\xd4\x01a",  # valid UTF-8 marked as invalid
        b"\x91\xd4\x02\xff",  # another extension
        b"\x91\xd6\xff\x00\x00\x00\x00",  # a timestamp
        b"\x91" * 100_000,  # deep
        msgspec.msgpack.encode([{"a": [1]}]),
    ],
)
def test_bytes_that_are_no_row(data: bytes) -> None:
    with pytest.raises(InvalidData):
        decode_row(data)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, True, "\ud800", [1], RawText(b"valid"), 1j])
def test_values_that_no_column_holds(value: SQLValue) -> None:
    for encode in (encode_row, encode_key):
        with pytest.raises(InvalidData):
            encode([value])


def test_shown_keys() -> None:
    assert show_key(encode_key(["a", 1, None, b"\xff", 1.5])) == "a,1,NULL,x'ff',1.5"
    assert len(show_key(encode_key(["long" * 100]))) == 80
    assert raw_text(b"a\xff") == RawText(b"a\xff")
    assert repr(RawText(b"\xff")) == "RawText(b'\\xff')"
