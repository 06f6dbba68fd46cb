"""Checksums for rows that a test has changed as a hostile writer would, who can compute them too."""

from __future__ import annotations

from epicvc.store.file.census import CENSUS, OLDEST, dump_census
from epicvc.store.file.records import OPERATION_COLUMNS
from epicvc.store.file.rowcheck import crc_of
from epicvc.store.store import Store

_COLUMNS = {
    "meta": "key, value",
    "ref": "name, value",
    "operation": f"seq, {OPERATION_COLUMNS}",
    "pending": "operation, command, database, prepared, before, after, details",
}


def seal(store: Store) -> None:
    """Give every row the checksum of what it says now, and count the rows anew."""
    store._db._raw.create_function("crc_of", -1, crc_of)
    census = {table: store._db.run(f"SELECT count(*) FROM {table}")[0][0] for table in ("meta", "pending", "ref")}
    census[OLDEST] = store._db.run("SELECT ifnull(min(seq), 1) FROM operation")[0][0]
    store._db.run("UPDATE meta SET value = ? WHERE key = ?", (dump_census(census), CENSUS))
    for table, columns in _COLUMNS.items():
        store._db.run(f"UPDATE {table} SET crc = crc_of({columns})")
