"""``restore --at TIME --to DIR``: a commit's state written into an empty directory, beside everything else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

from msgspec import Struct

from epicvc.database.url import open_backend, parse_url
from epicvc.errors import Refused
from epicvc.fileio import atomic_write, make_directories
from epicvc.files.names import check_name
from epicvc.repo.dbside import capture, restore
from epicvc.repo.objects import Snapshot
from epicvc.repo.repository import Repo
from epicvc.store import tree
from epicvc.store.objects import ObjectId, ObjectType


class Exported(Struct, frozen=True):
    """What was written.

    Attributes:
        files: how many files.
        database: the database's path; ``None`` when the commit has none.
    """

    files: int
    database: Path | None


def export(repo: Repo, commit: ObjectId, directory: Path, *, dry_run: bool = False) -> Exported:
    """Write a commit's files and database into a new or empty directory.

    The files go below a directory of the same name as in the repo, the database beside it, and what was written is
    captured again and compared with the commit.

    Raises:
        Refused: the directory is not empty, or lies inside the files directory or the store; or what was written does
            not equal the commit.
        EpicvcError: it cannot be written; nothing of it is left behind.
    """
    config = repo.config
    for place in (config.files, config.private):
        if directory.resolve().is_relative_to(place.resolve()):
            raise Refused(
                f"{directory} is inside {place.name}, which epicvc looks after", hint="name another directory"
            )
    if directory.exists() and any(directory.iterdir()):
        raise Refused(f"{directory} is not empty", hint="name a new directory")
    snapshot = repo.snapshot_of(commit)
    url = repo.config.database
    name = url.path.name if url is not None and url.path is not None else "framework.db"
    target = directory / name
    if dry_run:
        return Exported(tree.count(repo.store, snapshot.files), target if snapshot.database else None)
    with _all_or_nothing(directory):
        return _write(repo, snapshot, directory, target)


@contextmanager
def _all_or_nothing(directory: Path) -> Iterator[None]:
    """Remove what an export made below a directory, and the directory if it made that, where it fails."""
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


def _write(repo: Repo, snapshot: Snapshot, directory: Path, target: Path) -> Exported:
    root = directory / repo.config.files.name
    make_directories(root, directory.parent)
    count = 0
    for key, blob in tree.items(repo.store, snapshot.files):
        path = key.decode()
        check_name(path)
        make_directories((root / path).parent, root)
        atomic_write(root / path, repo.store.get(blob, ObjectType.BLOB))
        count += 1
    if snapshot.database is None:
        return Exported(count, None)
    backend = open_backend(parse_url(str(target.absolute())))
    backend.create()
    staging = repo.staging(writable=False)
    with backend.read() as reader:
        empty = capture(reader, staging)
    with backend.write(as_restore=True) as writer:
        restore(writer, staging, empty, snapshot.database)
        writer.commit()
    with backend.read() as reader:
        written = capture(reader, staging)
    backend.close()
    if written != snapshot.database:
        raise Refused(
            f"{target} does not equal the commit after writing it",
            hint="this is a bug; the repo is untouched",
        )
    return Exported(count, target)
