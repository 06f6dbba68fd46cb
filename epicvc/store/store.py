"""The store: objects, refs, the operation log and the intent of an unfinished operation, in one SQLite file.

Every write is one transaction that is on disk when it ends. The meaning of objects, the targets of refs and the locking
of a repo are decided above. A store is for one thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from epicvc.errors import DamagedObject, DamagedStore, InvalidData, NotFound, UsageError
from epicvc.store.file.census import CENSUS, CENSUS_ROW, OLDEST, census_of, check_count, next_number
from epicvc.store.file.rowcheck import verified
from epicvc.store.file.sqlite import TIMEOUT, Connection, bindable, connect
from epicvc.store.objects import ID_SIZE, ObjectId, ObjectType, Packed, check_type, is_hex
from epicvc.store.refs import check_value

if TYPE_CHECKING:
    from epicvc.store.dictionary import Dictionaries
    from epicvc.store.file.records import Operation, Pending
    from epicvc.store.file.transaction import Transaction

_CHUNK: Final = 500  # values bound in one statement; SQLite before 3.32 takes 999
_PAGE: Final = 64  # rows read at once


class Store:
    """An open store; use :meth:`open`. It is an ``ObjectSource`` and, as a context manager, closes itself."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection
        self._path = str(connection.path)
        self._prepared_to_write = False
        self._dictionaries: Dictionaries | None = None

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        create: bool = False,
        timeout: float = TIMEOUT,
        frozen: bool = False,
        any_owner: bool = False,
    ) -> Store:
        """Open a store.

        Args:
            path: the store's file.
            create: make the file where there is none.
            timeout: seconds to wait for another process.
            frozen: only read the file as it is: nothing is locked, recovered or written.
            any_owner: the file may belong to another user, since ours trusts it.

        Raises:
            NotFound: there is no store.
            Refused: it belongs to another user.
            NewerFormat: a newer version wrote it.
            DamagedStore: it is no store, or a damaged one.
            Unavailable: the system does not let us, or another process holds it for too long.
        """
        return cls(connect(path, create=create, timeout=timeout, frozen=frozen, any_owner=any_owner))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """The store's file."""
        return self._db.path

    @property
    def repo_id(self) -> str:
        """32 hexadecimal digits that tell this store from every other, its clones included."""
        return self._text(self._meta("repo_id"), "the repo id")

    # --- objects ---

    def get(self, oid: ObjectId, type: ObjectType) -> bytes:  # noqa: A002  (the word of the format)
        """Return the verified payload of an object.

        Raises:
            DamagedObject: it is missing, damaged, or of another type.
        """
        from epicvc.store.codec import unpack  # imports zstd

        packed = self.packed(oid)
        check_type(oid, packed.type, type)
        return unpack(packed, self.dictionaries)

    @property
    def dictionaries(self) -> Dictionaries:
        """The compression dictionaries of the store's objects."""
        if self._dictionaries is None:
            from epicvc.store.dictionary import Dictionaries  # imports zstd

            self._dictionaries = Dictionaries(self.packed)
        return self._dictionaries

    def dictionary_for(self, type: ObjectType) -> ObjectId | None:  # noqa: A002
        """Return the dictionary that new objects of a type are compressed with; ``None`` before there is one."""
        found = self._meta(f"dictionary.{type.value}")
        text = None if found is None else self._text(found, "the name of a dictionary")
        return bytes.fromhex(text) if text is not None and is_hex(text) and len(text) == 2 * ID_SIZE else None

    def has(self, oid: ObjectId) -> bool:
        """Return whether there is an object of that name; it may still be damaged."""
        return bool(self._db.run("SELECT 1 FROM object WHERE id = ?", (oid,)))

    def present(self, ids: Iterable[ObjectId]) -> set[ObjectId]:
        """Return those of the ids that the store has, looked up in bulk."""
        found: set[ObjectId] = set()
        for chunk in _chunks(ids):
            marks = ",".join("?" * len(chunk))
            found.update(row[0] for row in self._db.run(f"SELECT id FROM object WHERE id IN ({marks})", chunk))
        return found

    def stored_sizes(self, ids: Iterable[ObjectId]) -> dict[ObjectId, int]:
        """Return the stored bytes of those of the ids that the store has."""
        found: dict[ObjectId, int] = {}
        for chunk in _chunks(ids):
            marks = ",".join("?" * len(chunk))
            found.update(self._db.run(f"SELECT id, length(data) FROM object WHERE id IN ({marks})", chunk))
        return found

    def packed(self, oid: ObjectId) -> Packed:
        """Return an object as it is stored, not verified: for a transfer, whose receiver verifies it.

        Raises:
            DamagedObject: it is missing, or its row is malformed.
        """
        rows = self._db.run("SELECT type, codec, size, data FROM object WHERE id = ?", (oid,))
        if not rows:
            raise DamagedObject(oid.hex(), "missing")
        return packed_row((oid, *rows[0]))

    def objects(self) -> Iterator[tuple[ObjectId, int, int]]:
        """Yield id, type and stored bytes of every object, read in bulk and in no order."""
        yield from self._by_position("id, type, length(data)", 10_000)

    def resolve_prefix(self, prefix: str, type: ObjectType = ObjectType.COMMIT) -> list[ObjectId]:  # noqa: A002
        """Return the objects of a type whose ids begin with the given hexadecimal digits, in order."""
        if not prefix or len(prefix) > 2 * ID_SIZE or not is_hex(prefix.lower()):
            return []
        # a range of bytes, which the index of ids answers
        low, high = (bytes.fromhex(prefix.lower().ljust(2 * ID_SIZE, digit)) for digit in "0f")
        sql = "SELECT id FROM object WHERE id BETWEEN ? AND ? AND type = ? ORDER BY id"
        return [row[0] for row in self._db.run(sql, (low, high, type))]

    # --- refs ---

    def ref(self, name: str) -> str | None:
        """Return the value of a ref: a commit id in hexadecimal or, for ``HEAD``, possibly ``ref: `` and a name."""
        rows = self._db.run("SELECT name, value, crc FROM ref WHERE name = ?", (bindable(name),))
        if not rows:
            return self.refs().get(name)  # refs() checks the census, so that a lost row is not taken for a missing ref
        return self._ref_value(name, self._text(verified(self._path, name, rows[0])[1], name))

    def _ref_value(self, name: str, value: str) -> str:
        try:
            check_value(name, value)
        except InvalidData as error:
            raise DamagedStore(self._path, error.message) from error
        return value

    def refs(self, prefix: str = "", *, checked: bool = True) -> dict[str, str]:
        """Return the refs whose names begin with ``prefix``, by name.

        Args:
            prefix: the beginning of the names.
            checked: refuse values that no ref can have.

        Raises:
            DamagedStore: a row is malformed or lost.
        """
        found = self._db.run(f"{CENSUS_ROW} UNION ALL SELECT name, value, crc FROM ref")
        rows = found[1:]
        check_count(self._path, found[0] if found else None, "ref", len(rows))
        pairs = (verified(self._path, f"the ref {row[0]!r}", row) for row in rows)
        refs = {self._text(name, "a ref"): self._text(value, "a ref") for name, value in pairs}
        chosen = {name: refs[name] for name in sorted(refs) if name.startswith(prefix)}
        return {name: self._ref_value(name, value) for name, value in chosen.items()} if checked else chosen

    # --- operations ---

    def operations(self, limit: int | None = None) -> Iterator[Operation]:
        """Yield the operation log, newest first.

        Args:
            limit: the most entries to yield; all if ``None``.

        Raises:
            DamagedStore: an entry is malformed.
        """
        return islice(self._all_operations(), limit)

    def check_settings(self) -> None:
        """Verify the store's own settings.

        Raises:
            DamagedStore: one is malformed or lost.
        """
        rows = self._db.run("SELECT key, value, crc FROM meta")
        settings = {verified(self._path, repr(row[0]), row)[0]: row for row in rows}
        check_count(self._path, settings.get(CENSUS), "meta", len(rows))

    def operation(self, prefix: str) -> Operation:
        """Find the operation that an id, or the beginning of one, names.

        Raises:
            NotFound: there is none.
            UsageError: there are several.
            DamagedStore: the entry is malformed.
        """
        from epicvc.store.file.records import OPERATION_COLUMNS, read_operation

        found: list[tuple[Any, ...]] = []
        if prefix and is_hex(prefix):
            sql = f"SELECT seq, {OPERATION_COLUMNS}, crc FROM operation WHERE id BETWEEN ? AND ? LIMIT 2"
            # g follows f, so that the range holds every id with this beginning
            found = self._db.run(sql, (prefix, prefix + "g"))
        if not found:
            raise NotFound(f"there is no operation {prefix!r}", hint="`epicvc op log` lists them")
        if len(found) > 1:
            raise UsageError(f"several operations begin with {prefix!r}", hint="give more digits")
        return read_operation(self._path, verified(self._path, f"operation {prefix}", found[0])[1:])

    def pending(self) -> Pending | None:
        """Return the intent of an unfinished operation, or ``None``.

        Raises:
            DamagedStore: it is malformed.
        """
        rows = self._db.run(f"SELECT m.*, p.* FROM ({CENSUS_ROW}) AS m LEFT JOIN pending AS p") or [(None,) * 4]
        found = [row[3:] for row in rows if row[3] is not None]
        check_count(self._path, rows[0][:3], "pending", len(found))
        if not found:
            return None
        from epicvc.store.file.records import read_pending

        return read_pending(self._path, verified(self._path, "the unfinished operation", found[0][1:]))

    # --- writing ---

    @property
    def in_transaction(self) -> bool:
        """Tell whether a transaction of this store is open."""
        return self._db.in_transaction

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Open one durable transaction: all of it is written when the block ends, nothing of it when the block raises.

        Raises:
            DatabaseLocked: another process holds the store for too long.
            Unavailable: the disk is full or cannot be written.
        """
        if self._db.in_transaction:
            raise RuntimeError("a transaction is open already")
        from epicvc.store.file.transaction import Transaction  # most commands only read

        self._prepare_to_write()
        self._db.begin()
        try:
            transaction = Transaction(self._db)
            yield transaction
            transaction.finish()
            self._db.run("COMMIT")
        finally:
            self._db.rollback()
        transaction.committed()

    def tidy(self) -> None:
        """Remove the journal that a crash left beside the file. The caller holds the repo's lock.

        SQLite itself leaves a journal with nothing to play back until the next write.

        Raises:
            Unavailable: the store cannot be written.
        """
        if self.path.with_name(self.path.name + "-journal").exists():
            with self.transaction() as transaction:
                transaction.touch()

    def vacuum(self) -> None:
        """Give free pages back, if there are enough of them to be worth writing the file anew."""
        pages, free = (self._db.run(f"PRAGMA {what}")[0][0] for what in ("page_count", "freelist_count"))
        if free * 4 > pages:
            self._prepare_to_write()
            self._db.run("VACUUM")

    def integrity(self, *, full: bool) -> list[str]:
        """Return the faults that SQLite itself finds in the file; ``full`` also compares indexes with tables.

        Raises:
            DamagedStore: too much is wrong to look further.
        """
        rows = self._db.run(f"PRAGMA {'integrity_check' if full else 'quick_check'}(100)")
        return [str(row[0]) for row in rows if row[0] != "ok"]

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the unchecked rows of all objects in the order of writing, for checking them all.

        Raises:
            DamagedStore: the file is too damaged to go from one to the next.
        """
        yield from self._by_position("id, type, codec, size, data", _PAGE)

    def _by_position(self, columns: str, page: int) -> Iterator[tuple[Any, ...]]:
        # In pages: an open cursor would hold a read lock for as long as the caller takes.
        last = -1
        sql = f"SELECT rowid, {columns} FROM object WHERE rowid > ? ORDER BY rowid LIMIT {page}"
        while rows := self._db.run(sql, (last,)):
            for position, *row in rows:
                # in a damaged file a page may refer to a wrong one, and SQLite may go round in circles
                if position <= last:
                    raise DamagedStore(self._path, "its objects are out of order")
                last = position
                yield tuple(row)

    def _prepare_to_write(self) -> None:
        if not self._prepared_to_write:
            # The mode is a property of the file: somebody may have set it to WAL, which has lost commits.
            self._db.run("PRAGMA journal_mode = DELETE")
            self._db.run("PRAGMA cache_size = -8192")
            self._prepared_to_write = True

    def _all_operations(self) -> Iterator[Operation]:
        from epicvc.store.file.records import OPERATION_COLUMNS, read_operation

        # In pages: an open cursor would hold a read lock for as long as the caller takes.
        sql = f"SELECT seq, {OPERATION_COLUMNS}, crc FROM operation WHERE seq < ? ORDER BY seq DESC LIMIT {_PAGE}"
        last = next_number(self._db)
        while rows := self._db.run(sql, (last,)):
            for row in rows:
                if row[0] != last - 1:
                    raise DamagedStore(self._path, f"operation number {last - 1} is lost")
                yield read_operation(self._path, verified(self._path, f"operation {row[1]!r}", row)[1:])
                last = row[0]
        # other processes may have dropped the oldest entries meanwhile, but no newer ones
        if census_of(self._db)[OLDEST] < last:
            raise DamagedStore(self._path, f"operation number {last - 1} is lost")

    def _meta(self, key: str) -> object:
        """Return one of the store's own settings; ``None`` where it is not set."""
        rows = self._db.run("SELECT key, value, crc FROM meta WHERE key = ?", (key,))
        return verified(self._path, key, rows[0])[1] if rows else None

    def _text(self, value: object, what: str) -> str:
        if not isinstance(value, str):
            raise DamagedStore(self._path, f"{what} is malformed")
        return value


def packed_row(row: Sequence[object]) -> Packed:
    """Return a row of objects as a value.

    Raises:
        DamagedObject: a column has another type than it should.
    """
    oid, object_type, codec, size, data = row
    name = oid if isinstance(oid, bytes) else b""
    if (
        not (isinstance(object_type, int) and isinstance(codec, int) and isinstance(size, int))
        or not isinstance(data, bytes)
        or len(name) != ID_SIZE
        or object_type not in range(256)
    ):
        raise DamagedObject(name.hex() or "?", "its row is malformed")
    return Packed(name, object_type, codec, size, data)


def _chunks(ids: Iterable[ObjectId]) -> Iterator[list[ObjectId]]:
    iterator = iter(ids)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk
