"""Draws the files and rows that cannot be read, and the places that wait for them."""

from __future__ import annotations

from collections.abc import Sequence

from epicvc.errors import InvalidFile
from epicvc.model.labels import Label
from epicvc.repo.files.tracked import Unreadable
from epicvc.ui.terminal import Console, line
from epicvc.ui.text import count, printable

_LINES = 12


def draw_errors(console: Console, errors: Sequence[Unreadable], *, verbose: bool = False) -> None:
    """Draw what cannot be read, in the form of errors, and what to do about it."""
    shown = errors if verbose else errors[:_LINES]
    for bad in shown:
        console.print(line(("epicvc: ", "conflict"), printable(bad.error.message)))
    if len(shown) < len(errors):
        console.print(line((f"epicvc: … and {len(errors) - len(shown)} more (--verbose lists them)", "conflict")))
    if errors:
        console.print(line((f"  hint: {printable(_hint(errors))}", "dim")))


def draw_waiting(console: Console, waiting: Sequence[Label], *, verbose: bool = False) -> None:
    """Draw the places that are not brought to the other side before everything can be read."""
    if not waiting:
        return
    listed = ", ".join(printable(str(label)) for label in (waiting if verbose else waiting[:_LINES]))
    more = f" and {len(waiting) - _LINES} more" if not verbose and len(waiting) > _LINES else ""
    what = f"{count(len(waiting), 'place')} left as {'it is' if len(waiting) == 1 else 'they are'}"
    console.print(line((f"{what} until everything can be read: ", "changed"), listed, (more, "dim")))


def _hint(errors: Sequence[Unreadable]) -> str:
    """Return advice. A file that was never known as an epic may be none."""
    stranger = next((bad for bad in errors if isinstance(bad.error, InvalidFile) and bad.epic is None), None)
    if stranger is not None and stranger.path is not None:
        return f'correct it, or leave it out if it is no epic: [files] exclude = ["{stranger.path}"] in epicvc.toml'
    return "correct it; everything else goes on meanwhile"
