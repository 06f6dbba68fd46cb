"""Safe SQL from Python: the public builder, over the statements that the engine itself uses.

The module composes no SQL: :mod:`epicvc.database.query` does.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from epicvc.database.query import Delete, Dialect, Insert, Query, Select, Statement, Update
from epicvc.database.query.terms import target as _target
from epicvc.database.sqlite.failures import translated
from epicvc.errors import DatabaseUnavailable, InvalidQuery
from epicvc.repo.repository import Repo

__all__ = ["Query", "SafeQueryBuilder"]

_TIMEOUT = 5.0


class SafeQueryBuilder:
    """Builds statements whose values are bound and whose identifiers are quoted, and runs them.

    Each of :meth:`select`, :meth:`insert`, :meth:`update` and :meth:`delete` begins a statement of its own, so that one
    builder serves many statements. A statement is immutable: each of its methods returns a new one, and ``build()`` its
    SQL.

    Args:
        db_path: a SQLite file, which :meth:`execute` opens. If neither a file nor a connection is given, it is the
            database of the epic repo here, else ``framework.db`` in the current directory.
        connection: an open DB-API connection. The caller begins and ends its transactions.
        dialect: ``sqlite`` or ``postgresql``; by default that of the connection.

    Raises:
        InvalidQuery: the dialect is neither.
    """

    def __init__(
        self, db_path: str | os.PathLike[str] | None = None, connection: Any = None, dialect: str | None = None
    ) -> None:
        self._path = os.fspath(db_path) if db_path is not None else None
        self._connection = connection
        self._dialect = _dialect(dialect, connection)

    def select(self, *columns: str) -> Select:
        """Begin a ``SELECT``.

        Args:
            columns: the columns, as ``"e.name, t.title"`` or one by one; none for all. A single plain word is the
                table, unless ``from_table`` names another.
        """
        return Select(self._dialect, columns=columns)

    def insert(self, table: str) -> Insert:
        """Begin an ``INSERT``. Its ``values`` gives the row."""
        return Insert(self._dialect, target=_target(table))

    def update(self, table: str) -> Update:
        """Begin an ``UPDATE``. Its ``set`` gives the values, ``where`` the rows."""
        return Update(self._dialect, target=_target(table))

    def delete(self, table: str) -> Delete:
        """Begin a ``DELETE``. Its ``where`` gives the rows."""
        return Delete(self._dialect, target=_target(table))

    def execute(self, query: Query | Statement) -> list[dict[str, Any]] | int:
        """Run a statement.

        On a connection that the builder opens, the change is committed. On the caller's connection, the caller commits.

        Returns:
            The rows of a query, each by column, or else the number of changed rows.

        Raises:
            InvalidQuery: the statement is not complete.
            EpicvcError: the database refuses the statement, is locked or cannot be opened.
        """
        built = query.build() if isinstance(query, Statement) else query
        with self._open() as connection:
            cursor = connection.cursor()
            try:
                cursor.execute(built.sql, built.params)
                if cursor.description is None:
                    return int(cursor.rowcount)
                names = [column[0] for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            finally:
                cursor.close()

    @contextmanager
    def _open(self) -> Iterator[Any]:
        if self._connection is not None:
            yield self._connection
            return
        path = Path(self._path if self._path is not None else _found())
        if not path.is_file():
            raise DatabaseUnavailable(str(path), "no such file", hint="name the database with db_path")
        with translated(str(path), _TIMEOUT):
            connection = sqlite3.connect(path, timeout=_TIMEOUT)
            try:
                with connection:
                    yield connection
            finally:
                connection.close()


def _dialect(name: str | None, connection: Any) -> Dialect:
    if name is None:
        module = type(connection).__module__ if connection is not None else ""
        # Known by the name of its module: the driver need not be installed.
        return Dialect.POSTGRESQL if module.startswith("psycopg") else Dialect.SQLITE
    try:
        return Dialect[name.upper()]
    except KeyError:
        raise InvalidQuery(f"{name!r} is no dialect", hint="sqlite or postgresql") from None


def _found() -> str:
    """Return the database of the epic repo here, else the customary file."""
    from epicvc.errors import NotFound

    try:
        repo = Repo.open(Path.cwd())
    except NotFound:
        return "framework.db"
    try:
        backend = repo.backend()
        return backend.display if backend is not None else "framework.db"
    finally:
        repo.close()
