"""Backups as bundles in a directory, which outlive the files, the database and the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from epicvc.actions.backup.catalog import Backup, in_order
from epicvc.actions.backup.state import scratch
from epicvc.base.fileio import make_directories, remove_file, reporting
from epicvc.errors import DamagedBundle, DamagedObject, InvalidData, NotFound
from epicvc.repo.history.backups import read_record
from epicvc.repo.history.fresh import Fresh
from epicvc.repo.history.objects import format_time, get_commit
from epicvc.repo.history.revisions import BACKUPS
from epicvc.repo.reach import Reach
from epicvc.repo.repository import STORE
from epicvc.store.codec import unpack
from epicvc.store.objects import ObjectId, ObjectType
from epicvc.store.packs.bundle import Bundle, BundleBase, Written, write_bundle
from epicvc.store.packs.pack import read_pack, write_packs
from epicvc.store.packs.quarantine import receive, sendable
from epicvc.store.store import Store

SUFFIX: Final = ".bundle"
_DIGITS: Final = 12  # of the commit's id, in the name of a file


class BundleDirectory:
    """A directory of bundles, one backup each.

    Args:
        path: the directory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def backups(self) -> list[Backup]:
        """Return the backups in the directory, oldest first. Only the name and the record of each are read.

        Raises:
            NotFound: the directory does not exist.
            DamagedBundle: a file with the suffix of a bundle is no bundle.
        """
        return in_order([_backup_of(bundle) for bundle in self._bundles()])

    def _bundles(self) -> list[Bundle]:
        if not self.path.is_dir():
            raise NotFound(f"there is no directory {self.path}", hint="name the one that backups were written to")
        with reporting(self.path):
            paths = sorted(self.path.glob(f"*{SUFFIX}"))
        return [Bundle(path) for path in paths if not path.name.startswith(".")]

    def require(self, backup: Backup) -> Bundle:
        """Return the bundle of a backup.

        Raises:
            NotFound: the directory has no bundle of it.
        """
        for bundle in self._bundles() if self.path.is_dir() else ():
            if backup.id.hex() in bundle.refs.values():
                return bundle
        raise NotFound(
            f"{self.path} has no bundle of the backup {backup.name}",
            hint=f"make a full one first: epicvc backup create --to {self.path}",
        )

    def write(self, store: Store, backup: Backup, earlier: Backup | None, *, writer: str) -> Written:
        """Write a bundle with all objects of a backup, or with those that an earlier one lacks.

        Raises:
            NotFound: the directory has no bundle of the earlier backup.
            FileUnavailable: the bundle cannot be written.
        """
        base = self.require(earlier) if earlier is not None else None
        make_directories(self.path, self.path.parent)
        groups = _new_objects(store, backup.id, earlier.id if earlier is not None else None)
        return write_bundle(
            self.path / f"{backup.name}-{backup.id.hex()[:_DIGITS]}{SUFFIX}",
            (pack for group in groups for pack in write_packs(sendable(store, group))),
            refs={backup.ref: backup.id.hex()},
            time=format_time(backup.time),
            writer=writer,
            base=BundleBase(earlier.id.hex(), base.entry_id) if earlier is not None and base is not None else None,
        )

    def chains(self) -> dict[ObjectId, list[Path]]:
        """Return the bundles that each backup needs, from the full one to its own.

        The list is empty for a backup of which a bundle is missing.
        """
        bundles = self._bundles()
        by_entry = {bundle.entry_id: bundle for bundle in bundles}
        return {_commit_of(bundle): [one.path for one in _chain(by_entry, bundle) or ()] for bundle in bundles}

    @contextmanager
    def received(self, backup: Backup) -> Iterator[Store]:
        """Open a scratch store with all objects of a backup, each of them verified.

        Raises:
            NotFound: the directory lacks an earlier bundle that the backup needs.
            DamagedBundle: a bundle is damaged, or an object of the backup is missing.
        """
        paths = self.chains()[backup.id]
        if not paths:
            raise NotFound(
                f"{self.path} lacks a bundle that the backup {backup.name} goes on from",
                hint="put it back, or restore another backup",
            )
        with scratch(None) as directory, Store.open(directory / STORE, create=True) as store:
            for path in paths:
                receive(Bundle(path), store)
            reach = Reach(store)
            reach.commits([backup.id])
            if reach.problems:
                raise DamagedBundle(str(paths[-1]), reach.problems[0].message)
            yield store

    def remove(self, backups: Sequence[Backup]) -> None:
        """Delete bundles. Those that others need come last, so that an interruption leaves no broken chain.

        Raises:
            FileUnavailable: a bundle cannot be deleted.
        """
        for backup in reversed(in_order(backups)):
            assert backup.bundle is not None  # the caller passes backups of this directory, which are files
            remove_file(backup.bundle)


