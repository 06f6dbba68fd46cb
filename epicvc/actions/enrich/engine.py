"""Enriches epics: writes calculated fields into files of their own. The authors' files are not changed.

A file is written only if its result changed. An unchanged result leaves bytes and modification time alone, so that the
times in a file are those of its last change. A start that was planned once is kept (:mod:`epicvc.dates.keeping`),
whether it is in the database or in the enriched file.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self

from msgspec import Struct, field

from epicvc.actions.dates.planning import WRITTEN, read_date, read_planned
from epicvc.actions.enrich.enriched import VERSION, Original, Parts, compose, read_original, read_parts
from epicvc.base.fileio import atomic_write, make_directories, read_file
from epicvc.base.jsonio import JSON
from epicvc.database.backend import Reader
from epicvc.database.documents.epicvalues import read_states, read_values
from epicvc.database.documents.layout import Layout
from epicvc.dates.keeping import Planned, Record, keeps
from epicvc.dates.progress import percentage
from epicvc.dates.settings import DateBaseStrategy, Settings
from epicvc.dates.strategy import PlannedDates, Planner
from epicvc.errors import DurationError, EpicvcError, FileUnavailable, InvalidData, LinkInTheWay

PREFIX: Final = "enriched_"
HOURS: Final = 8
"""The hours of a working day."""

_TIMES: Final = ("last_calculated", "enriched_at")
_TELL_EVERY: Final = 64
_WRITERS: Final = 2  # threads that write files
_AHEAD: Final = 64  # files that wait for the threads


class Facts(Struct, frozen=True):
    """The facts about an epic in the database.

    Attributes:
        planned: its planned dates.
        completion: the percentage of finished tasks; ``None`` without tasks.
    """

    planned: Planned = field(default_factory=Planned)
    completion: float | None = None


def read_facts(reader: Reader, layout: Layout, epics: Collection[str] | None = None) -> dict[str, Facts]:
    """Return the facts about epics in the database, of all of them or of these."""
    states = read_states(reader, layout, epics)
    return {
        found.id: Facts(read_planned(found.values), percentage(states.get(found.id, {})))
        for found in read_values(reader, layout, WRITTEN, epics)
    }


class Enriched(Struct, frozen=True):
    """The result of enriching an epic.

    Attributes:
        epic: the epic.
        data: the bytes of its enriched file.
        calculated: the calculated fields.
        metadata: the metadata of the calculation.
        changed: the bytes differ from those before.
    """

    epic: str
    data: bytes
    calculated: Mapping[str, JSON]
    metadata: Mapping[str, JSON]
    changed: bool

    @property
    def warning(self) -> str | None:
        """The reason for which there are no dates."""
        found = self.metadata.get("warning")
        return found if isinstance(found, str) else None


class Enricher:
    """Calculates the fields of one epic after the other.

    Args:
        planner: plans dates.
        today: the day from which new starts are reckoned.
        now: the time that a changed result gets.
        facts: the facts in the database, by epic.
        records: the records of plans in the database, by epic.
    """

    def __init__(
        self,
        planner: Planner,
        today: date,
        now: datetime,
        facts: Mapping[str, Facts],
        records: Mapping[str, Record] | None = None,
    ) -> None:
        self._planner = planner
        self._today = today
        self._now = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._facts = facts
        self._records = records or {}
        self._cache: dict[tuple[str, date | None], PlannedDates] = {}

    def enrich(self, original: Original, previous: bytes | None = None) -> Enriched:
        """Return the enriched file of an epic.

        Args:
            original: the epic.
            previous: its enriched file as it is; ``None`` without one.
        """
        before = read_parts(previous) if previous is not None else None
        dates, reference, warning = self._dates(original, before)
        calculated = self._calculated(original, dates)
        metadata = self._metadata(original, dates, reference, warning)
        if before is not None:
            # With the times of the previous file the bytes differ only if the result does.
            same = compose(original, calculated | _times(before.calculated), metadata | _kept(metadata, before))
            if same == previous:
                return Enriched(original.id, same, calculated, metadata, changed=False)
        return Enriched(original.id, compose(original, calculated, metadata), calculated, metadata, changed=True)

    def _dates(self, original: Original, before: Parts | None) -> tuple[PlannedDates | None, date | None, str | None]:
        """Return the dates, the day from which their start was reckoned here, and the reason if there are no dates."""
        if original.duration is None:
            return None, None, "the epic has no duration"
        planned, record, reference = self._before(original, before)
        try:
            kept = keeps(self._planner, original.duration, planned, record)
            dates = self._planned(original.duration, planned.start if kept else None)
        except DurationError as error:
            return None, None, error.message
        return dates, reference if kept else self._today, None

    def _planned(self, duration: str, kept: date | None) -> PlannedDates:
        """Return dates. They are calculated once for all epics with the same duration and start."""
        dates = self._cache.get((duration, kept))
        if dates is None:
            dates = self._cache[duration, kept] = self._planner.dates(duration, self._today, kept=kept)
        return dates

    def _before(self, original: Original, before: Parts | None) -> tuple[Planned, Record | None, date | None]:
        """Return the existing plan from the database, else from the enriched file."""
        facts = self._facts.get(original.id)
        if facts is not None and facts.planned.start is not None:
            return facts.planned, self._records.get(original.id), None
        if before is None or before.duration is None:
            return Planned(), None, None
        strategy = before.metadata.get("calculation_strategy")
        if strategy not in _STRATEGIES:
            return Planned(), None, None
        planned = read_planned(before.calculated | {"duration_unit": before.metadata.get("unit")})
        settings = Settings(_STRATEGIES[strategy], custom_date=self._custom_date(before))
        return planned, Record(before.duration, settings, planned), read_date(before.metadata.get("reference_date"))

    def _custom_date(self, before: Parts) -> date | None:
        return read_date(before.metadata.get("custom_date"))

    def _calculated(self, original: Original, dates: PlannedDates | None) -> dict[str, JSON]:
        facts = self._facts.get(original.id)
        hours: float | None = None
        if original.minutes is not None:
            hours = original.minutes / 60
        elif dates is not None:
            hours = dates.duration_days * HOURS
        return {
            "planned_start_date": dates.start_date.isoformat() if dates else None,
            "planned_end_date": dates.end_date.isoformat() if dates else None,
            "calculated_duration_days": dates.duration_days if dates else None,
            "task_completion_percentage": facts.completion if facts else None,
            "estimated_hours": round(hours, 2) if hours is not None else None,
            "last_calculated": self._now,
        }

    def _metadata(
        self, original: Original, dates: PlannedDates | None, reference: date | None, warning: str | None
    ) -> dict[str, JSON]:
        settings = self._planner.settings
        metadata: dict[str, JSON] = {
            "version": VERSION,
            "enriched_at": self._now,
            "calculation_strategy": settings.strategy.value,
            "data_source": "database" if original.id in self._facts else "json",
        }
        if dates is not None:
            metadata["unit"] = dates.unit
        if reference is not None:
            metadata["reference_date"] = reference.isoformat()
        if settings.custom_date is not None:
            metadata["custom_date"] = settings.custom_date.isoformat()
        if dates is not None and dates.holidays_version is not None:
            metadata["country"] = "-".join(filter(None, (settings.country, settings.subdivision)))
            metadata["holidays"] = {day.isoformat(): name for day, name in dates.holidays_skipped.items()}
            metadata["holidays_version"] = dates.holidays_version
        if warning is not None:
            metadata["warning"] = warning
        return metadata


_STRATEGIES: Final = {strategy.value: strategy for strategy in DateBaseStrategy}


def _times(values: Mapping[str, Any]) -> dict[str, JSON]:
    return {name: values[name] for name in _TIMES if isinstance(values.get(name), str)}


def _kept(metadata: Mapping[str, JSON], before: Parts) -> dict[str, JSON]:
    """Return those of the previous metadata that may differ while the result is the same."""
    kept = _times(before.metadata)
    if "holidays_version" in metadata and isinstance(before.metadata.get("holidays_version"), str):
        kept["holidays_version"] = before.metadata["holidays_version"]
    return kept


# Many files


class EnrichState(StrEnum):
    """The states of an enriched file before it is enriched."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


