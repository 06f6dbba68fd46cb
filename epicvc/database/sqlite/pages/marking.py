"""Asks a separate process about the pages of a database file, see :mod:`epicvc.database.sqlite.pages.marks`.

This process must not open the file itself: POSIX drops every lock that a process has on a file when it closes any
descriptor of that file, and with them those of SQLite's connections, ours and the application's. A separate process
also uses another processor.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from msgspec import MsgspecError, Struct
from msgspec.msgpack import decode, encode

if TYPE_CHECKING:
    import subprocess

    from epicvc.database.sqlite.pages.btree import Root
    from epicvc.database.sqlite.pages.marks import PageChanges

WORTH_MARKING: Final = 16 << 20
"""The size in bytes from which reading a database takes longer than starting a process."""

_START: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from epicvc.database.sqlite.pages.marks import main; main()"
)


class HeldFile(Struct, frozen=True):
    """A database file whose relevant pages do not change, since a read transaction holds it.

    Attributes:
        path: the file.
        identity: its device and inode, the same before and after the transaction began.
    """

    path: Path
    identity: tuple[int, int]

    @contextmanager
    def marking(self, roots: dict[str, Root]) -> Iterator[Callable[[], bytes | None]]:
        """Make a mark in the meantime.

        The function that is yielded waits for the mark. It returns ``None`` where the file cannot be marked.
        """
        with self._asked(roots, None) as wait:
            yield lambda: wait() or None

    @contextmanager
    def comparing(self, roots: dict[str, Root], mark: bytes) -> Iterator[Callable[[], PageChanges | None]]:
        """Compare with a mark in the meantime.

        The function that is yielded waits for the changes. It returns ``None`` where they cannot be told.
        """
        with self._asked(roots, mark) as wait:
            yield lambda: _changes(wait())

    @contextmanager
    def _asked(self, roots: dict[str, Root], mark: bytes | None) -> Iterator[Callable[[], bytes]]:
        """Ask the process. The function that is yielded waits for the answer, which is empty where there is none."""
        from epicvc.database.sqlite.pages.marks import PageQuestion

        question = PageQuestion(os.fsencode(self.path.absolute()), self.identity, roots, mark)
        process = _start()
        if process is None:
            yield bytes
            return
        with process:
            try:
                _tell(process, encode(question))
                yield cast("BinaryIO", process.stdout).read
            finally:
                process.kill()  # safe to kill: it only reads


def _start() -> subprocess.Popen[bytes] | None:
    import json
    import subprocess

    # -S: without the site module Python starts faster, and the search path comes as an argument.
    command = [sys.executable, "-S", "-c", _START, json.dumps([path for path in sys.path if path])]
    try:
        return subprocess.Popen(  # noqa: S603  (our own interpreter and code)
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        return None


def _tell(process: subprocess.Popen[bytes], question: bytes) -> None:
    stream = cast("BinaryIO", process.stdin)
    with suppress(OSError):  # the process died; there will be no answer
        stream.write(question)
    with suppress(OSError):  # closing tries to write the rest, and fails in the same way
        stream.close()


def _changes(answer: bytes) -> PageChanges | None:
    from epicvc.database.sqlite.pages.marks import PageChanges

    try:
        return decode(answer, type=PageChanges)
    except MsgspecError:  # there is no answer
        return None
