"""Word marks: readable without colour, and exact where nothing is shortened."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from epicvc.ui.words import Mark, is_similar, word_marks

TEXTS = st.text(alphabet="ab ,.\n", max_size=40)


def _side(old: str, new: str, mark: Mark) -> str:
    return "".join(run for kind, run in word_marks(old, new) if kind in (Mark.SAME, mark))


@given(TEXTS, TEXTS)
def test_what_is_not_marked_new_is_the_old_text(old: str, new: str) -> None:
    if not any(kind is Mark.GAP for kind, _ in word_marks(old, new)):
        assert _side(old, new, Mark.OLD) == old
        assert _side(old, new, Mark.NEW) == new


@given(TEXTS)
def test_equal_texts_have_no_marks(text: str) -> None:
    assert {kind for kind, _ in word_marks(text, text)} <= {Mark.SAME, Mark.GAP}


def test_one_word_is_marked() -> None:
    assert list(word_marks("the quick fox", "the slow fox")) == [
        (Mark.SAME, "the "),
        (Mark.OLD, "quick"),
        (Mark.NEW, "slow"),
        (Mark.SAME, " fox"),
    ]


def test_long_unchanged_runs_are_shortened() -> None:
    tail = " word" * 40
    marks = list(word_marks("old" + tail, "new" + tail))
    assert (Mark.GAP, "…") in marks
    assert sum(len(run) for _, run in marks) < 40


def test_texts_without_a_common_word_are_not_similar() -> None:
    assert not is_similar("alpha beta", "gamma delta")
    assert is_similar("alpha beta", "alpha gamma")
