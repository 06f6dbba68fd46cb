"""Draws the progress of long work on stderr, only for a person who waits at a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

PATIENCE: Final = 0.5
"""The seconds after which a bar is worth showing."""


class ProgressBar:
    """Draws a bar for each kind of work that is reported, once the whole takes long.

    Args:
        make_console: returns the console to draw on; not called before something is drawn.
        clock: returns a time in seconds.
    """

    def __init__(self, make_console: Callable[[], Console], clock: Callable[[], float] = time.monotonic) -> None:
        self._make_console = make_console
        self._clock = clock
        self._began = clock()
        self._bar: Progress | None = None
        self._closed = False
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Report that ``done`` of ``total`` are done; a total of ``None`` is not known."""
        if self._closed:
            return
        if self._bar is None:
            if self._clock() - self._began < PATIENCE:
                return
            self._bar = self._make()
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=total)
        self._bar.update(self._tasks[what], completed=done, total=total)

    def _make(self) -> Progress:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=self._make_console(),
            transient=True,
        )
        bar.start()
        return bar

    def close(self) -> None:
        """Remove the bars for good, so that later output takes their place."""
        self._closed = True
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
