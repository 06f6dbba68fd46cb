"""Connections that end a statement which takes too long, since a view or a trigger may never end.

The time that passes while SQLite works is counted for each statement by itself. A large database takes long because it
is asked many things, not because one answer takes minutes.
"""

from __future__ import annotations

import sqlite3
from _thread import get_ident
from collections.abc import Iterable, Iterator
from time import monotonic
from typing import Any, Final

STEPS: Final = 1_000_000
"""Steps of SQLite's machine between two looks at the clock, and at signals; some 20 ms."""

_PAUSE: Final = 5.0
"""The most seconds that count between two looks: the process may have waited for the reader of its output."""

_expired: Final[dict[int, float]] = {}
"""The limit of the statement that was ended last, by thread.

It is kept here because SQLite loses whatever a handler raises.
"""


class Limited(sqlite3.Connection):
    """A connection whose statements each have a time limit, and which a signal can interrupt."""

    _limit = float("inf")
    _spent = 0.0
    _seen: float | None = None

    def limit(self, seconds: float) -> None:
        """Set the most seconds that a statement may take."""
        self._limit = seconds
        self.set_progress_handler(self._over, STEPS)

    def begin_statement(self) -> None:
        """Start counting anew. To be called by code that runs statements through cursors."""
        self._spent, self._seen = 0.0, None

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """Run a statement as any connection does, counting its time anew."""
        self.begin_statement()
        return super().execute(*arguments)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        """Run a statement as any connection does, counting anew for each row of parameters."""
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
    """Return the limit of the statement that was just interrupted; ``None`` if its time was not up."""
    return _expired.pop(get_ident(), None)