class Source(Struct, frozen=True):
    """An author's file and its enriched file.

    Attributes:
        path: the author's file.
        target: the enriched file.
        shown: the name of the author's file in messages.
    """

    path: Path
    target: Path
    shown: str


class EnrichOutcome(Struct, frozen=True):
    """The result of enriching one file, or of its dry run."""

    source: Source
    epic: str
    state: EnrichState
    warning: str | None


class EnrichReport(Struct):
    """The result of enriching many files, or of its dry run.

    Attributes:
        outcomes: the results of all files that are epics, in order.
        problems: the errors of files that are no epics.
    """

    outcomes: list[EnrichOutcome] = field(default_factory=list)
    problems: list[EpicvcError] = field(default_factory=list)

    @property
    def stale(self) -> list[EnrichOutcome]:
        """The results of files whose enriched file was, or is, not up to date."""
        return [outcome for outcome in self.outcomes if outcome.state is not EnrichState.UNCHANGED]


def sources_of(directory: Path, paths: Iterable[str], to: Path) -> Iterator[Source]:
    """Yield the files of a directory with their enriched files: the same place below ``to``, named ``enriched_…``."""
    for path in paths:
        place, slash, name = path.rpartition("/")
        yield Source(directory / path, to / f"{place}{slash}{PREFIX}{name}", path)


