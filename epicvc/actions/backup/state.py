"""The state in a backup: proved object by object, written into a scratch place, and compared with the backup."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from msgspec import Struct, field

from epicvc.actions.backup.counting import count_faults
from epicvc.actions.restore.exporting import Exported, write_state
from epicvc.database.url import open_backend, parse_url
from epicvc.errors import DamagedObject, EpicvcError, FileUnavailable, Refused, UnsafeName
from epicvc.files.names import check_collisions, check_name
from epicvc.repo.config.config import CONFIG
from epicvc.repo.history.backups import MIGRATIONS, BackupRecord
from epicvc.repo.history.objects import Commit, Snapshot, get_snapshot
from epicvc.repo.reach import Reach
from epicvc.store.codec import unpack
from epicvc.store.objects import ObjectId
from epicvc.store.store import Store
from epicvc.store.tree import tree


class BackupProof(Struct):
    """The result of verifying a backup.

    Attributes:
        objects: the number of objects that the backup needs.
        read: the number of objects that were read whole.
        errors: the faults that were found.
    """

    objects: int = 0
    read: int = 0
    errors: list[str] = field(default_factory=list)


def prove_objects(store: Store, commit: Commit, chosen: Iterable[ObjectId] | None = None) -> BackupProof:
    """Verify that all objects of a backup exist and are well-formed, and each one against its name.

    Args:
        store: the store of the backup.
        commit: the commit of the backup.
        chosen: the objects of the backup to read whole; ``None`` for all.
    """
    reach = Reach(store)
    reach.commits([commit.id])
    proof = BackupProof(len(reach.seen), errors=[problem.message for problem in reach.problems])
    for oid in reach.seen if chosen is None else chosen:
        proof.read += 1
        try:
            unpack(store.packed(oid), store.dictionaries)
        except EpicvcError as error:
            if error.message not in proof.errors:
                proof.errors.append(error.message)
    return proof


def prove_trees(store: Store, snapshot: Snapshot, place: ObjectId) -> None:
    """Prove that each tree of a state has the one form of its entries, and that all names are safe everywhere.

    Raises:
        DamagedObject: a tree has another form, or is damaged.
        UnsafeName: a name is not safe.
    """
    for root in (snapshot.files, snapshot.base, place):
        tree.check(store, root)
    if snapshot.database is not None:
        tree.check(store, snapshot.database.tables)
        for _, root in tree.items(store, snapshot.database.tables):
            tree.check(store, root)
    for root in (snapshot.files, place):
        # A bundle may come from anybody: a name in it must not lead out of the directory.
        paths = [_text(root, key) for key, _ in tree.items(store, root)]
        for path in paths:
            check_name(path)
        check_collisions(paths)
    for key, _ in tree.items(store, place):
        path = key.decode()
        if path != CONFIG and not path.startswith(f"{MIGRATIONS}/"):
            raise UnsafeName(path, "a backup has no such file beside its configuration")


def _text(root: ObjectId, key: bytes) -> str:
    try:
        return key.decode()
    except UnicodeDecodeError as error:
        raise DamagedObject(root.hex(), "it names a file by something that is no text") from error


@contextmanager
def scratch(parent: Path | None) -> Iterator[Path]:
    """Make a private directory that is removed afterwards.

    Args:
        parent: the directory in which it is made; ``None`` for the system's directory of temporary files.

    Raises:
        FileUnavailable: the directory cannot be made.
    """
    try:
        made = Path(mkdtemp(prefix=".epicvc-", suffix=".epicvc-tmp", dir=parent))
    except OSError as error:
        raise FileUnavailable(
            str(parent or "the directory of temporary files"), error.strerror or str(error)
        ) from error
    try:
        yield made
    finally:
        rmtree(made, ignore_errors=True)


def write_proved(store: Store, commit: Commit, record: BackupRecord, directory: Path) -> Exported:
    """Write the files and the database of a backup below a new directory, and prove them before and after.

    Args:
        store: the store of the backup.
        commit: the commit of the backup.
        record: the record of the backup.
        directory: the directory; files and database get their places below it.

    Raises:
        EpicvcError: the backup is damaged, or the written state differs from the one that was backed up.
    """
    proof = prove_objects(store, commit)
    if proof.errors:
        raise Refused(f"the backup {commit.id.hex()[:12]} is damaged: {proof.errors[0]}", hint="use another one")
    snapshot = get_snapshot(store, commit.snapshot)
    prove_trees(store, snapshot, record.place_root)
    target = directory / (record.database or "framework.db")
    for parent in (target.parent, (directory / record.files).parent):
        parent.mkdir(parents=True, exist_ok=True)
    exported = write_state(store, snapshot, directory / record.files, target)
    if exported.database is not None:
        _require_no_new_faults(record, exported.database)
    return exported


def _require_no_new_faults(record: BackupRecord, database: Path) -> None:
    known = {(fault.table, fault.parent): fault.rows for fault in record.faults}
    with closing(open_backend(parse_url(str(database.absolute())))) as backend, backend.read() as reader:
        now = count_faults(reader.faults())
    for fault in now:
        if fault.rows > known.get((fault.table, fault.parent), 0):
            raise Refused(
                f"restored, {fault.rows} rows of {fault.table} would refer to rows of {fault.parent} that do not exist",
                hint="they were not so when it was backed up; use another backup",
            )
