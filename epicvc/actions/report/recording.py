"""Records runs for :mod:`epicvc.actions.report.metrics`, both for the command line and for the Python faces.

A run is no operation. Its record is part of no promise, and a fault in recording it is ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from epicvc.actions.merge.merging import MergeReport
    from epicvc.actions.shared.questions import ResolveReport
    from epicvc.actions.sync.survey import SyncReport
    from epicvc.repo.runs import Counts

_USAGE, _BUG, _INTERRUPTED = 2, 70, 130


class Recording:
    """A run while it goes on.

    Attributes:
        exit: the exit code of a run that ends without an error.
        counts: the numbers that the run counted.
    """

    def __init__(self) -> None:
        self.exit = 0
        self.counts: Counts | None = None


@contextmanager
def recorded(private: Path | None, command: str) -> Iterator[Recording]:
    """Record the block as one run, however it ends. A usage error is not recorded as a run.

    Args:
        private: the private directory of an open, adopted repo; ``None`` to record nothing.
        command: the words of the command.
    """
    started, began = time(), perf_counter()
    recording, error = Recording(), None
    try:
        yield recording
    except BaseException as raised:
        error = raised
        recording.exit = _exit_of(raised)
        raise
    finally:
        if private is not None and recording.exit != _USAGE:
            _keep(
                private,
                command,
                started,
                took=perf_counter() - began,
                recording=recording,
                kind=getattr(error, "kind", None),
            )


def _keep(private: Path, command: str, started: float, took: float, recording: Recording, kind: str | None) -> None:
    from epicvc.repo.runs import Counts, Run, keep_run  # imported here, once the work is done

    counts = recording.counts or Counts()
    keep_run(
        private,
        Run(
            command,
            round(started * 1000),
            round(took * 1000, 3),
            exit=recording.exit,
            error=kind,
            records=counts.records,
            to_files=counts.to_files,
            to_db=counts.to_db,
            conflicts=counts.conflicts,
        ),
    )


def _exit_of(error: BaseException) -> int:
    """Return the exit code of an error, the same as at the edge of the command line."""
    if isinstance(error, KeyboardInterrupt):
        return _INTERRUPTED
    if isinstance(error, BrokenPipeError):
        return 0  # the reader of our output went away; the work is done
    code = getattr(error, "exit_code", _BUG)
    return code if isinstance(code, int) else _BUG


def counts_of_sync(report: SyncReport) -> Counts:
    """Return the counts of a synchronisation."""
    from epicvc.repo.runs import Counts

    moved = {item.label.root for item in (*report.to_db, *report.to_files)}
    return Counts(len(moved), len(report.to_files), len(report.to_db), len(report.conflicts))


def counts_of_resolve(report: ResolveReport) -> Counts:
    """Return the counts of settled conflicts."""
    from epicvc.repo.runs import Counts

    return Counts(len({label.root for label in report.settled}), conflicts=len(report.left))


def counts_of_merge(report: MergeReport) -> Counts:
    """Return the counts of a merge or revert."""
    from epicvc.repo.runs import Counts

    return Counts(len(report.epics), conflicts=len(report.conflicts))
