"""Asking a process of its own about the pages of a database file, see :mod:`epicvc.database.sqlite.pages.marks`.

Not this process: POSIX drops every lock that a process has on a file when it closes any descriptor of that file, and
with them those of SQLite's connections, ours and the application's. It is another processor too.
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
    from epicvc.database.sqlite.pages.marks import Changes

WORTH_MARKING: Final = 16 << 20
"""Bytes of a database that take longer to read than a process takes to start."""

_START: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from epicvc.database.sqlite.pages.marks import main; main()"
)


class HeldFile(Struct, frozen=True):
    """A database file that does not change in the pages that count, since a read transaction holds it.

    Attributes:
        path: where it is.
        identity: its device and inode, the same before and after the transaction began.
    """

    path: Path
    identity: tuple[int, int]

    @contextmanager
    def marking(self, roots: dict[str, Root]) -> Iterator[Callable[[], bytes | None]]:
        """Make a mark in the meantime; what is given waits for it. ``None``: the file does not let us."""
        with self._asked(roots, None) as wait:
            yield lambda: wait() or None

    @contextmanager
    def comparing(self, roots: dict[str, Root], mark: bytes) -> Iterator[Callable[[], Changes | None]]:
        """Compare with a mark in the meantime; what is given waits for it. ``None``: it cannot be told."""
        with self._asked(roots, mark) as wait:
            yield lambda: _changes(wait())

    @contextmanager
    def _asked(self, roots: dict[str, Root], mark: bytes | None) -> Iterator[Callable[[], bytes]]:
        """Ask; what is given waits for the answer, which is empty where there is none."""
        from epicvc.database.sqlite.pages.marks import Question

        question = Question(os.fsencode(self.path.absolute()), self.identity, roots, mark)
        process = _start()
        if process is None:
            yield bytes
            return
        with process:
            try:
                _tell(process, encode(question))
                yield cast("BinaryIO", process.stdout).read
            finally:
                process.kill()  # it holds nothing


def _start() -> subprocess.Popen[bytes] | None:
    import json
    import subprocess

    command = [sys.executable, "-S", "-c", _START, json.dumps([path for path in sys.path if path])]
    try:
        return subprocess.Popen(  # noqa: S603  (our own interpreter and code)
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        return None


def _tell(process: subprocess.Popen[bytes], question: bytes) -> None:
    stream = cast("BinaryIO", process.stdin)
    with suppress(OSError):  # it died; there will be no answer
        stream.write(question)
    with suppress(OSError):  # nor does closing it help, which tries to write what is left
        stream.close()


def _changes(answer: bytes) -> Changes | None:
    from epicvc.database.sqlite.pages.marks import Changes

    try:
        return decode(answer, type=Changes)
    except MsgspecError:  # there is none
        return None
