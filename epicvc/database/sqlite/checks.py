"""Finds the CHECK constraints that rows break, each constraint by itself; the rows need not be in the database.

SQLite names the first constraint that a row breaks and no other. So each constraint is tried alone, in an empty
database in memory whose table has the same definition, with a condition that always holds in place of the other
constraints. A constraint may use built-in functions only. One that needs a function or a collation of the application's
cannot be tried, and is passed over.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from epicvc.database.backend import BrokenCheck
from epicvc.database.batches import batches
from epicvc.database.migrations.statements import SQLToken, UnreadableSQL, tokens
from epicvc.database.sqlite.restore.rowwriter import RowWriter
from epicvc.database.sqlite.schema.definitions import create
from epicvc.database.sqlite.statements import TableSQL
from epicvc.database.tables import Definition, TableInfo
from epicvc.errors import InvalidRow, UnsupportedSchema

_HOLDS: Final = "(1)"

Entry = tuple[bytes, bytes]


class Check(Struct, frozen=True):
    """A CHECK constraint in the text of a table's definition.

    Attributes:
        name: the constraint's name, where no other constraint has the same; otherwise ``None``.
        text: the condition.
        expression: the condition without white space, comments and the case of unquoted words.
        start: the position of the condition in the text, with its bracket.
        stop: the position after it.
    """

    name: str | None
    text: str
    expression: str
    start: int
    stop: int


def checks_in(sql: str) -> list[Check]:
    """Return the CHECK constraints of a table's definition, in their order.

    ``CHECK`` is a reserved word: outside of quotes it can be nothing else.
    """
    try:
        parts = list(tokens(sql))
    except UnreadableSQL:  # SQLite would not have stored such a text
        return []
    found = [
        _check_at(sql, parts, at + 1)
        for at, token in enumerate(parts[:-1])
        if token.kind == "word" and token.text.upper() == "CHECK" and parts[at + 1].text == "("
    ]
    uses = Counter(check.name for check in found)
    return [check if uses[check.name] == 1 else replace(check, name=None) for check in found]


def _check_at(sql: str, parts: Sequence[SQLToken], opening: int) -> Check:
    depth, at = 1, opening + 1
    while depth and at < len(parts):
        depth += {"(": 1, ")": -1}.get(parts[at].text, 0)
        at += 1
    words = (part.text.casefold() if part.kind == "word" else part.text for part in parts[opening + 1 : at - 1])
    named = opening >= 3 and parts[opening - 3].text.upper() == "CONSTRAINT"
    start, stop = parts[opening].start, parts[at - 1].start + 1
    name = parts[opening - 2].text.strip('"`[]').casefold() if named else None
    return Check(name, sql[start + 1 : stop - 1], " ".join(words), start, stop)


def broken_checks(table: TableInfo, rows: Iterable[Entry]) -> Iterator[BrokenCheck]:
    """Find the constraints that rows break, by row and in the order of the definition.

    Args:
        table: the table's definition.
        rows: the rows, by key.
    """
    checks = checks_in(table.sql)
    if not checks:
        return
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as scratch:
        together = _CheckTrial.open(scratch, table, table.sql)
        for batch in batches(rows):
            # mostly all rows are right, and one trial with all constraints shows it
            if together is None or together.refusal(batch) is not None:
                place = {key: number for number, (key, _) in enumerate(batch)}
                yield from sorted(_broken(table, checks, batch, range(len(checks))), key=lambda one: place[one.key])


def _broken(table: TableInfo, checks: Sequence[Check], rows: Sequence[Entry], some: range) -> Iterator[BrokenCheck]:
    """Find the rows that break some of the constraints. Halving the constraints finds a few among many quickly."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as scratch:
        trial = _CheckTrial.open(scratch, table, _with_only(table.sql, checks, some))
        if trial is not None and len(some) == 1:
            yield from _refused(trial, checks[some.start], rows)
            return
        if len(some) == 1 or (trial is not None and trial.refusal(rows) is None):
            return
    middle = len(some) // 2
    yield from _broken(table, checks, rows, some[:middle])
    yield from _broken(table, checks, rows, some[middle:])


def _refused(trial: _CheckTrial, check: Check, rows: Sequence[Entry]) -> Iterator[BrokenCheck]:
    """Find the rows that break the one constraint of a trial."""
    error = trial.refusal(rows)
    if error is None:
        return
    if len(rows) > 1:
        middle = len(rows) // 2
        yield from _refused(trial, check, rows[:middle])
        yield from _refused(trial, check, rows[middle:])
    elif error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_CHECK:
        yield BrokenCheck(rows[0][0], str(error), check.expression, check.name)
    elif error.sqlite_errorcode == sqlite3.SQLITE_ERROR:  # the expression fails, as for a text that is no JSON
        words = f"CHECK constraint failed: {check.name or check.text}: {error}"
        yield BrokenCheck(rows[0][0], words, check.expression, check.name)


def _with_only(sql: str, checks: Sequence[Check], some: range) -> str:
    """Return a definition in which only some of the constraints are kept."""
    pieces, at = [], 0
    for number, check in enumerate(checks):
        if number not in some:
            pieces += [sql[at : check.start], _HOLDS]
            at = check.stop
    return "".join([*pieces, sql[at:]])


class _CheckTrial:
    """An empty table of one definition, into which rows are inserted to see whether they fit.

    Args:
        writer: writes into the table.
    """

    def __init__(self, writer: RowWriter) -> None:
        self._writer = writer

    @classmethod
    def open(cls, scratch: sqlite3.Connection, table: TableInfo, sql: str) -> _CheckTrial | None:
        """Make the table; return ``None`` where its definition needs something of the application's."""
        writer = RowWriter(scratch, TableSQL(table))
        try:
            create(scratch, "table", Definition(table.name, sql))
            writer.insert(())  # compiles the constraints
        except (sqlite3.Error, UnsupportedSchema):
            return None
        return cls(writer)

    def refusal(self, rows: Sequence[Entry]) -> sqlite3.Error | None:
        """Return the error with which the table refuses some rows, or ``None``. The table is empty again afterwards."""
        try:
            self._writer.insert(rows)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                raise
            return error
        except InvalidRow as error:
            if not isinstance(error.__cause__, sqlite3.Error):
                raise
            return error.__cause__
        finally:
            self._writer.clear()
        return None
