"""The progress bar: only for work that takes long, and gone afterwards."""

from __future__ import annotations

import io

from rich.console import Console

from epicvc.ui.progress import PATIENCE, ProgressBar


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_quick_work_draws_nothing() -> None:
    def never() -> Console:
        raise AssertionError("drawn")

    bar = ProgressBar(never, Clock())
    bar("files", 1, 10)
    bar.close()


def test_long_work_draws_a_bar_a_kind() -> None:
    out, clock = io.StringIO(), Clock()
    bar = ProgressBar(lambda: Console(file=out, force_terminal=True, width=80), clock)
    clock.now = PATIENCE + 1
    bar("files", 3, 10)
    bar("rows", 5, None)
    bar.close()
    assert "files" in out.getvalue()
    assert "rows" in out.getvalue()
    assert "3/10" in out.getvalue()


def test_a_closed_bar_stays_closed() -> None:
    out, clock = io.StringIO(), Clock()
    bar = ProgressBar(lambda: Console(file=out, force_terminal=True, width=80), clock)
    clock.now = PATIENCE + 1
    bar("files", 3, 10)
    bar.close()
    drawn = out.getvalue()
    bar("files", 4, 10)
    assert out.getvalue() == drawn
