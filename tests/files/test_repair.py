"""What is mended keeps its meaning, and what cannot be mended keeps its bytes."""

from __future__ import annotations

import json
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.base.jsonio import parse
from epicvc.files.format.repair import repair

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("before", "after", "fixes"),
    [
        (b"\xef\xbb\xbf[]", b"[]", ("byte order mark",)),
        (b"[\r\n1]\r\n", b"[\n1]\n", ("Windows line ends",)),
        (b"[1, 2,]", b"[1, 2]", ("a comma before a closing bracket",)),
        (b'{"a": 1, // why\n}', b'{"a": 1 \n}', ("a comma before a closing bracket", "a comment")),
        (b"/* head */ [1]", b" [1]", ("a comment",)),
        (b'["// no", "/* no */", "a,]", "\\"//"]', b'["// no", "/* no */", "a,]", "\\"//"]', ()),
        (b'{"id": 1}', b'{\n  "epic": {"id": 1}\n}\n', ('an epic without "epic" around it',)),
        (b'{"epic": {"id": 1}}', b'{"epic": {"id": 1}}', ()),
        (b"{'id': 1}", b"{'id': 1}", ()),
        (b"[1 2]", b"[1 2]", ()),
        (b"[,]", b"[,]", ()),
        (b"[1,,]", b"[1,,]", ()),
        (b"", b"", ()),
    ],
)
def test_what_is_mended(before: bytes, after: bytes, fixes: tuple[str, ...]) -> None:
    assert repair(before) == (found := repair(before))
    assert (found.data, found.fixes) == (after, fixes)


def test_a_bare_epic_stays_bare_where_that_is_the_habit() -> None:
    assert repair(b'{"id": 1}', wrap=False).fixes == ()


def test_a_wrapped_epic_keeps_its_lines() -> None:
    text = b'{\n  "id": "5",\n  "name": "x\\ny"\n}\n'
    assert repair(text).data == b'{\n  "epic": {\n    "id": "5",\n    "name": "x\\ny"\n  }\n}\n'


@given(_JSON, st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_the_meaning_stays(value: Any, bom: bool, windows: bool, comments: bool, commas: bool) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    lines = text.split("\n")
    if commas:
        closing = [line.strip()[:1] in ("]", "}") for line in lines[1:]] + [False]
        lines = [
            line + "," if end and not line.endswith(("[", "{")) else line
            for line, end in zip(lines, closing, strict=True)
        ]
    if comments:
        lines = [f"{line} // and, ]" for line in lines]
    data = ("\r\n" if windows else "\n").join(lines).encode("utf-8", "surrogatepass")
    mended = repair((b"\xef\xbb\xbf" if bom else b"") + data, wrap=False)
    try:
        expected = parse(text.encode())
    except Exception:  # noqa: BLE001  (what strict JSON refuses is for its author)
        return
    assert parse(mended.data) == expected
    assert repair(mended.data, wrap=False).fixes == ()


@given(st.binary(max_size=60))
def test_any_bytes_are_taken(data: bytes) -> None:
    mended = repair(data)
    if mended.fixes:
        parse(mended.data)
    else:
        assert mended.data == data


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"[1, /* a */ 2 /* b */ ]", b"[1,  2  ]"),
        (b"[1, /* a */ /* b */ ]", b"[1   ]"),
        (b"[1, // a, ]\n /* , ] */ 2, // b\n]", b"[1, \n  2 \n]"),
        (b"[1] /* no end", b"[1] /* no end"),
        (b'["no end, ]', b'["no end, ]'),
        (b"[1] // end", b"[1] "),
    ],
)
def test_a_comment_ends_where_it_ends(before: bytes, after: bytes) -> None:
    assert repair(before).data == after


HOSTILE = {
    "comments behind a comma": b"[1," + b"/**/" * 50_000 + b"2]",
    "comments without an end": b"/* " * 70_000,
    "texts without an end": b'"' + b'\\"' * 100_000,
    "commas": b"[" + b"1, \n" * 50_000 + b"]",
    "missing values": b"[" + b" ," * 100_000 + b"]",
    "commas too many": b"[" + b"[1,]," * 40_000 + b"1]",
    "one text": b'["' + b"a" * 300_000 + b'",]',
    "one text of escapes": b'["' + b"\\n" * 100_000 + b'",]',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_file_is_gone_through_again_and_again(name: str) -> None:
    started = time.process_time()
    repair(HOSTILE[name])
    assert time.process_time() - started < 2  # some hundredths; with the square of them it is minutes


@pytest.mark.parametrize("name", ["one text", "one text of escapes", "missing values", "comments behind a comma"])
def test_memory_is_a_small_multiple(name: str) -> None:
    data = HOSTILE[name]
    tracemalloc.start()
    try:
        repair(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * len(data)
