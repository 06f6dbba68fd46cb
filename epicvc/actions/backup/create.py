"""Makes backups of both sides as they are, or of a directory's JSON. No branch moves, and no side is written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from epicvc.actions.backup.catalog import LATEST, Backup, find_backup, stored_backups
from epicvc.actions.backup.counting import count_faults, count_rows
from epicvc.actions.shared.session import Session, change, look
from epicvc.base.fileio import read_below
from epicvc.base.logs import Log
from epicvc.errors import FileUnavailable, NotFound, UnsafeName
from epicvc.files.names import check_name
from epicvc.files.scan.patterns import DEFAULT_INCLUDE
from epicvc.files.scan.scan import scan
from epicvc.repo.apply.apply import record_refs
from epicvc.repo.config.config import CONFIG, Config, inside
from epicvc.repo.history.backups import MIGRATIONS, BackupKind, BackupRecord, FaultCount, backup_ref
from epicvc.repo.history.base import put_mapping
from epicvc.repo.history.fresh import Fresh
from epicvc.repo.history.objects import CommitKind, Snapshot, get_commit, get_snapshot, put_commit, put_snapshot
from epicvc.repo.history.revisions import BACKUPS
from epicvc.repo.home.ways import require_own_way
from epicvc.repo.reach import Reach
from epicvc.repo.repository import Repo
from epicvc.store.objects import ObjectId, ObjectSink, ObjectType
from epicvc.store.staging import Staging
from epicvc.store.store import Store
from epicvc.store.tree import tree

if TYPE_CHECKING:
    from epicvc.actions.backup.bundles import BundleDirectory

DATABASE: Final = "framework.db"
COMMAND: Final = "backup create"
_LOG: Final = Log("backup")


class Made(Struct, frozen=True):
    """The result of ``backup create``, or of its dry run.

    Attributes:
        backup: the backup; ``None`` in a dry run.
        kind: the kind of the backup.
        paths: the number of files.
        rows: the number of rows.
        size: the bytes that its objects take; for an incremental backup those of the new objects; 0 in a dry run.
        bundle: the bundle that was written too, if any.
        bundle_size: the bytes of the bundle.
    """

    backup: Backup | None
    kind: BackupKind
    paths: int
    rows: int
    size: int = 0
    bundle: Path | None = None
    bundle_size: int = 0


def create_backup(repo: Repo, *, since: str | None = None, to: Path | None = None, dry_run: bool = False) -> Made:
    """Back up both sides as they are, faulty files included.

    Args:
        repo: the repo.
        since: the earlier backup of an incremental one: ``latest``, its time or its id.
        to: a directory that gets the backup as a bundle. An incremental bundle holds the objects that ``since`` lacks,
            and needs the bundle of ``since`` beside it; ``latest`` is then the newest backup with a bundle there.
        dry_run: only say what would be made.

    Raises:
        NotFound: the earlier backup does not exist, or has no bundle in the directory.
        LinkInTheWay: a link is on the way to the directory.
        EpicvcError: a side cannot be read; nothing was made.
    """
    target = _bundles(repo, to)
    earlier = _earlier(repo, since, target) if since is not None else None
    kind = BackupKind.FULL if earlier is None else BackupKind.INCREMENTAL
    if dry_run:
        with look(repo) as session:
            snapshot = session.working.snapshot()
            return Made(None, kind, tree.count(session.staging, snapshot.files), count_rows(session.staging, snapshot))

    def act(session: Session) -> Backup:
        snapshot = session.working.snapshot()
        faults = _faults(session, snapshot, earlier)
        place = _put_place(session.staging, repo.config)
        snapshot_id = put_snapshot(session.staging, snapshot)
        session.staging.flush()
        record = BackupRecord(
            kind,
            place.hex(),
            repo.config.files.relative_to(repo.config.root).as_posix(),
            size=_size(repo.store, snapshot_id, place, earlier),
            rows=count_rows(session.staging, snapshot),
            paths=tree.count(session.staging, snapshot.files),
            faults=faults,
            since=earlier.id.hex() if earlier else None,
            branch=repo.revisions.branch(),
            database=_database_path(repo.config),
            elsewhere=target is not None,
        )
        return _record(repo, session.staging, snapshot_id, record)

    return _sent(repo, change(repo, act, while_merging=True), target, earlier)


def back_up_directory(repo: Repo, directory: Path, *, to: Path | None = None, dry_run: bool = False) -> Made:
    """Back up the JSON files of a directory, tracked or not.

    The backup has no database, and is restored to that place alone.

    Args:
        repo: the repo that keeps it.
        directory: the directory, inside the repo or not.
        to: a directory that gets the backup as a bundle.
        dry_run: only say what would be made.

    Raises:
        FileUnavailable: the directory does not exist, or a file in it cannot be read.
    """
    directory = directory.resolve()
    if not directory.is_dir():
        raise FileUnavailable(str(directory), "no such directory")
    target = _bundles(repo, to)
    paths = scan(directory, DEFAULT_INCLUDE, ()).paths
    if dry_run:
        return Made(None, BackupKind.JSON, len(paths), 0)

    def act(session: Session) -> Backup:
        sink = session.staging

        def entries() -> Iterator[tuple[bytes, bytes]]:
            for path in paths:
                yield path.encode(), sink.put(ObjectType.BLOB, read_below(directory, path))

        files, nothing = tree.build(sink, entries()), tree.empty(sink)
        mapping = put_mapping(sink, repo.config.mapping, repo.config.ignore)
        snapshot = Snapshot(files, None, nothing, mapping)
        snapshot_id = put_snapshot(sink, snapshot)
        sink.flush()
        record = BackupRecord(
            BackupKind.JSON,
            nothing.hex(),
            directory.name if _is_safe(directory.name) else "files",
            size=_size(repo.store, snapshot_id, nothing, None),
            rows=0,
            paths=len(paths),
            directory=str(directory),
            elsewhere=target is not None,
        )
        return _record(repo, sink, snapshot_id, record, with_history=False)

    return _sent(repo, change(repo, act, while_merging=True), target, None)


def _bundles(repo: Repo, to: Path | None) -> BundleDirectory | None:
    if to is None:
        return None
    require_own_way(to, repo.config.root)
    # imported here, since only bundles need the modules that pack and verify
    from epicvc.actions.backup.bundles import BundleDirectory

    return BundleDirectory(to)


def _earlier(repo: Repo, since: str, target: BundleDirectory | None) -> Backup:
    backups = [one for one in stored_backups(repo.store) if one.record.directory is None]
    if target is None or since != LATEST:
        found = find_backup(backups, since)
        if target is not None:
            target.require(found)
        return found
    there = {one.id for one in target.backups()} if target.path.is_dir() else set()
    backups = [one for one in backups if one.id in there]
    if backups:
        return backups[-1]
    raise NotFound(
        f"{target.path} has no bundle of a backup that is here",
        hint=f"make a full one first: epicvc backup create --to {target.path}",
    )


def _faults(session: Session, now: Snapshot, earlier: Backup | None) -> tuple[FaultCount, ...]:
    """Return the counts of broken foreign keys.

    A table that is as in an earlier backup, with all tables to which it refers, is not read again: its count is taken
    from the record of that backup.
    """
    reader, staging = session.reader, session.staging
    if reader is None or now.database is None:
        return ()
    before = get_snapshot(staging, earlier.commit.snapshot).database if earlier is not None else None
    if earlier is None or before is None or before.schema != now.database.schema:
        return count_faults(reader.faults())
    tables = {key.decode() for key, _ in tree.items(staging, now.database.tables)}
    changed = {key.decode().lower() for key, _, _ in tree.diff(staging, before.tables, now.database.tables)}
    # a parent table that is not captured is not among them, so that its children are counted again
    same = {name.lower() for name in tables} - changed
    again = {
        name
        for name in tables
        if name.lower() in changed or any(link.parent.lower() not in same for link in reader.references(name))
    }
    found = count_faults(reader.faults(again)) if again else ()
    return tuple(sorted((*found, *(fault for fault in earlier.record.faults if fault.table not in again)), key=_place))


def _place(fault: FaultCount) -> tuple[str, str]:
    return fault.table, fault.parent


def _put_place(sink: ObjectSink, config: Config) -> ObjectId:
    """Store the tree of the configuration and the migrations, which are in no snapshot."""
    paths = [CONFIG]
    migrations = config.root / MIGRATIONS
    if migrations.is_dir() and not migrations.is_symlink():
        names = sorted(path.name for path in migrations.glob("*.sql") if path.is_file() and not path.is_symlink())
        paths += [f"{MIGRATIONS}/{name}" for name in names if _is_safe(name)]
    found = sorted((path.encode(), path) for path in paths if (config.root / path).is_file())
    return tree.build(sink, ((key, sink.put(ObjectType.BLOB, read_below(config.root, path))) for key, path in found))


def _is_safe(name: str) -> bool:
    try:
        check_name(name)
    except UnsafeName:
        return False
    return True


def _database_path(config: Config) -> str | None:
    """Return the path of the database in a new place: the same as in the repo, else beside the configuration."""
    url = config.database
    if url is None:
        return None
    if url.path is None:
        return DATABASE
    path = url.path.relative_to(config.root).as_posix() if inside(config.root, url.path) else url.path.name
    return path if _is_safe(path) else DATABASE


def _size(store: Store, snapshot: ObjectId, place: ObjectId, earlier: Backup | None) -> int:
    """Return the bytes that the objects of a state take in the store, without those that an earlier backup has."""
    if earlier is not None:
        fresh = Fresh(store)
        fresh.snapshot(get_snapshot(store, earlier.commit.snapshot), snapshot)
        fresh.files(earlier.record.place_root, place)
        return sum(store.stored_sizes(fresh.kinds).values())
    reach = Reach(store)
    reach.snapshot(snapshot)
    reach.files(place)
    return sum(stored for oid, _, stored in store.objects() if oid in reach.seen)


def _record(
    repo: Repo, sink: Staging, snapshot: ObjectId, record: BackupRecord, *, with_history: bool = True
) -> Backup:
    """Make the commit and the ref that leads to it, as an operation that does not concern the sides.

    The log entry has no snapshot. With one, the log would keep the objects of a forgotten backup for months.
    """
    head = repo.revisions.head()
    time = repo.now()
    while True:
        commit = get_commit(
            sink,
            put_commit(
                sink,
                parents=(head,) if head is not None and with_history else (),
                snapshot=snapshot,
                author=repo.author,
                time=time,
                message=record.message,
                kind=CommitKind.BACKUP,
            ),
        )
        ref = backup_ref(commit.time)
        if repo.store.ref(ref) is None:
            break
        # The ref is named by the time, so that two backups of the same time would share one.
        time = commit.time + timedelta(microseconds=1)
    sink.flush()
    name = ref.removeprefix(BACKUPS)
    made = record_refs(repo, COMMAND, f"{record.kind.value} backup {name}", {ref: commit.id.hex()})
    _LOG.info("%s backup %s, %d bytes", record.kind.value, name, record.size, operation=made.id)
    return Backup(commit, ref, record, record.size)


def _sent(repo: Repo, backup: Backup, target: BundleDirectory | None, earlier: Backup | None) -> Made:
    """Write the bundle too, where one is wanted. If that fails, the backup is taken back."""
    record = backup.record
    made = Made(backup, record.kind, record.paths, record.rows, record.size)
    if target is None:
        return made
    try:
        written = target.write(repo.store, backup, earlier, writer=repo.author)
    except BaseException:
        # After an interrupt too: a backup that was wanted in two places must not be listed with only one.
        with repo.lock():
            record_refs(repo, COMMAND, f"no backup {backup.name}", {backup.ref: None})
        raise
    _LOG.info("backup %s is a bundle too, %d bytes", backup.name, written.size)
    return replace(made, bundle=written.path, bundle_size=written.size)
