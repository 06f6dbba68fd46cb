"""Parses references to a database: a path, ``sqlite:///PATH`` or ``postgresql://USER:PASSWORD@HOST/NAME``.

A password is never part of anything that is shown: neither ``display`` nor ``repr`` holds it, and a reference that
cannot be parsed is not repeated in the error.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct

from epicvc.errors import Unavailable, UsageError

if TYPE_CHECKING:
    from epicvc.database.backend import Backend

_HIDDEN: Final = "***"
_SECRET_PARAMETERS: Final = frozenset({"password", "sslpassword", "options", "passfile"})
# Kept as texts: a plain path needs none of them, and compiling them would slow every command's start.
_SCHEME: Final = r"([A-Za-z][A-Za-z0-9+.\-]+):(?://)?"
_POSTGRESQL: Final = frozenset({"postgresql", "postgres"})
_HOSTS: Final = r"[A-Za-z0-9._\-%]*(\[[0-9A-Fa-f:.%]+\])?(:[0-9]*)?(,[A-Za-z0-9._\-%]*(:[0-9]*)?)*"
_ALMOST_A_URL: Final = r"(?i)^postgres|://|:[^/]*@|\bpwd\s*=|password"
_HINT: Final = "name a file, sqlite:///PATH, or postgresql://USER@HOST/NAME"


class DatabaseURL(Struct, frozen=True):
    """A parsed reference to a database.

    Attributes:
        kind: the database product.
        path: the file (SQLite).
        dsn: the whole URL, password included (PostgreSQL).
        display: the reference for messages, without a password.
        has_password: a password is part of the reference.
    """

    kind: Literal["sqlite", "postgresql"]
    display: str
    path: Path | None = None
    dsn: str | None = None
    has_password: bool = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.kind!r}, {self.display!r})"  # the other fields may hold a password


def parse_url(text: str) -> DatabaseURL:
    """Parse a path or URL.

    The text behind ``sqlite:///`` is the path as it stands, so an absolute path has four slashes; nothing in it is
    decoded.

    Raises:
        UsageError: the text names no database that can be used.
    """
    text = text.strip()
    if _is_plain(text):
        return _file(text)
    scheme = re.match(_SCHEME, text)
    name = scheme[1].lower() if scheme else ""
    if name in _POSTGRESQL and text[len(name) :].startswith("://"):
        return _parse_postgresql(text, text[len(name) + 3 :])
    if name == "sqlite":
        if not text[len(name) :].startswith(":///"):
            raise UsageError("a SQLite URL has three slashes before its path", hint=_HINT)
        return _file(text[len("sqlite:///") :])
    if scheme and (name == "file" or "://" in scheme[0]):
        raise UsageError(f"databases of kind {name} are not known", hint=_HINT)
    if re.search(_ALMOST_A_URL, text):
        # Refused, since a path is shown in messages, and this text may hold a password.
        raise UsageError("the database's reference is neither a path nor a URL", hint=_HINT)
    return _file(text)


def _is_plain(text: str) -> bool:
    """Return whether a text is certainly a path. A text that may be something else is left to the patterns."""
    if not text.isascii() or ":" in text or "=" in text:
        return False
    small = text.lower()
    return not small.startswith("postgres") and "password" not in small


def _file(path: str) -> DatabaseURL:
    if not path or path.startswith(":memory:") or "\0" in path:
        raise UsageError("the database has to be a file", hint=_HINT)
    return DatabaseURL("sqlite", path, path=Path(path))


def _parse_postgresql(url: str, rest: str) -> DatabaseURL:
    location, mark, query = rest.partition("?")
    authority, slash, name = location.partition("/")
    user_info, at, hosts = authority.rpartition("@")
    # an unescaped / or @ in a password would move the border between what is hidden and what is shown
    if not re.fullmatch(_HOSTS, hosts) or "@" in name:
        raise UsageError("not a valid PostgreSQL URL", hint="percent-encode / ? @ : in the password")
    user, colon, password = user_info.partition(":")
    shown_user = user + (f":{_HIDDEN}" if colon else "")
    parts = [part.partition("=") for part in query.split("&")]
    secret = [_decoded(key) in _SECRET_PARAMETERS for key, _, _ in parts]
    shown_query = "&".join(
        key + sign + (_HIDDEN if hide else value) for (key, sign, value), hide in zip(parts, secret, strict=True)
    )
    has_password = bool(password) or any(hide and value for (_, _, value), hide in zip(parts, secret, strict=True))
    display = f"postgresql://{shown_user}{at}{hosts}{slash}{name}{mark}{shown_query}"
    return DatabaseURL("postgresql", display, dsn=url, has_password=has_password)


def _decoded(name: str) -> str:
    from urllib.parse import unquote

    return unquote(name).strip().lower()


def open_backend(
    url: DatabaseURL | str,
    *,
    ignore: frozenset[str] = frozenset(),
    timeout: float = 5.0,
    query_seconds: int | None = None,
) -> Backend:
    """Return the backend for a database. Nothing is opened yet.

    Args:
        url: the reference to the database.
        ignore: tables that snapshots and restores leave out.
        timeout: seconds to wait for a lock.
        query_seconds: the most seconds that one statement may take; by default the user's setting, or the built-in
            value.

    Raises:
        UsageError: ``url`` is text that names no database.
        Unavailable: there is no backend for it.
    """
    parsed = parse_url(url) if isinstance(url, str) else url
    if parsed.path is None:
        raise Unavailable(
            f"{parsed.display}: the PostgreSQL backend is not installed yet", hint="use a SQLite database file"
        )
    from epicvc.database.sqlite.backend import SQLiteBackend

    return SQLiteBackend(parsed.path, ignore=ignore, timeout=timeout, query_seconds=query_seconds)
