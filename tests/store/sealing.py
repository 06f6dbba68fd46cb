"""Checksums for rows that a test has changed as a hostile writer would, who can compute them too."""

from __future__ import annotations

from epicvc.store.records import OPERATION_COLUMNS
from epicvc.store.rowcheck import crc_of
from epicvc.store.store import Store

_COLUMNS = {
    "ref": "name, value",
    "operation": f"seq, {OPERATION_COLUMNS}",
    "pending": "operation, command, database, prepared, before, after, details",
}


def seal(store: Store) -> None:
    """Give every row the checksum of what it says now."""
    store._db._raw.create_function("crc_of", -1, crc_of)
    for table, columns in _COLUMNS.items():
        store._db.run(f"UPDATE {table} SET crc = crc_of({columns})")
