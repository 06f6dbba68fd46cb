"""Stages objects on their way into a store: named at once, compressed in threads, written in few large transactions.

It holds a bounded amount of memory, and every object that was put can be read back at once. Like the store it is for
one thread; only compression runs in others.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Final, Self

from epicvc.store.codec import check_size, pack, unpack
from epicvc.store.dictionary import LEARNT, Dictionary, Samples, read_dictionary
from epicvc.store.objects import ObjectId, ObjectType, Packed, check_type, object_id
from epicvc.store.store import Store
from epicvc.store.tree.recent import Recent

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from epicvc.store.file.transaction import Transaction

FLUSH_BYTES: Final = 32 << 20
"""A good ``flush_bytes``: each flush costs a few syncs of the disk."""

# bytes of payload handed to a thread at once; a smaller batch costs more to hand over than to compress
_BATCH: Final = 256 << 10
_AHEAD: Final = 16 << 20  # bytes of payload that may wait for the threads
_THREADS: Final = min(4, os.cpu_count() or 1)

_Job = tuple[ObjectId, ObjectType, bytes, Dictionary | None]


class Staging:
    """A sink above a store.

    Args:
        store: the store that takes the objects, and from which the objects that it has are read.
        flush_bytes: write to the store whenever this many compressed bytes have gathered; ``None``: only when asked, so
            that a command that only reads can use it as an overlay.
    """

    def __init__(self, store: Store, *, flush_bytes: int | None) -> None:
        self._store = store
        self._flush_bytes = flush_bytes
        self._waiting: dict[ObjectId, tuple[ObjectType, bytes]] = {}  # not compressed yet
        self._packed: dict[ObjectId, Packed] = {}
        self._packed_bytes = 0
        self._batch: list[ObjectId] = []
        self._batch_bytes = 0
        self._pool: ThreadPoolExecutor | None = None
        self._running: deque[tuple[Future[list[Packed]], int]] = deque()
        self._running_bytes = 0
        self._samples: dict[ObjectType, Samples] = {}
        self._dictionaries: dict[ObjectType, Dictionary | None] = {}  # by type, once looked up
        self._trained: dict[ObjectType, ObjectId] = {}  # still to be recorded in the store
        self._recent = Recent()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def keeps(self) -> bool:
        """Tell whether the objects are meant for the store."""
        return self._flush_bytes is not None

    def close(self) -> None:
        """Drop the objects that were not flushed, and end the threads."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._pool = None
        self._waiting.clear()
        self._packed.clear()
        self._batch.clear()
        self._running.clear()
        self._recent.clear()
        self._packed_bytes = self._batch_bytes = self._running_bytes = 0

    def put(self, type: ObjectType, payload: bytes) -> ObjectId:  # noqa: A002  (the word of the format)
        """Keep the payload and return its name.

        Raises:
            InvalidData: it is longer than an object can be.
            Unavailable: writing to the store was due and failed.
        """
        check_size(payload)
        oid = object_id(type, payload)
        if oid not in self._waiting and oid not in self._packed:
            self._waiting[oid] = (type, payload)
            self._batch.append(oid)
            self._batch_bytes += len(payload)
            if self._batch_bytes >= _BATCH:
                self._submit()
        return oid

    def get(self, oid: ObjectId, type: ObjectType) -> bytes:  # noqa: A002
        """Return the payload of an object that was put or that the store has.

        Raises:
            DamagedObject: it is missing, damaged, or of another type.
        """
        if oid in self._waiting:
            found, payload = self._waiting[oid]
            check_type(oid, found, type)
            return payload
        if oid in self._packed:
            check_type(oid, self._packed[oid].type, type)
            return unpack(self._packed[oid], self._store.dictionaries)
        if (known := self._recent.get(oid)) is not None:
            check_type(oid, known[0], type)
            return known[1]
        payload = self._store.get(oid, type)
        if type is ObjectType.NODE:
            self._recent.keep(oid, type, payload)
        return payload

    def has(self, oid: ObjectId) -> bool:
        """Return whether the object was put or the store has it."""
        return oid in self._waiting or oid in self._packed or self._store.has(oid)

    def flush(self) -> None:
        """Write everything to the store in one transaction: durable, though no ref points there yet.

        Raises:
            Unavailable: the store cannot be written.
        """
        self._drain()
        self._write()

    def flush_into(self, transaction: Transaction) -> None:
        """Write everything as part of a transaction of the same store. It is kept here until that transaction commits.

        Raises:
            Unavailable: the store cannot be written.
        """
        self._drain()
        written = list(self._packed)
        self._put(transaction)
        transaction.after_commit(lambda: self._forget(written))

    def _write(self) -> None:
        if self._packed:
            with self._store.transaction() as transaction:
                self._put(transaction)
            self._forget(list(self._packed))

    def _put(self, transaction: Transaction) -> None:
        transaction.put_packed(self._packed.values())
        for kind, oid in self._trained.items():
            transaction.set_dictionary(kind, oid)

    def _forget(self, ids: list[ObjectId]) -> None:
        for oid in ids:
            packed = self._packed.pop(oid, None)
            self._packed_bytes -= len(packed.data) if packed else 0

    def _submit(self) -> None:
        size, jobs = self._batch_bytes, self._take_batch()
        if jobs:  # often empty: reading a side again brings little that the store does not have
            if self._pool is None:
                # with logging it takes half as long as a start of Python
                from concurrent.futures import ThreadPoolExecutor

                self._pool = ThreadPoolExecutor(_THREADS, "epicvc-pack")
            self._running.append((self._pool.submit(_pack_all, jobs), size))
            self._running_bytes += size
        while self._running and (self._running_bytes > _AHEAD or self._running[0][0].done()):
            self._collect()
        # A transaction of the store that is open takes the objects itself (`flush_into`); a second one cannot begin.
        full = self._flush_bytes is not None and self._packed_bytes >= self._flush_bytes
        if full and not self._store.in_transaction:
            self._write()

    def _take_batch(self) -> list[_Job]:
        # Looked up for the whole batch at once: a query for each object would cost more than its compression.
        for known in self._store.present(self._batch):
            del self._waiting[known]
        jobs: list[_Job] = []
        for oid in self._batch:
            if oid in self._waiting:
                kind, payload = self._waiting[oid]
                jobs.append((oid, kind, payload, self._dictionary(kind, payload)))
        self._batch, self._batch_bytes = [], 0
        return jobs

    def _dictionary(self, kind: ObjectType, payload: bytes) -> Dictionary | None:
        """Return the dictionary to compress an object with; where there is none yet, learn from the object."""
        if kind not in LEARNT:
            return None
        if kind not in self._dictionaries:
            known = self._store.dictionary_for(kind)
            self._dictionaries[kind] = self._store.dictionaries.get(known) if known is not None else None
        found = self._dictionaries[kind]
        if found is None and self._flush_bytes is not None:
            trained = self._samples.setdefault(kind, Samples()).add(payload)
            if trained is not None:
                found = self._dictionaries[kind] = self._new_dictionary(kind, trained)
        return found

    def _new_dictionary(self, kind: ObjectType, payload: bytes) -> Dictionary:
        oid = object_id(ObjectType.DICTIONARY, payload)
        dictionary = read_dictionary(oid, payload)
        self._store.dictionaries.add(dictionary)
        self._packed[oid] = pack(oid, ObjectType.DICTIONARY, payload)
        self._packed_bytes += len(self._packed[oid].data)
        self._trained[kind] = oid
        return dictionary

    def _collect(self) -> None:
        future, size = self._running.popleft()
        self._running_bytes -= size
        self._keep(future.result())

    def _keep(self, packed: list[Packed]) -> None:
        for each in packed:
            self._packed[each.id] = each
            self._packed_bytes += len(each.data)
            del self._waiting[each.id]

    def _drain(self) -> None:
        self._keep(_pack_all(self._take_batch()))  # too little to be worth a thread
        while self._running:
            self._collect()


def _pack_all(jobs: list[_Job]) -> list[Packed]:
    return [pack(*job) for job in jobs]
