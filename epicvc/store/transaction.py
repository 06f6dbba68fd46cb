"""What can be written to a store, within one transaction.

Begun and ended by :meth:`epicvc.store.store.Store.transaction`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from epicvc.errors import RefMoved
from epicvc.store.objects import ID_SIZE, ObjectId, ObjectType, Packed
from epicvc.store.refs import check_name, check_value
from epicvc.store.rowcheck import crc_of, verified
from epicvc.store.sqlite import FORMAT, Connection, bindable

if TYPE_CHECKING:
    from epicvc.store.records import Operation, Pending


_LEARNT: Final = 2  # codec.Codec.LEARNT; that module imports zstd


class Transaction:
    """What can be written; made by :meth:`Store.transaction`, of no use after it."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection
        self._after: list[Callable[[], None]] = []

    def put_packed(self, objects: Iterable[Packed]) -> None:
        """Store objects; those that are there stay as they are. Nothing is verified: see ``codec.unpack``."""
        self._db.run_many("INSERT INTO object VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING", objects)

    def set_dictionary(self, type: ObjectType, oid: ObjectId) -> None:  # noqa: A002
        """Have new objects of a type compressed with a dictionary, which is stored in the same transaction."""
        row = (f"dictionary.{type.value}", oid.hex())
        self._db.run("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", (*row, crc_of(*row)))

    def delete_unused_dictionaries(self) -> int:
        """Delete the dictionaries that no object needs and that new ones do not use, for ``gc`` alone."""
        sql = (
            "DELETE FROM object WHERE type = ? AND id NOT IN (SELECT substr(data, 1, ?) FROM object WHERE codec = ?) "
            "AND lower(hex(id)) NOT IN (SELECT value FROM meta)"
        )
        return self._db.run_many(sql, [(ObjectType.DICTIONARY, ID_SIZE, _LEARNT)])

    def delete_objects(self, ids: Iterable[ObjectId]) -> int:
        """Delete objects, for ``gc`` alone; how many were there."""
        return self._db.run_many("DELETE FROM object WHERE id = ?", ((oid,) for oid in ids))

    def set_ref(self, name: str, new: str | None, expected: str | None) -> None:
        """Move a ref if it is where it is expected.

        Args:
            name: ``HEAD`` or a name that begins with ``refs/``.
            new: a commit id in hexadecimal or, for ``HEAD``, ``ref: `` and a name; ``None`` deletes the ref.
            expected: its value until now; ``None``: it does not exist.

        Raises:
            UnsafeName: the name is no name of a ref.
            InvalidData: the value is none.
            RefMoved: the ref is somewhere else.
        """
        if new is not None:  # whatever is there can be deleted
            check_name(name)
            check_value(name, new)
        rows = self._db.run("SELECT name, value, crc FROM ref WHERE name = ?", (bindable(name),))
        if (verified(str(self._db.path), name, rows[0])[1] if rows else None) != expected:
            raise RefMoved(name)
        if new is None:
            self._db.run("DELETE FROM ref WHERE name = ?", (name,))
            return
        self._db.run("INSERT OR REPLACE INTO ref VALUES (?, ?, ?)", (name, new, crc_of(name, new)))

    def add_operation(self, operation: Operation) -> None:
        """Add an entry to the operation log, as the newest."""
        from epicvc.store.records import OPERATION_COLUMNS, operation_row

        # As AUTOINCREMENT would number it; the number is part of what is checked.
        last = self._db.run("SELECT seq FROM sqlite_sequence WHERE name = 'operation'")
        row = (last[0][0] + 1 if last else 1, *operation_row(operation))
        sql = f"INSERT INTO operation (seq, {OPERATION_COLUMNS}, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        self._db.run(sql, (*row, crc_of(*row)))

    def forget_operations(self, before: str) -> int:
        """Drop the log's entries from before a time (UTC, as the log has it), for ``gc`` alone; how many there were."""
        return len(self._db.run("DELETE FROM operation WHERE time < ? RETURNING seq", (before,)))

    def replace_operation(self, old: str, operation: Operation) -> None:
        """Put an entry into the log, as the newest, and take another one out that it includes."""
        self._db.run("DELETE FROM operation WHERE id = ?", (old,))
        self.add_operation(operation)

    def set_pending(self, pending: Pending | None) -> None:
        """Put the intent of an unfinished operation in the place of what was there; ``None`` removes it."""
        self._db.run("DELETE FROM pending")
        if pending is not None:
            from epicvc.store.records import pending_row

            row = pending_row(pending)
            self._db.run("INSERT INTO pending VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, crc_of(*row)))

    def touch(self) -> None:
        """Have something to commit, and change nothing."""
        self._db.run(f"PRAGMA user_version = {FORMAT}")

    def after_commit(self, action: Callable[[], None]) -> None:
        """Have something done once the transaction is on disk, and not at all if it never is."""
        self._after.append(action)

    def committed(self) -> None:
        """Do what was left for after the commit."""
        for action in self._after:
            action()
