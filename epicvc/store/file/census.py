"""The census: the number of rows that each small table of a store must have, kept in a row of its own.

A checksum proves a row that exists. Where a bit turns over in a page's own count of rows, SQLite sees one row fewer and
finds nothing wrong: a branch, the intent of an unfinished operation or an entry of the log would be lost unseen.
Objects need no count, since their readers know their names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from epicvc.errors import DamagedStore
from epicvc.store.file.rowcheck import verified

if TYPE_CHECKING:
    from epicvc.store.file.sqlite import Connection

CENSUS: Final = "rows"
"""The key of the census row in ``meta``."""

OLDEST: Final = "oldest"
"""The number of the oldest operation, or of the next one where there is none. From there on no number is left out."""

EMPTY: Final = {"meta": 2, OLDEST: 1, "pending": 0, "ref": 0}
"""The census of a new store: the number of rows of each table."""

CENSUS_ROW: Final = f"SELECT key, value, crc FROM meta WHERE key = '{CENSUS}'"
"""Selects the census row. It has to be part of the statement that reads the counted rows: others write meanwhile."""


def dump_census(census: Mapping[str, int]) -> str:
    """Return the value of the census row."""
    return " ".join(f"{name}={census[name]}" for name in sorted(census))


def read_census(path: str, row: Sequence[object] | None) -> dict[str, int]:
    """Read the census from its row.

    Args:
        path: the store's file, for the message.
        row: the result of :data:`CENSUS_ROW`.

    Raises:
        DamagedStore: the row is missing or malformed.
    """
    if row is None or row[0] is None:
        raise DamagedStore(path, "its count of rows is missing")
    text = str(verified(path, "the count of rows", row)[1])
    parts = [part.partition("=") for part in text.split(" ")]
    if [name for name, _, _ in parts] != sorted(EMPTY) or not all(number.isdecimal() for _, _, number in parts):
        raise DamagedStore(path, "its count of rows is malformed")
    return {name: int(number) for name, _, number in parts}


def census_of(connection: Connection) -> dict[str, int]:
    """Read the current census of a store.

    Raises:
        DamagedStore: it is missing or malformed.
    """
    rows = connection.run(CENSUS_ROW)
    return read_census(str(connection.path), rows[0] if rows else None)


def check_count(path: str, row: Sequence[object] | None, table: str, found: int) -> None:
    """Make sure that a table has as many rows as the census says.

    Args:
        path: the store's file, for the message.
        row: the result of :data:`CENSUS_ROW` in the same statement.
        table: the table.
        found: the number of rows that it has.

    Raises:
        DamagedStore: it has more or fewer.
    """
    expected = read_census(path, row)[table]
    if found != expected:
        raise DamagedStore(path, f"the table {table!r} has {found} rows instead of {expected}")


def next_number(connection: Connection) -> int:
    """Return the number that the next operation gets, as AUTOINCREMENT would give it.

    Raises:
        DamagedStore: it does not follow the newest operation, or all operations are lost.
    """
    sql = (
        "SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'operation'), (SELECT max(seq) FROM operation), m.* "
        f"FROM (SELECT 1) LEFT JOIN ({CENSUS_ROW}) AS m"
    )
    last, newest, *row = connection.run(sql)[0]
    number = 1 if last is None else last + 1
    if newest is None:
        newest = read_census(str(connection.path), row)[OLDEST] - 1
    if newest != number - 1:
        raise DamagedStore(str(connection.path), "the operation log's numbers do not go on from its newest entry")
    return int(number)
