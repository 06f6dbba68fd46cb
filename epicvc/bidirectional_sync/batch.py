"""A batch of epics that are synchronised together or not at all."""

from __future__ import annotations

from collections.abc import Callable

from epicvc.bidirectional_sync.reading import PathLike
from epicvc.bidirectional_sync.shapes import EpicResult


class Batch:
    """Collects epics; all of them are planned and carried out as one operation when the ``with`` block ends.

    Attributes:
        results: one an epic, once the block has ended without an exception.
    """

    def __init__(self, check: Callable[[PathLike], None]) -> None:
        self.results: list[EpicResult] = []
        self.files: list[PathLike] = []
        self._check = check

    def sync_epic(self, file: PathLike) -> None:
        """Have an epic synchronised with the others, in both directions.

        Args:
            file: its file, relative to ``json_dir``.

        Raises:
            NotFound: there is no such file.
            InvalidData: it is no valid epic.
        """
        self._check(file)
        self.files.append(file)