def enrich_files(
    enricher: Enricher,
    sources: Collection[Source],
    *,
    write: bool = True,
    epics: Collection[str] | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> EnrichReport:
    """Enrich files in one pass.

    Args:
        enricher: calculates the fields.
        sources: the files.
        write: write stale files; otherwise only report them.
        epics: enrich only these epics.
        progress: called with the number of files that are done, and of all.

    Raises:
        FileUnavailable: a file cannot be read or written.
        InvalidData: an enriched file would replace an author's file.
    """
    report = EnrichReport()
    originals = {str(source.path) for source in sources}
    with _Writes() as writes:
        for number, source in enumerate(sources):
            if progress and number % _TELL_EVERY == 0:
                progress("epics", number, len(sources))
            if str(source.target) in originals:
                raise InvalidData(
                    f"{source.shown}: its enriched file would replace an author's file {source.target.name}",
                    hint="choose another directory for enriched files",
                )
            try:
                original = read_original(read_file(source.path), source.shown)
            except (FileUnavailable, InvalidData) as error:
                report.problems.append(error)
                continue
            if original is None or (epics is not None and original.id not in epics):
                continue
            previous = _previous(source.target)
            found = enricher.enrich(original, previous)
            state = (
                EnrichState.NEW if previous is None else EnrichState.CHANGED if found.changed else EnrichState.UNCHANGED
            )
            report.outcomes.append(EnrichOutcome(source, original.id, state, found.warning))
            if write and found.changed:
                writes.write(source.target, found.data)
        writes.finish()
    return report


def _previous(target: Path) -> bytes | None:
    return read_file(target) if os.path.lexists(target) else None


def _make_parent(target: Path) -> None:
    """Make the directory of a file. A symbolic link is refused, since it could lead anywhere.

    Raises:
        LinkInTheWay: the directory is a symbolic link.
        FileUnavailable: the directory cannot be made.
    """
    if target.parent.is_symlink():
        raise LinkInTheWay(str(target.parent))
    there = next(parent for parent in target.parents if parent.is_dir())
    make_directories(target.parent, there)


class _Writes:
    """Writes enriched files in threads, beside the calculation.

    The system makes a file without the interpreter's lock, so that the threads gain time.

    Writing does not wait for the disk: the files can be made again, and a damaged one is found to be stale.
    """

    def __init__(self) -> None:
        self._directories: set[Path] = set()
        self._waiting: deque[Future[None]] = deque()
        self._threads: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)

    def write(self, target: Path, data: bytes) -> None:
        """Hand a file over to be written soon.

        Raises:
            FileUnavailable: this file, or one before it, cannot be written.
        """
        if target.parent not in self._directories:
            _make_parent(target)
            self._directories.add(target.parent)
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_WRITERS, "epicvc-write")
        self._waiting.append(self._threads.submit(atomic_write, target, data, durable=False))
        while len(self._waiting) > _AHEAD:
            self._waiting.popleft().result()

    def finish(self) -> None:
        """Wait until all files are written.

        Raises:
            FileUnavailable: a file cannot be written.
        """
        while self._waiting:
            self._waiting.popleft().result()
