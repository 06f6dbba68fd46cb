"""The report of a bug: a file under ``.epicvc/crashes/`` that a user can send to others without revealing plans.

It has the place of the bug in the program, and the versions. The texts of errors are left out, and so are all words of
the command line that may be a value or a secret. Nothing is written where there is no store that is known to be the
user's.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from epicvc.base.escape import printable

DIRECTORY: Final = "crashes"
KEPT: Final = 10
"""The number of reports that are kept; the oldest are removed."""

MAX_CHARACTERS: Final = 100_000
"""The most characters of a traceback. A longer one is cut in the middle."""

_NAME: Final = re.compile(r"\d{8}T\d{12}Z-\d+\.txt")
_NOTE: Final = re.compile(r"in operation [0-9a-f]{32}, [a-z -]{1,40}")
_HIDDEN: Final = "…"
_TEXTS: Final = ("-m", "--message")
"""The options that are followed by a text of the user."""


def save_report(error: BaseException, words: Sequence[str], environment: dict[str, str]) -> str | None:
    """Write the report of a bug.

    Args:
        error: the exception.
        words: the command line.
        environment: environment variables.

    Returns:
        The path of the file; ``None`` where there is no store of the user's, or nothing can be written.
    """
    try:
        root = _trusted_root(words, environment)
        return None if root is None else _save(root, report_of(error, words, root))
    except Exception:  # noqa: BLE001  # an error here must not hide the bug itself
        return None


def report_of(error: BaseException, words: Sequence[str], root: Path) -> str:
    """Return the text of a report."""
    when = datetime.now(UTC).isoformat(timespec="seconds")
    parts = [
        f"epicvc ended with an internal error at {when}.",
        "Texts of errors and values of plans are left out.",
        "",
        *_versions(),
        f"command: epicvc {' '.join(shown_words(words))}",
        *_operations(root),
        "",
        *_traceback(error),
    ]
    return "\n".join(parts) + "\n"


def shown_words(words: Sequence[str]) -> Iterator[str]:
    """Yield a command line without possible secrets and values: messages, texts, URLs, and all that follows ``=``."""
    hides = False
    for word in words:
        if hides or not word.isprintable() or " " in word or len(word) > 100:
            yield _HIDDEN
        elif sign := re.search("=|://", word):
            yield word[: sign.end()] + _HIDDEN
        elif word.startswith("-m") and word not in _TEXTS:
            yield f"-m{_HIDDEN}"
        else:
            yield word
        hides = word in _TEXTS


def _versions() -> list[str]:
    import platform
    import sqlite3
    from importlib.metadata import PackageNotFoundError, version

    from epicvc import __version__

    found = []
    for name in ("msgspec", "typer", "rich", "backports.zstd"):
        with suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    return [
        f"epicvc {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}",
        f"{', '.join(found)}",
        f"{platform.system()} {platform.release()} {platform.machine()}, {sys.getfilesystemencoding()}",
    ]


def _operations(root: Path) -> list[str]:
    """Return what the store has of the operation that was under way, and of the last one."""
    from epicvc.errors import EpicvcError
    from epicvc.repo.home.place import PRIVATE, STORE
    from epicvc.store.store import Store

    try:
        with Store.open(root / PRIVATE / STORE, frozen=True) as store:
            pending, last = store.pending(), next(store.operations(1), None)
    except EpicvcError as error:
        return [f"the store cannot be read: {error.kind}"]
    found = []
    if pending is not None:
        state = "prepared" if pending.prepared else "not prepared"
        found.append(f"unfinished operation: {pending.operation}, {pending.command}, {state}")
    if last is not None:
        found.append(f"last operation: {last.id}, {last.command}")
    return found


def _traceback(error: BaseException) -> Iterator[str]:
    lines = list(_chain(traceback.TracebackException.from_exception(error)))
    text = "\n".join(lines)
    if len(text) > MAX_CHARACTERS:
        half = MAX_CHARACTERS // 2
        text = f"{text[:half]}\n{_HIDDEN}\n{text[-half:]}"
    yield text


def _chain(found: traceback.TracebackException) -> Iterator[str]:
    """Yield an exception with those that led to it, the first one first, without their texts."""
    before = found.__cause__ or (None if found.__suppress_context__ else found.__context__)
    if before is not None:
        yield from _chain(before)
        yield f"\n{'which was the cause of' if found.__cause__ is not None else 'and, while that was handled,'}\n"
    for line in found.stack.format():
        yield printable(line.rstrip("\n").replace("\n", "\0")).replace("\\x00", "\n")
    yield f"{_type_of(found)} (its text is left out)"
    for note in getattr(found, "__notes__", None) or ():
        if _NOTE.fullmatch(note):
            yield note
    for inner in found.exceptions or ():
        yield ""
        yield from _chain(inner)


def _type_of(found: traceback.TracebackException) -> str:
    if sys.version_info >= (3, 13):  # newer Python warns where the type itself is asked for
        return found.exc_type_str
    kind = found.exc_type
    return (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )


def _trusted_root(words: Sequence[str], environment: dict[str, str]) -> Path | None:
    """Return the repo that the command is about, if its store is on the user's list and leads nowhere else."""
    from epicvc.repo.home.place import oddity, root_above
    from epicvc.repo.home.trust import LISTED, standing_of

    try:
        root = root_above(os.path.realpath(_directory(words)))
    except FileNotFoundError:
        return None
    if oddity(root) is not None or standing_of(Path(root), environment).kind != LISTED:
        return None
    return Path(root)


def _directory(words: Sequence[str]) -> Path:
    """Return the directory in which the command runs, according to ``-C``."""
    found = Path()
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word == "-C":
            found /= after
        elif word.startswith("-C"):
            found /= word[2:]
    return found


def _save(root: Path, text: str) -> str:
    """Write a report into the store's directory. No link on the way there is followed."""
    from epicvc.repo.home.place import PRIVATE

    follow = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    private = os.open(root / PRIVATE, follow)
    try:
        with suppress(FileExistsError):
            os.mkdir(DIRECTORY, 0o700, dir_fd=private)
        directory = os.open(DIRECTORY, follow, dir_fd=private)
    finally:
        os.close(private)
    try:
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{os.getpid()}.txt"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(name, flags, 0o600, dir_fd=directory), "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        with os.scandir(directory) as entries:
            reports = sorted(entry.name for entry in entries if _NAME.fullmatch(entry.name))
        for old in reports[:-KEPT]:
            with suppress(OSError):
                os.unlink(old, dir_fd=directory)
    finally:
        os.close(directory)
    return str(root / PRIVATE / DIRECTORY / name)
