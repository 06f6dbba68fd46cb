"""The option ``restore --to DIR``: writes the state of a commit, or files of epics, into an empty directory.

Nothing in place is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from shutil import rmtree

from msgspec import Struct

from epicvc.base.fileio import atomic_write, make_directories
from epicvc.database.backend import Stranded
from epicvc.database.url import open_backend, parse_url
from epicvc.errors import NotFound, Refused, UsageError
from epicvc.files.names import check_name
from epicvc.model.labels import Label
from epicvc.repo.files.filestree import epic_paths
from epicvc.repo.history.objects import Snapshot
from epicvc.repo.home.ways import require_own_way
from epicvc.repo.repository import Repo
from epicvc.repo.rows.dbside import capture, restore
from epicvc.store.objects import ObjectId, ObjectType
from epicvc.store.staging import Staging
from epicvc.store.store import Store
from epicvc.store.tree import tree


class Exported(Struct, frozen=True):
    """The result of an export.

    Attributes:
        files: the number of files.
        database: the path of the database; ``None`` if the commit has none.
        stranded: the triggers that were left out, since a table that they name is not captured.
    """

    files: int
    database: Path | None
    stranded: tuple[Stranded, ...] = ()


def export(repo: Repo, commit: ObjectId, directory: Path, *, dry_run: bool = False) -> Exported:
    """Write a commit's files and database into a new or empty directory.

    The files go below a directory with the same name as in the repo, and the database beside it. The written state is
    captured again and compared with the commit.

    Raises:
        Refused: the directory is not empty, lies inside the files directory or the store, or behind a link of the repo;
            or the written state does not equal the commit.
        EpicvcError: the state cannot be written; nothing of it is left behind.
    """
    _require_free(repo, directory)
    snapshot = repo.snapshot_of(commit)
    url = repo.config.database
    name = url.path.name if url is not None and url.path is not None else "framework.db"
    target = directory / name
    if dry_run:
        return Exported(tree.count(repo.store, snapshot.files), target if snapshot.database else None)
    with _all_or_nothing(directory):
        return _write(repo, snapshot, directory, target)


def export_epics(
    repo: Repo, commit: ObjectId, labels: Sequence[Label], directory: Path, *, dry_run: bool = False
) -> Exported:
    """Write the files of some epics, as a commit has them, into a new or empty directory.

    Raises:
        UsageError: a label is no epic. A part of a file or of a database cannot be written by itself.
        NotFound: the commit has no file of an epic.
        Refused: the directory is not empty, lies inside the files directory or the store, or behind a link of the repo.
        EpicvcError: a file cannot be written; nothing of it is left behind.
    """
    for label in labels:
        if label.table or label.path:
            raise UsageError(
                f"{label}: only whole epics can be written with --to",
                hint="leave --to out to restore it in place, or write everything with --at TIME --to DIR",
            )
    _require_free(repo, directory)
    epics = {label.root for label in labels}
    found = epic_paths(repo.store, repo.snapshot_of(commit).files, epics)
    for epic in sorted(epics - found.keys()):
        raise NotFound(f"{Label(epic)}: the commit has no file of it", hint="see `epicvc show` for its labels")
    if not dry_run:
        with _all_or_nothing(directory):
            root = directory / repo.config.files.name
            make_directories(root, directory.parent)
            _write_files(repo.store, root, found.values())
    return Exported(len(found), None)


def _require_free(repo: Repo, directory: Path) -> None:
    config = repo.config
    require_own_way(directory, config.root)
    for place in (config.files, config.private):
        if directory.resolve().is_relative_to(place.resolve()):
            raise Refused(
                f"{directory} is inside {place.name}, which epicvc looks after", hint="name another directory"
            )
    if directory.exists() and any(directory.iterdir()):
        raise Refused(f"{directory} is not empty", hint="name a new directory")


@contextmanager
def _all_or_nothing(directory: Path) -> Iterator[None]:
    """Remove the content of a directory if the export into it fails, and the directory if it is new."""
    was_there = directory.exists()
    try:
        yield
    except BaseException:
        for path in directory.iterdir() if directory.exists() else ():
            if path.is_dir():
                rmtree(path, ignore_errors=True)
            else:
                path.unlink()
        if directory.exists() and not was_there:
            directory.rmdir()
        raise


def _write_files(store: Store, root: Path, files: Iterable[tuple[str, ObjectId]]) -> int:
    """Write files below a directory, and return their number."""
    count = 0
    for path, blob in files:
        check_name(path)
        make_directories((root / path).parent, root)
        atomic_write(root / path, store.get(blob, ObjectType.BLOB))
        count += 1
    return count


def _write(repo: Repo, snapshot: Snapshot, directory: Path, target: Path) -> Exported:
    root = directory / repo.config.files.name
    make_directories(root, directory.parent)
    return write_state(repo.store, snapshot, root, target)


def write_state(store: Store, snapshot: Snapshot, root: Path, target: Path) -> Exported:
    """Write a snapshot's files below a directory and its rows into a new database, and compare the result.

    Args:
        store: the store of the snapshot.
        snapshot: the state.
        root: the directory of the files, which is made if it is missing; the one above it must exist.
        target: the path of the database, which must not exist.

    Raises:
        Refused: the written state does not equal the snapshot.
        EpicvcError: the state cannot be written; the written part stays.
    """
    make_directories(root, root.parent)
    count = _write_files(store, root, ((key.decode(), blob) for key, blob in tree.items(store, snapshot.files)))
    if snapshot.database is None:
        return Exported(count, None)
    with closing(open_backend(parse_url(str(target.absolute())))) as backend, Staging(store, flush_bytes=None) as sink:
        backend.create()
        with backend.read() as reader:
            empty = capture(reader, sink)
        with backend.write(as_restore=True) as writer:
            wanted = restore(writer, sink, empty, snapshot.database)
            stranded = tuple(writer.stranded)
            writer.commit()
        with backend.read() as reader:
            written = capture(reader, sink)
    if written != wanted:
        raise Refused(
            f"{target} does not equal the commit after writing it", hint="this is a bug; the repo is untouched"
        )
    return Exported(count, target, stranded)
