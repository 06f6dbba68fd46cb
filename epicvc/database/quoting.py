"""The one function that puts an identifier into SQL.

Values are never quoted here: they are bound. SQLite and PostgreSQL read a double-quoted identifier the same way, so
every backend shares this function.
"""

from __future__ import annotations

from functools import lru_cache

from epicvc.errors import UnsafeName


@lru_cache(maxsize=1024)
def quote_identifier(name: str) -> str:
    """Return ``name`` as a quoted SQL identifier.

    Args:
        name: the identifier as the catalogue holds it, unquoted.

    Raises:
        UnsafeName: the name holds a NUL, at which the database would stop reading, or a lone surrogate.
    """
    if "\0" in name:
        raise UnsafeName(name, "an identifier holds no NUL character")
    if not name.isascii() and any("\ud800" <= char <= "\udfff" for char in name):
        raise UnsafeName(name, "an identifier holds no lone surrogate")
    return '"' + name.replace('"', '""') + '"'
