"""Enriched epics for Python programs: :class:`JSONEnrichmentEngine`.

It is a face over :mod:`epicvc.actions.enrich.engine`, which has the rules.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, cast

from msgspec import Struct

from epicvc.actions.enrich.check import accuracy, faults
from epicvc.actions.enrich.engine import Enricher, EnrichReport, Facts, Source, enrich_files, read_facts, sources_of
from epicvc.actions.enrich.enriched import Original, read_original
from epicvc.actions.enrich.enriching import authors_files, default_directory
from epicvc.actions.report.recording import recorded
from epicvc.base.fileio import read_file
from epicvc.base.jsonio import parse
from epicvc.database.documents.layout import Layout, read_layout
from epicvc.database.url import open_backend
from epicvc.dates.inputs import Day, read_day, read_strategy
from epicvc.dates.keeping import Record
from epicvc.dates.settings import Settings
from epicvc.dates.strategy import Planner
from epicvc.errors import InvalidFile, NotFound
from epicvc.model.mapping import BUILTIN
from epicvc.model.mapping import Mapping as TableMapping
from epicvc.repo.config.config import DEFAULT_EXCLUDE, DEFAULT_INCLUDE, Config, locate
from epicvc.repo.history.objects import in_local_zone
from epicvc.repo.plans import load_plans
from epicvc.repo.repository import Repo
from epicvc.repo.runs import Counts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from epicvc.database.backend import Reader
    from epicvc.dates.strategy import DurationCalculator

__all__ = ["JSONEnrichmentEngine"]

PathLike: TypeAlias = "str | os.PathLike[str]"


class BatchResult(TypedDict):
    """The result of enriching several epics."""

    success: bool
    total: int
    written: list[str]
    unchanged: int
    warnings: list[str]
    errors: list[str]


class Validation(TypedDict):
    """The result of a validation. ``errors`` are sentences."""

    valid: bool
    errors: list[str]


class AccuracyReport(TypedDict):
    """The share of planned dates that came true."""

    accuracy_percentage: float
    checked: int
    mismatches: list[dict[str, Any]]


class _Surroundings(Struct, frozen=True):
    """The epic repo that the epics lie in, if there is one."""

    config: Config | None

    @property
    def mapping(self) -> TableMapping:
        return self.config.mapping if self.config else BUILTIN

    @property
    def records(self) -> Mapping[str, Record]:
        return load_plans(self.config.private) if self.config else {}

    @property
    def private(self) -> Path | None:
        return self.config.private if self.config else None


class JSONEnrichmentEngine:
    """Writes epics with their calculated fields into files of their own. The authors' files are only read.

    Args:
        db_path: the path or URL of the database. If it does not exist, epics are enriched from their files alone, and
            ``data_source`` in their metadata is ``json``.
        json_dir: the directory of the authors' files; by default that of the epic repo, else ``epics/user_epics`` or
            ``epics``, else the current directory.
        calculation_strategy: ``next_monday``, ``next_workday`` or ``immediate``.
        business_calendar: whether only working days count.
        exclude_holidays: whether holidays do not count.
        today: the day from which new starts are reckoned, a date or an ISO text; by default the day of the call.

    Raises:
        UsageError: a strategy or a date is not valid.
    """

    def __init__(
        self,
        db_path: PathLike = "framework.db",
        *,
        json_dir: PathLike | None = None,
        calculation_strategy: str = "next_monday",
        business_calendar: bool = False,
        exclude_holidays: bool = False,
        today: Day | None = None,
    ) -> None:
        self.db_path = os.fspath(db_path)
        strategy = read_strategy(calculation_strategy)
        self._planner = Planner(Settings(strategy, business_calendar, exclude_holidays))
        self._today = read_day(today) if today is not None else None
        self._json_dir = Path(json_dir) if json_dir is not None else None
        self._done: dict[Path, Path] = {}
        """The directories that were enriched, with those of their enriched files."""

    # Enriching

    def enrich_epic_json(self, file: PathLike) -> dict[str, Any]:
        """Return an epic with its calculated fields: ``epic``, ``calculated_fields`` and ``metadata``.

        Nothing is written.

        Args:
            file: the author's file, relative to ``json_dir`` or to the current directory.

        Raises:
            InvalidJSON: the file is no strict JSON.
            InvalidFile: the file is no epic.
            FileUnavailable: the file cannot be read.
        """
        source = self._source(file, self._output(self._directory()))
        original = self._original(source)
        found = self._enricher([original.id]).enrich(original, _bytes(source.target))
        value = parse(found.data, source=source.shown)
        assert isinstance(value, dict)  # an enriched file is an object
        return dict(value)

    def save_enriched_epic(self, file: PathLike, output_dir: PathLike | None = None) -> Path:
        """Write an epic's enriched file, unless it exists with the same result.

        Returns:
            The path of the file, ``enriched_<file>`` in the output directory.

        Raises:
            EpicvcError: as in :meth:`enrich_epic_json`, or the file cannot be written.
        """
        to = self._to(output_dir)
        source = self._source(file, to)
        original = self._original(source)
        report = enrich_files(self._enricher([original.id]), [source])
        for problem in report.problems:
            raise problem
        self._done[self._directory()] = to
        return source.target

    def enrich_all_epics(self, input_dir: PathLike | None = None, output_dir: PathLike | None = None) -> BatchResult:
        """Enrich every epic below a directory.

        Returns:
            A dict with ``success``, ``total``, the paths ``written``, the number of ``unchanged`` files, ``warnings``
            (epics without dates) and ``errors`` (files that are no epics; the others are enriched all the same).

        Raises:
            FileUnavailable: a directory cannot be read or written.
        """
        files = Path(input_dir) if input_dir is not None else self._directory()
        to = Path(output_dir) if output_dir is not None else self._output(files)
        sources = authors_files(files.absolute(), to.absolute(), *self._patterns(files))
        self._done[files] = to
        return self._batch(sources, None)

    def enrich_epic_list(self, epic_list: Iterable[PathLike], output_dir: PathLike | None = None) -> BatchResult:
        """Enrich the given files. See :meth:`enrich_all_epics` for the result."""
        to = self._to(output_dir)
        sources = [self._source(file, to) for file in epic_list]
        self._done[self._directory()] = to
        return self._batch(sources, None)

    def update_enriched_files(self) -> BatchResult:
        """Enrich the same epics again as before, or else those of ``json_dir``. See :meth:`enrich_all_epics`."""
        total: BatchResult = {"success": True, "total": 0, "written": [], "unchanged": 0, "warnings": [], "errors": []}
        for files, to in list(self._done.items()) or [(self._directory(), self._output(self._directory()))]:
            one = self.enrich_all_epics(files, to)
            total = {
                "success": total["success"] and one["success"],
                "total": total["total"] + one["total"],
                "written": total["written"] + one["written"],
                "unchanged": total["unchanged"] + one["unchanged"],
                "warnings": total["warnings"] + one["warnings"],
                "errors": total["errors"] + one["errors"],
            }
        return total

    def set_calculator(self, calculator: object) -> None:
        """Calculate with a :class:`~epicvc.data_base_strategy.DataBaseCalculator`, or an application's own calculator.

        Raises:
            UsageError: the object is neither.
        """
        planner = getattr(calculator, "planner", None)
        if not isinstance(planner, Planner):
            planner = Planner(self._planner.settings, cast("DurationCalculator", calculator))
        self._planner = planner
        today = getattr(calculator, "today", None)
        self._today = today if isinstance(today, date) else self._today

    # Validating

    def validate_enrichment(self, file: PathLike) -> Validation:
        """Check that an epic's enriched file has the original epic and the results of a recomputation.

        Args:
            file: the author's file.

        Raises:
            EpicvcError: the author's file cannot be read.
        """
        source = self._source(file, self._output(self._directory()))
        return _validation(self._faults([source], prefixed=False))

    def validate_all_enrichments(self) -> Validation:
        """Check the enriched files of all epics, as :meth:`validate_enrichment` does.

        Each error begins with the file.
        """
        pairs = list(self._done.items()) or [(self._directory(), self._output(self._directory()))]
        errors: list[str] = []
        for files, to in pairs:
            errors += self._faults(
                authors_files(files.absolute(), to.absolute(), *self._patterns(files)), prefixed=True
            )
        return _validation(errors)

    def get_calculation_accuracy(self) -> AccuracyReport:
        """Compare planned dates with actual ones, wherever the database has both.

        Returns:
            A dict with ``accuracy_percentage`` (100 where there is nothing to compare), ``checked`` and
            ``mismatches``.
        """
        with self._reading() as reading:
            if reading is None:
                return {"accuracy_percentage": 100.0, "checked": 0, "mismatches": []}
            found = accuracy(*reading)
        return {"accuracy_percentage": found.percentage, "checked": found.checked, "mismatches": found.mismatches}

    # Where things are

    def _directory(self) -> Path:
        if self._json_dir is not None:
            return self._json_dir
        found = _surroundings(Path.cwd()).config
        if found is not None:
            return found.files
        usual = (Path("epics/user_epics"), Path("epics"))
        return next((path for path in usual if path.is_dir()), Path())

    def _output(self, files: Path) -> Path:
        return self._done.get(files, default_directory(files.absolute()))

    def _to(self, output_dir: PathLike | None) -> Path:
        return Path(output_dir) if output_dir is not None else self._output(self._directory())

    def _patterns(self, files: Path) -> tuple[Collection[str], Collection[str]]:
        config = _surroundings(files).config
        if config is not None and config.files == files.absolute():
            return config.include, config.exclude
        return DEFAULT_INCLUDE, DEFAULT_EXCLUDE

    def _source(self, file: PathLike, to: Path) -> Source:
        """Find an author's file by its name: in ``json_dir``, else from the current directory."""
        files, name = self._directory().absolute(), Path(file)
        inside = files / name
        if inside.is_relative_to(files) and ".." not in name.parts and (inside.exists() or not name.exists()):
            (source,) = sources_of(files, [str(inside.relative_to(files))], to.absolute())
            return source
        (source,) = sources_of(name.absolute().parent, [name.name], to.absolute())
        return source

    # The work

    def _original(self, source: Source) -> Original:
        original = read_original(read_file(source.path), source.shown)
        if original is None:
            raise InvalidFile(source.shown, "it is a template, no epic yet")
        return original

    def _enricher(self, epics: Collection[str] | None) -> Enricher:
        today = self._today or in_local_zone(datetime.now(UTC)).date()
        records = _surroundings(self._directory()).records
        return Enricher(self._planner, today, datetime.now(UTC), self._facts(epics), records)

    def _facts(self, epics: Collection[str] | None) -> dict[str, Facts]:
        with self._reading() as reading:
            return read_facts(*reading, epics) if reading is not None else {}

    @contextmanager
    def _reading(self) -> Iterator[tuple[Reader, Layout] | None]:
        """Open a read transaction of the database; yield ``None`` where there is no database."""
        backend = open_backend(locate(self.db_path, Path.cwd()), ignore=frozenset())
        try:
            if not backend.exists():
                yield None
                return
            with backend.read() as reader:
                yield reader, read_layout(reader, _surroundings(self._directory()).mapping, backend.display)
        finally:
            backend.close()

    def _batch(self, sources: list[Source], epics: Collection[str] | None) -> BatchResult:
        with recorded(_surroundings(self._directory()).private, "enrich") as recording:
            report = enrich_files(self._enricher(epics), sources)
            recording.counts = Counts(len(report.stale))
        return _result(report)

    def _faults(self, sources: Iterable[Source], *, prefixed: bool) -> list[str]:
        facts = self._facts(None)
        records = _surroundings(self._directory()).records
        errors = []
        for source in sources:
            original = read_original(read_file(source.path), source.shown)
            if original is None:
                continue
            known, record = facts.get(original.id), records.get(original.id)
            for fault in faults(original, _bytes(source.target), self._planner, known, record):
                errors.append(f"{source.shown}: {fault}" if prefixed else fault)
        return errors


def _surroundings(place: Path) -> _Surroundings:
    try:
        repo = Repo.open(place)
    except NotFound:
        return _Surroundings(None)
    repo.close()
    return _Surroundings(repo.config)


def _bytes(path: Path) -> bytes | None:
    return read_file(path) if path.is_file() else None


def _result(report: EnrichReport) -> BatchResult:
    return {
        "success": not report.problems,
        "total": len(report.outcomes) + len(report.problems),
        "written": [str(outcome.source.target) for outcome in report.stale],
        "unchanged": len(report.outcomes) - len(report.stale),
        "warnings": [f"{outcome.epic}: {outcome.warning}" for outcome in report.outcomes if outcome.warning],
        "errors": [problem.message for problem in report.problems],
    }


def _validation(errors: list[str]) -> Validation:
    return {"valid": not errors, "errors": errors}
