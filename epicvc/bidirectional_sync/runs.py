"""The synchronisations of one object: how long they took, and how many failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from time import perf_counter


class Runs:
    """Counts; several threads may.

    Attributes:
        failed: the runs that ended with an error.
    """

    def __init__(self) -> None:
        self.failed = 0
        self._done = 0
        self._seconds = 0.0
        self._lock = Lock()

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Count what happens inside as one run."""
        began = perf_counter()
        try:
            yield
        except BaseException:
            with self._lock:
                self.failed += 1
            raise
        with self._lock:
            self._done += 1
            self._seconds += perf_counter() - began

    @property
    def average_ms(self) -> float:
        """Milliseconds of a run that did not fail; 0 before the first."""
        with self._lock:
            return round(1000 * self._seconds / self._done, 3) if self._done else 0.0
