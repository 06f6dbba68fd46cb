"""Turns user data into text that a terminal or a log may safely show."""

from __future__ import annotations

_KEEP = {0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t", 0x1B: "\\e"}


def printable(text: str) -> str:
    """Return a text with every unprintable character written as an escape.

    Control characters, direction overrides and lone surrogates could move the cursor, recolour the screen, make text
    read as something else, or begin another line of a log.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(ord(char)) for char in text)


def _escape(code: int) -> str:
    if code in _KEEP:
        return _KEEP[code]
    if code == 0xA0:
        return "\u00a0"  # a no-break space is harmless, and common in prose
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
