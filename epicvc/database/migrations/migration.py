"""One migration as a value, checked as far as that is possible without a database."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

from epicvc.database.migrations.rules import objection
from epicvc.database.migrations.statements import SQLStatement, UnreadableSQL, split
from epicvc.errors import InvalidMigration

if TYPE_CHECKING:
    from epicvc.database.lent import LentConnection

    Function = Callable[[LentConnection], object]

VERSION: Final = re.compile(r"[0-9]{1,18}")
_DEPENDS: Final = re.compile(r"--[ \t]*depends(?:[ \t]+on)?[ \t]*:(.*)", re.IGNORECASE)
_BOM: Final = "\ufeff"


@dataclass(frozen=True)
class Migration:
    """One step of the schema and the way back. Each is SQL, or a function of the program that gives the migration.

    A function is called with a connection (:class:`~epicvc.database.lent.LentConnection`) inside the migration's
    transaction, which it cannot end. It may be called again where the transaction has to begin anew, and on copies of
    the database on which migrations are tried.

    Attributes:
        version: its number as digits, leading zeros included; only the number counts.
        sql: the SQL that applies it, with normalised line ends and no byte order mark; ``None`` where ``up`` applies
            it.
        rollback_sql: the SQL that takes it back; ``None`` where ``down`` does, or there is no way back.
        dependencies: versions that must have been applied before. Those that a ``-- depends: 001, 002`` at the
            beginning of ``sql`` names are added.
        up: the function that applies it.
        down: the function that takes it back.
        name: its name beside its number.
        file: the file that ``sql`` was read from, for messages; empty for none.
        rollback_file: the file that ``rollback_sql`` was read from.

    Raises:
        InvalidMigration: it could not be run: neither SQL nor a function, or both; no statement, a refused statement,
            text that never ends, a NUL.
    """

    version: str
    sql: str | None = field(default=None, repr=False)
    rollback_sql: str | None = field(default=None, repr=False)
    dependencies: tuple[str, ...] = ()
    up: Function | None = field(default=None, repr=False)
    down: Function | None = field(default=None, repr=False)
    name: str = ""
    file: str = field(default="", repr=False, compare=False)
    rollback_file: str = field(default="", repr=False, compare=False)

    def __post_init__(self) -> None:
        if not VERSION.fullmatch(self.version):
            raise InvalidMigration(self.where, f"its version {self.version!r} is no number of at most 18 digits")
        self._require_one_of("sql", "up")
        if self.rollback_sql is not None or self.down is not None:
            self._require_one_of("rollback_sql", "down")
        put = object.__setattr__
        named: list[str] = []
        if self.sql is not None:
            put(self, "sql", normalise(self.sql))
            named = _named_dependencies(self.sql, self.where)
        put(self, "dependencies", _unique([*self.dependencies, *named]))
        for version in self.dependencies:
            if not VERSION.fullmatch(version):
                raise InvalidMigration(self.where, f"it depends on {version!r}, which is no version")
        if self.rollback_sql is not None:
            put(self, "rollback_sql", normalise(self.rollback_sql))
            _ = self.rollback_statements  # parsed and checked now: when a rollback is needed it is too late
        _ = self.statements

    def _require_one_of(self, text: str, function: str) -> None:
        sql, call = getattr(self, text), getattr(self, function)
        if (sql is None) == (call is None):
            raise InvalidMigration(self.where, f"takes either {text} or {function}")
        if call is not None and not callable(call):
            raise InvalidMigration(self.where, f"its {function} is no function")

    @property
    def number(self) -> int:
        """The version as a number, by which migrations are ordered."""
        return int(self.version)

    @property
    def title(self) -> str:
        """The version and the name, as in messages."""
        return f"{self.version} {self.name}".strip()

    @property
    def where(self) -> str:
        """The place where the migration was written, for messages."""
        return self.file or f"migration {self.version}"

    @property
    def rollback_where(self) -> str:
        """The place where the rollback was written, for messages."""
        return self.rollback_file or f"rollback of {self.version}"

    @property
    def reversible(self) -> bool:
        """Tell whether there is a way back."""
        return self.rollback_sql is not None or self.down is not None

    @cached_property
    def statements(self) -> tuple[SQLStatement, ...]:
        """The statements that apply it; empty where a function does."""
        return _statements(self.sql, self.where) if self.sql is not None else ()

    @cached_property
    def rollback_statements(self) -> tuple[SQLStatement, ...]:
        """The statements that take it back; empty where a function does, or there is no way back."""
        return _statements(self.rollback_sql, self.rollback_where) if self.rollback_sql is not None else ()

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of ``sql``: the same whatever line ends or byte order mark the file had.

        Empty for a function: its own text does not say all that it does, and other releases of Python compile it
        differently.
        """
        if self.sql is None:
            return ""
        return hashlib.sha256(self.sql.encode("utf-8", "surrogatepass")).hexdigest()


def normalise(sql: str) -> str:
    """Return SQL with a line feed as every line end and without a byte order mark."""
    return sql.removeprefix(_BOM).replace("\r\n", "\n").replace("\r", "\n")


def _statements(sql: str, where: str) -> tuple[SQLStatement, ...]:
    for sign, what in (("\0", "a NUL character"), (_BOM, "a byte order mark in the middle")):
        if sign in sql:
            raise InvalidMigration(where, f"holds {what}", sql.count("\n", 0, sql.index(sign)) + 1)
    try:
        found = split(sql)
    except UnreadableSQL as error:
        raise InvalidMigration(where, error.reason, error.line) from error
    if not found:
        raise InvalidMigration(where, "holds no statement")
    for statement in found:
        reason = objection(statement)
        if reason is not None:
            raise InvalidMigration(where, reason, statement.line)
    return tuple(found)


def _named_dependencies(sql: str, where: str) -> list[str]:
    """Return the versions that ``-- depends:`` lines name, up to the first line that is no comment and not blank."""
    found: list[str] = []
    for number, line in enumerate(sql.split("\n"), 1):
        text = line.strip()
        if text and not text.startswith("--"):
            break
        match = _DEPENDS.fullmatch(text)
        if match is None:
            continue
        versions = [part.strip() for part in match[1].split(",")]
        for version in versions:
            if not VERSION.fullmatch(version):
                raise InvalidMigration(where, f"depends on {version!r}, which is no version", number)
        found += versions
    return found


def _unique(versions: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(versions))
