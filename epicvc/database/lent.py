"""A connection that is lent to a function of a program, inside a transaction that the function cannot end.

It is a DB-API connection without what would commit, roll back, or reach beyond the transaction.
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
        """How many rows the last statement changed; -1 where it changes none."""
        ...

    @property
    def lastrowid(self) -> int | None:
        """The number of the row that was inserted last."""
        ...

    def execute(self, sql: str, parameters: Parameters = ()) -> LentCursor:
        """Run one statement."""
        ...

    def executemany(self, sql: str, parameters: Iterable[Parameters]) -> LentCursor:
        """Run one statement for each of many parameters."""
        ...

    def fetchone(self) -> Any:
        """The next row; ``None`` after the last."""
        ...

    def fetchmany(self, size: int = 1) -> list[Any]:
        """So many rows, or as many as are left."""
        ...

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """The rows that are left."""
        ...

    def __next__(self) -> Any:
        """The next row."""
        ...

    def close(self) -> None:
        """Let go of the rows that are left."""
        ...


class LentConnection(Protocol):
    """What a function of a program gets.

    Attributes:
        row_factory: makes rows of what cursors get, as in :mod:`sqlite3`; ``None`` for tuples.

    Everything else that a connection has is refused with :class:`epicvc.errors.Refused`, which names it.
    """

    row_factory: Callable[[Any, tuple[Any, ...]], object] | None

    def execute(self, sql: str, parameters: Parameters = ()) -> LentCursor:
        """Run one statement.

        Raises:
            Refused: it would end the transaction, or reach beyond it.
            sqlite3.Error: what the database says.
        """
        ...

    def executemany(self, sql: str, parameters: Iterable[Parameters]) -> LentCursor:
        """Run one statement for each of many parameters."""
        ...

    def cursor(self) -> LentCursor:
        """A cursor."""
        ...

    @property
    def in_transaction(self) -> bool:
        """Whether the transaction is open."""
        ...

    @property
    def total_changes(self) -> int:
        """How many rows were changed through the connection."""
        ...
