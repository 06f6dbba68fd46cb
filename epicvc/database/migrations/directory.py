"""Reads a directory of migration files as a set of migrations, with every fault found in it.

``NNN_name.sql`` applies, ``NNN_rollback.sql`` or ``NNN_name.rollback.sql`` takes back. The files may be hostile:
nothing outside the directory is read, and a name is text to be shown, never part of a statement.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Final

from msgspec import Struct

from epicvc.base.fileio import read_file
from epicvc.database.migrations.migration import Migration
from epicvc.errors import FileUnavailable, InvalidMigration, NotFound

MAX_BYTES: Final = 64 * 1024 * 1024
"""The longest file that is read; that much data is loaded by other means."""

NAME: Final = re.compile(r"[\w][\w.\-]{0,99}")
_FILE: Final = re.compile(r"(?P<version>[0-9]{1,18})_(?P<name>.+)\.sql", re.DOTALL)
_ROLLBACK: Final = "rollback"


class MigrationSet(Struct, frozen=True):
    """The migrations of a directory, and those that a program gives beside them.

    Attributes:
        migrations: the readable migrations in the order of their numbers.
        problems: the faults of files and names.
        directory: the directory, for messages.
    """

    migrations: tuple[Migration, ...]
    problems: tuple[InvalidMigration, ...] = ()
    directory: str = ""

    def with_given(self, given: Sequence[Migration]) -> MigrationSet:
        """Return these migrations together with those that a program gives, in the order of their numbers."""
        found = {migration.number: migration for migration in self.migrations}
        problems = [*self.problems]
        for migration in given:
            if (there := found.get(migration.number)) is not None:
                reason = f"has the number of {there.where}; numbers are unique"
                problems.append(InvalidMigration(migration.where, reason))
            else:  # even one that was read from a file elsewhere counts as the program's, so it has no file here
                found[migration.number] = replace(migration, file="", rollback_file="")
        return MigrationSet(tuple(found[number] for number in sorted(found)), tuple(problems), self.directory)


def builtin_directory() -> Path:
    """Return the directory of the project's own migrations: in the installed package, else in the source tree."""
    packaged = Path(str(files("epicvc") / "_migrations"))
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[3] / "migrations"


def holds_migrations(directory: Path) -> bool:
    """Return whether a directory has any SQL file, even a wrongly named one."""
    try:
        return any(entry.suffix.lower() == ".sql" for entry in directory.iterdir())
    except OSError:
        return False


def read_directory(directory: Path) -> MigrationSet:
    """Read all migrations of a directory. Hidden files and files of other kinds are passed over.

    Raises:
        NotFound: there is no such directory.
        FileUnavailable: the directory cannot be read.
    """
    try:
        names = sorted(entry.name for entry in directory.iterdir())
    except (FileNotFoundError, NotADirectoryError) as error:
        hint = "make one with `epicvc migrate new NAME`"
        raise NotFound(f"there is no directory of migrations {directory}", hint=hint) from error
    except OSError as error:
        raise FileUnavailable(str(directory), error.strerror or str(error)) from error
    return _Reading(directory, [name for name in names if not name.startswith(".")]).run()


class _Reading:
    """Sorts files into migrations and rollbacks, by number."""

    def __init__(self, directory: Path, names: list[str]) -> None:
        self._directory = directory
        self._names = names
        self._problems: list[InvalidMigration] = []
        self._up: dict[int, tuple[str, str, str]] = {}  # version, name, file
        self._down: dict[int, tuple[str, str]] = {}  # name or an empty text, file

    def run(self) -> MigrationSet:
        for file in self._names:
            if file.lower().endswith(".sql"):
                self._sort(file)
        for number, (_, file) in sorted(self._down.items()):
            if number not in self._up:
                self._problem(file, "takes back a migration that is not there")
        found = [migration for number in sorted(self._up) if (migration := self._read(number)) is not None]
        return MigrationSet(tuple(found), tuple(self._problems), str(self._directory))

    def _problem(self, file: str, reason: str) -> None:
        self._problems.append(InvalidMigration(self._shown(file), reason))

    def _shown(self, file: str) -> str:
        return f"{self._directory.name}/{file}" if self._directory.name else file

    def _sort(self, file: str) -> None:
        match = _FILE.fullmatch(file)
        if match is None:
            self._problem(file, "is no migration's name; it takes the form 004_add_owner.sql")
            return
        version, name = match["version"], match["name"]
        number = int(version)
        base = "" if name == _ROLLBACK else name.removesuffix(f".{_ROLLBACK}")
        if (base or name) and not NAME.fullmatch(base or name):
            self._problem(file, "has a name with other signs than letters, digits, _, - and .")
        elif base != name:
            if number in self._down:
                self._problem(file, f"is a second rollback of {version}; {self._down[number][1]} is one already")
            else:
                self._down[number] = base, file
        elif number in self._up:
            self._problem(file, f"has the number of {self._up[number][2]}; numbers are unique")
        else:
            self._up[number] = version, name, file

    def _read(self, number: int) -> Migration | None:
        version, name, file = self._up[number]
        sql = self._text(file)
        rollback, rollback_file = None, ""
        if number in self._down:
            base, rollback_file = self._down[number]
            if base and base != name:
                self._problem(rollback_file, f"takes back {base}, and {version} is {name}")
            rollback = self._text(rollback_file)
        if sql is None or (rollback_file and rollback is None):
            return None
        try:
            return Migration(
                version,
                sql,
                rollback,
                name=name,
                file=self._shown(file),
                rollback_file=self._shown(rollback_file) if rollback_file else "",
            )
        except InvalidMigration as error:
            self._problems.append(error)
            return None

    def _text(self, file: str) -> str | None:
        """Return a file's text; ``None`` when it has none, which is added to the problems."""
        path = self._directory / file
        try:
            found = path.lstat()
        except OSError as error:
            self._problem(file, error.strerror or str(error))
            return None
        if not stat.S_ISREG(found.st_mode):
            kind = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "no regular file"
            self._problem(file, f"is {kind}; migrations are plain files of their directory")
            return None
        if found.st_size > MAX_BYTES:
            self._problem(file, f"has {found.st_size:,} bytes; {MAX_BYTES:,} are the most")
            return None
        data = read_file(path)
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            reason = f"is not UTF-8 (byte 0x{data[error.start]:02x} at offset {error.start})"
            self._problems.append(InvalidMigration(self._shown(file), reason, line))
            return None
