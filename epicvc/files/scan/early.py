"""Looks at many files in a forked process, while this process is busy with something else.

A command in a large repo spends as long on a ``stat`` of each file as on its imports. A thread would not help, since
both need the interpreter. The process is forked when only the imports that both need are made, so that there is little
to copy. It looks, writes its findings into a pipe, and ends without running exit handlers.

Nothing depends on it: where anything is wrong with the look, the caller gets none, and looks for itself. The findings
tell how the files were when the command began. A file that came, went or was replaced since then shows in its
directory.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from epicvc.files.scan.looking import Answer, Question

OLDEST_S = 2.0
"""The greatest age of a look that is taken, in seconds. An older one is of a process that was stopped in between."""


class EarlyLook:
    """A look that is under way in another process.

    Args:
        question: the files to look for.
        witness: a file that is changed by every command that changes tracked files; once it has changed, the look does
            not count.
        before: the stat of the witness before the look.
        begun_ns: the time before that stat.
        process: the other process.
        pipe: the pipe into which it writes.
    """

    def __init__(
        self, question: Question, witness: str, before: os.stat_result, begun_ns: int, process: int, pipe: int
    ) -> None:
        self._question, self._witness, self._before = question, witness, before
        self._process: int | None = process
        self._pipe: int | None = pipe
        self._begun_ns, self._begun_s = begun_ns, time.monotonic()

    @classmethod
    def begin(cls, question: Question, witness: str) -> EarlyLook | None:
        """Begin to look.

        Args:
            question: the files to look for.
            witness: see :class:`EarlyLook`.

        Returns:
            The look; ``None`` where one is not possible or not safe: no ``fork``, other threads, no witness.
        """
        if not hasattr(os, "fork") or _has_other_threads():
            return None
        _import_what_both_need()
        begun_ns = time.time_ns()
        try:
            before = os.lstat(witness)
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
        return cls(question, witness, before, begun_ns, process, reading)

    def take(self, question: Question) -> Answer | None:
        """Return the findings of the look, once.

        The call waits for the answer, not for the other process to end.

        Args:
            question: the files that the caller wants to know of.

        Returns:
            The findings; ``None`` where the caller has to look for itself: another question, or a look that failed, is
            incomplete or too old, or was overtaken by another command or by somebody who replaced a file.
        """
        pipe, self._pipe = self._pipe, None
        if pipe is None:
            return None
        try:
            if question != self._question or time.monotonic() - self._begun_s > OLDEST_S:
                return None
            from epicvc.files.scan.looking import receive

            answer = receive(pipe)
        finally:
            os.close(pipe)
        return answer if answer and self._still_holds(answer) else None

    def _still_holds(self, answer: Answer) -> bool:
        from epicvc.files.scan.looking import stamp_of
        from epicvc.files.scan.scan import is_settled, stat_key

        root, before = self._question[0], stat_key(self._before)
        try:
            now = b"".join(stamp_of(root, directory) for directory in answer.directories)
            witness = stat_key(os.lstat(self._witness))
        except OSError:
            return False
        # A witness that had just been written could be written once more without a trace.
        return now == answer.stamps and witness == before and is_settled(before, self._begun_ns)

    def close(self) -> None:
        """End the other process, whatever it is doing."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
        process, self._process = self._process, None
        if process is None:
            return
        try:
            if os.waitpid(process, os.WNOHANG) == (0, 0):
                import signal  # imported late: it takes a millisecond

                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
        except (ProcessLookupError, ChildProcessError):
            pass  # some parents have the system forget children at once


def _import_what_both_need() -> None:
    """Import the modules that this process imports later anyway, so that the other one need not do it again."""
    import re  # noqa: F401

    import epicvc.files.scan.looking  # noqa: F401


def _has_other_threads() -> bool:
    threading = sys.modules.get("threading")  # without this module there are no other threads
    return threading is not None and threading.active_count() > 1


def _answer(question: Question, reading: int, writing: int) -> NoReturn:
    """Do the work of the other process. It never returns, and runs none of this process's exit handlers."""
    code = 1
    try:
        os.close(reading)
        from epicvc.files.scan.looking import look, send

        send(look(question), writing)
        code = 0
    finally:
        os._exit(code)
