"""The writes to a store, within one transaction.

A transaction is begun and ended by :meth:`epicvc.store.store.Store.transaction`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from epicvc.errors import NotFound, RefMoved
from epicvc.store.file.census import CENSUS, OLDEST, census_of, dump_census, next_number
from epicvc.store.file.records import OPERATION_COLUMNS, Operation, Pending, operation_row, pending_row
from epicvc.store.file.rowcheck import crc_of, verified
from epicvc.store.file.sqlite import FORMAT, Connection, bindable
from epicvc.store.objects import ID_SIZE, ObjectId, ObjectType, Packed
from epicvc.store.refs import check_name, check_value

_LEARNT: Final = 2  # codec.Codec.LEARNT; that module imports zstd


class Transaction:
    """The writes of one transaction. Made by :meth:`Store.transaction`, and of no use after it."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection
        self._after: list[Callable[[], None]] = []
        self._census: dict[str, int] | None = None

    def _count(self, table: str, more: int) -> None:
        """Note that a table has more rows, or fewer."""
        self._counted()[table] += more

    def _counted(self) -> dict[str, int]:
        if self._census is None:
            self._census = census_of(self._db)
        return self._census

    def finish(self) -> None:
        """Write the census of the rows, as the last step before the commit."""
        if self._census is not None:
            self._set(CENSUS, dump_census(self._census))

    def _set(self, key: str, value: str) -> None:
        self._db.run("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", (key, value, crc_of(key, value)))

    def put_packed(self, objects: Iterable[Packed]) -> None:
        """Store objects; existing ones stay as they are. Nothing is verified: see ``codec.unpack``."""
        self._db.run_many("INSERT INTO object VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING", objects)

    def set_dictionary(self, type: ObjectType, oid: ObjectId) -> None:  # noqa: A002
        """Compress new objects of a type with a dictionary from now on. It is stored in the same transaction."""
        key = f"dictionary.{type.value}"
        self._count("meta", not self._db.run("SELECT 1 FROM meta WHERE key = ?", (key,)))
        self._set(key, oid.hex())

    def set_repo_id(self, repo_id: str) -> None:
        """Give the store another id, as a copy needs."""
        self._set("repo_id", repo_id)

    def delete_unused_dictionaries(self) -> int:
        """Delete the dictionaries that neither stored nor new objects use, and count them. For ``gc`` alone."""
        sql = (
            "DELETE FROM object WHERE type = ? AND id NOT IN (SELECT substr(data, 1, ?) FROM object WHERE codec = ?) "
            "AND lower(hex(id)) NOT IN (SELECT value FROM meta)"
        )
        return self._db.run_many(sql, [(ObjectType.DICTIONARY, ID_SIZE, _LEARNT)])

    def delete_objects(self, ids: Iterable[ObjectId]) -> int:
        """Delete objects, and return how many there were. For ``gc`` alone."""
        return self._db.run_many("DELETE FROM object WHERE id = ?", ((oid,) for oid in ids))

    def set_ref(self, name: str, new: str | None, expected: str | None) -> None:
        """Move a ref if it has the expected value.

        Args:
            name: ``HEAD`` or a name that begins with ``refs/``.
            new: a commit id in hexadecimal or, for ``HEAD``, ``ref: `` and a name; ``None`` deletes the ref.
            expected: its value until now; ``None``: it does not exist.

        Raises:
            UnsafeName: the name is no name of a ref.
            InvalidData: the value is no value of a ref.
            RefMoved: the ref has another value.
        """
        if new is not None:  # a ref with a bad name or value can still be deleted
            check_name(name)
            check_value(name, new)
        rows = self._db.run("SELECT name, value, crc FROM ref WHERE name = ?", (bindable(name),))
        if (verified(str(self._db.path), name, rows[0])[1] if rows else None) != expected:
            raise RefMoved(name)
        if (new is None) != (expected is None):
            self._count("ref", -1 if new is None else 1)
        if new is None:
            self._db.run("DELETE FROM ref WHERE name = ?", (name,))
            return
        self._db.run("INSERT OR REPLACE INTO ref VALUES (?, ?, ?)", (name, new, crc_of(name, new)))

    def add_operation(self, operation: Operation) -> None:
        """Add an entry to the operation log, as the newest."""
        self._insert_operation(next_number(self._db), operation)

    def _insert_operation(self, number: int, operation: Operation) -> None:
        row = (number, *operation_row(operation))
        sql = f"INSERT INTO operation (seq, {OPERATION_COLUMNS}, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        self._db.run(sql, (*row, crc_of(*row)))

    def forget_operations(self, before: str) -> int:
        """Drop the log's oldest entries. For ``gc`` alone.

        Args:
            before: a time (UTC, as in the log). All entries go that are older than the first one from this time on.

        Returns:
            The number of entries that were dropped.
        """
        kept = self._db.run("SELECT min(seq) FROM operation WHERE time >= ?", (before,))[0][0]
        oldest = next_number(self._db) if kept is None else int(kept)
        dropped = len(self._db.run("DELETE FROM operation WHERE seq < ? RETURNING seq", (oldest,)))
        self._counted()[OLDEST] += dropped
        self.finish()  # written now: adding an entry in the same transaction needs the number
        return dropped

    def replace_operation(self, old: str, operation: Operation) -> None:
        """Replace the newest entry of the log by one that includes it.

        Raises:
            NotFound: ``old`` is not the newest.
        """
        number = next_number(self._db) - 1
        if not self._db.run("DELETE FROM operation WHERE seq = ? AND id = ? RETURNING seq", (number, old)):
            raise NotFound(f"operation {old} is not the newest")
        self._insert_operation(number, operation)

    def set_pending(self, pending: Pending | None) -> None:
        """Replace the intent of an unfinished operation; ``None`` removes it."""
        self._db.run("DELETE FROM pending")
        self._counted()["pending"] = int(pending is not None)
        if pending is not None:
            row = pending_row(pending)
            self._db.run("INSERT INTO pending VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, crc_of(*row)))

    def touch(self) -> None:
        """Give the transaction something to commit without changing anything."""
        self._db.run(f"PRAGMA user_version = {FORMAT}")

    def after_commit(self, action: Callable[[], None]) -> None:
        """Register an action to run once the transaction is on disk, and never if it is not."""
        self._after.append(action)

    def committed(self) -> None:
        """Run the actions that were registered for after the commit."""
        for action in self._after:
            action()
