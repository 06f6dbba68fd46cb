"""Bits of the store that turn over by themselves: found by ``fsck`` and by whoever reads them, never used.

Runs in children of the fork server, like the oracle.
"""

from __future__ import annotations

import contextlib
import io
import sqlite3
from pathlib import Path

from epicvc.cli.edge import run_application

READERS = (
    ("log", "--json"),
    ("op", "log", "--json"),
    ("tag", "--json"),
    ("branch", "--json"),
    ("show", "HEAD", "--json"),
    ("show", "first", "--json"),
    ("diff", "first", "HEAD", "--json"),
    ("diff", "--json"),
    ("status", "--json"),
    ("status",),
)
"""Commands that read: together they read every table, and most objects."""

_DAMAGED = 4
_REFUSALS = frozenset({3, 4, 5, 6})
"""How a command may end that meets damage: not found, damaged, refused, unreadable."""

Answer = tuple[int, str]


def answers(repo: str) -> list[Answer]:
    """What every reader answers."""
    return [_run(repo, *command) for command in READERS]


def content(repo: str) -> str | None:
    """All that is in the store, as SQLite reads it; ``None`` where it cannot."""
    with contextlib.closing(
        sqlite3.connect(f"{(Path(repo) / '.epicvc/store.db').as_uri()}?mode=ro", uri=True)
    ) as found:
        try:
            found.text_factory = bytes
            tables = [row[0].decode() for row in found.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            lines = [repr(found.execute("SELECT * FROM sqlite_master ORDER BY rowid").fetchall())]
            for table in sorted(tables):
                lines += [repr(row) for row in found.execute(f'SELECT * FROM "{table}" ORDER BY 1, 2')]
            lines += [repr(found.execute(f"PRAGMA {name}").fetchall()) for name in ("user_version", "application_id")]
        except (sqlite3.Error, UnicodeDecodeError):
            return None
    return "\n".join(lines)


def flip(repo: str, at: int, bit: int, sound: list[Answer], whole: str) -> list[str]:
    """Turn one bit over, and say what is wrong with how that is met.

    Args:
        repo: the repo; left as it was found but for its caches.
        at: the byte.
        bit: the bit, from 0.
        sound: the answers of an undamaged store.
        whole: the content of an undamaged store.
    """
    store = Path(repo) / ".epicvc/store.db"
    with store.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1 << bit]))
    problems = []
    code, said = _run(repo, "fsck", "--full")
    if code not in (0, *_REFUSALS):
        problems.append(f"fsck ends with {code}: {said}")
    if code == 0 and content(repo) != whole:
        problems.append("fsck does not find it")
    for command, right in zip(READERS, sound, strict=True):
        found = _run(repo, *command)
        if found != tuple(right) and found[0] not in _REFUSALS:
            problems.append(f"{' '.join(command)} ends with {found[0]} and another answer: {found[1][:300]}")
    return problems


def _run(repo: str, *arguments: str) -> Answer:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.chdir(repo):
        code = run_application(arguments)
    return code, out.getvalue() + err.getvalue()
