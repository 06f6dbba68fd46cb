"""Whether anybody has written to a database file since it was read."""

from __future__ import annotations

import sqlite3
from pathlib import Path


def data_version(connection: sqlite3.Connection) -> int:
    """A number that moves when, and only when, another connection commits."""
    return int(connection.execute("PRAGMA main.data_version").fetchone()[0])


class Watch:
    """A connection kept open only to be asked.

    What :func:`data_version` says means nothing across connections. So the connection of the first reader that is
    asked for its version stays open, and then that of a writer that has committed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._mark = object()  # numbers of another connection must not compare equal

    def adopt(self, connection: sqlite3.Connection, number: int | None = None) -> object:
        """Keep ``connection`` and give the version of what it sees.

        Args:
            connection: in a read transaction; or after its own commit.
            number: what :func:`data_version` said during that commit's transaction: its own commit does not move it.
        """
        self.close()
        self._connection = connection
        self._mark = object()
        return self._version(data_version(connection) if number is None else number)

    def holds(self, connection: sqlite3.Connection) -> bool:
        """Whether it is this one that is kept."""
        return connection is self._connection

    def version(self) -> object | None:
        """The version of the file now; ``None`` when nothing is kept, or it still looks at an older state.

        Raises:
            sqlite3.Error: the file cannot be read now.
        """
        if self._connection is None or self._connection.in_transaction:
            return None
        return self._version(data_version(self._connection))

    def _version(self, number: int) -> object:
        # a file that was put in its place would never be noticed by a connection that has the old one open
        return self._mark, number, self._path.stat().st_ino

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def __del__(self) -> None:
        """Let go of it though nobody said so. What weakref has for this takes half a millisecond to import."""
        self.close()
