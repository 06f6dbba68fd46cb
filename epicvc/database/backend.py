"""What a database backend is: rows and schema in, rows and schema out.

Nothing here knows of epics or of one database product. A key and a row are bytes
(:mod:`epicvc.database.rowcodec`). Queries are written with ``?`` for each bound value; a backend whose
driver wants another sign translates it. Every failure that a user can mend is an
:class:`~epicvc.errors.EpicvcError`: ``DatabaseLocked``, ``DatabaseUnavailable``, ``NotADatabase``,
``ConstraintBroken`` (its ``label`` is the database, its ``constraint`` the database's own words),
``InvalidData``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeAlias

from msgspec import Struct

from epicvc.database.lent import LentConnection
from epicvc.database.rowcodec import SQLValue
from epicvc.database.tables import CatalogueEntry, ColumnInfo, Schema, TableInfo

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
        words: what the database says of it.
        expression: what the constraint demands; tells it from others of the table.
        name: the constraint's name; ``None`` where it has none, or where another one has the same.
    """

    key: bytes
    words: str
    expression: str
    name: str | None = None

    def is_among(self, others: Iterable[BrokenCheck]) -> bool:
        """Whether others, of a state before or on another branch, are of the same constraint."""
        return any(
            other.expression == self.expression or (self.name is not None and other.name == self.name)
            for other in others
        )


class Stranded(Struct, frozen=True):
    """A trigger that names a table that is not there, so that nobody can write to the trigger's own table.

    Attributes:
        trigger: its name.
        table: the table or view that it is on.
        missing: the table that it names.
    """

    trigger: str
    table: str
    missing: str


