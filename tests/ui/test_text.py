"""User data on a terminal: nothing in it moves the cursor, recolours the screen or reads as something else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.base.jsonio import JSON
from epicvc.ui.text import count, printable, shown


@given(st.text())
def test_everything_shown_is_printable(text: str) -> None:
    assert all(char.isprintable() or char == "\u00a0" for char in printable(text))


@given(st.text(alphabet=st.characters(categories=("L", "N", "P"))))
def test_printable_text_stays(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a\x1b[31mb", "a\\e[31mb"),
        ("a\nb", "a\\nb"),
        ("\u202eabc", "\\u202eabc"),
        ("\x9b", "\\x9b"),
        ("\ud800", "\\ud800"),
    ],
)
def test_escapes(text: str, safe: str) -> None:
    assert printable(text) == safe


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1", '"1"'), (1, "1"), ("true", '"true"'), (True, "true"), ("", '""'), ("null", '"null"'), (None, "null"),
        (" a", '" a"'), ("1.5e3", '"1.5e3"'), ('["a"]', '"[\\"a\\"]"'), (["a"], '["a"]'), ("nan", '"nan"'),
        ("1 day", "1 day"), ("5.1a", "5.1a"), ("a text", "a text"), ("-", "-"), ("(absent)", '"(absent)"'),
    ],
)  # fmt: skip
def test_a_text_that_would_read_as_another_value_has_quotes(value: JSON, text: str) -> None:
    assert shown(value) == text


@given(st.text())
def test_two_values_of_two_types_never_look_alike(text: str) -> None:
    for other in (True, None, 1, 0, -1.5, [], {}, [text], {text: 1}):
        assert shown(text, 10_000) != shown(other, 10_000)


def test_long_values_are_shortened_in_the_middle() -> None:
    text = shown("begin " + "x" * 200 + " end", 40)
    assert len(text) <= 40
    assert text.startswith("begin")
    assert text.endswith("end")


def test_counts_have_their_noun() -> None:
    assert [count(0, "epic"), count(1, "epic"), count(1200, "epic")] == ["0 epics", "1 epic", "1,200 epics"]