def _chain(by_entry: dict[str, Bundle], bundle: Bundle) -> list[Bundle] | None:
    """Return a bundle and all earlier ones that it needs, the full one first, or ``None`` if one is missing."""
    chain = [bundle]
    while (base := chain[-1].entry.base) is not None:
        before = by_entry.get(base.entry)
        if before is None or base.commit not in before.refs.values():
            return None
        chain.append(before)
    return chain[::-1]


def _commit_of(bundle: Bundle) -> ObjectId:
    refs = bundle.refs
    if len(refs) != 1 or not next(iter(refs)).startswith(BACKUPS):
        raise DamagedBundle(str(bundle.path), "it is no bundle of one backup")
    return bytes.fromhex(next(iter(refs.values())))


def _backup_of(bundle: Bundle) -> Backup:
    """Return the backup that a bundle holds. Its commit is the first object in the bundle."""
    oid = _commit_of(bundle)
    try:
        packed = next(read_pack(next(bundle.packs())), None)
        if packed is None or (packed.id, packed.type) != (oid, ObjectType.COMMIT):
            raise DamagedObject(oid.hex(), "it is not where it should be")
        commit = get_commit(_One(oid, unpack(packed)), oid)
        record = read_record(commit)
    except StopIteration:
        raise DamagedBundle(str(bundle.path), "it is empty") from None
    except DamagedBundle:
        raise
    except InvalidData as error:
        raise DamagedBundle(str(bundle.path), error.message) from error
    return Backup(commit, next(iter(bundle.refs)), record, bundle.size, bundle=bundle.path)


class _One:
    """A source of one object."""

    def __init__(self, oid: ObjectId, payload: bytes) -> None:
        self._oid, self._payload = oid, payload

    def get(self, oid: ObjectId, type: ObjectType) -> bytes:  # noqa: A002  # the name that the format uses
        if oid != self._oid:
            raise DamagedObject(oid.hex(), "missing")
        return self._payload

    def has(self, oid: ObjectId) -> bool:
        return oid == self._oid


def _new_objects(store: Store, commit: ObjectId, earlier: ObjectId | None) -> list[list[ObjectId]]:
    """Return the objects of a backup that an earlier one lacks, in two groups: commit and trees first, then files."""
    kinds = _all_from(store, commit) if earlier is None else _since(store, earlier, commit)
    ordered = sorted(kinds.keys() - {commit}, key=lambda oid: (kinds[oid] != ObjectType.COMMIT, oid))
    return [
        [commit, *(oid for oid in ordered if kinds[oid] != ObjectType.BLOB)],
        [oid for oid in ordered if kinds[oid] == ObjectType.BLOB],
    ]


def _all_from(store: Store, commit: ObjectId) -> dict[ObjectId, int]:
    reach = Reach(store)
    reach.commits([commit])
    for problem in reach.problems:
        raise DamagedObject(problem.object or commit.hex(), problem.message)
    return {oid: kind for oid, kind, _ in store.objects() if oid in reach.seen}


def _since(store: Store, earlier: ObjectId, commit: ObjectId) -> Mapping[ObjectId, int]:
    fresh = Fresh(store)
    fresh.commits(earlier, commit)
    return fresh.kinds
