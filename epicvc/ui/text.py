"""User data as a terminal may safely show it."""

from __future__ import annotations

from epicvc.base.escape import printable as printable

TYPE_CHECKING = False  # not typing's: errors pass here
if TYPE_CHECKING:
    from epicvc.base.jsonio import JSON

_WORDS = frozenset({"true", "false", "null", "(absent)", "nothing"})


def shown(value: JSON, width: int = 80) -> str:
    """A value on one line, shortened in the middle where it is long.

    A text stands without quotes, but for one that would read as another value: ``"1"`` beside ``1``, ``"true"``
    beside ``true``, and the empty one.
    """
    from epicvc.base.jsonio import dumps_text

    if isinstance(value, str) and not _reads_as_another(value):
        text = value
    else:
        text = dumps_text(value, indent=None, item_sep=", ", key_sep=": ")
    return shortened(printable(text), width)


def shortened(text: str, width: int = 80) -> str:
    """A text as it is, or without its middle where it is longer than that."""
    if len(text) <= width:
        return text
    half = (width - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def _reads_as_another(text: str) -> bool:
    """Whether a text without quotes would be taken for a value of another type, or for none."""
    if not text or text != text.strip() or text in _WORDS or text[0] in '"[{':
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True


def count(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: ``1 epic``, ``3 epics``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
