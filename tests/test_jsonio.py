"""Laws of reading, comparing and writing JSON."""

from __future__ import annotations

import copy
import json
import math
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from epicvc.base.jsonio import (
    JSON,
    _JSONReader,
    dumps_canonical,
    dumps_text,
    equal,
    join_canonical,
    parse,
    to_the_letter,
)
from epicvc.base.limits import MAX_DEPTH
from epicvc.errors import InvalidJSON

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["1.5", "a,1.5", "null", ":null", "[0.5]", "1e5", '"', "\\", "/", "NaN", ",NaN", "Infinity", "\x00\x1f\x7f", "😀"]
)
DECIMALS = st.builds(
    lambda digits, exponent: parse(f"{digits}e{exponent}".encode()),
    st.integers(-(10**50), 10**50),
    st.integers(-500, 500),
)
NUMBERS = (
    st.integers(-1000, 1000)
    | st.integers(-(10**60), 10**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | DECIMALS
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXT
VALUES: st.SearchStrategy[JSON] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)


def identical(a: JSON, b: JSON) -> bool:
    """Equal with the same types and keys; a float may come back as the same float only."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(identical(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(identical, a, b))
    return a == b


@given(VALUES, st.sampled_from([None, "", "  ", "\t"]), st.booleans(), st.sampled_from(["\n", "\r\n"]))
def test_text_round_trips_exactly(value: JSON, indent: str | None, ensure_ascii: bool, newline: str) -> None:
    text = dumps_text(value, indent=indent, ensure_ascii=ensure_ascii, newline=newline)
    again = parse(text.encode())
    assert equal(again, value)
    assert identical(parse(dumps_text(again, indent=indent).encode()), again)
    assert not ensure_ascii or text.isascii()


@given(VALUES)
def test_the_readers_agree(value: JSON) -> None:
    data = dumps_text(value, indent=None).encode()
    assert identical(_JSONReader(data.decode(), None).document(), parse(data))


@given(VALUES)
def test_text_is_what_json_would_write(value: JSON) -> None:
    def plain(item: JSON) -> bool:
        if isinstance(item, dict):
            return all(map(plain, item.values()))
        return all(map(plain, item)) if isinstance(item, list) else not isinstance(item, Decimal)

    if plain(value):
        for indent in (None, "  "):
            assert dumps_text(value, indent=indent) == json.dumps(value, indent=indent, ensure_ascii=False)


@given(VALUES)
def test_canonical_form_is_a_fixed_point(value: JSON) -> None:
    canonical = dumps_canonical(value)
    assert dumps_canonical(parse(canonical)) == canonical
    assert equal(parse(canonical), value)


@given(VALUES, VALUES)
def test_equality_is_that_of_canonical_forms(a: JSON, b: JSON) -> None:
    assert equal(a, b) == (dumps_canonical(a) == dumps_canonical(b))
    assert equal(a, b) == equal(b, a)
    assert equal(a, a)


@given(st.integers(-(10**45), 10**45), st.integers(-60, 60))
def test_a_number_has_one_canonical_form(digits: int, exponent: int) -> None:
    value = Decimal(digits).scaleb(exponent) if abs(digits) < 10**20 else Decimal(f"{digits}e{exponent}")
    spellings = [f"{digits}e{exponent}", f"{digits}.0E+{exponent}".replace("+-", "-")]
    if digits:
        spellings.append(f"{digits}0E{exponent - 1}")
    if exponent >= 0:
        spellings.append(f"{digits * 10**exponent}")
    forms = {dumps_canonical(parse(s.encode())) for s in spellings} | {dumps_canonical(value)}
    assert len(forms) == 1
    assert Decimal(forms.pop().decode()) == value


@pytest.mark.parametrize(
    ("value", "canonical"),
    [
        (1, b"1"),
        (1.0, b"1"),
        (Decimal("1E0"), b"1"),
        (-0.0, b"0"),
        (0.5, b"5e-1"),
        (Decimal("0.50"), b"5e-1"),
        (10**39, b"1" + b"0" * 39),
        (10**40, b"1e40"),
        (10**50, b"1e50"),
        (Decimal("1e999999999999999999"), b"1e999999999999999999"),
        (1e23, b"1" + b"0" * 23),
        (True, b"true"),
        ([None], b"[null]"),
        ({"b": None, "a": {"x": None}}, b'{"a":{}}'),
        ({"\U00010000": 1, "\uffff": 2, "a": 3}, '{"a":3,"\uffff":2,"\U00010000":1}'.encode()),
        ("é/\x7f\x01", '"é/\x7f\\u0001"'.encode()),
    ],
)
def test_canonical_examples(value: JSON, canonical: bytes) -> None:
    assert dumps_canonical(value) == canonical


def test_integers_beyond_the_interpreters_limit() -> None:
    assert dumps_canonical([10**5000, 7]) == b"[1e5000,7]"
    assert dumps_text(10**5000, indent=None) == "1" + "0" * 5000
    assert equal(10**5000, parse(b"1" + b"0" * 5000))


def test_equality_is_not_pythons() -> None:
    assert not equal(1, True)
    assert not equal(0, False)
    assert not equal([1], [True])
    assert not equal("1", 1)
    assert not equal([], {})
    assert not equal("", None)
    assert equal(1e23, 10**23)
    assert equal({"a": None}, {})
    assert not equal([None], [])


@pytest.mark.parametrize("bad", [math.nan, math.inf, Decimal("NaN"), Decimal("-Infinity"), Decimal("sNaN")])
def test_what_is_no_json_number_cannot_be_written(bad: JSON) -> None:
    values: list[JSON] = [bad, [bad], {"a": [1, bad]}]
    for value in values:
        with pytest.raises(ValueError, match="no JSON number"):
            dumps_canonical(value)
        with pytest.raises(ValueError, match="no JSON number"):
            dumps_text(value, indent=None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-0", 0),
        ("1E5", 100000.0),
        ("1.10", 1.1),
        ("1e400", Decimal("1e400")),
        ("1e-400", Decimal("1e-400")),
        ("0e99999999999999999999", 0.0),
        ("0.10000000000000000001", Decimal("0.10000000000000000001")),
        ("100000000000000000000000000001.0", Decimal("100000000000000000000000000001.0")),
        ("9" * 4300, None),
        ("9" * 4301, Decimal("9" * 4301)),
        ("-" + "9" * 5000, Decimal("-" + "9" * 5000)),
        ('"\\ud83d\\ude00\\/\\u00e9"', "😀/é"),
        ('"\\\\ud800"', "\\ud800"),
    ],
    ids=range(13),
)
def test_lossless(text: str, value: JSON) -> None:
    found = parse(text.encode())
    expected = 10**4300 - 1 if value is None else value
    assert type(found) is type(expected)
    assert found == expected
    assert identical(parse(f'[{{"a\\u0062": {text}}}]'.encode()), [{"ab": expected}])


@pytest.mark.parametrize(
    ("data", "line", "column", "reason"),
    [
        (b"", 1, 1, "ends too early"),
        (b" \n ", 2, 2, "ends too early"),
        (b"\xef\xbb\xbf{}", 1, 1, "byte order mark"),
        ('{"é": "\xff'.encode("latin-1"), 1, 3, "0xe9 is not UTF-8"),
        ('{\n"é": "a'.encode() + b'\xff"}', 2, 8, "0xff is not UTF-8"),
        (b'{"a": {"b": 1,\n "b": 2}}', 2, 2, 'duplicate key "b"'),
        (b'{"a": 1, "\\u0061": 2}', 1, 10, 'duplicate key "a"'),
        (b'["x",\n\t"\\ud800"]', 2, 3, "lone surrogate"),
        (b'"\\udc00\\ud800"', 1, 2, "lone surrogate"),
        (b'"\\ud83dx\\ude00"', 1, 2, "lone surrogate"),
        (b'"\xed\xa0\x80"', 1, 2, "not UTF-8"),
        (b"[NaN]", 1, 2, "'NaN' is no JSON value"),
        (b"[-Infinity]", 1, 2, "no JSON value"),
        (b"01", 1, 1, "no JSON value"),
        (b"+1", 1, 1, "no JSON value"),
        (b"1.", 1, 1, "no JSON value"),
        (b".5", 1, 1, "no JSON value"),
        ("١".encode(), 1, 1, "no JSON value"),
        (b"True", 1, 1, "no JSON value"),
        (b"1e9999999999999999999", 1, 1, "number out of range"),
        (b"[1e-9999999999999999999]", 1, 2, "number out of range"),
        (b"[1,]", 1, 4, "a value expected"),
        (b'{"a": 1,}', 1, 9, "a key in double quotes expected"),
        (b"{'a': 1}", 1, 2, "a key in double quotes expected"),
        (b'{"a" 1}', 1, 6, "':' expected"),
        (b"[1 2]", 1, 4, "',' or ']' expected"),
        (b'{"a": 1]', 1, 8, "',' or '}' expected"),
        (b"[1", 1, 3, "ends too early"),
        (b'{"a', 1, 2, "string without end"),
        (b'"a\tb"', 1, 3, "control character U+0009"),
        (b'"\\x"', 1, 2, "invalid escape"),
        (b'"\\u00"', 1, 2, "invalid escape"),
        (b"{} {}", 1, 4, "after the end"),
        (b"[" * 201 + b"]" * 201, 1, 201, "200 levels"),
        (b'{"a":' * 201 + b"{}" + b"}" * 201, 1, 1001, "200 levels"),
        (b"[" * 100_000, 1, 201, "200 levels"),
        (b"// x\n1", 1, 1, "a value expected"),
        (b"\x00", 1, 1, "a value expected"),
    ],
    ids=range(38),
)
def test_refused_with_its_place(data: bytes, line: int, column: int, reason: str) -> None:
    with pytest.raises(InvalidJSON) as caught:
        parse(data, source="x.json")
    assert reason in caught.value.reason
    assert (caught.value.line, caught.value.column, caught.value.source) == (line, column, "x.json")


PAIRS = [(b"[", b"]"), (b'{"a":', b"}"), (b'{"]":', b"}")]


def test_depth_up_to_the_limit() -> None:
    for deep in (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, b'{"a":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH):
        value = parse(deep)
        assert dumps_canonical(value) == deep
        assert equal(value, parse(deep))
        assert dumps_text(value, indent=None, item_sep=",", key_sep=":").encode() == deep


def test_brackets_in_strings_are_not_depth() -> None:
    assert parse(b'["' + b"[" * 1000 + b'"]') == ["[" * 1000]


@given(st.integers(0, 300), st.integers(0, 300), st.integers(MAX_DEPTH - 2, MAX_DEPTH + 2), st.sampled_from(PAIRS))
@example(300, 300, MAX_DEPTH, PAIRS[0])
@example(300, 0, MAX_DEPTH + 1, PAIRS[1])
@example(0, 300, MAX_DEPTH + 1, PAIRS[0])
@example(0, 0, MAX_DEPTH + 1, PAIRS[1])
def test_depth_counts_wherever_it_is(before: int, after: int, depth: int, pair: tuple[bytes, bytes]) -> None:
    """However many containers stand before and behind the deep one, which is what tells that one may be deep."""
    inner = depth - 1
    data = b"[" + b"[{}]," * before + pair[0] * inner + b'"}]"' + pair[1] * inner + b",[[]]" * after + b"]"
    if depth <= MAX_DEPTH:
        assert parse(data) == json.loads(data)
    else:
        with pytest.raises(InvalidJSON, match="200 levels"):
            parse(data)


@given(st.binary(max_size=40) | st.text('{}[]",:\\ue0123456789.-+tfn \n\x00é', max_size=30).map(str.encode))
@example(b'{"":0,"":0}')
@example(b"1e309")
@settings(max_examples=400)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        value = parse(data)
    except InvalidJSON:
        return
    assert equal(parse(dumps_text(value, indent=None).encode()), value)
    assert equal(json.loads(data, parse_float=Decimal), value)


@given(VALUES, st.data())
def test_damaged_text_is_read_exactly_or_refused(value: JSON, data: st.DataObject) -> None:
    raw = bytearray(dumps_text(value, indent=None).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(raw)))
        raw[place : place + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from([b"", b",", b'"', b"\\", b"1", b"}"])
        )
    try:
        found = parse(bytes(raw))
    except InvalidJSON as error:
        if "UTF-8" not in error.reason:
            with pytest.raises(InvalidJSON) as again:
                _JSONReader(bytes(raw).decode(), None).document()
            assert again.value.args == error.args
    else:
        assert identical(found, _JSONReader(bytes(raw).decode(), None).document())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        ("1.5", Decimal("1.5")),
        (None, "null"),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": None}, {}),
    ],
)
def test_to_the_letter_is_more_than_equal(one: JSON, other: JSON) -> None:
    assert to_the_letter(one) == to_the_letter(copy.deepcopy(one))
    assert to_the_letter(one) != to_the_letter(other)


def test_a_canonical_object_is_joined_from_its_members() -> None:
    value: dict[str, JSON] = {"b": [1.50, 10**50], "a\u00e9": {"z": 1, "y": "x"}, "B": "text"}
    members = {name: dumps_canonical(member) for name, member in value.items()}
    assert join_canonical(members) == dumps_canonical(value)
