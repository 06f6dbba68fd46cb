"""The resolver line by line, for terminals that cannot place their cursor: it prints the same states, and prompts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from epicvc.ui.resolver import keys
from epicvc.ui.resolver.screen import document
from epicvc.ui.resolver.state import Effect, Mode, ResolverState
from epicvc.ui.resolver.versions import Look

Step = Callable[[ResolverState, str], ResolverState]
Edit = Callable[[ResolverState], ResolverState]

_WORDS = {"": keys.ENTER}
_WIDTH = 78


def ask(state: ResolverState, step: Step, edit: Edit, *, plain: bool) -> ResolverState:
    """Ask until the user applies or leaves; the end of the input leaves.

    Args:
        state: the first state.
        step: returns the state after a key.
        edit: lets the user edit a value.
        plain: whether only ASCII can be shown.
    """
    look = Look(_WIDTH, 10_000, plain=plain)
    shown: tuple[object, ...] = ()
    while True:
        now = (state.at, state.mode, state.picks, state.view)
        if now != shown or state.message:
            if now != shown:
                _print("", *document(state, look))
            if state.message:
                _print(f"* {state.message}")
            shown = now
        for key in _keys(state, _read(state)):
            state = step(state, key)
            if state.effect is Effect.EDIT:
                state = edit(state)
            if state.effect in (Effect.APPLY, Effect.LEAVE, Effect.INTERRUPT):
                return state


def _keys(state: ResolverState, line: str | None) -> Iterator[str]:
    """Yield the keys that a line stands for: the first character of a word, or the numbers of items."""
    if line is None:
        yield keys.END_OF_INPUT
        return
    word = line.strip()
    if state.mode in (Mode.ITEMS, Mode.SUMMARY) and word.isascii() and word.replace(" ", "").isdigit():
        for number in map(int, word.split()):
            yield keys.HOME
            yield from [keys.DOWN] * (number - 1)
            yield " " if state.mode is Mode.ITEMS else keys.ENTER
        return
    yield _WORDS.get(word, word[:1])


def _read(state: ResolverState) -> str | None:
    prompts = {
        Mode.ITEMS: "numbers to take or leave, enter when done",
        Mode.SUMMARY: "y applies, a number goes back, q leaves",
        Mode.HELP: "enter goes back",
        Mode.ASK: "answer",
    }
    sys.stdout.write(f"{prompts[state.mode]}> ")
    sys.stdout.flush()
    line = sys.stdin.readline()
    return line if line else None


def _print(*texts: object) -> None:
    for text in texts:
        sys.stdout.write(str(text).rstrip() + "\n")
