"""Reads the definitions of virtual tables of SQLite's own modules, and knows the tables that hold their contents.

A full-text index over another table is made again from that table. Of an index with its own content, the content and
the settings are captured, and the index is made again. An index that could not be made again from anything, or that
differs from the table that it indexes, is captured as the tables that hold it. An R*Tree is read and written as a
table.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from epicvc.database.quoting import quote_identifier
from epicvc.database.tables import KeyKind, Schema

PREFIX: Final = "CREATE VIRTUAL TABLE "

SHADOWS: Final[Mapping[str, tuple[str, ...]]] = {
    "fts5": ("data", "idx", "content", "docsize", "config"),
    **dict.fromkeys(["fts4", "fts3"], ("content", "segments", "segdir", "docsize", "stat")),
    **dict.fromkeys(["rtree", "rtree_i32"], ("node", "rowid", "parent")),
    **dict.fromkeys(["fts5vocab", "fts4aux", "fts3tokenize"], ()),  # views of an index, or of nothing
}
"""The endings of the names of the tables that hold a virtual table's contents, by known module."""

_SOURCES: Final = ("content", "config")  # an index is made again from these
_TREES: Final = ("rtree", "rtree_i32")
_LONGEST: Final = 100_000
_TOKEN: Final = re.compile(
    r"""\s+|--[^\n]*|/\*.*?(?:\*/|$)|"(?:[^"]|"")*"|'(?:[^']|'')*'|`(?:[^`]|``)*`|\[[^\]]*\]|[^\s"'`\[(),=]+|.""",
    re.DOTALL,
)


class Virtual(Struct, frozen=True):
    """A virtual table of a known module.

    Attributes:
        name: the table's name.
        module: the module, in lower case.
        content: for full-text: the table that is indexed; empty where the index keeps no content, ``None`` where it
            keeps its own.
        foreign: reading its content takes functions of the application.
    """

    name: str
    module: str
    content: str | None = None
    foreign: bool = False

    @property
    def is_index(self) -> bool:
        """Tell whether it is a full-text index."""
        return self.module.startswith("fts") and bool(SHADOWS[self.module])

    @property
    def is_over_a_table(self) -> bool:
        """Tell whether it is a full-text index over another table."""
        return self.is_index and bool(self.content)

    @property
    def is_bare(self) -> bool:
        """Tell whether there is nothing but the index itself, so that it cannot be made again."""
        return self.is_index and (self.content == "" or self.foreign)

    @property
    def is_tree(self) -> bool:
        """Tell whether it is an R*Tree."""
        return self.module in _TREES

    @property
    def shadows(self) -> tuple[str, ...]:
        """The possible names of the tables that hold its contents."""
        return tuple(f"{self.name}_{ending}" for ending in SHADOWS[self.module])

    def captured(self, *, exactly: bool) -> tuple[str, ...]:
        """Return those of :attr:`shadows` that are captured.

        Args:
            exactly: capture the index itself.
        """
        if exactly:
            return self.shadows
        return tuple(f"{self.name}_{ending}" for ending in _SOURCES) if self.is_index else ()

    def rebuild(self, connection: sqlite3.Connection) -> None:
        """Make the index again from its content."""
        name = quote_identifier(self.name)
        connection.execute(f"INSERT INTO main.{name} ({name}) VALUES ('rebuild')")

    def agrees(self, connection: sqlite3.Connection, schema: str = "main") -> bool:
        """Return whether the index agrees with its table, by its own check; the connection must be able to write."""
        name = quote_identifier(self.name)
        if self.module == "fts5":
            command = f"INSERT INTO {schema}.{name} ({name}, rank) VALUES ('integrity-check', 1)"
        else:
            command = f"INSERT INTO {schema}.{name} ({name}) VALUES ('integrity-check')"
        try:
            connection.execute(command)
        except sqlite3.Error as error:
            if error.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR}:
                raise
            return False
        return True


def parse(name: str, sql: object) -> Virtual | None:
    """Read a definition; return ``None`` where its module is not known."""
    if not isinstance(sql, str) or not sql.startswith(PREFIX) or len(sql) > _LONGEST:
        return None
    tokens = [token for token in _TOKEN.findall(sql) if not token.isspace() and token[:2] not in {"--", "/*"}]
    if len(tokens) < 6 or tokens[4].lower() != "using":
        return None
    module = _dequoted(tokens[5]).lower()
    if module not in SHADOWS:
        return None
    options = dict(_options(tokens[6:], module)) if module in {"fts4", "fts5"} else {}
    return Virtual(name, module, options.get("content"), "compress" in options or "uncompress" in options)


