"""Ways to break epicvc, each of which the checker has to see."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from epicvc.database.backend import Reader


def _none() -> None:
    pass


def _without_lock() -> None:
    """Two commands at once in one repo."""
    from epicvc import fileio

    fileio.RepoLock._acquire = lambda *_: None  # type: ignore[method-assign]


def _without_file_check() -> None:
    """Files are renamed over whatever is there."""
    from epicvc import publish
    from epicvc.repo import apply

    apply.Stage.check_unchanged = lambda _: None  # type: ignore[method-assign]
    publish._is_known = lambda *_: True


def _without_row_check() -> None:
    """Rows are written as they were planned when they were captured, whatever they are now."""
    from epicvc.database.sqlite.writer import SQLiteWriter
    from epicvc.repo.documents import Documents, Three

    load = Documents.load
    seen: dict[str, Three] = {}

    def load_once(documents: Documents, epics: Collection[str], reader: Reader | None = None) -> Iterator[Three]:
        if reader is None:
            for three in load(documents, epics):
                seen[three.epic] = three
                yield three
        else:
            yield from (seen[epic] for epic in sorted(epics))

    SQLiteWriter.version = lambda self: _Equal()  # type: ignore[method-assign]
    Documents.load = load_once  # type: ignore[method-assign]


class _Equal:
    """Equal to every version."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


MUTANTS: dict[str, Callable[[], None]] = {
    "none": _none,
    "without-lock": _without_lock,
    "without-file-check": _without_file_check,
    "without-row-check": _without_row_check,
}
