"""How many rows the small tables of a store must have, kept in a row of its own.

A checksum proves a row that is there. Where a bit turns over in a page's own count of rows, SQLite sees one row fewer
and finds nothing wrong: a branch, the intent of an unfinished operation or an entry of the log would be gone unseen.
Objects need no count, since whoever wants one knows its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from epicvc.errors import DamagedStore
from epicvc.store.file.rowcheck import verified

if TYPE_CHECKING:
    from epicvc.store.file.sqlite import Connection

CENSUS: Final = "rows"
"""The key of the row in ``meta``."""

OLDEST: Final = "oldest"
"""The number of the oldest operation, or the next one's where there is none; from there on no number is left out."""

EMPTY: Final = {"meta": 2, OLDEST: 1, "pending": 0, "ref": 0}
"""The census of a new store: by table, how many rows it has."""

CENSUS_ROW: Final = f"SELECT key, value, crc FROM meta WHERE key = '{CENSUS}'"
"""Selects the row. It belongs into the statement that reads what is counted, since others write meanwhile."""


def dump_census(census: Mapping[str, int]) -> str:
    """The value of the row."""
    return " ".join(f"{name}={census[name]}" for name in sorted(census))


def read_census(path: str, row: Sequence[object] | None) -> dict[str, int]:
    """The census of its row.

    Args:
        path: the store's file, for the message.
        row: what :data:`CENSUS_ROW` found.

    Raises:
        DamagedStore: it is missing or malformed.
    """
    if row is None or row[0] is None:
        raise DamagedStore(path, "its count of rows is missing")
    text = str(verified(path, "the count of rows", row)[1])
    parts = [part.partition("=") for part in text.split(" ")]
    if [name for name, _, _ in parts] != sorted(EMPTY) or not all(number.isdecimal() for _, _, number in parts):
        raise DamagedStore(path, "its count of rows is malformed")
    return {name: int(number) for name, _, number in parts}


def census_of(connection: Connection) -> dict[str, int]:
    """The census as it is now.

    Raises:
        DamagedStore: it is missing or malformed.
    """
    rows = connection.run(CENSUS_ROW)
    return read_census(str(connection.path), rows[0] if rows else None)


def check_count(path: str, row: Sequence[object] | None, table: str, found: int) -> None:
    """Make sure that a table has the rows that it must have.

    Args:
        path: the store's file, for the message.
        row: what :data:`CENSUS_ROW` found, in the same statement.
        table: the table.
        found: how many rows it has.

    Raises:
        DamagedStore: it has more or fewer.
    """
    expected = read_census(path, row)[table]
    if found != expected:
        raise DamagedStore(path, f"the table {table!r} has {found} rows instead of {expected}")


def next_number(connection: Connection) -> int:
    """The number that the next operation gets, as AUTOINCREMENT would give it.

    Raises:
        DamagedStore: it does not go on from the newest operation, or all of these are lost.
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
