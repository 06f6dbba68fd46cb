"""Checks the names and values of refs, by the rules of ``git check-ref-format``, a little stricter. No I/O."""

from __future__ import annotations

from typing import Final

from epicvc.errors import InvalidData, UnsafeName
from epicvc.store.objects import is_id

HEAD: Final = "HEAD"
SYMBOLIC: Final = "ref: "
"""The prefix before the name of another ref; only ``HEAD`` has such a value."""

_MAX_BYTES: Final = 255
_FORBIDDEN: Final = frozenset(' ~^:?*[\\"<>|\x7f')


def check_name(name: str) -> None:
    """Refuse a name that could not be typed, would mean something else in a revision, or is unsafe as a file.

    Raises:
        UnsafeName: the name is no name of a ref.
    """
    reason = None if name == HEAD else _flaw(name)
    if reason:
        raise UnsafeName(name, reason)


def check_value(name: str, value: str) -> None:
    """Refuse a value that a ref cannot have.

    Raises:
        InvalidData: it is neither a commit id nor, for ``HEAD``, the name of a ref.
    """
    if is_id(value):
        return
    target = value.removeprefix(SYMBOLIC)
    if name != HEAD or target in (value, HEAD) or _flaw(target):
        raise InvalidData(f"{name} cannot be {value[:80]!r}")


def _flaw(name: str) -> str | None:
    if not name.startswith("refs/"):
        return "a ref is HEAD or begins with refs/"
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        return "it is no Unicode text"
    if length > _MAX_BYTES:
        return f"longer than {_MAX_BYTES} bytes"
    if _FORBIDDEN & set(name) or not name.isprintable() or "@{" in name or ".." in name:
        return "it has a character that a ref cannot have"
    for part in name.split("/"):
        if not part or part.startswith((".", "-")) or part.endswith((".", ".lock")):
            return f"it has the part {part!r}"
    return None
