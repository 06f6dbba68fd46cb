"""The command ``migrate new``: makes two files with the next number, to be filled in."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from msgspec import Struct

from epicvc.base.fileio import atomic_write, make_directories
from epicvc.database.migrations.directory import NAME, builtin_directory, holds_migrations, read_directory
from epicvc.errors import InvalidMigration, UsageError
from epicvc.repo.home.ways import require_own_way

_UP = """-- {title}
-- depends: {before}

"""
_FIRST = """-- {title}

"""
_DOWN = """-- Takes back {version}: {title}

"""


class NewMigration(Struct, frozen=True):
    """The files that ``migrate new`` made.

    Attributes:
        version: the number of the migration.
        files: the migration and its rollback.
        copied: the built-in migrations that were copied first, so that the directory has the whole history.
    """

    version: str
    files: tuple[Path, Path]
    copied: tuple[Path, ...]


def new_migration(
    start: Path, directory: Path, title: str, *, with_builtin: bool, dry_run: bool = False
) -> NewMigration:
    """Make the files of a new migration.

    Args:
        start: the directory of the repo, or the one in which the command was started.
        directory: the directory of migrations; it is made if it does not exist.
        title: the title of the migration; its words become the name of the file.
        with_builtin: copy the built-in migrations into a directory without migrations, since the records of databases
            that they made name them.
        dry_run: only report the files.

    Raises:
        UsageError: the title gives no name for a file.
        InvalidMigration: the directory has a problem already.
        LinkInTheWay: a link is on the way to the directory; it could have come with a clone.
    """
    name = slug(title)
    require_own_way(directory, start)
    copied: list[tuple[Path, bytes]] = []
    if holds_migrations(directory):
        there = read_directory(directory)
        if there.problems:
            first, *rest = there.problems
            raise InvalidMigration(first.where, first.reason, first.line, more=len(rest))
        migrations = there.migrations
    elif with_builtin:
        source = builtin_directory()
        migrations = read_directory(source).migrations
        copied = [(directory / entry.name, entry.read_bytes()) for entry in sorted(source.glob("*.sql"))]
    else:
        migrations = ()
    last = migrations[-1] if migrations else None
    width = max(3, len(last.version)) if last else 3
    version = f"{(last.number if last else 0) + 1:0{width}}"
    up, down = directory / f"{version}_{name}.sql", directory / f"{version}_rollback.sql"
    words = " ".join(title.split())
    head = _UP.format(title=words, before=last.version) if last else _FIRST.format(title=words)
    if not dry_run:
        make_directories(directory, _existing(directory))
        written = [*copied, (up, head.encode()), (down, _DOWN.format(title=words, version=version).encode())]
        for path, data in written:
            atomic_write(path, data)
    return NewMigration(version, (up, down), tuple(path for path, _ in copied))


def slug(title: str) -> str:
    """Return a title as the name of a file: letters without their accents, digits and underscores.

    Raises:
        UsageError: no character is left of the title, or too many.
    """
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    name = "_".join("".join(char if char.isalnum() else " " for char in plain).split())
    if not NAME.fullmatch(name) or name == "rollback":
        raise UsageError(f"{title!r} gives no name for a migration", hint="use a few words: add owner to epics")
    return name


def _existing(path: Path) -> Path:
    """Return the nearest directory above that exists."""
    return next(parent for parent in path.absolute().parents if parent.is_dir())
