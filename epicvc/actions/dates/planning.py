"""Calculates dates: plans the epics in the database whose duration, settings or planned dates changed.

Only calculated columns are written. They belong to the database. A sync takes them to files that have a place for them
(``[sync] calculated``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Final, cast

from msgspec import Struct, field
from msgspec.structs import replace

from epicvc.actions.shared.commits import committing
from epicvc.actions.shared.mergestate import require_no_merge
from epicvc.actions.shared.session import Session, act_held, change
from epicvc.base.jsonio import JSON, equal
from epicvc.database.backend import Reader, Writer
from epicvc.database.batches import batches
from epicvc.database.documents.epicvalues import EpicValues, read_values
from epicvc.database.documents.layout import Layout, read_layout
from epicvc.database.documents.rowwrites import RowWrites
from epicvc.database.documents.values import encode
from epicvc.dates.country import holidays_release
from epicvc.dates.keeping import Planned, plan_again
from epicvc.dates.strategy import PlannedDates, Planner
from epicvc.errors import DurationError, InvalidRow, LossyField, NotFound
from epicvc.model.document import Core
from epicvc.model.labels import Label, Selection
from epicvc.repo.apply import Replan
from epicvc.repo.apply.apply import After, Request, Stage
from epicvc.repo.files.tracked import Unreadable
from epicvc.repo.history.objects import CommitKind, in_local_zone
from epicvc.repo.plans import PlanRecord, load_plans, save_plans
from epicvc.repo.repository import Repo
from epicvc.repo.rows.dbside import MANY, recapture
from epicvc.store.objects import ObjectId

DURATION: Final = "duration"
START: Final = "planned_start_date"
END: Final = "planned_end_date"
DAYS: Final = "calculated_duration_days"
UNIT: Final = "duration_unit"
WRITTEN: Final = (START, END, DAYS, UNIT)
"""The calculated fields that a plan writes."""

_NEAR: Final = 0.005
"""The greatest difference between a number and its value in a column with two decimals."""


class EpicPlan(Struct, frozen=True):
    """The plan of one epic.

    Attributes:
        epic: the id of the epic.
        duration: the text of its duration; ``None`` without one.
        before: the calculated fields before.
        after: the calculated fields afterwards.
        dates: the calculated dates; ``None`` where the duration gives none.
        warning: the reason for which there are no dates.
    """

    epic: str
    duration: str | None
    before: Core
    after: Core
    dates: PlannedDates | None = None
    warning: str | None = None

    @property
    def changes(self) -> bool:
        """The plan changes a value."""
        return any(not equal(self.before.get(name), self.after.get(name)) for name in WRITTEN)


class PlanReport(Struct, frozen=True):
    """The result of ``plan``, or of its dry run.

    Attributes:
        commit: the commit that it made; ``None`` if nothing changed, or in a dry run.
        changed: the epics whose dates changed.
        unchanged: the number of epics whose dates did not change.
        warnings: the epics that have no usable duration.
        outdated: the number of epics that keep dates of another release of the ``holidays`` package, by that release.
        release: the installed release, if there are such epics.
        errors: the rows that cannot be read; their epics keep their dates.
        dry_run: nothing was written.
    """

    commit: ObjectId | None = None
    changed: list[EpicPlan] = field(default_factory=list)
    unchanged: int = 0
    warnings: list[EpicPlan] = field(default_factory=list)
    outdated: dict[str, int] = field(default_factory=dict)
    release: str | None = None
    errors: list[Unreadable] = field(default_factory=list)
    dry_run: bool = False


class PlanRequest(Struct, frozen=True):
    """The epics to plan, with the options of the plan.

    Attributes:
        selection: the epics to plan; all of them by default.
        today: the day from which new starts are reckoned; by default the current day in the user's time zone.
        everything: plan unchanged epics too, since holidays may have changed.
        replan: give every epic a new start.
        dry_run: only say what would change.
    """

    selection: Selection = field(default_factory=Selection)
    today: date | None = None
    everything: bool = False
    replan: bool = False
    dry_run: bool = False


def plan(repo: Repo, request: PlanRequest) -> PlanReport:
    """Calculate planned dates and write them into the database.

    Raises:
        NotFound: no database is configured, or it lacks a selected epic.
        UsageError: the settings name an unknown country or subdivision.
        LossyField: the database returns another value than was written; nothing is changed.
        EpicvcError: a side is invalid or cannot be used; nothing is changed.
    """
    repo.require_backend()

    def act(session: Session) -> PlanReport:
        session.working.files.require_usable()
        work = _Planning(session, request)
        report = work.survey()
        if request.dry_run:
            if report.changed:
                session.try_out(work.operation(report))
            return report
        if report.changed:
            session.perform(work.operation(report))
            report = replace(report, commit=repo.revisions.head())
        work.remember()
        return report

    if request.dry_run:
        repo.require_database()
        require_no_merge(repo)
        return act_held(repo, act, keeps=False)
    return change(repo, act)


class _Planning:
    """One attempt to plan."""

    def __init__(self, session: Session, request: PlanRequest) -> None:
        assert session.reader is not None  # the caller has required a database
        self._session = session
        self._request = request
        self._repo = session.repo
        self._planner = Planner(session.repo.config.plan)
        self._today = request.today or in_local_zone(session.repo.now()).date()
        self._known = load_plans(session.repo.config.private)
        self._records: dict[str, PlanRecord | None] = {}
        self._layout = _layout(session.repo, session.reader)

    def survey(self) -> PlanReport:
        """Plan without writing, and return the report."""
        chosen = self._request.selection.epics()
        errors: list[Unreadable] = []
        kept: list[str] = []
        planned: list[EpicPlan] = []
        assert self._session.reader is not None
        for values in self._read(self._session.reader, chosen, errors):
            found = self._plan(values)
            if found is None:
                kept.append(values.id)
            else:
                planned.append(found)
        bad = {error.epic for error in errors if error.epic is not None}
        self._seen |= bad
        if chosen is None:
            self._known = {epic: record for epic, record in self._known.items() if epic in self._seen}
        elif missing := sorted(chosen - self._seen):
            raise NotFound(f"the database has no epic {missing[0]}", hint="`epicvc sync` takes new epics there")
        outdated = Counter(filter(None, map(self._other_release, kept)))
        return PlanReport(
            # neither of two rows with the same key is planned
            changed=[one for one in planned if one.changes and one.epic not in bad],
            unchanged=len(kept) + sum(not one.changes and one.warning is None for one in planned),
            warnings=[one for one in planned if one.warning is not None],
            outdated=dict(outdated),
            release=holidays_release() if outdated else None,
            errors=errors,
            dry_run=self._request.dry_run,
        )

    def _other_release(self, epic: str) -> str | None:
        """Return the release of ``holidays`` that decided an epic's dates, if it is not the installed one."""
        version = self._known[epic].version
        return None if version is None or version == holidays_release() else version

    def _read(self, reader: Reader, keys: Collection[str] | None, errors: list[Unreadable]) -> Iterator[EpicValues]:
        self._seen: set[str] = set()

        def note(error: InvalidRow, epic: str | None) -> None:
            errors.append(Unreadable(error, epic))

        for values in read_values(reader, self._layout, (DURATION, *WRITTEN), keys, note):
            self._seen.add(values.id)
            yield values

    def _plan(self, values: EpicValues) -> EpicPlan | None:
        """Plan an epic. Return ``None`` if nothing changed on which its dates depend."""
        text = values.values.get(DURATION)
        duration = text if isinstance(text, str) else None
        before: Core = {name: values.values[name] for name in WRITTEN if name in values.values}
        now = read_planned(before)
        record = self._known.get(values.id)
        current = record is not None and record.is_of(now)
        asked = self._request.everything or self._request.replan
        same = record is not None and record.settings == self._repo.config.plan and record.text == duration
        if current and same and not asked:
            return None
        old = Planned() if self._request.replan else now
        try:
            dates = plan_again(self._planner, duration or "", self._today, old, record)
        except DurationError as error:
            # Dates that this command wrote are removed. Dates that somebody else wrote stay.
            self._records[values.id] = None
            after: Core = {} if current else before
            warning = error.message if duration else "it has no duration"
            return EpicPlan(values.id, duration, before, after=after, dates=None, warning=warning)
        shown = self._mapped(show_planned(dates))
        record = PlanRecord.made(duration or "", self._repo.config.plan, dates)
        # A value without a column cannot be compared by the next plan.
        self._records[values.id] = replace(record, planned=read_planned(shown))
        return EpicPlan(values.id, duration, before, {**before, **shown}, dates)

    def _mapped(self, values: Core) -> Core:
        names = {spec.name for spec in self._layout.epics.map.calculated}
        return {name: value for name, value in values.items() if name in names}

    def remember(self) -> None:
        """Write the record of the plans of all epics."""
        merged: dict[str, PlanRecord | None] = {**self._known, **self._records}
        kept = {epic: record for epic, record in merged.items() if record is not None}
        if kept != load_plans(self._repo.config.private):
            save_plans(self._repo.config.private, kept)

    # Writing

    def operation(self, report: PlanReport) -> Request:
        """Return the operation that writes what the survey found."""
        session = self._session
        text = f"plan: {len(report.changed)} epics"

        def work(writer: Writer | None, stage: Stage) -> After:
            assert writer is not None and session.working.database is not None
            self._write(writer, report)
            database = recapture(writer, stage.sink, session.working.database)
            snapshot = replace(session.working.snapshot(), database=database)
            return committing(session, stage.sink, snapshot, text, CommitKind.COMMIT)

        total = len(report.changed) + report.unchanged
        return Request(
            "plan",
            text,
            session.working.snapshot(),
            work,
            session.backend,
            bulk=len(report.changed) * MANY > total,
            version=session.version,
        )

    def _write(self, writer: Writer, report: PlanReport) -> None:
        wanted = {planned.epic: planned for planned in report.changed}
        rows = RowWrites(writer, self._layout, "")
        columns = self._layout.epics
        done = 0
        for batch in batches(list(wanted)):
            found = {values.id: values for values in self._read(writer, batch, [])}
            for epic in batch:
                if epic not in found or self._plan(found[epic]) != wanted[epic]:
                    raise Replan
                changed = {
                    spec.column: encode(wanted[epic].after.get(spec.name), spec, Label(epic))
                    for spec in columns.map.calculated
                    if spec.name in WRITTEN
                    and not equal(wanted[epic].before.get(spec.name), wanted[epic].after.get(spec.name))
                }
                rows.update(columns, found[epic].surrogate, changed, Label(epic))
            done += len(batch)
            self._repo.progress("epics", done, len(wanted))
            self._certify(writer, {epic: wanted[epic] for epic in batch})

    def _certify(self, writer: Writer, wanted: Mapping[str, EpicPlan]) -> None:
        """Read back the written values. A column that rounds the duration is remembered with the rounded value."""
        for values in read_values(writer, self._layout, WRITTEN, list(wanted)):
            for name in WRITTEN:
                meant, found = wanted[values.id].after.get(name), values.values.get(name)
                if equal(meant, found):
                    continue
                if name == DAYS and near(meant, found):
                    self._rounded(values.id, float(cast("float", found)))
                    continue
                raise LossyField(str(Label(values.id, (name,))), str(meant), str(found))

    def _rounded(self, epic: str, days: float) -> None:
        record = self._records.get(epic)
        if record is not None:
            self._records[epic] = replace(record, planned=replace(record.planned, days=days))


