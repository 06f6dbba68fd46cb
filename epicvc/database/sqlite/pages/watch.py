"""Tells whether anybody has written to a database file since it was read."""

from __future__ import annotations

import sqlite3
from pathlib import Path


def data_version(connection: sqlite3.Connection) -> int:
    """Return a number that moves when, and only when, another connection commits."""
    return int(connection.execute("PRAGMA main.data_version").fetchone()[0])


class Watch:
    """A connection that is kept open only to be asked for its version.

    The numbers of :func:`data_version` mean nothing across connections. So the connection of the first reader that is
    asked for its version stays open, and later that of a writer that has committed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._mark = object()  # makes versions of different connections unequal

    def adopt(self, connection: sqlite3.Connection, number: int | None = None) -> object:
        """Keep ``connection`` and return the version of the state that it sees.

        Args:
            connection: a connection in a read transaction, or after its own commit.
            number: the :func:`data_version` during the transaction of that commit, which the commit itself does not
                move.
        """
        self.close()
        self._connection = connection
        self._mark = object()
        return self._version(data_version(connection) if number is None else number)

    def holds(self, connection: sqlite3.Connection) -> bool:
        """Return whether ``connection`` is the one that is kept."""
        return connection is self._connection

    def version(self) -> object | None:
        """Return the file's current version.

        ``None`` means that no connection is kept, or that the kept one still sees an older state.

        Raises:
            sqlite3.Error: the file cannot be read now.
        """
        if self._connection is None or self._connection.in_transaction:
            return None
        return self._version(data_version(self._connection))

    def _version(self, number: int) -> object:
        # the inode too: a connection that has the old file open would not notice another file in its place
        return self._mark, number, self._path.stat().st_ino

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def __del__(self) -> None:
        """Close the connection where nobody did. A weakref finalizer would take half a millisecond to import."""
        self.close()
