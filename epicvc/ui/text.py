"""Turns user data into text that a terminal may safely show."""

from __future__ import annotations

from epicvc.base.escape import printable as printable

TYPE_CHECKING = False  # not that of typing: errors import this module, and must not wait for typing
if TYPE_CHECKING:
    from epicvc.base.jsonio import JSON

_WORDS = frozenset({"true", "false", "null", "(absent)", "nothing"})


def shown(value: JSON, width: int = 80) -> str:
    """Return a value on one line, shortened in the middle where it is long.

    A text has no quotes, except one that would read as another value: ``"1"`` beside ``1``, ``"true"`` beside ``true``,
    and the empty text.
    """
    from epicvc.base.jsonio import dumps_text

    if isinstance(value, str) and not _reads_as_another(value):
        text = value
    else:
        text = dumps_text(value, indent=None, item_sep=", ", key_sep=": ")
    return shortened(printable(text), width)


def shortened(text: str, width: int = 80) -> str:
    """Return a text, without its middle where it is longer than a width."""
    if len(text) <= width:
        return text
    half = (width - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def _reads_as_another(text: str) -> bool:
    """Return whether a text without quotes would be taken for a value of another type, or for none."""
    if not text or text != text.strip() or text in _WORDS or text[0] in '"[{':
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: ``1 epic``, ``3 epics``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