def _layout(repo: Repo, reader: Reader) -> Layout:
    assert repo.config.database is not None  # the caller has required a database
    return read_layout(reader, repo.config.mapping, repo.config.database.display)


def near(meant: JSON, found: JSON) -> bool:
    """Return whether two durations are the same in a column with two decimals."""
    numbers = isinstance(meant, int | float) and isinstance(found, int | float | Decimal)
    return numbers and abs(float(cast("float", meant)) - float(cast("float", found))) <= _NEAR


def read_planned(values: Mapping[str, JSON]) -> Planned:
    """Return calculated fields as planned dates. A malformed date counts as absent."""
    days, unit = values.get(DAYS), values.get(UNIT)
    return Planned(
        read_date(values.get(START)),
        read_date(values.get(END)),
        float(days) if isinstance(days, int | float | Decimal) else None,
        unit if isinstance(unit, str) else None,
    )


def show_planned(dates: PlannedDates) -> Core:
    """Return planned dates as calculated fields."""
    return {
        START: dates.start_date.isoformat(),
        END: dates.end_date.isoformat(),
        DAYS: dates.duration_days,
        UNIT: dates.unit,
    }


def read_date(value: JSON) -> date | None:
    """Return a date from a database or a file, with or without a time behind it; ``None`` if it is malformed."""
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None
