"""Compares a database with the schema that migrations would make: the check that `baseline` runs.

Tables, their columns, their unique keys, views and triggers must be there; a database may have more. A missing plain
index only makes look-ups slower, and a type of another affinity may be as good: these are notes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct, field

from epicvc.database.backend import Backend, Reader
from epicvc.database.migrations import TABLE
from epicvc.database.migrations.history import History
from epicvc.database.migrations.migration import Migration
from epicvc.database.migrations.planning import MigrationDirection, MigrationStep
from epicvc.database.migrations.running import run_step

# The time of records in scratch databases, which nobody reads.
_NEVER: Final = "1970-01-01 00:00:00"


class TableShape(Struct, frozen=True):
    """A table as its users see it; names in lower case.

    Attributes:
        columns: the declared type of each column, by name.
        unique: sets of columns that are unique together.
    """

    columns: Mapping[str, str]
    unique: frozenset[frozenset[str]]


class Shape(Struct, frozen=True):
    """The compared part of a schema; names in lower case.

    Attributes:
        tables: the tables by name.
        indexes: the definitions of the indexes that are not unique, by name.
        others: views and triggers, as ``view NAME``.
    """

    tables: Mapping[str, TableShape] = field(default_factory=dict)
    indexes: Mapping[str, str] = field(default_factory=dict)
    others: frozenset[str] = frozenset()

    @property
    def objects(self) -> frozenset[str]:
        """Everything by name, to see which objects a migration adds."""
        columns = (f"column {table}.{name}" for table, found in self.tables.items() for name in found.columns)
        indexes = (f"index {name}" for name in self.indexes)
        return frozenset({*(f"table {name}" for name in self.tables), *columns, *indexes, *self.others})


class Fit(Struct, frozen=True):
    """The differences between a database and migrations.

    Attributes:
        missing: objects that the migrations make and the database does not have.
        notes: differences that do no harm.
    """

    missing: tuple[str, ...]
    notes: tuple[str, ...]


def shape_of(reader: Reader) -> Shape:
    """Return the shape of a database without the record of migrations."""
    tables, indexes, others = {}, {}, set()
    for entry in reader.definitions():
        name = entry.name.lower()
        if name == TABLE:
            continue
        if entry.kind == "table":
            columns = {column.name.lower(): column.type for column in reader.columns(entry.name)}
            unique = (frozenset(map(str.lower, key)) for key in reader.unique_keys(entry.name))
            tables[name] = TableShape(columns, frozenset(unique))
        elif entry.kind == "index":
            # unique ones are compared by their columns above, whatever their names
            if not entry.sql.upper().startswith("CREATE UNIQUE"):
                indexes[name] = " ".join(entry.sql.split())
        else:
            others.add(f"{entry.kind} {name}")
    return Shape(tables, indexes, frozenset(others))


def shapes(backend: Backend, migrations: Sequence[Migration]) -> list[Shape]:
    """Return the shape after each migration, found by running them on an empty scratch database.

    Args:
        backend: the database whose product the scratch database has.
        migrations: all migrations from the first one on.

    Raises:
        MigrationFailed: one of them cannot be run.
    """
    found = []
    with backend.scratch(copy=False) as scratch, scratch.write(track=False, foreign_keys=False) as writer:
        history = History()
        for migration in migrations:
            history = run_step(writer, MigrationStep(migration, MigrationDirection.UP), history, by="", at=_NEVER)
            found.append(shape_of(writer))
    return found


def compare(expected: Shape, actual: Shape) -> Fit:
    """Find the parts of ``expected`` that ``actual`` does not have."""
    return Fit(tuple(_missing(expected, actual)), tuple(_notes(expected, actual)))


def fitting_version(migrations: Sequence[Migration], after: Sequence[Shape], actual: Shape) -> str | None:
    """Find the newest migration that could not be applied, because the database already has some of its objects.

    Args:
        migrations: the migrations in their order.
        after: the shape after each of them.
        actual: the shape of the database.

    Returns:
        The migration's version; ``None`` for none. Later migrations that add no object cannot be told, and are left
        out.
    """
    there = actual.objects
    before: frozenset[str] = frozenset()
    newest = None
    for migration, shape in zip(migrations, after, strict=True):
        if (shape.objects - before) & there:
            newest = migration.version
        before = shape.objects
    return newest


def _missing(expected: Shape, actual: Shape) -> Iterator[str]:
    for name, table in expected.tables.items():
        there = actual.tables.get(name)
        if there is None:
            yield f"table {name} is not there"
            continue
        lacking = [column for column in table.columns if column not in there.columns]
        if lacking:
            yield f"table {name} has no column {_listed(lacking)}"
        for key in sorted(map(sorted, table.unique - there.unique)):
            if not set(key) & set(lacking):
                yield f"table {name} does not keep {_listed(key)} unique"
    for other in sorted(expected.others - actual.others):
        yield f"{other} is not there"


def _notes(expected: Shape, actual: Shape) -> Iterator[str]:
    for name, sql in expected.indexes.items():
        if name not in actual.indexes:
            yield f"index {name} is not there, so that look-ups are slower; it is made by: {sql}"
    for name, table in expected.tables.items():
        there = actual.tables.get(name)
        for column, declared in table.columns.items():
            found = there.columns.get(column) if there else None
            if found is not None and _affinity(found) != _affinity(declared):
                wanted = declared or "without a type"
                yield f"{name}.{column} is {found or 'without a type'}, in the migrations {wanted}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _affinity(declared: str) -> str:
    """Return the affinity of a declared type, by SQLite's rules."""
    text = declared.upper()
    for affinity, words in (("INTEGER", ("INT",)), ("TEXT", ("CHAR", "CLOB", "TEXT")), ("BLOB", ("BLOB",))):
        if any(word in text for word in words):
            return affinity
    # a NUMERIC column and a REAL one hold the same numbers
    return "NUMERIC" if text else "BLOB"
