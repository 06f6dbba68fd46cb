"""The connection that is lent to a function of a program, inside a transaction that the function cannot end.

It is a DB-API connection without the calls that commit, roll back, or reach beyond the transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

Parameters = Sequence[Any] | Mapping[str, Any]


class LentCursor(Protocol):
    """A cursor of a lent connection."""

    @property
    def connection(self) -> LentConnection:
        """The lent connection."""
        ...

    @property
    def description(self) -> Any:
        """The columns of the last query, as in the DB-API; ``None`` where there are none."""
        ...

    @property
    def rowcount(self) -> int:
        """The number of rows that the last statement changed; -1 where it changes none."""
        ...

    @property
    def lastrowid(self) -> int | None:
        """The number of the row that was inserted last."""
        ...

    def execute(self, sql: str, parameters: Parameters = ()) -> LentCursor:
        """Run one statement."""
        ...

    def executemany(self, sql: str, parameters: Iterable[Parameters]) -> LentCursor:
        """Run one statement once for each set of parameters."""
        ...

    def fetchone(self) -> Any:
        """Return the next row; ``None`` after the last."""
        ...

    def fetchmany(self, size: int = 1) -> list[Any]:
        """Return the next ``size`` rows, or as many as are left."""
        ...

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the rows that are left."""
        ...

    def __next__(self) -> Any:
        """Return the next row."""
        ...

    def close(self) -> None:
        """Drop the rows that are left."""
        ...


class LentConnection(Protocol):
    """The connection that a function of a program gets.

    Attributes:
        row_factory: makes rows from the values that cursors fetch, as in :mod:`sqlite3`; ``None`` for tuples.

    Every other member of a connection is refused with :class:`epicvc.errors.Refused`, which names it.
    """

    row_factory: Callable[[Any, tuple[Any, ...]], object] | None

    def execute(self, sql: str, parameters: Parameters = ()) -> LentCursor:
        """Run one statement.

        Raises:
            Refused: the statement would end the transaction, or reach beyond it.
            sqlite3.Error: the database refuses the statement.
        """
        ...

    def executemany(self, sql: str, parameters: Iterable[Parameters]) -> LentCursor:
        """Run one statement once for each set of parameters."""
        ...

    def cursor(self) -> LentCursor:
        """Return a cursor."""
        ...

    @property
    def in_transaction(self) -> bool:
        """Tell whether the transaction is open."""
        ...

    @property
    def total_changes(self) -> int:
        """The number of rows that were changed through the connection."""
        ...