def _options(words: list[str], module: str) -> Iterator[tuple[str, str]]:
    """Yield the options among the arguments of a full-text index: ``(argument, argument, …)``."""
    argument: list[str] = []
    depth = 0
    for word in words:
        depth += (word == "(") - (word == ")")
        if (word == "," and depth == 1) or depth == 0:
            if len(argument) >= 2 and argument[1] == "=":
                yield _option(argument[0].lower(), module), _dequoted("".join(argument[2:]))
            argument = []
        elif not (word == "(" and depth == 1):
            argument.append(word)
        if depth == 0:
            return


def _option(name: str, module: str) -> str:
    # FTS5 accepts the beginning of an option's name, and tries `content` before the others that begin so
    return "content" if module == "fts5" and "content".startswith(name) else name


def _dequoted(text: str) -> str:
    end = {"[": "]"}.get(text[:1], text[:1])
    if len(text) < 2 or text[0] not in "\"'`[" or text[-1] != end:
        return text
    return text[1:-1] if end == "]" else text[1:-1].replace(end * 2, end)


def virtual_tables(schema: Schema) -> dict[str, Virtual]:
    """Return the virtual tables of a captured schema, by name."""
    found = ((table.name, parse(table.name, table.sql)) for table in schema.tables if is_virtual(table.sql))
    return {name: virtual for name, virtual in found if virtual is not None}


def is_virtual(sql: str) -> bool:
    """Return whether a captured definition is that of a virtual table."""
    return sql.startswith(PREFIX)


def owners(schema: Schema) -> dict[str, str]:
    """Return, by captured table, the virtual table whose contents it holds."""
    names = schema.by_name
    return {
        shadow: virtual.name
        for virtual in virtual_tables(schema).values()
        for shadow in virtual.shadows
        if shadow in names and names[shadow].kind is not KeyKind.VIRTUAL
    }


def exact(schema: Schema) -> frozenset[str]:
    """Return the full-text indexes that a schema has in the form of the tables that hold them."""
    found = virtual_tables(schema).values()
    return frozenset(
        virtual.name
        for virtual in found
        if virtual.is_index and any(f"{virtual.name}_{ending}" in schema.by_name for ending in ("data", "segdir"))
    )


def disagreeing(connection: sqlite3.Connection, indexes: Iterable[Virtual], *, writable: bool) -> frozenset[str]:
    """Return the indexes over tables whose own check finds that they differ from their tables.

    Args:
        connection: a connection in a transaction.
        indexes: the indexes to check.
        writable: the check, which counts as writing, can be made in place. Otherwise the index is copied to the
            connection's temporary tables, beside a view of its table.
    """
    check = Virtual.agrees if writable else _agrees_elsewhere
    return frozenset(index.name for index in indexes if not check(index, connection))


def _agrees_elsewhere(index: Virtual, connection: sqlite3.Connection) -> bool:
    content, name = quote_identifier(index.content or ""), quote_identifier(index.name)
    sql = str(connection.execute("SELECT sql FROM main.sqlite_master WHERE name = ?", [index.name]).fetchone()[0])
    made: list[str] = []
    connection.execute("PRAGMA query_only=OFF")  # safe: the file itself is open for reading only
    try:
        try:
            _view(connection, content)
            made.append(f"DROP VIEW temp.{content}")
            connection.execute(PREFIX + "temp." + sql[len(PREFIX) :].lstrip())
            made.append(f"DROP TABLE temp.{name}")
            for shadow in map(quote_identifier, _present(connection, index)):
                connection.execute(f"DELETE FROM temp.{shadow}")
                connection.execute(f"INSERT INTO temp.{shadow} SELECT * FROM main.{shadow}")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_ERROR:
                raise
            return False  # the indexed table cannot be read
        return index.agrees(connection, "temp")
    finally:
        for statement in reversed(made):
            connection.execute(statement)
        connection.execute("PRAGMA query_only=ON")


def _view(connection: sqlite3.Connection, content: str) -> None:
    """Make a temporary view of the indexed table, with its row number as a column."""
    try:
        connection.execute(f"SELECT rowid FROM main.{content} LIMIT 0")
    except sqlite3.OperationalError:  # it has no row number, and the index uses a column
        number = ""
    else:
        number = "rowid AS rowid, "
    connection.execute(f"CREATE TEMP VIEW {content} AS SELECT {number}* FROM main.{content}")


def _present(connection: sqlite3.Connection, index: Virtual) -> list[str]:
    marks = ", ".join("?" * len(index.shadows))
    query = f"SELECT name FROM main.sqlite_master WHERE type = 'table' AND name IN ({marks})"
    return [str(row[0]) for row in connection.execute(query, index.shadows)]
