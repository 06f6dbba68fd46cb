"""The standard streams and Ctrl-C, from the first instruction of the program to the last.

A stream may be closed, as under cron, or full, and somebody may press Ctrl-C while modules are imported. None of that
may end in a traceback, in an exit code with another meaning, or in a database file that gets the number of a closed
stream.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` imports enum, 2 ms, to make names of these numbers
import os
import sys

TYPE_CHECKING = False  # not that of typing, which takes 2 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any, TextIO

_INTERRUPT = {_signal.SIGINT, _signal.SIGALRM}
_IMPORTING = "<frozen importlib"
_SOON = 0.02
"""The seconds after which a Ctrl-C is tried again that came in the middle of an import."""


class _Stream:
    """A standard stream that handles its own errors."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self.failed(error)
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        try:
            self._stream.flush()
        except OSError as error:
            self.failed(error)

    def failed(self, error: OSError) -> None:
        """Ignore an error: a message that cannot be written is lost, and the exit code of the work stands."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Output(_Stream):
    """stdout. An error of it is the failure of the command, whatever else goes wrong."""

    lost: OSError | None = None

    def failed(self, error: OSError) -> None:
        """Remember that the error came from stdout, since the error itself does not tell, and raise it."""
        self.lost = error
        raise error


class _Pressed:
    """The state of Ctrl-C.

    The exception alone does not tell whether it was pressed: code that catches everything may have caught it.

    Attributes:
        once: whether it was pressed.
        held: whether :func:`begin` was called in this process, so that Ctrl-C is held back except in :func:`listening`.
    """

    def __init__(self) -> None:
        self.once = False
        self.held = False

    def note(self, _number: int, frame: FrameType | None) -> None:
        """Stop the running code, but not an import: a library in C that asked for the import may not survive that."""
        self.once = True
        while frame is not None:
            if frame.f_code.co_filename.startswith(_IMPORTING):
                _signal.setitimer(_signal.ITIMER_REAL, _SOON)
                return
            frame = frame.f_back
        raise KeyboardInterrupt


pressed = _Pressed()


def begin() -> None:
    """Open closed streams, and hold Ctrl-C back until :func:`listening`."""
    _signal.pthread_sigmask(_signal.SIG_BLOCK, _INTERRUPT)
    pressed.held = True
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:
        _open_closed()
    sys.stdout, sys.stderr = _Output(sys.stdout), _Stream(sys.stderr)


def listening(run: Callable[[], int]) -> int:
    """Run a function that Ctrl-C may stop.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    # the program that started us may want Ctrl-C ignored
    if pressed.held and _signal.getsignal(_signal.SIGINT) is not _signal.SIG_IGN:
        _signal.signal(_signal.SIGINT, pressed.note)
        _signal.signal(_signal.SIGALRM, pressed.note)
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, _INTERRUPT)
    return run()


def deafen() -> None:
    """Hold Ctrl-C back from now on: all that is left is to report the outcome, and to end."""
    if pressed.held:
        _signal.pthread_sigmask(_signal.SIG_BLOCK, _INTERRUPT)


def flush() -> OSError | None:
    """Flush stdout. Return the error that prevents it, now or earlier, or ``None``."""
    lost: OSError | None = getattr(sys.stdout, "lost", None)
    if lost is None:
        try:
            sys.stdout.flush()
        except OSError as error:
            return error
    return lost


def lose(error: OSError) -> None:
    """Note an error of the byte stream below stdout, and raise it."""
    failed = getattr(sys.stdout, "failed", None)
    if failed is not None:
        failed(error)
    raise error


def give_up_output() -> None:
    """Discard the rest of stdout, so that the interpreter ends without a further message about it."""
    try:  # noqa: SIM105  (contextlib takes longer to import than --version may take)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError:  # a stand-in for stdout has no descriptor
        pass


def _open_closed() -> None:
    """Open the null device in the place of closed streams, so that no other file gets their numbers."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    sys.stdin = sys.stdin or open(0)  # noqa: SIM115  (for as long as the process lives)
    sys.stdout = sys.stdout or open(1, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w")  # noqa: SIM115
