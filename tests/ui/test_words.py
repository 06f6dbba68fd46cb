"""Word marks: readable without colour, and exact where nothing is shortened."""

from __future__ import annotations

from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.model import subsequence
from epicvc.ui.words import WordMark, is_similar, word_marks

TEXTS = st.text(alphabet="ab ,.\n", max_size=40)


def _side(old: str, new: str, mark: WordMark) -> str:
    return "".join(run for kind, run in word_marks(old, new) if kind in (WordMark.SAME, mark))


@given(TEXTS, TEXTS)
def test_what_is_not_marked_new_is_the_old_text(old: str, new: str) -> None:
    if not any(kind is WordMark.GAP for kind, _ in word_marks(old, new)):
        assert _side(old, new, WordMark.OLD) == old
        assert _side(old, new, WordMark.NEW) == new


@given(TEXTS)
def test_equal_texts_have_no_marks(text: str) -> None:
    assert {kind for kind, _ in word_marks(text, text)} <= {WordMark.SAME, WordMark.GAP}


def test_one_word_is_marked() -> None:
    assert list(word_marks("the quick fox", "the slow fox")) == [
        (WordMark.SAME, "the "),
        (WordMark.OLD, "quick"),
        (WordMark.NEW, "slow"),
        (WordMark.SAME, " fox"),
    ]


def marked(old: str, new: str) -> str:
    shape = {WordMark.OLD: "[-{}-]", WordMark.NEW: "{{+{}+}}"}
    return "".join(shape.get(mark, "{}").format(run) for mark, run in word_marks(old, new, whole=True))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("the quick brown fox", "the slow red fox", "the [-quick-]{+slow+} [-brown-]{+red+} fox"),
        ("one two three four", "zero one", "{+zero +}one[- two three four-]"),
        ("a\nb c d\ne", "a\nb x d\nf\ne", "a\nb [-c-]{+x+} d\n{+f\n+}e"),
    ],
)
def test_words_are_aligned_before_the_blanks_between_them(old: str, new: str, expected: str) -> None:
    assert marked(old, new) == expected


@pytest.mark.parametrize("line", ["line {} of many words", "x. ", "same same", "{}"])
def test_the_price_of_marks_goes_with_the_length(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """Steps of the comparison, counted where each makes one: at a place of an item that both have."""
    steps: dict[int, int] = {}
    for count in (1000, 4000):
        seen = 0

        def bisect(ends: list[int], place: int) -> int:
            nonlocal seen
            seen += 1
            return bisect_left(ends, place)

        monkeypatch.setattr(subsequence, "bisect_left", bisect)
        old = [line.format(n) for n in range(count)]
        new = [f"new {n}" if n % 3 == 0 else text for n, text in enumerate(old)]
        assert any(mark is WordMark.NEW for mark, _ in word_marks("\n".join(old), "\n".join(new)))
        steps[count] = seen
    assert steps[4000] <= 5 * steps[1000] + subsequence._PER_ITEM * 4000


def test_long_unchanged_runs_are_shortened() -> None:
    tail = " word" * 40
    marks = list(word_marks("old" + tail, "new" + tail))
    assert (WordMark.GAP, "…") in marks
    assert sum(len(run) for _, run in marks) < 40


def test_texts_without_a_common_word_are_not_similar() -> None:
    assert not is_similar("alpha beta", "gamma delta")
    assert is_similar("alpha beta", "alpha gamma")
