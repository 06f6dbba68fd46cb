"""The resolver's picture: nothing is cut off, nothing overflows, nothing of a user's data gets to the terminal raw."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epicvc.actions.shared.questions import Question, Spec
from epicvc.base.jsonio import JSON
from epicvc.merge.threeway import ABSENT, Conflict
from epicvc.model.labels import Label
from epicvc.ui.resolver import keys
from epicvc.ui.resolver.press import press
from epicvc.ui.resolver.screen import document, fit, screen
from epicvc.ui.resolver.state import Mode, ResolverState
from epicvc.ui.resolver.values import Paper, value_lines
from epicvc.ui.resolver.versions import Look
from tests.docs.conftest import ROOT
from tests.docs.console import fenced
from tests.ui.resolver.questions import ALL, ESTIMATE, GOALS, GONE, NAME, PLACE, REMOVED, SUMMARY, asking, question


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def plain(state: ResolverState, width: int = 80, height: int = 24, **how: bool) -> list[str]:
    return [line.plain.rstrip() for line in screen(state, Look(width, height, **how))]


def test_the_documented_screens_are_real() -> None:
    shown = [block.rstrip("\n").split("\n") for block in fenced((ROOT / "docs" / "resolving.md").read_text(), "text")]
    state = asking()
    states = [state, press(state, "n"), press(state, "i"), press(press(state, "a"), "f")]
    assert len(shown) == len(states)
    for block, now in zip(shown, states, strict=True):
        rule = next(line for line in block if set(line) == {"─"})
        assert plain(now, len(rule), len(block)) == block


def test_side_by_side_from_78_columns() -> None:
    assert any("base" in line and "files" in line and "db" in line for line in plain(asking(), 78)[3:5])
    assert not any("base" in line and "files" in line for line in plain(asking(), 77)[3:-3])
    assert any("│" in line for line in plain(press(asking(), "v"), 60))


def test_words_are_marked_with_and_without_colour() -> None:
    text = "\n".join(plain(asking(NAME), 200))
    assert "[-Loans-] {+Inter-branch loans+} between branches" in text
    lines = screen(asking(NAME), Look(200, 24, colour=True))
    assert not any("{+" in line.plain or "[-" in line.plain for line in lines)
    styles = {str(span.style) for line in lines for span in line.spans}
    assert {"old", "new"} <= styles


def test_provenance_of_each_value() -> None:
    text = "\n".join(plain(asking(NAME), 200))
    assert "agreed in ebe1a3e2c336" in text
    assert "not committed yet" in text
    assert "written 2025-08-18 09:30" in text
    assert "changed in 9470078ae824" in text
    assert "by librarian, in the database" in text


def test_a_removed_task_shows_what_the_other_side_changed() -> None:
    text = "\n".join(plain(asking(REMOVED), 100, 40))
    assert "(removed)" in text
    assert "Rank by year" in text
    assert "lines alike" in text
    assert "removed on one side, changed on the other" in text


def test_a_task_in_dispute_shows_where_each_side_has_it() -> None:
    text = "\n".join(plain(asking(PLACE), 100, 40))
    assert "where the task is" in text
    assert all(place in text for place in ("1:tasks/1.2", "[-1-] {+2+}:tasks/1.2", "[-1-] {+3+}:tasks/1.2"))
    assert "moved on one side, and removed on the other" in "\n".join(plain(asking(GONE), 100, 40))


def test_long_values_scroll_and_say_what_lies_beyond() -> None:
    long = [f"line {number}" for number in range(200)]
    asked = Question(Conflict(Label("1", ("goals",)), [], long[:150], long))
    state = asking(asked)
    look = Look(80, 24)
    assert "more lines" in plain(state)[-6]
    for key in (keys.PAGE_DOWN, keys.DOWN, "j", " "):
        state = fit(press(state, key), look)
    assert state.scroll == 22
    assert plain(state)[3].startswith(" ↑ 23 more lines")
    end = fit(press(state, keys.END), look)
    assert "line 199" in "\n".join(plain(end))
    assert fit(press(end, keys.DOWN), look).scroll == end.scroll
    assert fit(press(end, keys.HOME), look).scroll == 0


def test_the_item_under_the_cursor_is_always_seen() -> None:
    long: list[JSON] = [f"item {number}" for number in range(200)]
    asked = Question(Conflict(Label("1", ("goals",)), [], long, [*long, "more"]))
    state = press(asking(asked), "i")
    for _ in range(21):
        shown = [line for line in plain(state, 60, 12) if line.startswith(" >")]
        assert len(shown) == 1
        assert str(state.picks[state.cursor].piece) in shown[0]
        state = press(state, keys.PAGE_DOWN)
    assert state.cursor == len(state.picks) - 1


def test_only_ascii_where_nothing_else_can_be_shown() -> None:
    odd = question("ç:name", "coração", "coração ✓", "漢字")
    goals = question("1:goals", ["é"], ["é", "✓" * 40], ["é", "漢字 " * 30])
    for state in (asking(*ALL), asking(odd), press(asking(odd), "f"), asking(goals), press(asking(goals), "a")):
        for now in (state, press(state, "i"), press(state, "g"), press(state, "?"), press(state, "é")):
            lines = plain(now, plain=True)
            assert all(line.isascii() and len(line) <= 80 for line in lines)


def test_the_prompt_of_a_dumb_terminal_has_numbers_for_a_cursor() -> None:
    lines = [line.plain for line in document(press(asking(), "i"), Look(78, 1000))]
    assert any(line.startswith("  1 [ ]") for line in lines)
    assert not any(line.startswith(" >") for line in lines)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
HOSTILE = st.sampled_from(
    ["\x1b[2J", "\x1b]0;title\x07", "a\u202eb", "漢字" * 30, "e\u0301", "\n\n", "\t", "[bold]x[/]"]
)


@settings(deadline=None)
@given(
    st.tuples(*[VALUES | HOSTILE] * 3), st.text(min_size=1, max_size=12), st.integers(1, 130), st.integers(1, 40),
    st.booleans(), st.lists(st.sampled_from([*"igv?n", keys.DOWN, keys.END]), max_size=4),
)  # fmt: skip
def test_every_screen_fits_and_is_safe(
    values: tuple[JSON, JSON, JSON], name: str, width: int, height: int, colour: bool, pressed: list[str]
) -> None:
    base, ours, theirs = (ABSENT if value is None else value for value in values)
    asked = Question(Conflict(Label("1", (name,)), base, ours, theirs), spec=Spec())
    state = asking(asked, NAME)
    look = Look(width, height, colour=colour, plain=not colour)
    for key in pressed:
        state = fit(press(state, key), look)
        drawn = screen(state, look)
        assert len(drawn) == max(height, 8)
        for line in drawn:
            assert line.cell_len <= max(width, 20)
            assert line.plain.replace("\u00a0", " ").isprintable(), repr(line.plain)


@settings(deadline=None)
@given(VALUES | HOSTILE, VALUES | HOSTILE, st.integers(1, 60))
def test_every_word_of_a_value_is_shown(value: JSON, against: JSON, width: int) -> None:
    if isinstance(value, dict) or value is None:
        return
    lines = value_lines(value, against if against is not None else ABSENT, Paper(width, True), both=False)
    text = re.sub(r"\s", "", "".join(line.plain for line in lines))
    words = (
        [value]
        if isinstance(value, str)
        else [item for item in value if isinstance(item, str)]
        if isinstance(value, list)
        else []
    )
    for word in words:
        assert not word.isascii() or re.sub(r"\W", "", word) in re.sub(r"\W", "", text) or not word.isprintable()


def test_the_mode_is_said() -> None:
    state = asking(ESTIMATE, SUMMARY, GOALS)
    assert "resolve: 1 of 3" in plain(state)[0]
    assert press(state, "g").mode is Mode.SUMMARY
    assert "0 of 3 answered" in plain(press(state, "g"))[0]
    assert "3 conflicts will stay open" in "\n".join(plain(press(state, "g")))
