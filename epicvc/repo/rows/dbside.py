"""The present db side as trees: every row of every table, with the schema. It also restores a captured state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as MappingABC
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec.structs import replace

from epicvc.errors import DamagedObject, DamagedTable
from epicvc.repo.history.objects import DatabaseState
from epicvc.store.objects import ObjectId, ObjectSink, ObjectSource, ObjectType, object_id
from epicvc.store.tree import tree

if TYPE_CHECKING:
    from epicvc.database.backend import Reader, Touched, Writer
    from epicvc.database.shortcuts import ChangedKeys
    from epicvc.database.tables import Schema
    from epicvc.repo.rows.spool import Spool

SPILL: Final = 16 * 1024
"""The length in bytes above which a row is an object of its own, so that a leaf of a tree stays small."""

TELL_EVERY: Final = 4096
"""The number of rows between two reports of progress."""

COUNTERS: Final = "sqlite_sequence"
"""The captured table that holds the counters of automatic keys."""

Entry: TypeAlias = tuple[bytes, bytes]

_SPILLED: Final = b"\xc1"  # the one byte that MessagePack never uses, so that no row begins with it


def pack_row(sink: ObjectSink, row: bytes) -> bytes:
    """Return a row as the value of a tree."""
    return row if len(row) <= SPILL else _SPILLED + sink.put(ObjectType.BLOB, row)


def unpack_row(source: ObjectSource, value: bytes) -> bytes:
    """Return the row in the value of a tree."""
    return source.get(value[1:], ObjectType.BLOB) if value[:1] == _SPILLED else value


def capture(
    reader: Reader,
    sink: ObjectSink,
    told: Callable[[int], None] = lambda _: None,
    since: tuple[DatabaseState, ChangedKeys] | None = None,
) -> DatabaseState:
    """Capture the whole database in the reader's transaction.

    Args:
        reader: the transaction.
        sink: takes rows and schema.
        told: called now and then with the number of captured rows.
        since: an earlier state that ``sink`` holds, with the keys at which this one may differ. No other row is read.

    Raises:
        UnsupportedSchema: the schema has a part that cannot be captured exactly, or not be restored.
        InvalidRow: a row cannot be captured exactly.
        DamagedTable: rows do not come in the order of their keys.
        DamagedObject: the earlier state is missing or damaged.
    """
    schema = reader.schema().to_json_bytes()
    if not sink.has(object_id(ObjectType.SCHEMA, schema)):
        reader.require_restorable()  # a schema that the store has was checked here before
    done = 0

    def packed(rows: Iterator[Entry]) -> Iterator[Entry]:
        nonlocal done
        for key, row in rows:
            yield key, row if len(row) <= SPILL else pack_row(sink, row)
            done += 1
            if done % TELL_EVERY == 0:
                told(done)

    def root(table: str) -> ObjectId:
        before = since and table_root(sink, since[0], table)
        ranges = since and since[1].tables.get(table)
        with _in_order(table):
            if before is None or ranges is None:
                return tree.build(sink, packed(reader.rows(table)))
            return tree.update(sink, before, _differing(reader, sink, table, before, ranges))

    names = sorted(table.name.encode() for table in reader.tables())
    roots = [(name, root(name.decode())) for name in names]
    return DatabaseState(sink.put(ObjectType.SCHEMA, schema), tree.build(sink, roots))


@contextmanager
def _in_order(table: str) -> Iterator[None]:
    """Report rows that SQLite gives in another order than that of their keys: damage that SQLite overlooks."""
    try:
        yield
    except tree.KeysOutOfOrder as error:
        raise DamagedTable(table) from error


def _differing(
    reader: Reader, sink: ObjectSink, table: str, before: ObjectId, ranges: Iterable[tuple[bytes, bytes]]
) -> Iterator[tuple[bytes, bytes | None]]:
    """Yield the changes to make in a table's tree, where its rows may differ from it."""
    for first, last in ranges:
        old = dict(tree.items(sink, before, *between((first, last))))
        for key, row in reader.rows_between(table, first, last):
            value = pack_row(sink, row)
            if old.pop(key, None) != value:
                yield key, value
        yield from dict.fromkeys(old).items()


def recapture(writer: Writer, sink: ObjectSink, before: DatabaseState) -> DatabaseState:
    """Capture the changes of this transaction, on top of the capture that it began from."""
    from epicvc.database.tables import KeyKind

    changes: list[tuple[bytes, bytes | None]] = []
    numbered = {info.name for info in writer.tables() if info.kind is not KeyKind.PRIMARY}
    for table, touched in sorted(writer.touched().items(), key=lambda item: item[0].encode()):
        root = table_root(sink, before, table)
        with _in_order(table):
            if touched is None or root is None:
                new = tree.build(sink, ((key, pack_row(sink, row)) for key, row in writer.rows(table)))
            else:
                rows = _rows_of(writer, table, touched, numbered=table in numbered)
                changed = ((key, None if row is None else pack_row(sink, row)) for key, row in rows)
                new = tree.update(sink, root, changed)
        if new != root:
            changes.append((table.encode(), new))
    return DatabaseState(before.schema, tree.update(sink, before.tables, changes)) if changes else before


