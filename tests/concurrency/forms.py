"""Other forms of epicvc: broken ones, each of which the checker has to see, and one that marks small databases too."""

from __future__ import annotations

from collections.abc import Callable


def _none() -> None:
    pass


def _without_lock() -> None:
    """Two commands at once in one repo."""
    from epicvc.base import fileio

    fileio.RepoLock._acquire = lambda *_: None  # type: ignore[method-assign]


def _without_file_check() -> None:
    """Files are renamed over whatever is there."""
    from epicvc.base import publish
    from epicvc.repo.apply import apply

    apply.Stage.check_unchanged = lambda _: None  # type: ignore[method-assign]
    publish._is_known = lambda *_: True


def _without_row_check() -> None:
    """Rows are written as they were planned when they were captured, whatever they are now."""
    from epicvc.actions.sync import work
    from epicvc.database.documents.rowproof import RowProof
    from epicvc.database.sqlite.writer import SQLiteWriter

    SQLiteWriter.version = lambda self: _Equal()  # type: ignore[method-assign]
    RowProof.accept = RowProof.holds = lambda *_: True  # type: ignore[method-assign,assignment]
    work.rows_seen = work.rows_said = lambda *_: _Equal()  # type: ignore[assignment,return-value]


def _small_marks() -> None:
    """Not broken: what is done for large databases alone is done for small ones."""
    from epicvc.database.sqlite.pages import marking

    marking.WORTH_MARKING = 0  # type: ignore[misc]


class _Equal:
    """Equal to every version."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


FORMS: dict[str, Callable[[], None]] = {
    "as it is": _none,
    "small marks": _small_marks,
    "without-lock": _without_lock,
    "without-file-check": _without_file_check,
    "without-row-check": _without_row_check,
}
