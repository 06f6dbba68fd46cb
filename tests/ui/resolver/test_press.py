"""The resolver as a state machine: what every key makes of every state."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epicvc.actions.decide.memory import Remembered
from epicvc.actions.resolve.choices import picked
from epicvc.actions.shared.questions import Answer, How
from epicvc.merge.threeway import ABSENT, Chosen
from epicvc.ui.resolver import keys
from epicvc.ui.resolver.press import press
from epicvc.ui.resolver.state import Effect, Mode, ResolverState, ResolverView, edited, failed, start_text
from tests.ui.resolver.questions import (
    ALL,
    ESTIMATE,
    GOALS,
    GONE,
    NAME,
    ORDER,
    PLACE,
    REMOVED,
    SUMMARY,
    asking,
    question,
)

OTHER = question("9:name", "Nine", "Neun", "Nove")
KEYS = [*"fdb1234aeisuvgnpjkJKxyq? z✓", keys.UP, keys.DOWN, keys.LEFT, keys.RIGHT, keys.PAGE_DOWN, keys.PAGE_UP]
KEYS += [keys.HOME, keys.END, keys.ENTER, keys.ESCAPE, keys.BACKSPACE, keys.TAB, keys.UNKNOWN, keys.SUSPEND]


def pressing(state: ResolverState, *pressed: str) -> ResolverState:
    for key in pressed:
        state = press(state, key)
    return state


def value(state: ResolverState, asked: object) -> object:
    return state.answers[asked.conflict.label].chosen.value  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("key", "side", "how"),
    [("f", "ours", How.OURS), ("2", "ours", How.OURS), ("d", "theirs", How.THEIRS), ("3", "theirs", How.THEIRS),
     ("b", "base", How.BASE), ("1", "base", How.BASE)],
)  # fmt: skip
@pytest.mark.parametrize("asked", ALL, ids=lambda asked: str(asked.conflict.label))
def test_a_side_is_taken(asked: object, key: str, side: str, how: How) -> None:
    state = press(asking(asked, OTHER), key)  # type: ignore[arg-type]
    assert state.answers[asked.conflict.label] == Answer(how, Chosen(getattr(asked.conflict, side)))  # type: ignore[attr-defined]
    assert state.at == 1
    assert state.effect is None


def test_branches_have_keys_of_their_own() -> None:
    state = asking(NAME, GOALS, sides=("ours", "theirs"))
    assert value(press(state, "o"), NAME) == NAME.conflict.ours
    assert value(press(state, "t"), NAME) == NAME.conflict.theirs
    assert not press(state, "f").answers


def test_both_are_taken_of_lists_and_lines_only() -> None:
    assert value(press(asking(GOALS), "a"), GOALS) == [
        "Results in half a second", "Results in no time", "Spelling mistakes are forgiven",
        "Series stand together", "Large print is marked",
    ]  # fmt: skip
    assert value(press(asking(SUMMARY), "a"), SUMMARY) == "one\n2\nzwei\nthree\nfour"
    for other in (NAME, ESTIMATE, REMOVED, ORDER, PLACE, GONE):
        for key in ("a", "i"):
            state = press(asking(other), key)
            assert not state.answers
            assert state.mode is Mode.ASK
            assert state.message


def test_the_last_answer_leads_to_the_summary_and_y_applies() -> None:
    state = pressing(asking(NAME, ESTIMATE), "f", "d")
    assert state.mode is Mode.SUMMARY
    assert state.open == 0
    assert press(state, "y").effect is Effect.APPLY


def test_enter_in_the_summary_changes_an_answer_and_applies_nothing() -> None:
    state = pressing(asking(NAME, ESTIMATE), "f", "d", keys.DOWN, keys.ENTER)
    assert (state.mode, state.at, state.effect) == (Mode.ASK, 1, None)
    assert value(press(state, "b"), ESTIMATE) == 240


def test_nothing_is_applied_when_nothing_is_answered() -> None:
    state = pressing(asking(NAME), "g", "y")
    assert state.effect is None
    assert "nothing to apply" in state.message


def test_skipping_leaves_open_and_takes_an_answer_back() -> None:
    state = pressing(asking(NAME, ESTIMATE), "s", "s")
    assert state.mode is Mode.SUMMARY
    assert state.open == 2
    state = pressing(asking(NAME, ESTIMATE), "f", "p", "s")
    assert NAME.conflict.label not in state.answers
    assert value(press(state, "u"), NAME) == NAME.conflict.ours


def test_undo_goes_back_choice_by_choice() -> None:
    begun = asking(NAME, ESTIMATE, GOALS)
    state = pressing(begun, "f", "d", "b")
    for at, answered in ((2, 2), (1, 1), (0, 0)):
        state = press(state, "u")
        assert (state.at, len(state.answers), state.mode) == (at, answered, Mode.ASK)
    assert press(state, "u").message == "there is no choice to undo"


def test_undo_from_the_summary() -> None:
    state = pressing(asking(NAME), "f", "u")
    assert (state.mode, dict(state.answers)) == (Mode.ASK, {})


def test_going_on_without_an_answer_says_so() -> None:
    state = press(asking(NAME), keys.ENTER)
    assert state.mode is Mode.ASK
    assert "not answered" in state.message
    again = pressing(asking(NAME, ESTIMATE), "f", "p", keys.ENTER)
    assert again.at == 1


def test_moving_stops_at_both_ends() -> None:
    state = asking(NAME, ESTIMATE)
    assert press(state, keys.LEFT).at == 0
    assert pressing(state, "n", keys.RIGHT).at == 1


def test_items_are_taken_one_by_one() -> None:
    state = pressing(asking(GOALS), "i")
    assert state.mode is Mode.ITEMS
    assert [pick.piece for pick in state.picks][state.cursor] == "Results in under a second"
    # Without the database's first goal, with the removed one, and the last item first.
    state = pressing(state, " ", keys.DOWN, keys.DOWN, "x", keys.END, "K", "K", "K", "K", "K", keys.ENTER)
    assert value(state, GOALS) == [
        "Large print is marked", "Results in under a second", "Results in half a second",
        "Spelling mistakes are forgiven", "Series stand together",
    ]  # fmt: skip
    assert state.answers[GOALS.conflict.label].how is How.ITEMS


@pytest.mark.parametrize(("key", "side"), [("f", "ours"), ("d", "theirs"), ("b", "base")])
@pytest.mark.parametrize("asked", [GOALS, SUMMARY], ids=["items", "lines"])
def test_items_of_a_side(asked: object, key: str, side: str) -> None:
    state = pressing(asking(asked), "i", key, keys.ENTER)  # type: ignore[arg-type]
    assert value(state, asked) == getattr(asked.conflict, side)  # type: ignore[attr-defined]


def test_escape_leaves_items_without_a_choice() -> None:
    state = pressing(asking(GOALS), "i", " ", keys.ESCAPE)
    assert (state.mode, dict(state.answers)) == (Mode.ASK, {})


def test_help_scrolls_and_goes_back_where_it_was() -> None:
    for first in ((), ("i",), ("g",)):
        state = pressing(asking(GOALS), *first)
        shown = pressing(state, "?", keys.DOWN)
        assert (shown.mode, shown.scroll) == (Mode.HELP, 1)
        assert press(shown, "z").mode is state.mode


@pytest.mark.parametrize("before", [(), ("i",), ("g",), ("?",)])
def test_leaving_is_the_same_everywhere(before: tuple[str, ...]) -> None:
    state = pressing(asking(GOALS), *before)
    assert press(state, "q").effect is Effect.LEAVE
    assert press(state, keys.END_OF_INPUT).effect is Effect.LEAVE
    assert press(state, keys.INTERRUPT).effect is Effect.INTERRUPT
    assert press(state, keys.SUSPEND).effect is Effect.SUSPEND


def test_the_view_turns() -> None:
    state = asking()
    views = [state := press(state, "v") for _ in range(3)]
    assert [turned.view for turned in views] == [ResolverView.BESIDE, ResolverView.STACKED, ResolverView.AUTO]


def test_an_edited_value_is_an_answer_and_a_bad_one_is_kept_for_the_next_try() -> None:
    state = press(asking(NAME, ESTIMATE), "e")
    assert state.effect is Effect.EDIT
    bad = failed(state, "must be a text", "12")
    assert (bad.effect, bad.message, dict(bad.scratch)) == (None, "must be a text", {NAME.conflict.label: "12"})
    good = edited(bad, Chosen("mine"))
    assert (value(good, NAME), good.at, dict(good.scratch)) == ("mine", 1, {})


def test_what_the_editor_begins_with() -> None:
    assert start_text(asking(NAME)) == NAME.conflict.ours
    assert len(start_text(asking(GOALS))) == 5  # type: ignore[arg-type]
    assert start_text(asking(ORDER)) == ORDER.conflict.ours
    assert start_text(pressing(asking(NAME, GOALS), "d", "p")) == NAME.conflict.theirs
    gone = asking(REMOVED)
    assert start_text(press(press(gone, "d"), keys.ENTER)) == REMOVED.conflict.ours  # absent is nothing to edit


def test_answers_are_resumed_and_old_resolutions_offered() -> None:
    label = NAME.conflict.label
    old = Remembered(label, Chosen("as ever"), "planner", datetime(2025, 8, 1, tzinfo=UTC), None)
    state = asking(NAME, ESTIMATE, remembered={label: old})
    assert (state.at, value(state, NAME), state.answers[label].how) == (1, "as ever", How.REMEMBERED)
    assert "as before" in state.message
    mine = Answer(How.OURS, Chosen("mine"))
    resumed = asking(NAME, answers={label: mine}, remembered={label: old})
    assert resumed.mode is Mode.SUMMARY
    assert resumed.answers[label] == mine
    assert "resumed with 1 answer" in resumed.message


@settings(deadline=None)
@given(st.lists(st.sampled_from(KEYS), max_size=40))
def test_no_keys_break_it(pressed: list[str]) -> None:
    state = asking(*ALL)
    labels = {asked.conflict.label for asked in ALL}
    for key in pressed:
        before = state
        state = press(state, key)
        assert 0 <= state.at < len(ALL)
        assert set(state.answers) <= labels
        assert state.scroll >= 0
        assert state.mode is not Mode.ITEMS or 0 <= state.cursor < len(state.picks)
        if state.answers != before.answers and key != "u":
            undone = press(state, "u") if state.mode in (Mode.ASK, Mode.SUMMARY) else state
            assert undone.answers == before.answers
        if before.mode is Mode.ITEMS and key == keys.ENTER:
            assert value(state, before.question) == picked(before.question.conflict, before.picks).value
    taken = [answer.chosen.value for answer in state.answers.values()]
    assert all(item is ABSENT or item is not None for item in taken)