class Intruder(Struct, frozen=True):
    """Something that hangs on a table of epicvc's own, or has a name that is kept for such tables.

    Attributes:
        kind: ``trigger``, ``view``, ``table`` or ``foreign key``.
        name: its name; of a foreign key the table that has it.
        table: the table that it is on or refers to; of a view or table itself.
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
    """The columns that a reference is about, as the parent spells them; without any it is about the primary key."""
    spelled = {name.casefold(): name for name in parent.columns}
    keys = (*parent.key, *reference.columns)
    wanted = (target or keys[at] for at, target in enumerate(reference.targets))
    return tuple(spelled.get(name.casefold(), name) for name in wanted)


class ChangedKeys(Struct, frozen=True):
    """Where rows may differ from those that an earlier transaction saw; everywhere else they are the same.

    Attributes:
        tables: by table, ranges of keys, ascending, both ends included; none where nothing changed. Nothing is known
            of a table that is missing.
        worn: so much has changed since that a new mark is due.
    """

    tables: Mapping[str, Sequence[tuple[bytes, bytes]]]
    worn: bool


class Touched(Struct, frozen=True):
    """Rows of one table that a transaction inserted, updated or deleted; there may be others among them.

    Attributes:
        keys: the keys of single rows.
        added: the first and the last key of a range in which it found no rows, and made all that are there.
    """

    keys: frozenset[bytes]
    added: tuple[bytes, bytes] | None = None


class Ahead(Struct, frozen=True):
    """Many rows that a restore is going to write: brought to the database before its lock is taken.

    Attributes:
        tables: by name, the definition that a table has, before and after, and its differences as they are going to be
            given to :meth:`Writer.restore`.
        path: a file that does not exist, where rows may wait; its directory is the caller's.
    """

    tables: Mapping[str, tuple[TableInfo, Iterable[Change]]]
    path: Path


class Reader(Protocol):
    """One consistent view of the database, for as long as its transaction lasts."""

    def schema(self) -> Schema:
        """Every captured definition.

        Raises:
            UnsupportedSchema: something cannot be captured exactly, and is not ignored.
        """
        ...

    def left_out(self) -> Mapping[str, str]:
        """The tables and views that are not captured, each with the reason: ``ignored``, or why it cannot be."""
        ...

    def require_restorable(self) -> Sequence[Stranded]:
        """Make sure that the captured schema could be restored into an empty database, by doing so elsewhere.

        Returns:
            The triggers that would not come back, since a table that they name is not captured, or not there.

        Raises:
            UnsupportedSchema: it could not.
        """
        ...

    def tables(self) -> Sequence[TableInfo]:
        """The tables whose rows are captured: those of the schema, and the database's own counters."""
        ...

    def rows(self, table: str) -> Iterator[tuple[bytes, bytes]]:
        """Every row as (key, row), in the order of the keys' bytes, streamed."""
        ...

    def rows_between(self, table: str, first: bytes, last: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The rows of one of the ranges that :meth:`comparing` gave, as :meth:`rows` gives them."""
        ...

    def marking(self) -> AbstractContextManager[Callable[[], bytes | None]]:
        """Note, while other work goes on, what a later transaction needs to tell what has changed since this one.

        What is given waits for the mark; ``None``: there is none, since it is not worth it or cannot be had.
        """
        ...

    def comparing(self, mark: bytes) -> AbstractContextManager[Callable[[], ChangedKeys | None]]:
        """Find out, while other work goes on, what may have changed since a transaction made a mark.

        What is given waits for it; ``None``: all may have, or it would take as long as reading it.
        """
        ...

    def row(self, table: str, key: bytes) -> bytes | None:
        """One row, or ``None`` when there is none of this key."""
        ...

    def count(self, table: str) -> int:
        """How many rows the table has."""
        ...

    def columns(self, table: str) -> Sequence[ColumnInfo]:
        """The columns of any table, generated ones left out; none where there is no such table."""
        ...

    def definitions(self) -> Sequence[CatalogueEntry]:
        """Everything that is defined, also what no snapshot could hold; but nothing of the product's own or epicvc's.

        Other than :meth:`schema` it refuses nothing.
        """
        ...

    def intruders(self) -> Sequence[Intruder]:
        """What hangs on a table of epicvc's own or takes its place: a database that has any is not written to."""
        ...

    def missing_parents(self) -> frozenset[tuple[str, str]]:
        """Tables whose definition refers to a table that does not exist, each with the name of that one."""
        ...

    def columns_by(self, definition: TableInfo) -> Sequence[ColumnInfo]:
        """The columns that a table of this definition has; it need not be in the database.

        Raises:
            UnsupportedSchema: the definition cannot be made.
        """
        ...

    def unique_keys(self, table: str) -> frozenset[tuple[str, ...]]:
        """The sets of columns that the database keeps unique, in every row."""
        ...

    def unique_in_part(self, table: str) -> frozenset[tuple[str | None, ...]]:
        """What else the database keeps unique: columns in some rows only, and expressions, which are ``None``."""
        ...

    def unordered(self) -> Mapping[str, str]:
        """Tables with an index in an order that only the application knows, each with the name of the order.

        They can be read, but no row may be sought by the index, nor written.
        """
        ...

    def references(self, table: str) -> Sequence[Reference]:
        """The foreign keys that a table declares; none where there is no such table."""
        ...

    def references_by(self, definition: TableInfo) -> Sequence[Reference]:
        """The foreign keys that a table of this definition declares."""
        ...

    def parents(
        self,
        child: TableInfo,
        rows: Iterable[tuple[bytes, bytes]],
        reference: Reference,
        parent: TableInfo,
        among: Iterable[tuple[bytes, bytes]] | None = None,
    ) -> Mapping[bytes, bytes]:
        """The keys of the rows that others refer to, by the keys of those, by the database's own rules.

        Args:
            child: the table of the rows that refer.
            rows: these rows, by key.
            reference: the foreign key.
            parent: the table that they refer to.
            among: rows of it, by key, of which the parents are some; ``None`` for those that the database has.
        """
        ...

    def broken_checks(self, definition: TableInfo, rows: Iterable[tuple[bytes, bytes]]) -> Iterator[BrokenCheck]:
        """The CHECK constraints that rows of a table of this definition break: each of them, by row.

        The rows need not be in the database. What cannot be told without the application, as where a constraint uses
        one of its functions, is not told.
        """
        ...

    def faults(self, tables: Collection[str] | None = None) -> frozenset[Fault]:
        """The foreign-key violations that are there now, in all tables or in some."""
        ...

    def execute(self, query: str, params: Sequence[SQLValue] = ()) -> Iterator[Row]:
        """Run one statement with bound values. It has run when this returns; the rows are streamed."""
        ...

    def state(self, repo_id: str) -> tuple[str, str] | None:
        """The last (operation id, snapshot id) that the repo committed here."""
        ...

    def version(self) -> object:
        """A value equal to an earlier one of the same backend only if nobody changed the database in between.

        Ask a reader while it is open, and a writer later: equal means that what the reader saw is what the
        writer writes upon. Unequal means nothing is known.
        """
        ...


class Writer(Reader, Protocol):
    """One write transaction: all of it is committed by :meth:`commit`, or none."""

    @property
    def beside(self) -> str:
        """The name of the schema in which the transaction finds the tables that were laid beside the database."""
        ...

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
        """Bring the database to ``schema`` and to the rows that ``changes`` lead to, exactly.

        No trigger fires. The result is read back; a difference raises, and the transaction must not be
        committed. A trigger that is made, and names a table that is not there, is left out: see :attr:`stranded`.

        Args:
            schema: the definitions to have.
            changes: per table the differences to what is there now. Iterated more than once, so give a
                re-iterable; an iterator is kept in memory. Left unread for tables that are recreated.
            rows: all rows of a table as it is to be, in key order: read to the end where it is created or its
                definition changes. Called more than once.
            allowed: the foreign-key violations that may be there afterwards. ``None`` for a complete state,
                whose violations are its own.
            undisturbed: nobody has written since the old rows of ``changes`` were read, so that they need not be read
                again; a table of which ``rows`` has none is emptied.

        Raises:
            InvalidRow: a row does not come back as it was given.
            UnsupportedSchema: a definition cannot be made.
            ConstraintBroken: a foreign-key violation that is not allowed.
            ChangedSince: a row is not the old row of its change.
        """
        ...

    def touched(self) -> Mapping[str, Touched | None]:
        """The rows that this transaction inserted, updated or deleted, per table that it touched.

        What triggers and cascades did is included; a row that it inserted and deleted again may be left out. ``None``:
        unknown, read the whole table.
        """
        ...

    def lend(self, borrower: Callable[[LentConnection], object]) -> object:
        """Call a function of a program with a connection that works in this transaction and cannot end it.

        Returns:
            What the function returned. What it raises goes through; an error of the database's library as ours.

        Raises:
            Refused: the function asked for what is refused, or goes on after the transaction has been rolled back.
        """
        ...

    def lock_migrations(self) -> None:
        """Wait until no other transaction that called this is open, and keep others waiting until this one ends.

        Where one transaction at a time can write (SQLite) there is nothing to do; elsewhere it is an advisory lock.
        """
        ...

    def set_state(self, repo_id: str, operation_id: str, snapshot: str) -> None:
        """Note, in this transaction, the operation that commits it.

        Raises:
            ReservedName: something hangs on the table in which it is noted.
            InvalidData: that changed anything else.
        """
        ...

    def commit(self) -> None:
        """Make it durable. The writer cannot be used afterwards."""
        ...


class Backend(Protocol):
    """One database."""

    @property
    def display(self) -> str:
        """Its path or URL for messages, without a password."""
        ...

    def token(self) -> str | None:
        """What stands for the state of the database, in O(1).

        Equal tokens, equal contents. ``None``: cannot tell.
        """
        ...

    def token_left(self) -> str | None:
        """The token of the state that this backend's last write transaction left, after it was committed.

        ``None``: somebody has written since, or it cannot be told. May take a tenth of a second.
        """
        ...

    def version_left(self) -> object:
        """What :meth:`Reader.version` says until somebody writes after this backend's last transaction."""
        ...

    def mark_left(self) -> bytes | None:
        """A mark (:meth:`Reader.marking`) of the state that this backend's last write transaction left.

        ``None``: somebody has written since, or there is none.
        """
        ...

    def read(self) -> AbstractContextManager[Reader]:
        """A read transaction. Never changes the database.

        While a write transaction of this backend is open, it sees what that one found, and has to end before
        the writer commits; only where :attr:`reads_beside` says so.
        """
        ...

    @property
    def takes_images(self) -> bool:
        """Whether :meth:`write` can lay a SQLite database beside this one."""
        ...

    @property
    def reads_beside(self) -> bool:
        """Whether :meth:`read` may be called while a write transaction is open."""
        ...

    def write(
        self,
        *,
        as_restore: bool = False,
        track: bool = True,
        foreign_keys: bool = True,
        ahead: Ahead | None = None,
        image: bytes | None = None,
    ) -> AbstractContextManager[Writer]:
        """A write transaction, rolled back unless :meth:`Writer.commit` is called.

        Raises:
            ReservedName: something hangs on a table of epicvc's own, or takes its place.

        Args:
            as_restore: write as a restore does (foreign keys and checks off); otherwise as an application
                does.
            track: log which rows are touched. Without it :meth:`Writer.touched` knows nothing of any table,
                and inserting in bulk is faster by a quarter.
            foreign_keys: enforce them. Without, whoever writes compares :meth:`Reader.faults` before the commit: what
                rebuilding a table needs, since dropping the old one would cascade.
            ahead: what a restore is going to write of tables with many differences.
            image: a SQLite database, as SQLite would write it into a file, whose tables statements find in the schema
                :attr:`Writer.beside` for as long as the transaction lasts; only where :attr:`takes_images` says so.
        """
        ...

    def settle(self) -> None:
        """Make what can be read now final and durable, and remove what a killed writer left behind.

        For after a crash or a commit that failed: what is read before may still be lost, or still come true.
        """
        ...

    def exists(self) -> bool:
        """Whether there is a database."""
        ...

    def create(self) -> bool:
        """Make an empty database where there is none, and say whether it was made."""
        ...

    def discard(self, made_ns: int) -> None:
        """Take back :meth:`create`: remove the database if it was made at that moment, and is still empty.

        Args:
            made_ns: when, nanoseconds since 1970.
        """
        ...

    def scratch(self, *, copy: bool) -> AbstractContextManager[Backend]:
        """Another database to try things on, which goes away again.

        Args:
            copy: with everything that is in this one; otherwise empty.

        Raises:
            DatabaseUnavailable: there is no room for it, or this one cannot be read.
        """
        ...

    def vacuum(self) -> int:
        """Give unused space back to the system; the rows stay as they are. How many bytes that was."""
        ...

    def close(self) -> None:
        """Let go of what is held between transactions. The backend can be used again."""
        ...


MakeBackend: TypeAlias = Callable[[frozenset[str]], Backend]
"""Makes a backend that leaves some tables out."""
