"""A look at many files by a forked process, while this one is busy with something else.

A command in a large repo spends as long on a ``stat`` of each file as on importing what it works with. A thread would
not help, since both need the interpreter. The process is forked while little is imported, so that there is little to
copy; it looks, writes what it found into a pipe, and ends without running anything that was registered for the end.

Nothing depends on it: whatever is wrong with the look, there is none, and the caller looks for itself. What is taken is
how the files were when the command began; a file that came, went or was replaced since then shows in its directory.
"""

from __future__ import annotations

import os
import struct
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

from epicvc.files.scan import STAT_SIZE, FoundFiles, is_settled, scan, stat_key

OLDEST_S: Final = 2.0
"""How old a look may be when it is taken. One that is older belongs to a process that was stopped in between."""

MOST_DIRECTORIES: Final = 300
"""Directories in which one looks early: each takes the caller another look."""

_PIPE_BYTES: Final = 1 << 20  # as much as anybody may ask for
_HEAD: Final = struct.Struct("<4sQQQQ")  # a mark; how many paths, directories, and texts of what was left out; bytes
_MARK: Final = b"look"
_END: Final = "\0"  # in no path


class Question(NamedTuple):
    """Which files are meant: what :func:`epicvc.files.scan.scan` is told.

    Attributes:
        root: the files directory.
        include: patterns.
        exclude: patterns.
    """

    root: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]


class Answer(NamedTuple):
    """What a look found.

    Attributes:
        found: the tracked files.
        skipped: what would be tracked if it were a regular file, with the reason.
        directories: those that were read, relative to the root, with a ``/`` at the end.
        stamps: the :func:`~epicvc.files.scan.stat_key` of each from before it was read, one after the other.
    """

    found: FoundFiles
    skipped: list[tuple[str, str]]
    directories: list[str]
    stamps: bytes


class TooManyDirectories(Exception):
    """There are so many directories that nothing would be saved."""


def look(question: Question) -> Answer:
    """Look in this process.

    Raises:
        FileUnavailable: a directory cannot be read.
        UnsafeName: a tracked file's name is not UTF-8.
        TooManyDirectories: nothing would be saved.
    """
    skipped: list[tuple[str, str]] = []
    directories: list[str] = []
    stamps = bytearray()
    root, include, exclude = question

    def enter(directory: str) -> None:
        if len(directories) == MOST_DIRECTORIES:
            raise TooManyDirectories
        directories.append(directory)
        stamps.extend(stat_key(Path(root, directory).stat()))

    found = scan(
        Path(root), include, exclude, skipped=lambda path, reason: skipped.append((path, reason)), entered=enter
    )
    return Answer(found, skipped, directories, bytes(stamps))


class EarlyLook:
    """A look that is under way in another process.

    Args:
        question: what it looks for.
        witness: a file that every command changes which changes tracked files; once that happened, the look is none.
        stamp: the witness' :func:`~epicvc.files.scan.stat_key` from before the look.
        process: the other process.
        pipe: where it writes.
    """

    def __init__(self, question: Question, witness: str, stamp: bytes, process: int, pipe: int) -> None:
        self._question, self._witness, self._stamp = question, witness, stamp
        self._process: int | None = process
        self._pipe: int | None = pipe
        self._begun_s = time.monotonic()

    @classmethod
    def begin(cls, question: Question, witness: str) -> EarlyLook | None:
        """Begin to look.

        Args:
            question: what to look for.
            witness: see :class:`EarlyLook`.

        Returns:
            ``None`` where that is not possible or not safe: no ``fork``, other threads, no witness or one that was
            written so recently that it may be written again without a trace.
        """
        if not hasattr(os, "fork") or threading.active_count() > 1:
            return None
        stamp = _stamp(witness)
        if stamp is None or not is_settled(stamp, time.time_ns()):
            return None
        try:
            reading, writing = os.pipe()
        except OSError:
            return None
        parent = os.getpid()
        try:
            process = os.fork()
            if process == 0:
                _answer(question, reading, writing)
        except OSError:  # there may be no more processes, or no memory
            os.close(reading)
            os.close(writing)
            return None
        finally:
            if os.getpid() != parent:  # interrupted before it could begin
                os._exit(1)
        os.close(writing)
        return cls(question, witness, stamp, process, reading)

    def take(self, question: Question) -> Answer | None:
        """What the look found, once; it waits for the answer, not for the other process to end.

        Args:
            question: what the caller wants to know.

        Returns:
            ``None`` where the caller has to look for itself: another question, or a look that failed, is incomplete or
            too old, or was overtaken by another command or by somebody who replaced a file.
        """
        pipe, self._pipe = self._pipe, None
        if pipe is None:
            return None
        try:
            if question != self._question or time.monotonic() - self._begun_s > OLDEST_S:
                return None
            answer = _received(pipe)
        finally:
            os.close(pipe)
        return answer if answer and self._still_holds(answer) else None

    def _still_holds(self, answer: Answer) -> bool:
        root, stamps = self._question.root, answer.stamps
        try:
            now = b"".join(stat_key(Path(root, directory).stat()) for directory in answer.directories)
        except OSError:
            return False
        return now == stamps and _stamp(self._witness) == self._stamp

    def close(self) -> None:
        """Have the other process ended, whatever it is at."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError, ChildProcessError):  # some parents have the system forget children at once
            if os.waitpid(process, os.WNOHANG) == (0, 0):
                import signal  # takes a millisecond

                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)


def _answer(question: Question, reading: int, writing: int) -> NoReturn:
    """What the other process does. It never returns, nor runs what this process would when it ends."""
    code = 1
    try:
        os.close(reading)
        _widen(writing)
        rest = memoryview(_packed(look(question)))
        while rest:
            rest = rest[os.write(writing, rest) :]
        code = 0
    finally:
        os._exit(code)


def _widen(pipe: int) -> None:
    """Make room for the whole answer, where the system can, so that writing it waits for nobody."""
    import fcntl

    with suppress(AttributeError, OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _stamp(path: str) -> bytes | None:
    try:
        return stat_key(os.lstat(path))
    except OSError:
        return None


def _packed(answer: Answer) -> bytes:
    found, skipped, directories, stamps = answer
    texts = [text for pair in skipped for text in pair]
    names = "".join(name + _END for name in (*found.paths, *directories, *texts)).encode("utf-8", "surrogateescape")
    head = _HEAD.pack(_MARK, len(found.paths), len(directories), len(texts), len(names))
    return head + names + found.stats + stamps


def _received(pipe: int) -> Answer | None:
    """What :func:`_packed` made, from a pipe; ``None`` where some of it is missing."""
    data, length, body = bytearray(), _HEAD.size, 0
    paths = directories = texts = 0
    try:
        while len(data) < length:
            more = os.read(pipe, _PIPE_BYTES)
            if not more:
                return None
            data += more
            if not body and len(data) >= _HEAD.size:
                mark, paths, directories, texts, names = _HEAD.unpack_from(data)
                if mark != _MARK:
                    return None
                body = _HEAD.size + names
                length = body + (paths + directories) * STAT_SIZE
    except OSError:
        return None
    *found, rest = data[_HEAD.size : body].decode("utf-8", "surrogateescape").split(_END)
    if rest or len(found) != paths + directories + texts or len(data) != length or texts % 2:
        return None
    stamps = body + paths * STAT_SIZE
    left = iter(found[paths + directories :])
    return Answer(
        FoundFiles(found[:paths], bytes(data[body:stamps])),
        list(zip(left, left, strict=True)),
        found[paths : paths + directories],
        bytes(data[stamps:]),
    )
