"""User data as a terminal may safely show it."""

from __future__ import annotations

TYPE_CHECKING = False  # not typing's: errors pass here
if TYPE_CHECKING:
    from epicvc.jsonio import JSON

_KEEP = {0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t", 0x1B: "\\e"}


def printable(text: str) -> str:
    """The text with every character that does not print written as an escape.

    Control characters, direction overrides and lone surrogates could move the cursor, recolour the screen or make
    text read as something else.
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


def shown(value: JSON, width: int = 80) -> str:
    """A value on one line, shortened in the middle where it is long."""
    from epicvc.jsonio import dumps_text

    text = (
        printable(value)
        if isinstance(value, str)
        else printable(dumps_text(value, indent=None, item_sep=", ", key_sep=": "))
    )
    if len(text) <= width:
        return text
    half = (width - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: ``1 epic``, ``3 epics``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
