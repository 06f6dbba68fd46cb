"""Runs a command in a real pseudo-terminal: keys go in, and a screen comes out."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyte

from support.guard import ROOT

PATIENCE = 60.0
"""Seconds after which a screen that was waited for is taken never to come."""

# Makes the pseudo-terminal the controlling one, from which signals come, and then becomes the command.
_LAUNCH = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""

ENTER, ESCAPE, DOWN, UP, PAGE_DOWN, INTERRUPT, STOP = b"\r", b"\x1b", b"\x1b[B", b"\x1b[A", b"\x1b[6~", b"\x03", b"\x1a"


class Tty:
    """A running command and the screen of its terminal."""

    def __init__(self, arguments: list[str], directory: Path, columns: int, lines: int, **environment: str) -> None:
        self.master, slave = pty.openpty()
        self.resize(columns, lines, tell=False)
        self.before: list[Any] = termios.tcgetattr(slave)
        self.raw = b""
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCH, *arguments],
            cwd=directory,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "TZ": "UTC", **environment},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        self._slave = slave  # held open, so that its settings can be looked at when the command has ended

    @property
    def text(self) -> str:
        """The text that the screen shows."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def resize(self, columns: int, lines: int, *, tell: bool = True) -> None:
        """Give the terminal another size, as when a window is dragged."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        if tell:
            self._screen.resize(lines, columns)

    def send(self, data: bytes | str) -> None:
        """Type keys."""
        os.write(self.master, data.encode() if isinstance(data, str) else data)

    def kill(self, number: signal.Signals) -> None:
        """Send the command a signal."""
        self._process.send_signal(number)

    def until(self, *texts: str) -> str:
        """Wait until the screen shows all texts. Returns what it shows then."""
        end = time.monotonic() + PATIENCE
        while not all(text in self.text for text in texts):
            assert time.monotonic() < end, f"{texts} never came:\n{self.text}"
            assert self._read(0.2) or self._process.poll() is None, f"it ended without {texts}:\n{self.text}"
        return self.text

    def press(self, keys: bytes | str, *texts: str) -> str:
        """Type keys, and wait until the screen shows all texts."""
        self.send(keys)
        return self.until(*texts)

    def end(self) -> int:
        """Wait for the command to end. Returns its exit code."""
        end = time.monotonic() + PATIENCE
        while self._process.poll() is None:
            assert time.monotonic() < end, f"it does not end:\n{self.text}"
            self._read(0.1)
        while self._read(0.0):
            pass
        return self._process.returncode

    def restored(self) -> bool:
        """Return whether the terminal is as it was: its settings, its screen and its cursor."""
        same = termios.tcgetattr(self._slave) == self.before
        return (
            same
            and self.raw.rfind(b"\x1b[?1049l") > self.raw.rfind(b"\x1b[?1049h")
            and self.raw.count(b"\x1b[?25h") > 0
        )

    def hang_up(self) -> None:
        """Close the terminal, as a lost connection does."""
        os.close(self._slave)
        os.close(self.master)
        self.master = self._slave = -1

    def ended(self) -> int:
        """Return the exit code of a command whose terminal is gone."""
        return self._process.wait(PATIENCE)

    def _read(self, seconds: float) -> bool:
        if self.master < 0 or not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # everyone has closed the other end
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    def close(self) -> None:
        """End the command, whatever it does, and close the terminal."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for descriptor in (self.master, self._slave):
            if descriptor >= 0:
                os.close(descriptor)


@contextlib.contextmanager
def terminal(
    arguments: list[str], directory: Path, *, columns: int = 80, lines: int = 24, **environment: str
) -> Iterator[Tty]:
    """Run a command in a terminal of its own."""
    tty = Tty(arguments, directory, columns, lines, **environment)
    try:
        yield tty
    finally:
        tty.close()
