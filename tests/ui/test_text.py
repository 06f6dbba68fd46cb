"""User data on a terminal: nothing in it moves the cursor, recolours the screen or reads as something else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def test_long_values_are_shortened_in_the_middle() -> None:
    text = shown("begin " + "x" * 200 + " end", 40)
    assert len(text) <= 40
    assert text.startswith("begin")
    assert text.endswith("end")


def test_counts_have_their_noun() -> None:
    assert [count(0, "epic"), count(1, "epic"), count(1200, "epic")] == ["0 epics", "1 epic", "1,200 epics"]
