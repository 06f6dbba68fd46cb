"""A batch of epics that are synchronised together or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable

from epicvc.bidirectional_sync.shapes import EpicResult


class Batch:
    """Collects epics; all of them are planned and carried out as one operation when the ``with`` block ends.

    Attributes:
        results: one an epic, once the block has ended without an exception.
    """

    def __init__(self, epic_of: Callable[[str | os.PathLike[str]], str]) -> None:
        self.results: list[EpicResult] = []
        self.epics: list[str] = []
        self._epic_of = epic_of

    def sync_epic(self, file: str | os.PathLike[str]) -> None:
        """Have an epic synchronised with the others, in both directions.

        Args:
            file: its file, relative to ``json_dir``.

        Raises:
            NotFound: there is no such file among the tracked ones.
            InvalidData: it is no valid epic.
        """
        epic = self._epic_of(file)
        if epic not in self.epics:
            self.epics.append(epic)
