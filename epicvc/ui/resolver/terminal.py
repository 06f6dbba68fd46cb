"""A real terminal in raw mode: reads keys, draws screens, and restores the terminal whatever happens.

Interrupts come as keys, since raw mode sends no signals. Signals from elsewhere, a stop and a resize come through one
pipe, so that no key press is lost between two of them.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import termios
import tty
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from epicvc.ui.resolver import keys
from epicvc.ui.resolver.keys import Decoder

ESCAPE_SECONDS: Final = 0.05
"""The seconds that the rest of an escape sequence may take.

It is longer than slow lines need, since they send a sequence in one piece.
"""

_ENTER: Final = "\x1b[?1049h\x1b[?25l"  # the alternate screen, without a cursor
_LEAVE: Final = "\x1b[?25h\x1b[?1049l"
_ENDING: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_HEARD: Final = (signal.SIGWINCH, signal.SIGCONT, signal.SIGTSTP)

RESIZED: Final = "resized"


class Ended(BaseException):
    """Raised when a signal ends the program, so that the terminal is restored first.

    Args:
        number: the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Terminal:
    """The terminal at standard input and output."""

    def __init__(self) -> None:
        self._in = sys.stdin.fileno()
        self._out = sys.stdout.fileno()
        self._saved: list[Any] = []
        self._decoder = Decoder()
        self._ready: deque[str] = deque()
        self._pipe: tuple[int, int] = (-1, -1)

    @contextmanager
    def opened(self) -> Iterator[Terminal]:
        """Take the terminal over, and restore it when the block ends.

        Raises:
            Ended: a signal asks the program to end.
        """
        self._saved = termios.tcgetattr(self._in)
        self._pipe = os.pipe()
        for end in self._pipe:
            os.set_blocking(end, False)
        before: dict[int, Any] = {number: signal.getsignal(number) for number in (*_ENDING, *_HEARD)}
        wakeup = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        for heard in _HEARD:
            signal.signal(heard, _heard)
        for ending in _ENDING:
            signal.signal(ending, _end)
        try:
            self._take()
            yield self
        finally:
            # A signal that comes now must not stop the restoring of the terminal.
            for ending in _ENDING:
                signal.signal(ending, signal.SIG_IGN)
            self._give_back()
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            for end in self._pipe:
                os.close(end)

    def size(self) -> tuple[int, int]:
        """Return the number of columns and of lines."""
        try:
            size = os.get_terminal_size(self._out)
        except OSError:
            size = shutil.get_terminal_size()
        return size.columns or 80, size.lines or 24

    def key(self) -> str:
        """Wait for the next key, and return it, or ``RESIZED``."""
        while not self._ready:
            wait = ESCAPE_SECONDS if self._decoder.waiting else None
            readable, _, _ = select.select([self._in, self._pipe[0]], [], [], wait)
            if self._pipe[0] in readable:
                self._hear(os.read(self._pipe[0], 64))
            if self._in in readable:
                self._read()
            elif not readable:
                self._ready.extend(self._decoder.flush())
        return self._ready.popleft()

    def _read(self) -> None:
        try:
            data = os.read(self._in, 1024)
        except OSError:  # the terminal went away
            data = b""
        self._ready.extend(self._decoder.feed(data) if data else [keys.END_OF_INPUT])

    def _hear(self, numbers: bytes) -> None:
        for number in numbers:
            if number == signal.SIGTSTP:
                self._ready.append(keys.SUSPEND)
            elif number == signal.SIGCONT:
                self._take()
                self._ready.append(RESIZED)
            elif number == signal.SIGWINCH:
                self._ready.append(RESIZED)

    def show(self, lines: Sequence[str]) -> None:
        """Draw a screen in one write, over what is there, so that nothing flickers."""
        self._write("\x1b[H" + "\x1b[K\r\n".join(lines) + "\x1b[K\x1b[J")

    def suspend(self) -> None:
        """Stop as ctrl-Z does everywhere, with the terminal restored. When continued, take it over again."""
        self._give_back()
        before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.killpg(os.getpgrp(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, before)
        self._take()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Lend the terminal to another program until the block ends.

        The keyboard's signals reach this program as well. An interrupt is meant for the other program, and a stop stops
        both.
        """
        # Not SIG_IGN: the other program would inherit it.
        before = {signal.SIGINT: signal.signal(signal.SIGINT, _heard)}
        before |= {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTSTP, signal.SIGCONT)}
        self._give_back()
        try:
            yield
        finally:
            self._take()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _take(self) -> None:
        tty.setraw(self._in, termios.TCSADRAIN)
        self._write(_ENTER)

    def _give_back(self) -> None:
        try:
            self._write(_LEAVE)
            termios.tcsetattr(self._in, termios.TCSADRAIN, self._saved)
        except (OSError, termios.error):  # the terminal is gone; there is nothing to restore
            return

    def _write(self, text: str) -> None:
        rest = memoryview(text.encode(sys.stdout.encoding or "utf-8", "backslashreplace"))
        while rest:
            rest = rest[os.write(self._out, rest) :]


def _heard(_number: int, _frame: FrameType | None) -> None:
    """Ignore a signal that only wakes the loop: the wake-up pipe tells which one it was."""


def _end(number: int, _frame: FrameType | None) -> None:
    raise Ended(number)
