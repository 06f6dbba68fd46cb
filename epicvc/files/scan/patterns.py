"""Patterns of tracked files.

Imports next to nothing, as :mod:`epicvc.files.scan.scan` does, which needs this module.
"""

from __future__ import annotations

from epicvc.base import TEMPORARY_SUFFIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DEFAULT_INCLUDE = ("**/*.json",)


def compile_patterns(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return a test whether a path matches one of some patterns.

    ``*`` and ``?`` stay within a segment. ``**`` as a segment stands for any number of directories, none included (at
    the end: for everything below). Every other character stands for itself, ``[`` too, since placeholders such as
    ``[EPIC-ID]`` occur in names.
    """
    if not patterns:
        return lambda path: False
    if tuple(patterns) == DEFAULT_INCLUDE:
        return lambda path: path.endswith(".json")
    import re

    compiled = re.compile("|".join(_expression(pattern) for pattern in patterns), re.DOTALL)
    return lambda path: compiled.fullmatch(path) is not None


def tracking(include: Sequence[str], exclude: Sequence[str]) -> Callable[[str], bool]:
    """Return a test whether :func:`epicvc.files.scan.scan.scan` would find a path.

    The path need not be that of a file on the disk; it may be one in git's index, say.
    """
    wanted, unwanted = compile_patterns(include), compile_patterns(exclude)

    def tracked(path: str) -> bool:
        names = path.split("/")
        if any(name.startswith(".") or name.endswith(TEMPORARY_SUFFIX) for name in names):
            return False
        above = ("/".join(names[:depth]) for depth in range(1, len(names)))
        return wanted(path) and not unwanted(path) and not any(map(unwanted, above))

    return tracked


def literal_start(pattern: str) -> str:
    """Return the beginning of every name that a pattern can match: a quick look before the slow one."""
    return pattern.rpartition("/")[2].replace("?", "*").partition("*")[0]


def _expression(pattern: str) -> str:
    """Return a pattern as an expression whose time grows with the length of a path times that of the pattern.

    The part between two ``**``, or between two ``*`` of a segment, may match at the first place where it can, since
    anything may stand between it and the next part. So a group that matched is never tried again, as backtracking would
    do for each star.
    """
    *directories, last = pattern.split("/")
    chunks = [""]
    for segment in directories:
        if segment == "**":
            chunks.append("")
        else:
            chunks[-1] += _segment(segment) + "/"
    first, *inner = chunks
    if last == "**":
        return first + "".join(map(_somewhere, inner)) + ".+"
    if not inner:
        return first + _segment(last)
    return first + "".join(map(_somewhere, inner[:-1])) + "(?:[^/]+/)*" + inner[-1] + _segment(last)


def _somewhere(chunk: str) -> str:
    """Return an expression for some directories, and then the first place where others match."""
    return f"(?>(?:[^/]+/)*?{chunk})" if chunk else ""


def _segment(segment: str) -> str:
    first, *others = (_literal(part) for part in segment.split("*"))
    if not others:
        return first
    inner = "".join(f"(?>[^/]*?{part})" for part in others[:-1] if part)
    return f"{first}{inner}[^/]*{others[-1]}"


def _literal(text: str) -> str:
    import re

    return "".join("[^/]" if char == "?" else re.escape(char) for char in text)
