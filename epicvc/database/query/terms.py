"""Turns a caller's text for identifiers, columns and tables into safe SQL.

The text is read by a small grammar (``name``, ``alias.name``, ``"any name"``, ``COUNT(*) AS n``). A text that does not
fit the grammar is taken as one identifier, whatever is in it, and quoted as a whole: it can name a strange column, and
can never be SQL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple

from epicvc.database.quoting import quote_identifier
from epicvc.errors import InvalidQuery

_WORDS: Final = """
ABORT ACTION ADD AFTER ALL ALTER ALWAYS ANALYSE ANALYZE AND ANY ARRAY AS ASC ASYMMETRIC ATTACH AUTHORIZATION
AUTOINCREMENT BEFORE BEGIN BETWEEN BINARY BOTH BY CASCADE CASE CAST CHECK COLLATE COLLATION COLUMN COMMIT
CONCURRENTLY CONFLICT CONSTRAINT CREATE CROSS CURRENT CURRENT_CATALOG CURRENT_DATE CURRENT_ROLE CURRENT_SCHEMA
CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER DATABASE DEFAULT DEFERRABLE DEFERRED DELETE DESC DETACH DISTINCT DO
DROP EACH ELSE END ESCAPE EXCEPT EXCLUDE EXCLUSIVE EXISTS EXPLAIN FAIL FALSE FETCH FILTER FIRST FOLLOWING FOR
FOREIGN FREEZE FROM FULL GENERATED GLOB GRANT GROUP GROUPS HAVING IF IGNORE ILIKE IMMEDIATE IN INDEX INDEXED
INITIALLY INNER INSERT INSTEAD INTERSECT INTO IS ISNULL JOIN KEY LAST LATERAL LEADING LEFT LIKE LIMIT LOCALTIME
LOCALTIMESTAMP MATCH MATERIALIZED NATURAL NO NOT NOTHING NOTNULL NULL NULLS OF OFFSET ON ONLY OR ORDER OTHERS
OUTER OVER OVERLAPS PARTITION PLACING PLAN PRAGMA PRECEDING PRIMARY QUERY RAISE RANGE RECURSIVE REFERENCES
REGEXP REINDEX RELEASE RENAME REPLACE RESTRICT RETURNING RIGHT ROLLBACK ROW ROWS SAVEPOINT SELECT SESSION_USER
SET SIMILAR SOME SYMMETRIC SYSTEM_USER TABLE TABLESAMPLE TEMP TEMPORARY THEN TIES TO TRAILING TRANSACTION
TRIGGER TRUE UNBOUNDED UNION UNIQUE UPDATE USER USING VACUUM VALUES VARIADIC VERBOSE VIEW VIRTUAL WHEN WHERE
WINDOW WITH WITHOUT
"""
KEYWORDS: Final = frozenset(_WORDS.split())
"""The keywords of SQLite (lang_keywords) and the reserved words of PostgreSQL (appendix C of its manual)."""

FUNCTIONS: Final = frozenset({"AVG", "COALESCE", "COUNT", "LENGTH", "LOWER", "MAX", "MIN", "SUM", "UPPER"})
"""The functions that a caller's text may name: those that both databases have."""

# Texts, which `re` compiles at first use and keeps: compiling all at once would take as long as ten imports.
_PLAIN: Final = r"(?a)[A-Za-z_][A-Za-z0-9_]*"
_NAME: Final = r'(?:[A-Za-z_][A-Za-z0-9_]*|"(?:[^"\0]|"")+")'
_PATH: Final = rf"{_NAME}(?:\.{_NAME}){{0,2}}"
_COLUMN: Final = rf"(?a){_PATH}"
_STAR: Final = rf"(?a)\*|{_NAME}\.\*"
_CALL: Final = rf"(?ai)([A-Za-z]+)\(\s*(DISTINCT\s+)?({_PATH}|\*)\s*\)"
_ALIASED: Final = rf"(?ais)(.+?)\s+(?:AS\s+)?({_NAME})"
_PART: Final = rf"(?a){_NAME}"
_ON: Final = rf"(?a)\s*({_PATH})\s*(=|!=|<>|<=|>=|<|>)\s*({_PATH})\s*"
_AND: Final = r"(?i)AND\b"
_CAST: Final = rf"(?ai)CAST\(\s*({_PATH})\s+AS\s+TEXT\s*\)"


class Dialect(Enum):
    """The dialect of SQL that is written; the value is its mark for a bound value."""

    SQLITE = "?"
    POSTGRESQL = "%s"


@lru_cache(maxsize=4096)
def identifier(name: str) -> str:
    """Return one name as SQL: unchanged where it is a plain word and no keyword, else quoted.

    Raises:
        UnsafeName: the name holds a NUL or a lone surrogate.
        InvalidQuery: the name is empty.
    """
    if not name:
        raise InvalidQuery("an identifier is empty")
    if re.fullmatch(_PLAIN, name) and name.upper() not in KEYWORDS:
        return name
    return quote_identifier(name)


