"""Applies a key to the resolver's state, screen by screen. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from epicvc.actions.resolve.choices import Pick, can_pick, picked, picks_of, take
from epicvc.actions.shared.questions import How
from epicvc.ui.resolver import keys
from epicvc.ui.resolver.state import Effect, Mode, ResolverState, ResolverView, choose, to_open
from epicvc.ui.text import printable

PAGE: Final = 10
"""The number of lines that a page key scrolls."""

END: Final = 1_000_000
"""A line number beyond the end of any value. Drawing finds the real end."""


def press(state: ResolverState, key: str) -> ResolverState:
    """Return the state after a key."""
    state = replace(state, message="", effect=None)
    common: dict[str, Callable[[ResolverState], ResolverState]] = {
        "q": lambda s: replace(s, effect=Effect.LEAVE),
        keys.END_OF_INPUT: lambda s: replace(s, effect=Effect.LEAVE),
        keys.INTERRUPT: lambda s: replace(s, effect=Effect.INTERRUPT),
        keys.SUSPEND: lambda s: replace(s, effect=Effect.SUSPEND),
        keys.REDRAW: lambda s: replace(s, effect=Effect.REDRAW),
    }
    if key in common:
        return common[key](state)
    if state.mode is Mode.HELP:
        return _SCROLLS[key](state) if key in _SCROLLS else replace(state, mode=state.back, scroll=0)
    if key == "?":
        return replace(state, mode=Mode.HELP, back=state.mode, scroll=0)
    handlers = {Mode.ASK: _ask, Mode.ITEMS: _items, Mode.SUMMARY: _summary}
    return handlers[state.mode](state, key)


# Scrolling


def _scroll(step: int) -> Callable[[ResolverState], ResolverState]:
    return lambda state: replace(state, scroll=max(state.scroll + step, 0))


_SCROLLS: Final[Mapping[str, Callable[[ResolverState], ResolverState]]] = {
    "j": _scroll(1),
    "k": _scroll(-1),
    keys.DOWN: _scroll(1),
    keys.UP: _scroll(-1),
    " ": _scroll(PAGE),
    keys.PAGE_DOWN: _scroll(PAGE),
    keys.PAGE_UP: _scroll(-PAGE),
    keys.HOME: _scroll(-END),
    keys.END: _scroll(END),
}


# Asking


def _ask(state: ResolverState, key: str) -> ResolverState:
    ours, theirs = state.keys
    sides = {ours: How.OURS, theirs: How.THEIRS, "b": How.BASE, "1": How.BASE, "2": How.OURS, "3": How.THEIRS}
    if key in sides:
        return choose(state, sides[key], take(state.question.conflict, sides[key]))
    if key in ("a", "4"):
        return _both(state)
    handlers: dict[str, Callable[[ResolverState], ResolverState]] = {
        "e": lambda s: replace(s, effect=Effect.EDIT),
        "i": _to_items,
        "s": _skip,
        "u": _undo,
        "v": _turn,
        keys.ENTER: _go_on,
        "g": lambda s: replace(s, mode=Mode.SUMMARY, cursor=s.at, scroll=0),
        "n": lambda s: _to(s, s.at + 1),
        "p": lambda s: _to(s, s.at - 1),
        keys.RIGHT: lambda s: _to(s, s.at + 1),
        keys.LEFT: lambda s: _to(s, s.at - 1),
        **_SCROLLS,
    }
    return handlers[key](state) if key in handlers else _no_key(state, key)


def _no_key(state: ResolverState, key: str) -> ResolverState:
    return replace(state, message=f"{printable(key)} does nothing here; ? shows the keys")


def _both(state: ResolverState) -> ResolverState:
    if not can_pick(state.question.conflict):
        return replace(state, message="only lists and texts of several lines can have both; e edits")
    return choose(state, How.BOTH, take(state.question.conflict, How.BOTH))


def _skip(state: ResolverState) -> ResolverState:
    """Leave a question open and go on. An answer that it had is taken back."""
    label = state.question.conflict.label
    past = state.past
    if label in state.answers:
        past = (*past, (state.answers, state.at))
    answers = MappingProxyType({name: answer for name, answer in state.answers.items() if name != label})
    changed = replace(state, answers=answers, past=past, scroll=0)
    text = f"{printable(str(label))}: left open"
    if state.at + 1 < len(state.questions):
        return replace(changed, at=state.at + 1, message=text)
    return replace(changed, mode=Mode.SUMMARY, cursor=state.at, message=text)


def _undo(state: ResolverState) -> ResolverState:
    if not state.past:
        return replace(state, message="there is no choice to undo")
    *past, (answers, at) = state.past
    label = printable(str(state.questions[at].conflict.label))
    return replace(
        state, answers=answers, at=at, past=tuple(past), mode=Mode.ASK, scroll=0, picks=(), message=f"{label}: undone"
    )


def _turn(state: ResolverState) -> ResolverState:
    order = [ResolverView.AUTO, ResolverView.BESIDE, ResolverView.STACKED]
    view = order[(order.index(state.view) + 1) % len(order)]
    words = {
        ResolverView.AUTO: "as the width allows",
        ResolverView.BESIDE: "side by side",
        ResolverView.STACKED: "one below the other",
    }
    return replace(state, view=view, scroll=0, message=f"values stand {words[view]}")


def _go_on(state: ResolverState) -> ResolverState:
    if state.answer is None:
        return replace(state, message=f"not answered yet; {state.keys[0]}, {state.keys[1]} or b takes one, s skips")
    return to_open(state)


def _to(state: ResolverState, at: int) -> ResolverState:
    if not 0 <= at < len(state.questions):
        return replace(state, message="this is the last one" if at > 0 else "this is the first one")
    return replace(state, at=at, scroll=0, cursor=0)


# The cursor

_MOVES: Final = {
    keys.DOWN: 1,
    "j": 1,
    keys.UP: -1,
    "k": -1,
    keys.PAGE_DOWN: PAGE,
    keys.PAGE_UP: -PAGE,
    keys.HOME: -END,
    keys.END: END,
}


def _move(state: ResolverState, key: str, lines: int) -> ResolverState:
    return replace(state, cursor=max(min(state.cursor + _MOVES[key], lines - 1), 0))


# Choosing items


def _to_items(state: ResolverState) -> ResolverState:
    conflict = state.question.conflict
    if not can_pick(conflict):
        return replace(state, message="this is no list and no text of several lines; e edits it")
    picks = picks_of(conflict)
    first = next((n for n, pick in enumerate(picks) if not pick.ours == pick.theirs == pick.base), 0)
    return replace(state, mode=Mode.ITEMS, picks=picks, cursor=first, scroll=0)


def _items(state: ResolverState, key: str) -> ResolverState:
    if key in _MOVES:
        return _move(state, key, len(state.picks))
    if key == keys.ENTER:
        return choose(state, How.ITEMS, picked(state.question.conflict, state.picks))
    if key in (keys.ESCAPE, keys.LEFT, keys.BACKSPACE):
        return replace(state, mode=Mode.ASK, picks=(), cursor=0, message="no items chosen")
    if key in (" ", "x") and state.picks:
        return _with(state, lambda n, pick: replace(pick, taken=not pick.taken) if n == state.cursor else pick)
    ours, theirs = state.keys
    wanted: dict[str, Callable[[Pick], bool]] = {
        ours: lambda pick: pick.ours,
        theirs: lambda pick: pick.theirs,
        "b": lambda pick: pick.base,
        "a": lambda pick: pick.ours or pick.theirs,
    }
    if key in wanted:
        return _with(state, lambda _, pick: replace(pick, taken=wanted[key](pick)))
    if key in ("J", "K"):
        return _carry(state, 1 if key == "J" else -1)
    return _no_key(state, key)


def _with(state: ResolverState, change: Callable[[int, Pick], Pick]) -> ResolverState:
    return replace(state, picks=tuple(change(n, pick) for n, pick in enumerate(state.picks)))


def _carry(state: ResolverState, step: int) -> ResolverState:
    """Move the item under the cursor one place."""
    there = state.cursor + step
    if not 0 <= there < len(state.picks):
        return state
    picks = list(state.picks)
    picks[state.cursor], picks[there] = picks[there], picks[state.cursor]
    return replace(state, picks=tuple(picks), cursor=there)


# The summary


def _summary(state: ResolverState, key: str) -> ResolverState:
    if key in _MOVES:
        return _move(state, key, len(state.questions))
    if key == "y":
        if not state.answers:
            return replace(state, message="nothing is answered, so there is nothing to apply")
        return replace(state, effect=Effect.APPLY)
    if key in (keys.ENTER, keys.LEFT, keys.ESCAPE):
        return replace(state, mode=Mode.ASK, at=state.cursor, scroll=0)
    if key == "u":
        return _undo(state)
    return _no_key(state, key)
