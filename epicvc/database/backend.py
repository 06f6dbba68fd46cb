"""The protocol of a database backend: rows and schema go in, rows and schema come out.

The protocol knows neither epics nor any one database product. A key and a row are bytes
(:mod:`epicvc.database.rowcodec`). Queries are written with ``?`` for each bound value; a backend whose driver wants
another sign translates it. Every failure that a user can mend is an :class:`~epicvc.errors.EpicvcError`:
``DatabaseLocked``, ``DatabaseUnavailable``, ``NotADatabase``, ``ConstraintBroken`` (its ``label`` is the database, its
``constraint`` the database's own words), ``InvalidData``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, TypeAlias

from msgspec import Struct

from epicvc.database.lent import LentConnection
from epicvc.database.rowcodec import SQLValue
from epicvc.database.tables import CatalogueEntry, ColumnInfo, Schema, TableInfo

if TYPE_CHECKING:
    from epicvc.database.shortcuts import Shortcuts

Row: TypeAlias = tuple[SQLValue, ...]
Change: TypeAlias = tuple[bytes, bytes | None, bytes | None]  # key, old row, new row
RowSource: TypeAlias = Callable[[str], Iterator[tuple[bytes, bytes]]]


class Fault(Struct, frozen=True):
    """A row whose foreign key finds no parent.

    Attributes:
        table: the table of the row.
        key: its encoded key; empty when the database cannot check the table's foreign keys at all.
        parent: the table in which the parent is missing.
        columns: the columns that refer to it.
    """

    table: str
    key: bytes
    parent: str
    columns: tuple[str, ...] = ()


class BrokenCheck(Struct, frozen=True):
    """A row that breaks a CHECK constraint.

    Attributes:
        key: the row's encoded key.
        words: the database's message about it.
        expression: the condition of the constraint; distinguishes it from the others of the table.
        name: the constraint's name; ``None`` where it has none, or where another one has the same name.
    """

    key: bytes
    words: str
    expression: str
    name: str | None = None

    def is_among(self, others: Iterable[BrokenCheck]) -> bool:
        """Return whether one of ``others`` breaks the same constraint.

        The others come from a state before, or from another branch.
        """
        return any(
            other.expression == self.expression or (self.name is not None and other.name == self.name)
            for other in others
        )


class Stranded(Struct, frozen=True):
    """A trigger that names a missing table, so that every write to the trigger's own table fails.

    Attributes:
        trigger: the trigger's name.
        table: the table or view that the trigger is on.
        missing: the table that the trigger names.
    """

    trigger: str
    table: str
    missing: str


class Intruder(Struct, frozen=True):
    """An object that hangs on a table of epicvc's own, or that has a name kept for such tables.

    Attributes:
        kind: ``trigger``, ``view``, ``table`` or ``foreign key``.
        name: the object's name; for a foreign key the table that declares it.
        table: the table that the object is on or refers to; a view or table itself.
    """

    kind: str
    name: str
    table: str


class Reference(Struct, frozen=True):
    """A declared foreign key.

    Attributes:
        columns: the columns that refer.
        parent: the table that they refer to, as the declaration spells it.
        targets: the columns that they refer to; ``None`` for those of the primary key.
    """

    columns: tuple[str, ...]
    parent: str
    targets: tuple[str | None, ...]


def targets(reference: Reference, parent: TableInfo) -> tuple[str, ...]:
    """Return the columns that a reference points at, as the parent table spells them.

    A reference that names no columns points at the primary key.
    """
    spelled = {name.casefold(): name for name in parent.columns}
    keys = (*parent.key, *reference.columns)
    wanted = (target or keys[at] for at, target in enumerate(reference.targets))
    return tuple(spelled.get(name.casefold(), name) for name in wanted)


class Touched(Struct, frozen=True):
    """The rows of one table that a transaction inserted, updated or deleted; untouched rows may be among them.

    Attributes:
        keys: the keys of single rows.
        added: the first and the last key of a range that was empty before, so that the transaction made every row in
            it.
    """

    keys: frozenset[bytes]
    added: tuple[bytes, bytes] | None = None


class Reader(Protocol):
    """One consistent view of the database, for as long as its transaction lasts."""

    def schema(self) -> Schema:
        """Return every captured definition.

        Raises:
            UnsupportedSchema: something cannot be captured exactly, and is not ignored.
        """
        ...

    def left_out(self) -> Mapping[str, str]:
        """Return the tables and views that are not captured, each with its reason: ``ignored``, or why it cannot be."""
        ...

    def require_restorable(self) -> Sequence[Stranded]:
        """Make sure that the captured schema could be restored into an empty database, by doing so in another one.

        Returns:
            The triggers that would not come back, because a table that they name is not captured or does not exist.

        Raises:
            UnsupportedSchema: the schema could not be restored.
        """
        ...

    def tables(self) -> Sequence[TableInfo]:
        """Return the tables whose rows are captured: those of the schema, and the database's own counters."""
        ...

    def rows(self, table: str) -> Iterator[tuple[bytes, bytes]]:
        """Stream every row as (key, row), in the order of the keys' bytes."""
        ...

    def rows_between(self, table: str, first: bytes, last: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Stream the rows whose keys lie in a range, both ends included, in the form of :meth:`rows`.

        The range is one of :attr:`Touched.added`, one between two keys of a table with integer keys, or one that the
        backend's shortcuts named.
        """
        ...

    def row(self, table: str, key: bytes) -> bytes | None:
        """Return one row, or ``None`` when no row has this key."""
        ...

    def count(self, table: str) -> int:
        """Count the rows of a table."""
        ...

    def columns(self, table: str) -> Sequence[ColumnInfo]:
        """Return the columns of any table without the generated ones; empty where there is no such table."""
        ...

    def definitions(self) -> Sequence[CatalogueEntry]:
        """Return every definition, also of objects that no snapshot could hold.

        The product's own objects and those of epicvc are left out. Unlike :meth:`schema`, nothing is refused.
        """
        ...

    def intruders(self) -> Sequence[Intruder]:
        """Return the objects that hang on a table of epicvc's own or take its place.

        A database that has any is not written to.
        """
        ...

    def missing_parents(self) -> frozenset[tuple[str, str]]:
        """Return the tables that refer to a table that does not exist, each with the name of the missing one."""
        ...

    def columns_by(self, definition: TableInfo) -> Sequence[ColumnInfo]:
        """Return the columns of a table with this definition; the table need not be in the database.

        Raises:
            UnsupportedSchema: the definition cannot be made.
        """
        ...

    def unique_keys(self, table: str) -> frozenset[tuple[str, ...]]:
        """Return the sets of columns that the database keeps unique in every row."""
        ...

    def unique_in_part(self, table: str) -> frozenset[tuple[str | None, ...]]:
        """Return the sets of columns that are unique in some rows only, and unique expressions, given as ``None``."""
        ...

    def unordered(self) -> Mapping[str, str]:
        """Return the tables with an index in an order that only the application knows, each with the order's name.

        Such tables can be read. Rows can neither be looked up by that index nor written.
        """
        ...

    def references(self, table: str) -> Sequence[Reference]:
        """Return the foreign keys that a table declares; empty where there is no such table."""
        ...

    def references_by(self, definition: TableInfo) -> Sequence[Reference]:
        """Return the foreign keys that a table with this definition declares."""
        ...

    def parents(
        self,
        child: TableInfo,
        rows: Iterable[tuple[bytes, bytes]],
        reference: Reference,
        parent: TableInfo,
        among: Iterable[tuple[bytes, bytes]] | None = None,
    ) -> Mapping[bytes, bytes]:
        """Find the row that each of some rows refers to, by the database's own rules of comparison.

        Args:
            child: the table of the rows that refer.
            rows: these rows, by key.
            reference: the foreign key.
            parent: the table that they refer to.
            among: rows of the parent table, by key, in which to look; ``None`` for those that the database has.

        Returns:
            The key of the parent row, by the key of the row that refers to it.
        """
        ...

    def broken_checks(self, definition: TableInfo, rows: Iterable[tuple[bytes, bytes]]) -> Iterator[BrokenCheck]:
        """Find the CHECK constraints that rows of a table with this definition break, each of them, row by row.

        The rows need not be in the database. A constraint that only the application can evaluate, such as one that
        calls the application's functions, is passed over.
        """
        ...

    def faults(self, tables: Collection[str] | None = None) -> frozenset[Fault]:
        """Return the foreign-key violations that exist now, in all tables or in some."""
        ...

    def execute(self, query: str, params: Sequence[SQLValue] = ()) -> Iterator[Row]:
        """Run one statement with bound values. The statement has run when this returns; its rows are streamed."""
        ...

    def state(self, repo_id: str) -> tuple[str, str] | None:
        """Return the last (operation id, snapshot id) that the repo committed here."""
        ...

    def version(self) -> object:
        """Return a value that equals an earlier one of the same backend only if nobody changed the database in between.

        Ask a reader while it is open, and a writer later. Equal values mean that the writer starts from the state that
        the reader saw. Unequal values mean nothing.
        """
        ...


class Writer(Reader, Protocol):
    """One write transaction: :meth:`commit` commits all of it; without that, nothing is written."""

    @property
    def stranded(self) -> Sequence[Stranded]:
        """The triggers that :meth:`restore` left out."""
        ...

    def execute_many(self, query: str, rows: Iterable[Sequence[SQLValue]]) -> None:
        """Run one statement that returns nothing for each row of bound values, one after the other."""
        ...

    def restore(
        self,
        schema: Schema,
        changes: Mapping[str, Iterable[Change]],
        rows: RowSource,
        *,
        allowed: frozenset[Fault] | None = None,
        undisturbed: bool = False,
    ) -> None:
        """Bring the database to exactly ``schema`` and the rows that ``changes`` lead to.

        No trigger fires. The result is read back; a difference raises, and the transaction must not be committed. A
        trigger that would be made but names a missing table is left out: see :attr:`stranded`.

        Args:
            schema: the definitions to have.
            changes: per table, the differences from the current rows. Iterated more than once, so give a re-iterable;
                an iterator is kept in memory. Left unread for tables that are recreated.
            rows: all rows of a table as it is to be, in key order: read to the end where the table is created or its
                definition changes. Called more than once.
            allowed: the foreign-key violations that may be there afterwards. ``None`` for a complete state, whose
                violations are its own.
            undisturbed: nobody has written since the old rows of ``changes`` were read, so they are not read again; a
                table of which ``rows`` has none is emptied.

        Raises:
            InvalidRow: a row is read back other than it was given.
            UnsupportedSchema: a definition cannot be made.
            ConstraintBroken: a foreign-key violation that is not allowed.
            ChangedSince: a stored row is not the old row of its change.
        """
        ...

    def touched(self) -> Mapping[str, Touched | None]:
        """Return the rows that this transaction inserted, updated or deleted, per table that it touched.

        Rows that triggers and cascades touched are included. A row that the transaction inserted and deleted again may
        be left out. ``None`` for a table: unknown, so the whole table has to be read.
        """
        ...

    def lend(self, borrower: Callable[[LentConnection], object]) -> object:
        """Call a function of a program with a connection that works in this transaction and cannot end it.

        Returns:
            The function's return value. Its exceptions go through; an error of the database's library becomes one of
            ours.

        Raises:
            Refused: the function asked for something that is refused, or went on after the transaction was rolled back.
        """
        ...

    def lock_migrations(self) -> None:
        """Wait until no other transaction that called this is open, and keep others waiting until this one ends.

        Where only one transaction at a time can write (SQLite) there is nothing to do; elsewhere this is an advisory
        lock.
        """
        ...

    def set_state(self, repo_id: str, operation_id: str, snapshot: str) -> None:
        """Record, in this transaction, the operation that commits it.

        Raises:
            ReservedName: an object hangs on the table in which the operation is recorded.
            InvalidData: recording it changed anything else.
        """
        ...

    def commit(self) -> None:
        """Commit the transaction durably. The writer cannot be used afterwards."""
        ...


class Backend(Protocol):
    """One database."""

    @property
    def display(self) -> str:
        """The database's path or URL for messages, without a password."""
        ...

    @property
    def shortcuts(self) -> Shortcuts | None:
        """What makes this backend faster and is not needed; ``None`` where there is nothing."""
        ...

    def read(self) -> AbstractContextManager[Reader]:
        """Open a read transaction. It never changes the database.

        While a write transaction of this backend is open, the read transaction sees the state that the writer found,
        and has to end before the writer commits. That is possible only where :attr:`reads_beside` is true.
        """
        ...

    @property
    def reads_beside(self) -> bool:
        """Tell whether :meth:`read` may be called while a write transaction is open."""
        ...

    def write(
        self, *, as_restore: bool = False, track: bool = True, foreign_keys: bool = True
    ) -> AbstractContextManager[Writer]:
        """Open a write transaction, which is rolled back unless :meth:`Writer.commit` is called.

        Raises:
            ReservedName: an object hangs on a table of epicvc's own, or takes its place.

        Args:
            as_restore: write as a restore does (foreign keys and checks off); otherwise as an application does.
            track: log which rows are touched. Without the log, :meth:`Writer.touched` knows nothing of any table, and
                inserting in bulk is faster by a quarter.
            foreign_keys: enforce them. If not, the caller compares :meth:`Reader.faults` before the commit. Rebuilding
                a table needs this, since dropping the old table would cascade.
        """
        ...

    def settle(self) -> None:
        """Make the state that can be read now final and durable, and remove the remains of a killed writer.

        For use after a crash or a failed commit: a state that is read before may still be lost, or still come true.
        """
        ...

    def exists(self) -> bool:
        """Return whether there is a database."""
        ...

    def create(self) -> bool:
        """Make an empty database where there is none, and return whether one was made."""
        ...

    def discard(self, made_ns: int) -> None:
        """Undo :meth:`create`: remove the database if it was made at that moment and is still empty.

        Args:
            made_ns: the moment, in nanoseconds since 1970.
        """
        ...

    def scratch(self, *, copy: bool) -> AbstractContextManager[Backend]:
        """Open another, temporary database to try things on.

        Args:
            copy: fill it with everything that is in this one; otherwise it is empty.

        Raises:
            DatabaseUnavailable: there is no room for it, or this one cannot be read.
        """
        ...

    def vacuum(self) -> int:
        """Give unused space back to the system and return how many bytes that was; the rows stay as they are."""
        ...

    def close(self) -> None:
        """Release everything that is held between transactions. The backend can be used again."""
        ...


MakeBackend: TypeAlias = Callable[[frozenset[str]], Backend]
"""Makes a backend that leaves the named tables out."""
