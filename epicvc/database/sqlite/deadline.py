"""Connections that end a statement which takes too long, since a view or a trigger may be without end.

What is counted is the time that passes while SQLite works, for each statement by itself: a large database takes long
because it is asked much, not because one answer takes minutes.
"""

from __future__ import annotations

import sqlite3
from _thread import get_ident
from collections.abc import Iterable, Iterator
from time import monotonic
from typing import Any, Final

STEPS: Final = 1_000_000
"""Of SQLite's machine between two looks at the clock, and at signals; some 20 ms."""

_PAUSE: Final = 5.0
"""Seconds between two looks that count at the most: who reads our output may have been waited for in between."""

_expired: Final[dict[int, float]] = {}
"""By thread, how long the statement may take that was ended last. Whatever a handler raises is lost inside SQLite."""


class Limited(sqlite3.Connection):
    """A connection each of whose statements may take so long, and that a signal can interrupt."""

    _limit = float("inf")
    _spent = 0.0
    _seen: float | None = None

    def limit(self, seconds: float) -> None:
        """Say how long a statement may take."""
        self._limit = seconds
        self.set_progress_handler(self._over, STEPS)

    def begin_statement(self) -> None:
        """Count anew; for who runs statements through cursors."""
        self._spent, self._seen = 0.0, None

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """As of any connection."""
        self.begin_statement()
        return super().execute(*arguments)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        """As of any connection: for each row of parameters the statement runs once."""
        return super().executemany(sql, self._each(parameters))

    def _each(self, parameters: Iterable[Any]) -> Iterator[Any]:
        for values in parameters:
            self.begin_statement()
            yield values

    def _over(self) -> bool:
        now = monotonic()
        if self._seen is not None:
            self._spent += min(now - self._seen, _PAUSE)
        self._seen = now
        if self._spent <= self._limit:
            return False
        _expired[get_ident()] = self._limit
        return True


def expired() -> float | None:
    """How long the statement was allowed to take that was just interrupted; ``None`` if it was by something else."""
    return _expired.pop(get_ident(), None)
