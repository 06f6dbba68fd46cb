"""The log of one command: its destinations, levels and the form of its lines.

``-v``, ``-vv`` and ``EPICVC_LOG`` ask for a log on stderr. ``--log-file`` asks for one in a file, which has values of
plans only together with ``-vv``.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final

from epicvc import __version__
from epicvc.base.escape import printable
from epicvc.base.logs import ROOT, Log
from epicvc.cli.settings import LEVEL
from epicvc.errors import EpicvcError, FileUnavailable, UsageError
from epicvc.repo.home.ways import require_own_way

if TYPE_CHECKING:
    from epicvc.cli.settings import CommandSettings

LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}

_LOG = Log("command")


@contextmanager
def logged(name: str, settings: CommandSettings | None = None) -> Iterator[None]:
    """Log a command from its beginning to its end.

    Args:
        name: the command's words.
        settings: the settings from the common flags; ``None`` for a command that takes none.

    Raises:
        UsageError: ``EPICVC_LOG`` names no level.
        FileUnavailable: the file cannot be written.
    """
    root = logging.getLogger(ROOT)
    before = root.level
    handlers = _handlers(settings)
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(min([handler.level for handler in handlers], default=before))
    try:
        with _told(name):
            yield
    finally:
        root.setLevel(before)
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()


def logging_run(name: str, run: Callable[[], int]) -> Callable[[], int]:
    """Return a function that runs a command without common flags, logged as ``EPICVC_LOG`` asks for."""

    def logging_it() -> int:
        with logged(name):
            return run()

    return logging_it


@contextmanager
def _told(name: str) -> Iterator[None]:
    began = perf_counter()
    _LOG.debug("%s begins: epicvc %s, Python %s", name, __version__, sys.version.split()[0])
    try:
        yield
    except BaseException as error:
        kind = error.kind if isinstance(error, EpicvcError) else type(error).__name__
        _LOG.info("%s ends with an error, %s", name, kind, seconds=perf_counter() - began)
        _LOG.debug("%s", error)
        raise
    _LOG.info("%s ends", name, seconds=perf_counter() - began)


def _handlers(settings: CommandSettings | None) -> list[logging.Handler]:
    found: list[logging.Handler] = []
    level = _level_of_stderr(settings)
    if level is not None:
        found.append(_Lines(level))
    if settings is not None and settings.log_file is not None:
        path = settings.start() / settings.log_file
        require_own_way(path, settings.start())
        detail = logging.DEBUG if settings.debug else logging.INFO
        found.append(_FileLines(detail, path))
    return found


def _level_of_stderr(settings: CommandSettings | None) -> int | None:
    wanted = os.environ.get(LEVEL) or None
    if wanted is not None and wanted.lower() not in LEVELS:
        raise UsageError(f"EPICVC_LOG takes {', '.join(LEVELS)}, not {wanted!r}")
    levels = [LEVELS[wanted.lower()]] if wanted is not None else []
    if settings is not None and settings.verbose:
        levels.append(logging.DEBUG if settings.debug else logging.INFO)
    return min(levels, default=None)


def _opened(path: Path) -> int:
    """Open the file, which is made for its owner alone.

    A link is not followed: in a clone it could lead anywhere.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        reason = "a symlink, which is not followed" if error.errno == errno.ELOOP else error.strerror
        raise FileUnavailable(str(path), reason or str(error)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileUnavailable(str(path), "not a regular file")
    return descriptor


class _Lines(logging.Handler):
    """Writes one line a record to stderr."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.setFormatter(_Line())

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record. One that cannot be written is no failure of the command."""
        with suppress(OSError, ValueError):
            sys.stderr.write(self.format(record) + "\n")


class _FileLines(_Lines):
    """Writes one line a record to the end of a file. Each line is written whole, since several processes may write.

    Raises:
        FileUnavailable: the file cannot be opened.
    """

    def __init__(self, level: int, path: Path) -> None:
        self._descriptor: int | None = _opened(path)
        self._path = path
        self._failed = False
        super().__init__(level)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record. The first failure to do so is reported, and later ones are not."""
        if self._descriptor is None or self._failed:
            return
        try:
            os.write(self._descriptor, (self.format(record) + "\n").encode("utf-8", "backslashreplace"))
        except OSError as error:
            self._failed = True
            sys.stderr.write(printable(f"epicvc: {self._path}: the log cannot be written: {error.strerror}") + "\n")

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        super().close()


class _Line(logging.Formatter):
    """Formats a record as ``2025-08-17T10:00:00.123Z 4711 INFO epicvc.sync what happened``."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(process)d %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line, with unprintable characters escaped."""
        return printable(super().format(record))
