"""A batch of epics that are synchronised together or not at all."""

from __future__ import annotations

from collections.abc import Callable

from epicvc.bidirectional_sync.reading import PathLike
from epicvc.bidirectional_sync.shapes import EpicResult


class Batch:
    """Collects epics that are planned and carried out as one operation when the ``with`` block ends.

    Attributes:
        results: one result an epic, once the block has ended without an exception.
    """

    def __init__(self, check: Callable[[PathLike], None]) -> None:
        self.results: list[EpicResult] = []
        self.files: list[PathLike] = []
        self._check = check

    def sync_epic(self, file: PathLike) -> None:
        """Add an epic to the batch, to be synchronised in both directions.

        Args:
            file: its file, relative to ``json_dir``.

        Raises:
            NotFound: the file does not exist.
            InvalidData: the file is no valid epic.
        """
        self._check(file)
        self.files.append(file)
