"""Decodes keys from a terminal's bytes: characters of UTF-8 and escape sequences, however reads cut them. Pure."""

from __future__ import annotations

from typing import Final

UP, DOWN, LEFT, RIGHT = "up", "down", "left", "right"
PAGE_UP, PAGE_DOWN, HOME, END = "page up", "page down", "home", "end"
ENTER, ESCAPE, BACKSPACE, TAB = "enter", "escape", "backspace", "tab"
INTERRUPT, SUSPEND, REDRAW, END_OF_INPUT = "interrupt", "suspend", "redraw", "end of input"
UNKNOWN = "unknown"

_ESC: Final = 0x1B
_CONTROLS: Final = {
    0x03: INTERRUPT,
    0x04: END_OF_INPUT,
    0x08: BACKSPACE,
    0x09: TAB,
    0x0A: ENTER,
    0x0C: REDRAW,
    0x0D: ENTER,
    0x1A: SUSPEND,
    0x7F: BACKSPACE,
}
_FINALS: Final = {"A": UP, "B": DOWN, "C": RIGHT, "D": LEFT, "H": HOME, "F": END}
_TILDES: Final = {"1": HOME, "4": END, "5": PAGE_UP, "6": PAGE_DOWN, "7": HOME, "8": END}


class Decoder:
    """Takes bytes as they come and returns the complete keys."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def waiting(self) -> bool:
        """Tell whether bytes of an unfinished key are held. A lone escape counts as one, until some time has passed."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[str]:
        """Return the keys that are complete now. A printable key is its character."""
        self._rest += data
        keys: list[str] = []
        while self._rest:
            key, used = _next(self._rest)
            if not used:
                break
            self._rest = self._rest[used:]
            keys.append(key)
        return keys

    def flush(self) -> list[str]:
        """Return the held bytes as a key, since nothing followed: a lone escape is the escape key."""
        rest, self._rest = self._rest, b""
        if not rest:
            return []
        return [ESCAPE] if rest == b"\x1b" else [UNKNOWN]


def _next(data: bytes) -> tuple[str, int]:
    """Return the first key and the number of its bytes, which is 0 while the key is incomplete."""
    first = data[0]
    if first == _ESC:
        return _escape(data)
    if first in _CONTROLS:
        return _CONTROLS[first], 1
    if first < 0x20:
        return UNKNOWN, 1
    length = 1 if first < 0x80 else 2 if 0xC2 <= first < 0xE0 else 3 if first < 0xF0 else 4 if first < 0xF5 else 0
    if not length or first in range(0x80, 0xC2):
        return UNKNOWN, 1
    for position, byte in enumerate(data[1:length], 1):
        if byte & 0xC0 != 0x80:
            return UNKNOWN, position  # the character is cut short: the next byte begins a new one
    if len(data) < length:
        return "", 0
    try:
        return data[:length].decode(), length
    except UnicodeDecodeError:
        return UNKNOWN, length


def _escape(data: bytes) -> tuple[str, int]:
    if len(data) == 1:
        return "", 0
    if data[1] == _ESC:
        return ESCAPE, 1
    if data[1:2] == b"O":
        return ("", 0) if len(data) < 3 else (_FINALS.get(chr(data[2]), UNKNOWN), 3)
    if data[1:2] != b"[":
        return UNKNOWN, 2  # Alt with a key
    for position in range(2, len(data)):
        byte = data[position]
        if 0x40 <= byte <= 0x7E:
            body, final = data[2:position].decode("ascii", "replace"), chr(byte)
            name = _TILDES.get(body.split(";")[0], UNKNOWN) if final == "~" else _FINALS.get(final, UNKNOWN)
            return name, position + 1
        if not 0x20 <= byte <= 0x3F:
            return UNKNOWN, position  # no sequence goes on like this
    return "", 0
