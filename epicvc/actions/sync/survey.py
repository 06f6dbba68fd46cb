"""The survey of a synchronisation: plans every epic on which files, database and base do not agree, and reports it.

Each epic is planned once: guards, dry runs, reports and the work itself share the plan. Its outcome waits as a decision
(:mod:`epicvc.actions.sync.decisions`), so that the epics are never in memory all at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec import Struct, field

from epicvc.actions.shared.session import Session
from epicvc.actions.sync.calculated import calculated_changes, foreseen
from epicvc.actions.sync.moving import TaskWatch, carried_out, courses, in_database, in_files, unique_tasks
from epicvc.actions.sync.plans import Plans, plan_all, with_renamed
from epicvc.database.batches import batches
from epicvc.database.documents.documents import count_tasks
from epicvc.errors import NotFound, Refused
from epicvc.merge.threeway import Chosen, Conflict, Direction
from epicvc.model.diff import Op
from epicvc.model.document import Core, tasks_of
from epicvc.model.labels import Label, Selection
from epicvc.plan.epic import Outcome, Policy
from epicvc.plan.moves.moves import Course
from epicvc.repo.documents import Documents, Three
from epicvc.repo.files.tracked import Unreadable
from epicvc.store.objects import ObjectId

if TYPE_CHECKING:
    from epicvc.actions.sync.decisions import Decisions
    from epicvc.actions.sync.graph import GraphWatch
    from epicvc.merge.graph import GraphFault


NAME: Final = "name"
"""The field that holds the name of an epic."""


class SyncChange(Struct, frozen=True):
    """One change that a synchronisation brings to a side."""

    label: Label
    op: Op


class Allow(Struct, frozen=True):
    """The guards that the user has lifted."""

    mass_delete: bool = False
    empty_side: bool = False
    new_mapping: bool = False


class SyncReport(Struct, frozen=True):
    """The result of a synchronisation, or of its dry run.

    Attributes:
        commit: the commit that it made; ``None`` if nothing changed, or in a dry run.
        to_files: the changes of the files.
        to_db: the changes of the database.
        conflicts: the conflicts that are left for a person.
        moves_base: something was newly agreed on.
        warnings: the faults of the task graph that a side had before.
        decided: the conflicts that a policy or a person settled, each with the chosen value.
        errors: the files and rows that cannot be read; their own epics are left out.
        waiting: the changes that wait, since their place may be in a file or row that cannot be read.
        tasks_moved: the moves of tasks and renames of epics that were brought to the other side, as labels before and
            after.
        names: the names of the planned epics afterwards, without those that only the files have and that are added
            unchanged, since these are not read.
    """

    commit: ObjectId | None = None
    to_files: Sequence[SyncChange] = ()
    to_db: Sequence[SyncChange] = ()
    conflicts: Sequence[Conflict] = ()
    moves_base: bool = False
    dry_run: bool = False
    warnings: Sequence[GraphFault] = ()
    decided: Sequence[tuple[Conflict, Chosen]] = ()
    tasks_moved: Sequence[tuple[Label, Label]] = ()
    errors: Sequence[Unreadable] = ()
    waiting: Sequence[Label] = ()
    names: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def replayed(self) -> list[Label]:
        """The places whose conflicts were settled from memory."""
        from epicvc.actions.decide.memory import Replayed  # imported here, since only a conflict needs the memory

        return [conflict.label for conflict, chosen in self.decided if isinstance(chosen, Replayed)]

    @property
    def moves_anything(self) -> bool:
        """A value or the base changed."""
        return bool(self.to_files or self.to_db or self.moves_base)


Decide: TypeAlias = "Callable[[Policy, Sequence[Course]], Decisions]"
"""Begins to note the decisions of a policy that takes these ways for moved tasks."""


class Losses(Struct):
    """The numbers of epics and tasks that a side would lose. Tasks of lost epics are counted too."""

    epics: int = 0
    tasks: int = 0

    def note(self, before: Core | None, after: Core | None) -> None:
        """Note the outcome of one epic on this side."""
        self.epics += before is not None and after is None
        kept = {task["id"] for task in tasks_of(after or {})}
        self.tasks += sum(task["id"] not in kept for task in tasks_of(before or {}))


class Survey(Struct):
    """The findings of the planning, noted epic by epic: for the report, and for carrying them out.

    Attributes:
        plans: the plans of the last round.
        courses: the ways of the moved tasks.
        decisions: the decisions to carry out; ``None`` if nothing is out of sync, or if they will not be carried out.
        watch: the notes about links between tasks; ``None`` if nothing is out of sync, or if tasks have no links.
        files: the losses of the files.
        db: the losses of the database.
        surplus: the number of tasks that the files have more than the database.
        to_files: this and all further ones as in :class:`SyncReport`.
    """

    plans: Plans
    courses: Sequence[Course]
    decisions: Decisions | None = None
    watch: GraphWatch | None = None
    files: Losses = field(default_factory=Losses)
    db: Losses = field(default_factory=Losses)
    surplus: int = 0
    to_files: list[SyncChange] = field(default_factory=list)
    to_db: list[SyncChange] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    moves_base: bool = False
    decided: list[tuple[Conflict, Chosen]] = field(default_factory=list)
    errors: Sequence[Unreadable] = ()
    waiting: list[Label] = field(default_factory=list)
    names: dict[str, str | None] = field(default_factory=dict)

    def report(self, documents: Documents, *, dry_run: bool) -> SyncReport:
        """Return the findings as a report; what :func:`check` finds is not in it yet.

        Args:
            documents: the documents that were planned.
            dry_run: nothing will be done.
        """
        renamed = [(Label(found.old), Label(new)) for new, found in documents.renamed.items()]
        return SyncReport(
            to_files=tuple(self.to_files),
            to_db=tuple(self.to_db),
            conflicts=tuple(self.conflicts),
            moves_base=self.moves_base,
            dry_run=dry_run,
            decided=tuple(self.decided),
            tasks_moved=(*renamed, *carried_out(self.courses)),
            errors=tuple(self.errors),
            waiting=tuple(self.waiting),
            names=self.names,
        )

    @property
    def fresh(self) -> Sequence[str]:
        """The epics that only the files have, and that are added unchanged."""
        return self.plans.fresh

    @property
    def tasks(self) -> TaskWatch:
        """The tasks that leave or join an epic in the database."""
        return self.plans.tasks


def survey_all(documents: Documents, policy: Policy, decide: Decide | None) -> Survey:
    """Plan all epics, and note the findings.

    Args:
        documents: the documents of one moment.
        policy: the direction, the selection and what settles conflicts.
        decide: begins to note the decisions; ``None`` if they will not be carried out.

    Returns:
        The survey.

    Raises:
        NotFound: no side has a selected epic.
        EpicvcError: a side is invalid.
    """
    policy = with_renamed(documents, policy)
    if policy.selection.labels:
        _require_known(documents, policy.selection)
    return plan_all(documents, policy, lambda plans: _survey(documents, plans, decide))


def check(session: Session, documents: Documents, survey: Survey) -> Sequence[GraphFault]:
    """Refuse faults of the task graph that no single field shows: dependencies that only the merge breaks.

    Returns:
        The faults of the task graph that a side had before.

    Raises:
        BrokenGraph: the result has faults that no side had.
    """
    if survey.watch is None:
        return ()
    from epicvc.actions.origin.words import between_sides  # imported here, as in _graph_watch
    from epicvc.actions.sync.graph import check_graph

    plans = survey.plans
    chosen = plans.policy.selection.epics()
    if chosen is not None and survey.watch.anything:
        for batch in batches([epic for epic in documents.candidates() if epic not in chosen]):
            for three in documents.load(batch):
                survey.watch.leave(three, plans.plan(three))
    unique = unique_tasks(documents)
    tell = between_sides(session)
    return check_graph(documents, survey.watch, plans.plan, plans.tasks.added, tell, unique=unique)


def _survey(documents: Documents, plans: Plans, decide: Decide | None) -> Survey:
    policy = plans.policy
    survey = Survey(plans, courses(policy))
    if plans.epics:
        survey.decisions = decide(policy, survey.courses) if decide else None
        survey.watch = _graph_watch(documents, policy)
        if survey.watch is not None:
            survey.watch.add(plans.fresh)
        survey.moves_base = bool(plans.fresh)
        survey.waiting += map(Label, plans.waiting)
        survey.to_db += (SyncChange(Label(epic), Op.ADD) for epic in plans.fresh)
        for three, outcome in plans:
            _note(documents, survey, three, outcome)
    survey.errors = _stopping(documents, policy.selection.epics(), waits=bool(survey.waiting))
    return survey


def _note(documents: Documents, survey: Survey, three: Three, outcome: Outcome) -> None:
    """Note the outcome of one epic."""
    policy = survey.plans.policy
    survey.surplus += len(tasks_of(three.file or {})) - len(tasks_of(three.db or {}))
    survey.conflicts += outcome.conflicts
    survey.waiting += _waiting(policy, outcome)
    survey.decided += outcome.decided
    survey.names[three.epic] = _name_in(outcome)
    if survey.watch is not None:
        survey.watch.note(three, outcome)
    soon = foreseen(three, outcome.db, documents.state_of_new_tasks)
    stale = calculated_changes(soon) if Direction.TO_OURS in policy.direction else ()
    survey.to_files += (SyncChange(change.label, change.op) for change in stale)
    if not outcome.changes_anything and not stale:
        return
    if survey.decisions is not None:
        survey.decisions.add(soon, outcome)
    survey.moves_base |= outcome.moves_base
    survey.to_files += (SyncChange(change.label, change.op) for change in outcome.to_files)
    survey.to_db += (SyncChange(change.label, change.op) for change in outcome.to_db)
    survey.files.note(three.file, outcome.files)
    survey.db.note(three.db, outcome.db)


def _waiting(policy: Policy, outcome: Outcome) -> list[Label]:
    """Return the places that wait and that this plan would have changed."""
    selection = policy.selection
    return [
        place.label
        for place in outcome.waits
        if place.way != Direction.BOTH and place.way in policy.direction and selection.touches(place.label)
    ]


def _stopping(documents: Documents, chosen: frozenset[str] | None, *, waits: bool) -> list[Unreadable]:
    """Return the files and rows that cannot be read, as far as they stop a part of the plan."""
    found = documents.held.unreadable
    return [bad for bad in found if chosen is None or waits or bad.epic in chosen]


def _name_in(outcome: Outcome) -> str | None:
    name = (outcome.db or outcome.files or {}).get(NAME)
    return name if isinstance(name, str) else None


def _graph_watch(documents: Documents, policy: Policy) -> GraphWatch | None:
    """Return what notes the links between tasks, or ``None`` if the mapping has none."""
    links = documents.repo.config.mapping.links
    if links is None:
        return None
    # imported here: it comes with all that finds faults and their origins
    from epicvc.actions.sync.graph import GraphWatch

    return GraphWatch(links.field, whole=policy.direction == Direction.BOTH)


def _require_known(documents: Documents, selection: Selection) -> None:
    """Make sure that a selection names existing places.

    Raises:
        UsageError: the selection names a table.
        NotFound: the selection names an epic, or a place in one, that no side has.
    """
    from epicvc.actions.shared.places import require_fields  # imported here, since only a selection needs it

    for epic in sorted(selection.epics() or ()):
        known = epic in documents.working.files.by_epic or epic in documents.entries or epic in documents.db_ids()
        if not known and epic not in documents.held.epics:
            raise NotFound(f"no epic {epic} on either side", hint="see `epicvc status` for what there is")
    require_fields(documents, selection)


EMPTY_SIDE: Final = "bring it back with `epicvc rollback HEAD`, or mean it with `epicvc sync --allow-empty-side`"
"""The remedy where a side is empty that was not empty before."""

FEW_TASKS: Final = 20
"""The number of tasks up to which any number of them may be deleted: half of so few is an ordinary edit."""


def emptied(documents: Documents) -> str | None:
    """Return the side that has no epics although some were agreed on and the other side has some; else ``None``."""
    held = documents.held
    files, rows = bool(documents.working.files.by_epic or held.files), bool(documents.db_ids() or held.rows)
    if files == rows or not documents.entries:
        return None
    return "database" if files else "files"


def guard(documents: Documents, survey: Survey, allow: Allow) -> None:
    """Make sure that a mishap on one side does not empty the other.

    Raises:
        Refused: the synchronisation would delete most of a side.
    """
    files, rows = len(documents.working.files.by_epic), len(documents.db_ids())
    empty = emptied(documents)
    for side, other, count, lost, moved in (
        ("files", "database", files, survey.db, in_database),
        ("database", "files", rows, survey.files, in_files),
    ):
        if empty == side and lost.epics and not allow.empty_side:
            raise Refused(
                f"the {side} side is empty; this would delete {lost.epics} epics on the {other} side", hint=EMPTY_SIDE
            )
        if not count or allow.mass_delete:
            continue
        total = rows if other == "database" else files
        if lost.epics * 2 > total and lost.epics > 1:
            raise _mass_deletion(lost.epics, total, "epics", other)
        tasks = lost.tasks - len(moved(survey.courses))  # a task that moves on this side is not lost there
        if tasks * 2 > FEW_TASKS:
            total = _task_count(documents) + (survey.surplus if other == "files" else 0)
            if tasks * 2 > total > FEW_TASKS:
                raise _mass_deletion(tasks, total, "tasks", other)


def _mass_deletion(deleted: int, total: int, what: str, side: str) -> Refused:
    return Refused(
        f"this would delete {deleted} of {total} {what} on the {side} side",
        hint="look at `epicvc diff`, or mean it with --allow-mass-delete",
    )


def _task_count(documents: Documents) -> int:
    """Return the number of living tasks in living epics of the database."""
    return count_tasks(documents.reader, documents.layout) if documents.reader and documents.layout else 0
