"""Reads and writes the table ``schema_migrations``, the database's record of the applied migrations.

It is an ordinary table of the database, so that snapshots hold it and a checkout brings it back with the schema that it
describes. A table with fewer columns is extended; one without ``version`` is another tool's and is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Final

from msgspec import Struct
from msgspec.structs import asdict

from epicvc.database.backend import Reader, Writer
from epicvc.database.migrations import TABLE
from epicvc.database.migrations.migration import VERSION
from epicvc.database.query import Delete, Insert, Select, table_named
from epicvc.database.quoting import quote_identifier
from epicvc.errors import InvalidData

APPLIED: Final = "applied"
BASELINE: Final = "baseline"
PROGRAM: Final = "program"
"""The kind ``applied``, of a migration that no file has: a program gave it."""
PROGRAM_BASELINE: Final = "program-baseline"
NOTHING: Final = "none"
"""The version of the record that adopts a database to which no migration has been applied."""

CREATE: Final = f"""CREATE TABLE {TABLE} (
    version TEXT PRIMARY KEY,
    name TEXT,
    applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    applied_by TEXT DEFAULT 'system',
    checksum TEXT,
    kind TEXT DEFAULT 'applied',
    rollback_sql TEXT
)"""


class MigrationRecord(Struct, frozen=True):
    """The database's record of one migration.

    Attributes:
        version: the version as it was applied.
        name: the migration's name; empty in records of older tools.
        applied_at: the time, UTC, ``YYYY-MM-DD HH:MM:SS``.
        applied_by: the user who applied it.
        checksum: the migration's checksum; empty in records of older tools, which are taken as they are.
        kind: ``applied``, or ``baseline`` where the database had its schema before; ``program`` or ``program-baseline``
            where a program gave the migration.
        rollback_sql: the rollback at the time of applying; kept for people, never run.
    """

    version: str = ""
    name: str = ""
    applied_at: str = ""
    applied_by: str = ""
    checksum: str = ""
    kind: str = APPLIED
    rollback_sql: str | None = None

    @property
    def number(self) -> int:
        """The version as a number."""
        return int(self.version)

    @property
    def title(self) -> str:
        """The version and the name."""
        return f"{self.version} {self.name}".strip()

    @property
    def adopted(self) -> bool:
        """Tell whether the database had its schema before, so that the migration was never run here."""
        return self.kind in (BASELINE, PROGRAM_BASELINE)

    @property
    def given(self) -> bool:
        """Tell whether a program gave the migration, so that no file has to have it."""
        return self.kind in (PROGRAM, PROGRAM_BASELINE)


COLUMNS: Final = MigrationRecord.__struct_fields__


class History(Struct, frozen=True, dict=True):
    """The record of a database.

    Attributes:
        records: the records in the order of their numbers.
        base: the record that adopts a database to which no migration has been applied.
    """

    records: tuple[MigrationRecord, ...] = ()
    base: MigrationRecord | None = None

    @property
    def adopted(self) -> bool:
        """Tell whether there is any record: the one who wrote it knew the state of the database."""
        return self.base is not None or bool(self.records)

    @property
    def all_records(self) -> tuple[MigrationRecord, ...]:
        """Every row of the table."""
        return (*([self.base] if self.base else []), *self.records)

    @cached_property
    def numbers(self) -> frozenset[int]:
        """The numbers of the applied versions."""
        return frozenset(record.number for record in self.records)

    @property
    def newest(self) -> MigrationRecord | None:
        """The record with the highest number; ``None`` for none."""
        return self.records[-1] if self.records else None

    @property
    def version(self) -> str | None:
        """The version that the database is at."""
        return self.newest.version if self.newest else None


def read_history(reader: Reader) -> History:
    """Read the record of a database; it is empty where there is no such table.

    Raises:
        InvalidData: the table is another tool's.
    """
    there = {column.name.lower() for column in reader.columns(TABLE)}
    if not there:
        return History()
    if "version" not in there:
        raise InvalidData(
            f"the table {TABLE} has no column version: it is another tool's", hint="rename that table first"
        )
    wanted = tuple(column for column in COLUMNS if column in there)
    query = Select(columns=wanted).from_table(TABLE).build()
    records: list[MigrationRecord] = []
    base = None
    for row in reader.execute(query.sql):
        # as text, since other tools have kept versions as numbers
        record = MigrationRecord(
            **{name: str(value) for name, value in zip(wanted, row, strict=True) if value is not None}
        )
        if record.version == NOTHING:
            base = record
        elif VERSION.fullmatch(record.version):
            records.append(record)
        else:
            raise InvalidData(
                f"{TABLE} says that {record.version!r} was applied, which is no version", hint="correct that row"
            )
    records.sort(key=lambda record: record.number)
    return History(tuple(records), base)


def ensure_table(writer: Writer) -> None:
    """Make the table, or add the columns that it lacks."""
    there = {column.name.lower() for column in writer.columns(TABLE)}
    if not there:
        writer.execute(CREATE)
        return
    for column in COLUMNS:
        if column not in there:
            writer.execute(f"ALTER TABLE {TABLE} ADD COLUMN {quote_identifier(column)} TEXT")


def add_records(writer: Writer, records: Iterable[MigrationRecord]) -> None:
    """Write records; make or extend the table first."""
    ensure_table(writer)
    for record in records:
        writer.execute(*Insert(target=table_named(TABLE)).values(asdict(record)).build())


def drop_record(writer: Writer, record: MigrationRecord) -> None:
    """Remove a record, and with the last record the table, which came with the first one."""
    # compared as text, since other tools have kept versions as numbers
    recorded = Delete(target=table_named(TABLE)).where("CAST(version AS TEXT)", "=", record.version)
    writer.execute(*recorded.build())
    left = Select(columns=("COUNT(*)",)).from_table(TABLE)
    if next(writer.execute(*left.build()))[0] == 0:
        writer.execute(f"DROP TABLE {TABLE}")
