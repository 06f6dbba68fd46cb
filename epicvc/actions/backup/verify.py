"""Verifies that each backup could be restored now."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from random import Random

from epicvc.actions.backup.catalog import Backup
from epicvc.actions.backup.state import BackupProof, prove_objects, scratch, write_proved
from epicvc.errors import EpicvcError
from epicvc.repo.reach import Reach
from epicvc.store.store import Store


def verify_backup(
    store: Store, backup: Backup, *, sample: int | None = None, random: Random | None = None
) -> BackupProof:
    """Verify a backup.

    Without a sample every object is read, and the whole state is written into a scratch place, captured there and
    compared. With a sample all references are followed, and that share of the objects is read whole.

    Args:
        store: the store of the backup.
        backup: the backup.
        sample: the percentage of the objects to read, 1 to 100; ``None`` to restore the backup for the test.
        random: chooses the objects.
    """
    if sample is not None:
        reach = Reach(store)
        reach.commits([backup.id])
        every: Sequence[bytes] = sorted(reach.seen)
        wanted = ceil(len(every) * sample / 100)
        return prove_objects(store, backup.commit, (random or Random()).sample(every, wanted))  # noqa: S311  # no secret
    proof = prove_objects(store, backup.commit)
    if not proof.errors:
        with scratch(None) as place:
            try:
                write_proved(store, backup.commit, backup.record, place)
            except EpicvcError as error:
                proof.errors.append(error.message)
    return proof
