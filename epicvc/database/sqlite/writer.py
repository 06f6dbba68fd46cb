"""The writer of one transaction of a SQLite database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from epicvc.database.backend import Change, Fault, Row, RowSource, Stranded, Touched
from epicvc.database.reserved import require_own
from epicvc.database.rowcodec import SQLValue
from epicvc.database.sqlite.failures import translated
from epicvc.database.sqlite.ownstate import STATE_TABLE, create_state, write_state
from epicvc.database.sqlite.reader import SQLiteReader
from epicvc.database.sqlite.restore.restore import Restore
from epicvc.database.sqlite.touched import TouchLog
from epicvc.database.tables import Schema

if TYPE_CHECKING:
    from epicvc.database.lent import LentConnection
    from epicvc.database.sqlite.restore.incoming import Incoming

_READS = ("SELECT", "VALUES", "EXPLAIN", "PRAGMA")


class SQLiteWriter(SQLiteReader):
    """A :class:`~epicvc.database.backend.Writer` for SQLite.

    Args:
        connection: a connection inside a write transaction.
        display: the database's name in messages.
        timeout: seconds that were waited for a lock; for messages.
        ignore: tables that are not captured.
        version: returns the value for :meth:`version`; called once, when it is first asked for.
        as_restore: the transaction restores; the rows that it touches are known and not logged.
        track: log the touched rows.
        incoming: rows that wait to be restored.

    Raises:
        ReservedName: an object hangs on a table of epicvc's own, or takes its place.
    """

    _writable = True

    def __init__(
        self,
        connection: sqlite3.Connection,
        display: str,
        timeout: float,
        ignore: frozenset[str],
        version: Callable[[], object],
        *,
        as_restore: bool,
        track: bool,
        incoming: Incoming | None = None,
    ) -> None:
        self._as_restore = as_restore
        super().__init__(connection, display, timeout, ignore, version)
        self._open = True
        self._wrote = False  # true once the caller ran a writing statement
        self._log: TouchLog | None = None
        self._restores: list[Restore] = []
        self._incoming = incoming
        require_own(self)
        if track and not as_restore:
            schema, tables = self._captured()
            with translated(display, timeout):
                self._log = TouchLog(connection, schema, tables.values())

    def _with_stand_ins(self, found: dict[str, str]) -> dict[str, str]:
        """Register stand-ins for a restore only.

        An application's triggers may reach any index; without stand-ins, SQLite refuses such writes.
        """
        return super()._with_stand_ins(found) if self._as_restore else found

    @property
    def stranded(self) -> Sequence[Stranded]:
        """The triggers that restores left out."""
        return [found for restore in self._restores for found in restore.stranded]

    def execute(self, query: str, params: Sequence[SQLValue] = ()) -> Iterator[Row]:
        """Run one statement. The rows of a query are streamed, those of ``RETURNING`` are complete."""
        self._expect(query)
        rows = super().execute(query, params)
        # a write whose rows are not read to the end would block the commit
        return rows if _only_reads(query) else iter(list(rows))

    def execute_many(self, query: str, rows: Iterable[Sequence[SQLValue]]) -> None:
        """Run one statement for each row of bound values."""
        self._expect(query)
        with translated(self._display, self._timeout):
            self._connection.executemany(query, rows)

    def restore(
        self,
        schema: Schema,
        changes: Mapping[str, Iterable[Change]],
        rows: RowSource,
        *,
        allowed: frozenset[Fault] | None = None,
        undisturbed: bool = False,
    ) -> None:
        """Bring the database to exactly ``schema`` and the rows that ``changes`` lead to."""
        self._require_open()
        if not self._as_restore:
            raise ValueError("restore needs a transaction that was opened with as_restore=True")
        restore = Restore(
            self._connection, self, schema, changes, rows, undisturbed=undisturbed, incoming=self._incoming
        )
        with translated(self._display, self._timeout):
            restore.run(allowed)
        self._restores.append(restore)

    def touched(self) -> Mapping[str, Touched | None]:
        """Return the rows that this transaction touched, per table; ``None`` where they are not known."""
        if self._as_restore and not self._wrote:
            return self._touched_by_restores()
        if self._log is None:
            return dict.fromkeys([table.name for table in self.tables()])
        with translated(self._display, self._timeout):
            return self._log.rows()

    def _touched_by_restores(self) -> Mapping[str, Touched | None]:
        touched: dict[str, Touched | None] = {}
        for restore in self._restores:
            for table, keys in restore.touched().items():
                known = touched.get(table, Touched(frozenset()))
                touched[table] = None if keys is None or known is None else Touched(keys | known.keys)
        return touched

    def lend(self, borrower: Callable[[LentConnection], object]) -> object:
        """Call a function with a connection that cannot end the transaction."""
        from epicvc.database.sqlite.lending import lend  # only migrations that a program gives need it

        self._require_open()
        try:
            return lend(self._connection, self._display, borrower, self._expect)
        except sqlite3.Error:
            with translated(self._display, self._timeout):
                raise

    def lock_migrations(self) -> None:
        """Do nothing but check that the transaction is open: a write transaction is alone in SQLite."""
        self._require_open()

    def set_state(self, repo_id: str, operation_id: str, snapshot: str) -> None:
        """Record the operation that commits this transaction."""
        self._require_open()
        is_new = not self._exists(STATE_TABLE)
        require_own(self)  # checked again: a migration or a restore may have made definitions
        with translated(self._display, self._timeout):
            if is_new:
                create_state(self._connection)
            write_state(self._connection, repo_id, operation_id, snapshot)
        if is_new and self._log is not None:
            self._log.own_change()

    def commit(self) -> None:
        """Commit the transaction durably."""
        self._require_open()
        with translated(self._display, self._timeout):
            self._connection.execute("COMMIT")
        self._open = False

    @property
    def committed(self) -> bool:
        """Tell whether the transaction has been committed."""
        return not self._open

    def _expect(self, query: str) -> None:
        self._require_open()
        self._wrote = self._wrote or not _only_reads(query)
        if self._log is not None:
            self._log.expect(query)

    def _require_open(self) -> None:
        # after the commit, SQLite would run a statement as a transaction of its own
        if not self._open:
            raise ValueError("the transaction has been committed")


def _only_reads(query: str) -> bool:
    """Return whether a statement certainly writes nothing. A statement that cannot be judged counts as writing."""
    return query.lstrip()[:8].upper().startswith(_READS)
