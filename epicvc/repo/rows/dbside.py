"""The db side as it is now: every row of every table as trees, with the schema; and the way back."""

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
    from epicvc.database.backend import ChangedKeys, Reader, Touched, Writer
    from epicvc.database.tables import Schema
    from epicvc.repo.rows.spool import Spool

SPILL: Final = 16 * 1024
"""A row longer than this many bytes is an object of its own, so that a leaf of a tree stays small."""

TELL_EVERY: Final = 4096
"""Rows between two reports of progress."""

COUNTERS: Final = "sqlite_sequence"
"""Where a captured database keeps how far its automatic keys have come."""

Entry: TypeAlias = tuple[bytes, bytes]

_SPILLED: Final = b"\xc1"  # the one byte that MessagePack never uses, so that no row begins with it


def pack_row(sink: ObjectSink, row: bytes) -> bytes:
    """A row as a tree's value."""
    return row if len(row) <= SPILL else _SPILLED + sink.put(ObjectType.BLOB, row)


def unpack_row(source: ObjectSource, value: bytes) -> bytes:
    """The row of a tree's value."""
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
        sink: where rows and schema go.
        told: told, now and then, how many rows are captured.
        since: an earlier state that ``sink`` holds, and where this one may differ from it: nothing else is read.

    Raises:
        UnsupportedSchema: it holds something that cannot be captured exactly, or not be restored.
        InvalidRow: so does a row.
        DamagedTable: rows do not come in the order of their keys.
        DamagedObject: the earlier state is missing or damaged.
    """
    schema = reader.schema().to_json_bytes()
    if not sink.has(object_id(ObjectType.SCHEMA, schema)):
        reader.require_restorable()  # one that the store has came through here
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
    """Report rows that SQLite gives in another order than that of their keys: damage that it overlooks."""
    try:
        yield
    except tree.KeysOutOfOrder as error:
        raise DamagedTable(table) from error


def _differing(
    reader: Reader, sink: ObjectSink, table: str, before: ObjectId, ranges: Iterable[tuple[bytes, bytes]]
) -> Iterator[tuple[bytes, bytes | None]]:
    """What to change in a table's tree where its rows may differ from it."""
    for first, last in ranges:
        old = dict(tree.items(sink, before, *between((first, last))))
        for key, row in reader.rows_between(table, first, last):
            value = pack_row(sink, row)
            if old.pop(key, None) != value:
                yield key, value
        yield from dict.fromkeys(old).items()


def recapture(writer: Writer, sink: ObjectSink, before: DatabaseState) -> DatabaseState:
    """Capture what this transaction changed, on top of a capture of what it found."""
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
    """Each of these rows, ``None`` where there is none; one query for rows whose numbers follow each other."""
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
    """From the first to the last of two keys, as :func:`epicvc.store.tree.tree.items` takes it."""
    first, last = keys
    return first, last + b"\0"


def table_root(source: ObjectSource, state: DatabaseState, table: str) -> ObjectId | None:
    """The tree of a table's rows; ``None`` where the state has no such table."""
    return tree.get(source, state.tables, table.encode())


def get_schema(source: ObjectSource, state: DatabaseState) -> Schema:
    """The schema of a captured database.

    Raises:
        DamagedObject: it is missing or is none.
    """
    from epicvc.database.tables import Schema  # a comparison finds out from trees whether it needs one

    payload = source.get(state.schema, ObjectType.SCHEMA)
    try:
        return Schema.from_json_bytes(payload)
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedObject(state.schema.hex(), "is no schema") from error


MANY: Final = 4
"""When more than one epic in this many is touched, reading whole tables afterwards is quicker than single rows."""

RowChange: TypeAlias = tuple[bytes, bytes | None, bytes | None]


KEPT_BYTES: Final = 4 << 20
"""Bytes of differing rows up to which they are kept, so that who asks again need not compare again."""


class RowChanges:
    """The rows that differ between two trees of one table, as ``(key, old, new)``; can be read again and again.

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
        """Compare now, so that whoever asks later is answered without.

        Args:
            spool: where differences wait that are many. Nothing waits where all rows go, since nobody need ask then.

        Returns:
            Whether they are many and wait.
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
    """Tables whose rows differ between two states, each with its differing rows."""
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
    """Bring the database from one captured state to another, as a restore does.

    Args:
        writer: a transaction of a restore.
        source: holds both states.
        current: how the database is.
        target: how it is to be.
        changes: :func:`row_changes` of the two, where they are at hand.
        undisturbed: it is certain to be so: nobody has written since it was captured.

    Returns:
        The state that the database has now: the target, but for triggers that cannot run here.

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