def _rows_of(writer: Writer, table: str, touched: Touched, *, numbered: bool) -> Iterator[tuple[bytes, bytes | None]]:
    """Yield each of these rows, or ``None`` where it is missing.

    Rows with consecutive numbers are read in one query.
    """
    from epicvc.database.rowcodec import runs

    first, last = touched.added or (b"", b"")
    keys = sorted(key for key in touched.keys if not first <= key <= last)
    for run in runs(keys) if numbered else ([key] for key in keys):
        if len(run) == 1:
            yield run[0], writer.row(table, run[0])
            continue
        found = dict(writer.rows_between(table, run[0], run[-1]))
        yield from ((key, found.get(key)) for key in run)
    if touched.added is not None:
        yield from writer.rows_between(table, first, last)


def between(keys: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """Return the bounds of a range of keys, both included, as :func:`epicvc.store.tree.tree.items` takes them."""
    first, last = keys
    return first, last + b"\0"


def table_root(source: ObjectSource, state: DatabaseState, table: str) -> ObjectId | None:
    """Return the tree of a table's rows; ``None`` where the state has no such table."""
    return tree.get(source, state.tables, table.encode())


def get_schema(source: ObjectSource, state: DatabaseState) -> Schema:
    """Return the schema of a captured database.

    Raises:
        DamagedObject: the object is missing or is no schema.
    """
    from epicvc.database.tables import Schema  # imported here: a comparison of equal trees needs no schema

    payload = source.get(state.schema, ObjectType.SCHEMA)
    try:
        return Schema.from_json_bytes(payload)
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedObject(state.schema.hex(), "is no schema") from error


MANY: Final = 4
"""The share of touched epics, one in this many, above which reading whole tables beats reading single rows."""

RowChange: TypeAlias = tuple[bytes, bytes | None, bytes | None]


KEPT_BYTES: Final = 4 << 20
"""The bytes of differing rows up to which they are kept, so that a second reading need not compare again."""


class RowChanges:
    """The rows that differ between two trees of one table, as ``(key, old, new)``.

    They can be read any number of times.

    Args:
        source: holds both trees.
        before: the root of one.
        after: the root of the other.
    """

    def __init__(self, source: ObjectSource, before: ObjectId, after: ObjectId) -> None:
        self._source = source
        self._roots = before, after
        self._known: Iterable[RowChange] | None = None

    def __iter__(self) -> Iterator[RowChange]:
        return iter(self._known) if self._known is not None else self._compare()

    def keep(self, spool: Spool[RowChange]) -> bool:
        """Compare now, so that later readings need no comparison.

        Args:
            spool: keeps the differences, if they are many. They are not kept where all rows go, since nobody reads them
                then.

        Returns:
            Whether the differences are many, so that the spool keeps them.
        """
        if self._roots[1] == tree.EMPTY:
            return False
        for change in self:
            spool.add(change)
        if self._known is None:
            self._known = spool
        return self._known is spool

    def _compare(self) -> Iterator[RowChange]:
        found: list[RowChange] | None = []
        size = 0
        for key, old, new in tree.diff(self._source, *self._roots):
            change = key, self._row(old), self._row(new)
            if found is not None:
                size += sum(len(row) for row in change[1:] if row is not None)
                found.append(change)
                if size > KEPT_BYTES:
                    found = None
            yield change
        self._known = found

    def _row(self, value: bytes | None) -> bytes | None:
        return None if value is None else unpack_row(self._source, value)


def row_changes(
    source: ObjectSource, before: DatabaseState | None, after: DatabaseState | None
) -> Iterator[tuple[str, RowChanges]]:
    """Yield the tables whose rows differ between two states, each with its differing rows."""
    roots = [state.tables if state else tree.EMPTY for state in (before, after)]
    for key, old, new in tree.diff(source, roots[0], roots[1]):
        yield key.decode(), RowChanges(source, old or tree.EMPTY, new or tree.EMPTY)


def restore(
    writer: Writer,
    source: ObjectSink,
    current: DatabaseState,
    target: DatabaseState,
    changes: MappingABC[str, RowChanges] | None = None,
    *,
    undisturbed: bool = False,
) -> DatabaseState:
    """Bring the database from one captured state to another, exactly and without firing triggers.

    Args:
        writer: a transaction of a restore.
        source: holds both states.
        current: the state of the database.
        target: the state to reach.
        changes: the :func:`row_changes` of the two states, where they are at hand.
        undisturbed: whether ``current`` is certain: nobody has written since the capture.

    Returns:
        The state that the database has now: the target, without the triggers that cannot run here.

    Raises:
        InvalidRow: a row would not come back exactly.
    """

    def rows(table: str) -> Iterator[tuple[bytes, bytes]]:
        root = table_root(source, target, table)
        if root is not None:
            for key, value in tree.items(source, root):
                yield key, unpack_row(source, value)

    found = dict(row_changes(source, current, target)) if changes is None else changes
    schema = get_schema(source, target)
    writer.restore(schema, found, rows, undisturbed=undisturbed)
    left_out = {stranded.trigger for stranded in writer.stranded}
    if not left_out:
        return target
    reached = replace(schema, triggers=tuple(t for t in schema.triggers if t.name not in left_out))
    return DatabaseState(source.put(ObjectType.SCHEMA, reached.to_json_bytes()), target.tables)
