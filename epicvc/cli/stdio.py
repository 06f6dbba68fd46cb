"""The standard streams and Ctrl-C, from the first instruction to the last.

A stream may be closed, as under cron, or full; somebody may press Ctrl-C while modules are imported. None of that may
end in a traceback, in an exit code that means something else, or in a database that gets a closed stream's number.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` imports enum, 2 ms, to make names of these numbers
import os
import sys

TYPE_CHECKING = False  # not typing's, which takes 2 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any, TextIO

_INTERRUPT = {_signal.SIGINT, _signal.SIGALRM}
_IMPORTING = "<frozen importlib"
_SOON = 0.02
"""Seconds after which Ctrl-C is heard that came in the middle of an import."""


class _Stream:
    """A standard stream, with a say in what becomes of its errors."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self.failed(error)
        return len(text)

    def flush(self) -> None:
        """Flush."""
        try:
            self._stream.flush()
        except OSError as error:
            self.failed(error)

    def failed(self, error: OSError) -> None:
        """Deal with an error. Here: messages that cannot be said are not said, and the exit code of the work stands."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Output(_Stream):
    """stdout: what cannot be written is what the command failed of, whatever else it says."""

    lost: OSError | None = None

    def failed(self, error: OSError) -> None:
        """Remember that it was stdout, since the error does not tell."""
        self.lost = error
        raise error


class _Pressed:
    """Whether Ctrl-C was pressed: what catches everything may have caught the exception on its way.

    Attributes:
        once: it was.
        held: it is held back but for what :func:`listening` does: :func:`begin` was called in this process.
    """

    def __init__(self) -> None:
        self.once = False
        self.held = False

    def note(self, _number: int, frame: FrameType | None) -> None:
        """Stop what is done; but not an import, since a library in C that asked for it may not survive that."""
        self.once = True
        while frame is not None:
            if frame.f_code.co_filename.startswith(_IMPORTING):
                _signal.setitimer(_signal.ITIMER_REAL, _SOON)
                return
            frame = frame.f_back
        raise KeyboardInterrupt


pressed = _Pressed()


def begin() -> None:
    """Open what is closed, and hold Ctrl-C back until :func:`listening`."""
    _signal.pthread_sigmask(_signal.SIG_BLOCK, _INTERRUPT)
    pressed.held = True
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:
        _open_closed()
    sys.stdout, sys.stderr = _Output(sys.stdout), _Stream(sys.stderr)


def listening(run: Callable[[], int]) -> int:
    """Do something that Ctrl-C may stop.

    Raises:
        KeyboardInterrupt: it was pressed.
    """
    if pressed.held and _signal.getsignal(_signal.SIGINT) is not _signal.SIG_IGN:  # as who started us may want it
        _signal.signal(_signal.SIGINT, pressed.note)
        _signal.signal(_signal.SIGALRM, pressed.note)
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, _INTERRUPT)
    return run()


def deafen() -> None:
    """Hold Ctrl-C back from now on: what is left is to say what came of it, and to end."""
    if pressed.held:
        _signal.pthread_sigmask(_signal.SIG_BLOCK, _INTERRUPT)


def flush() -> OSError | None:
    """Bring everything to stdout; gives why that cannot be done, now or earlier."""
    lost: OSError | None = getattr(sys.stdout, "lost", None)
    if lost is None:
        try:
            sys.stdout.flush()
        except OSError as error:
            return error
    return lost


def lose(error: OSError) -> None:
    """Note an error of the bytes below stdout, and raise it."""
    failed = getattr(sys.stdout, "failed", None)
    if failed is not None:
        failed(error)
    raise error


def give_up_output() -> None:
    """Let the interpreter end without another word on what cannot be written."""
    try:  # noqa: SIM105  (contextlib takes longer to import than --version may take)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError:  # a stand-in has no number
        pass


def _open_closed() -> None:
    """Put the null device where a stream is closed, so that no other file gets its number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    sys.stdin = sys.stdin or open(0)  # noqa: SIM115  (for as long as the process lives)
    sys.stdout = sys.stdout or open(1, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w")  # noqa: SIM115