def _path(text: str) -> str:
    """Return a dotted path that fits the grammar as SQL."""
    return ".".join(identifier(_unquoted(part)) for part in re.findall(_PART, text))


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part


@lru_cache(maxsize=4096)
def column(text: str) -> str:
    """Return a column, ``name`` or ``alias.name``, as SQL; a text that is neither is one identifier."""
    return _path(text) if re.fullmatch(_COLUMN, text) else identifier(text)


OWNER: Final = "\0."
"""Stands for the table of a column until it is known; no identifier can hold it."""


@lru_cache(maxsize=4096)
def compared(text: str) -> str:
    """Return a column in a condition as SQL, with :data:`OWNER` before a quoted name that stands alone.

    SQLite takes a quoted name that is no column for a text: then ``"x" = 'x'`` would hold for every row. With a table
    in front it never does.
    """
    if cast := re.fullmatch(_CAST, text):
        return f"CAST({compared(cast[1])} AS TEXT)"
    sql = column(text)
    alone = sql.startswith('"') and (not re.fullmatch(_COLUMN, text) or "." not in re.sub(_PART, "", text))
    return OWNER + sql if alone else sql


@lru_cache(maxsize=4096)
def expression(text: str) -> str:
    """Return a column or a call such as ``COUNT(*)``, ``MAX(e.id)`` or ``CAST(e.id AS TEXT)`` as SQL."""
    if cast := re.fullmatch(_CAST, text.strip()):
        return f"CAST({_path(cast[1])} AS TEXT)"
    call = re.fullmatch(_CALL, text.strip())
    if call and call[1].upper() in FUNCTIONS:
        inner = "*" if call[3] == "*" else _path(call[3])
        return f"{call[1].upper()}({'DISTINCT ' if call[2] else ''}{inner})"
    return column(text)


def selected(text: str) -> Iterator[str]:
    """Yield the columns of a ``SELECT`` as SQL; they are written in one text with commas between them."""
    items = [item.strip() for item in text.split(",")]
    yield from map(_selected, items if all(_fits(item) for item in items) else [text])


def _fits(item: str) -> bool:
    if re.fullmatch(_STAR, item) or re.fullmatch(_COLUMN, item) or _is_call(item):
        return True
    aliased = re.fullmatch(_ALIASED, item)
    return bool(aliased and (re.fullmatch(_COLUMN, aliased[1]) or _is_call(aliased[1])))


def _is_call(item: str) -> bool:
    if re.fullmatch(_CAST, item):
        return True
    call = re.fullmatch(_CALL, item)
    return bool(call and call[1].upper() in FUNCTIONS)


def _selected(item: str) -> str:
    if re.fullmatch(_STAR, item):
        return item if item == "*" else f"{_path(item[:-2])}.*"
    aliased = re.fullmatch(_ALIASED, item)
    if aliased and not re.fullmatch(_COLUMN, item) and _fits(item):
        return f"{expression(aliased[1])} AS {identifier(_unquoted(aliased[2]))}"
    return expression(item)


def is_plain(text: str) -> bool:
    """Return whether a text is one plain word, as a table's name usually is."""
    return bool(re.fullmatch(_PLAIN, text))


class Table(NamedTuple):
    """A table as SQL, and the qualifier of its columns."""

    sql: str
    owner: str


def table(text: str, alias: str | None = None) -> Table:
    """Return a table: ``name``, ``schema.name``, either with an alias behind it, or any one name.

    Args:
        text: the table. Two names with a space, or ``AS``, between them are a table and its alias.
        alias: the alias; if given, all of ``text`` is the table.
    """
    name = column(text)
    if alias is not None:
        owner = identifier(alias)
        return Table(f"{name} {owner}", owner)
    aliased = re.fullmatch(_ALIASED, text.strip())
    if aliased and re.fullmatch(_COLUMN, aliased[1]) and not re.fullmatch(_COLUMN, text):
        owner = identifier(_unquoted(aliased[2]))
        return Table(f"{_path(aliased[1])} {owner}", owner)
    return Table(name, name)


def target(text: str) -> Table:
    """Return the table that a statement changes: ``name``, ``schema.name``, or any one name. It has no alias."""
    sql = column(text)
    return Table(sql, sql)


def table_named(name: str) -> Table:
    """Return the table with exactly this name, as the catalogue has it."""
    sql = identifier(name)
    return Table(sql, sql)


def join_condition(text: str) -> str:
    """Return ``a.x = b.y``, or several of these with ``AND`` between them, as SQL.

    Raises:
        InvalidQuery: the text is something else.
    """
    pair, conjunction = re.compile(_ON), re.compile(_AND)
    parts: list[str] = []
    at = 0
    while found := pair.match(text, at):
        parts.append(f"{_path(found[1])} {found[2]} {_path(found[3])}")
        # looked for only at this point, since a quoted name may hold the word as well
        word = conjunction.match(text, found.end())
        if word is None:
            at = found.end()
            break
        at = word.end()
    if not found or at < len(text):
        raise InvalidQuery(f"{text!r} is no join condition", hint="it compares columns: t.epic_id = e.id")
    return " AND ".join(parts)
