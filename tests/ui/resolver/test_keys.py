"""Keys out of bytes, however the bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epicvc.ui.resolver import keys
from epicvc.ui.resolver.keys import Decoder

KNOWN = {
    b"f": "f",
    b"?": "?",
    b"\r": keys.ENTER,
    b"\n": keys.ENTER,
    b"\x7f": keys.BACKSPACE,
    b"\x03": keys.INTERRUPT,
    b"\x04": keys.END_OF_INPUT,
    b"\x1a": keys.SUSPEND,
    b"\x0c": keys.REDRAW,
    b"\x1b[A": keys.UP,
    b"\x1bOB": keys.DOWN,
    b"\x1b[1;5C": keys.RIGHT,
    b"\x1b[D": keys.LEFT,
    b"\x1b[5~": keys.PAGE_UP,
    b"\x1b[6;2~": keys.PAGE_DOWN,
    b"\x1b[H": keys.HOME,
    b"\x1b[4~": keys.END,
    "é".encode(): "é",
    "✓".encode(): "✓",
    "𝄞".encode(): "𝄞",
    b"\x1b[200~": keys.UNKNOWN,
    b"\x1b[15~": keys.UNKNOWN,
    b"\x1bx": keys.UNKNOWN,
    b"\x00": keys.UNKNOWN,
}


@pytest.mark.parametrize(("data", "key"), KNOWN.items(), ids=lambda value: repr(value))
def test_known_keys(data: bytes, key: str) -> None:
    assert Decoder().feed(data) == [key]


@settings(deadline=None)
@given(st.lists(st.sampled_from(sorted(KNOWN)), max_size=8), st.data())
def test_reads_may_cut_anywhere(pressed: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pressed)
    decoder, found = Decoder(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += decoder.feed(stream[:size])
        stream = stream[size:]
    assert found == [KNOWN[key] for key in pressed]
    assert not decoder.waiting


def test_a_lone_escape_waits_for_time_to_tell() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\x1b") == []
    assert decoder.waiting
    assert decoder.flush() == [keys.ESCAPE]
    assert decoder.feed(b"\x1b\x1b[A") == [keys.ESCAPE, keys.UP]
    assert decoder.feed(b"\x1b[") == []
    assert decoder.flush() == [keys.UNKNOWN]
    assert decoder.flush() == []


@pytest.mark.parametrize("data", [b"\xff", b"\x80", b"\xc0\xaf", b"\xe2\x82", b"\xed\xa0\x80", b"\xf8\x88\x80\x80"])
def test_bytes_that_are_no_text_are_no_key(data: bytes) -> None:
    decoder = Decoder()
    found = decoder.feed(data + b"f") + decoder.flush()
    assert found[-1] == "f"
    assert set(found[:-1]) <= {keys.UNKNOWN}


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_nothing_is_held_for_ever(data: bytes) -> None:
    decoder = Decoder()
    found = decoder.feed(data) + decoder.flush()
    assert not decoder.waiting
    assert len(found) <= len(data)
    assert all(found)
    assert decoder.feed(b"q") == ["q"]
