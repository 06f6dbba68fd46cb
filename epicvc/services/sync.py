"""Synchronise: plan every epic on which files, database and base do not agree, and bring both sides there.

Each epic is planned once, for guards, dry runs and reports as for what is done; what comes of it waits as a decision
(:mod:`epicvc.services.decisions`), so that no number of epics is ever in memory at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from typing import TypeAlias, cast

from msgspec import Struct, field
from msgspec.structs import replace

from epicvc.database.batches import batches
from epicvc.errors import ConstraintBroken, NotFound, Refused
from epicvc.jsonio import equal
from epicvc.merge.graph import Fault
from epicvc.merge.threeway import ABSENT, Chosen, Conflict, Direction, undecided
from epicvc.model.diff import Op
from epicvc.model.labels import Label, parse_label
from epicvc.plan.moves import Course, Moves
from epicvc.plan.plan import Outcome, Policy, plan_epic
from epicvc.repo.dbside import MANY, table_root
from epicvc.repo.documents import Documents, Three
from epicvc.repo.repository import Repo
from epicvc.services.calculated import calculated_changes, foreseen
from epicvc.services.decisions import Decisions
from epicvc.services.moving import (
    MoveWatch,
    TaskWatch,
    carried_out,
    contested,
    courses,
    in_database,
    unique_tasks,
    with_moves,
)
from epicvc.services.newepics import bound
from epicvc.services.newest import Newest
from epicvc.services.originwords import DATABASE, FILES, between_sides
from epicvc.services.portions import Job, Run
from epicvc.services.remembering import Memory, Replayed
from epicvc.services.session import Afterwards, Later, Session, act_held, holding, look
from epicvc.services.syncgraph import GraphWatch, check_graph
from epicvc.services.tracing import value_at
from epicvc.store import tree
from epicvc.store.objects import ObjectId


class Moved(Struct, frozen=True):
    """One change that a synchronisation brings to a side."""

    label: Label
    op: Op


class Allow(Struct, frozen=True):
    """Which guards the user has lifted."""

    mass_delete: bool = False
    empty_side: bool = False


class SyncReport(Struct):
    """What a synchronisation did, or would do.

    Attributes:
        commit: the commit that it made; ``None`` when nothing moved, or in a dry run.
        to_files: changes of the files side.
        to_db: changes of the database.
        conflicts: what is left for a person.
        moves_base: whether anything was newly agreed on.
        warnings: faults of the task graph that some side had before.
        decided: conflicts that a policy or a person settled, and how.
        tasks_moved: tasks that are elsewhere now, on the side that had them where they were: from where to where.
    """

    commit: ObjectId | None = None
    to_files: list[Moved] = field(default_factory=list)
    to_db: list[Moved] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    moves_base: bool = False
    dry_run: bool = False
    warnings: list[Fault] = field(default_factory=list)
    decided: list[tuple[Conflict, Chosen]] = field(default_factory=list)
    tasks_moved: list[tuple[Label, Label]] = field(default_factory=list)

    @property
    def replayed(self) -> list[Label]:
        """The conflicts that were settled as the same ones were before."""
        return [conflict.label for conflict, chosen in self.decided if isinstance(chosen, Replayed)]

    @property
    def moves_anything(self) -> bool:
        """Whether a value or the base moved."""
        return bool(self.to_files or self.to_db or self.moves_base)


_Decide: TypeAlias = Callable[[Policy, Sequence[Course]], Decisions]
"""Begins to note what is decided by a policy that makes this of moved tasks; nobody does in a dry run."""


class _Survey(Struct):
    """What the planning found: the report, and what carrying it out needs."""

    report: SyncReport
    courses: Sequence[Course]
    decisions: Decisions | None = None
    fresh: list[str] = field(default_factory=list)
    tasks: TaskWatch = field(default_factory=TaskWatch)
    elsewhere: TaskWatch = field(default_factory=TaskWatch)
    files_deleted: int = 0
    db_deleted: int = 0
    watch: GraphWatch | None = None
    moving: MoveWatch = field(default_factory=MoveWatch)


def synchronise(
    repo: Repo,
    policy: Policy,
    *,
    command: str,
    allow: Allow | None = None,
    dry_run: bool = False,
    message: str | None = None,
) -> SyncReport:
    """Pull, push, sync or resolve, as the policy's direction and selection say.

    Args:
        repo: the repo.
        policy: direction, selection, what settles a conflict.
        command: the command's name for log and messages.
        allow: guards that are lifted.
        dry_run: only say what would happen, by the same planning.
        message: the commit's message.

    Raises:
        NotFound: no database is configured, or a selected epic exists nowhere.
        Refused: a guard stops it.
        EpicvcError: a side is invalid or cannot be used; nothing was written.
    """
    allowed = allow or Allow()
    opened = ExitStack()
    repo.require_backend()
    run = Run(repo)

    def act(session: Session) -> SyncReport | Later[SyncReport] | Afterwards[SyncReport]:
        session.working.files.require_valid()
        documents = Documents(repo, session.working, session.staging, session.reader)
        decide = None if dry_run else partial(_begun, opened, documents)
        chosen, survey = _surveyed(documents, _deciding(policy, session, documents), decide)
        _guard(documents, survey, allowed)
        _check(session, documents, survey, chosen)
        report = survey.report
        report.dry_run = dry_run
        if survey.decisions is None or not report.moves_anything:
            return report
        return _carrying_out(session, documents, survey, survey.decisions, run, command, message)

    with opened:
        if dry_run:
            with look(repo) as session:
                return cast("SyncReport", act(session))
        with holding(repo):
            try:
                return _with_earlier(repo, run.until_done(lambda: act_held(repo, act)), run)
            except ConstraintBroken as error:
                if error.other is None or run.stays:
                    raise
                raise _with_origins(repo, error) from error


def _with_earlier(repo: Repo, report: SyncReport, run: Run) -> SyncReport:
    """The report of a run of which it says only what was planned last."""
    if run.earlier:
        report.to_db[:0] = [Moved(Label(epic), Op.ADD) for epic in run.earlier]
        report.moves_base = True
        report.commit = repo.revisions.head()
    return report


def _begun(opened: ExitStack, documents: Documents, policy: Policy, found: Sequence[Course]) -> Decisions:
    """Decisions that are forgotten when the command ends."""
    return opened.enter_context(closing(Decisions(documents, policy, found)))


def _deciding(policy: Policy, session: Session, documents: Documents) -> Policy:
    """The policy with what its policies decide; who decides each conflict by himself is not helped."""
    if policy.decide is not undecided:
        return policy
    policies = policy.policies
    decide = policies.decide(Newest(session, documents).decide)
    return replace(policy, decide=Memory(session.repo).deciding(decide, policies.whole))


# Planning


def _surveyed(documents: Documents, policy: Policy, decide: _Decide | None) -> tuple[Policy, _Survey]:
    """Plan everything, and once more with what is known of tasks that are in another place than before."""
    survey = _survey(documents, policy, decide)
    moves = _moves(documents, survey, policy)
    known, linked = with_moves(policy, moves, documents)
    if known.moves:
        survey = _survey(documents, known, decide, linked)
    others = contested(documents, survey.tasks, survey.elsewhere)
    if others:
        known, linked = with_moves(policy, moves.joined(others), documents)
        survey = _survey(documents, known, decide, linked)
    return known, survey


def _moves(documents: Documents, survey: _Survey, policy: Policy) -> Moves:
    """The tasks that are elsewhere now. One place of a move tells nothing: for some epics all are looked at."""
    chosen = policy.selection.epics()
    if chosen is not None and (survey.moving.places or survey.moving.new):
        for three in documents.load([epic for epic in documents.candidates() if epic not in chosen]):
            survey.moving.note(three)
            if three.db is None and three.base is None:
                survey.elsewhere.note_new(three.epic, three.file or {})
    return survey.moving.moves(documents)


def _check(session: Session, documents: Documents, survey: _Survey, policy: Policy) -> None:
    """Stop what no field shows: dependencies that only the merge breaks (design, "Merging")."""
    if survey.watch is None:
        return
    mapping, chosen = documents.repo.config.mapping, policy.selection.epics()
    if chosen is not None and survey.watch.anything:
        for batch in batches([epic for epic in documents.candidates() if epic not in chosen]):
            for three in documents.load(batch):
                survey.watch.leave(three)

    def plan(three: Three) -> Outcome:
        return plan_epic(mapping, policy, epic=three.epic, **three.cores())

    unique = unique_tasks(documents)
    tell = between_sides(session)
    survey.report.warnings = check_graph(documents, survey.watch, plan, survey.tasks.added, tell, unique=unique)


def _survey(
    documents: Documents, policy: Policy, decide: _Decide | None, linked: frozenset[str] = frozenset()
) -> _Survey:
    links = documents.repo.config.mapping.links
    found = courses(policy)
    survey = _Survey(
        SyncReport(tasks_moved=carried_out(found)),
        found,
        decide(policy, found) if decide else None,
        watch=GraphWatch(links.field, whole=policy.direction == Direction.BOTH) if links else None,
    )
    report = survey.report
    chosen = policy.selection.epics()
    candidates = sorted({*documents.candidates(), *linked}) if linked else documents.candidates()
    if chosen is not None:
        _require_known(documents, chosen)
        candidates = [epic for epic in candidates if epic in chosen]
    elif Direction.TO_THEIRS in policy.direction:
        # Nothing has to be read to know what becomes of an epic that only the files have.
        survey.fresh = [epic for epic in candidates if documents.is_new_in_files(epic) and not policy.moves.of(epic)]
        new = frozenset(survey.fresh)
        survey.moving.new += survey.fresh
        candidates = [epic for epic in candidates if epic not in new]
        report.moves_base |= bool(survey.fresh)
        if survey.watch is not None:
            survey.watch.changed[DATABASE][DATABASE].update(survey.fresh)
        report.to_db.extend(Moved(Label(epic), Op.ADD) for epic in survey.fresh)
    for batch in batches(candidates):
        for three in documents.load(batch):
            outcome = plan_epic(documents.repo.config.mapping, policy, epic=three.epic, **three.cores())
            report.conflicts.extend(outcome.conflicts)
            report.decided.extend(outcome.decided)
            survey.moving.note(three)
            if survey.watch is not None:
                survey.watch.note(three, outcome)
            soon = foreseen(three, outcome.db, documents.state_of_new_tasks)
            stale = calculated_changes(soon) if Direction.TO_OURS in policy.direction else ()
            report.to_files.extend(Moved(change.label, change.op) for change in stale)
            if not outcome.changes_anything and not stale:
                continue
            if survey.decisions is not None:
                survey.decisions.add(soon, outcome)
            report.moves_base |= outcome.moves_base
            report.to_files.extend(Moved(change.label, change.op) for change in outcome.to_files)
            report.to_db.extend(Moved(change.label, change.op) for change in outcome.to_db)
            survey.files_deleted += three.file is not None and outcome.files is None
            survey.db_deleted += three.db is not None and outcome.db is None
            survey.tasks.note(three, outcome)
    _note_new_tasks(documents, survey)
    return survey


def _note_new_tasks(documents: Documents, survey: _Survey) -> None:
    """Remember the tasks of epics that only the files have, where one of them may come from another epic."""
    if not survey.fresh or not (survey.tasks.removed or unique_tasks(documents)):
        return
    for epic in survey.fresh:
        survey.tasks.note_new(epic, documents.file_core(epic) or {})


def _require_known(documents: Documents, epics: frozenset[str]) -> None:
    for epic in sorted(epics):
        known = epic in documents.working.files.by_epic or epic in documents.entries or epic in documents.db_ids()
        if not known:
            raise NotFound(f"no epic {epic} on either side", hint="see `epicvc status` for what there is")


def _guard(documents: Documents, survey: _Survey, allow: Allow) -> None:
    """Stop before a mishap on one side empties the other (design, "Applying to two places")."""
    files, rows = len(documents.working.files.by_epic), len(documents.db_ids())
    agreed = len(documents.entries)
    for side, other, count, deleted in (
        ("files", "database", files, survey.db_deleted),
        ("database", "files", rows, survey.files_deleted),
    ):
        if agreed and not count and deleted and not allow.empty_side:
            raise Refused(
                f"the {side} side is empty; this would delete {deleted} epics on the {other} side",
                hint="bring it back with `epicvc rollback`, or mean it with --allow-empty-side",
            )
        total = rows if other == "database" else files
        if deleted * 2 > total and deleted > 1 and count and not allow.mass_delete:
            raise Refused(
                f"this would delete {deleted} of {total} epics on the {other} side",
                hint="look at `epicvc diff`, or mean it with --allow-mass-delete",
            )


# While it happens


def _carrying_out(
    session: Session,
    documents: Documents,
    survey: _Survey,
    decisions: Decisions,
    run: Run,
    command: str,
    message: str | None,
) -> Later[SyncReport] | Afterwards[SyncReport]:
    report = survey.report
    moves = {**(survey.tasks.moves() if unique_tasks(documents) else {}), **in_database(survey.courses)}

    def text(added: int | None) -> str:
        files, rows = (len(report.to_files), len(report.to_db)) if added is None else (0, added)
        return message or f"{command}: {files} to files, {rows} to database"

    together = frozenset(survey.fresh) if bound(documents) else {epic for epic, _ in (*moves, *moves.values())}
    job = Job(
        command,
        text,
        decisions,
        [epic for epic in survey.fresh if epic not in together],
        [epic for epic in survey.fresh if epic in together],
        moves,
        _is_bulk(documents, decisions, survey.fresh),
        bool(report.to_db),
    )

    def result() -> SyncReport:
        report.commit = session.repo.revisions.head()
        return report

    if not survey.fresh:
        return run.at_once(session, documents, job, result)

    def afterwards(beside_others: bool) -> SyncReport:
        run.carry_out(session, documents, job, beside_others=beside_others)
        return result()

    return Afterwards(afterwards)


def _with_origins(repo: Repo, error: ConstraintBroken) -> ConstraintBroken:
    """The error with the edits that made the two places what they are, as both sides are now that nothing was done."""
    assert error.other is not None  # else there is one place only
    label, other = parse_label(error.label), parse_label(error.other)
    with look(repo) as session:
        documents = Documents(repo, session.working, session.staging, session.reader)
        side = DATABASE
        if not other.table:
            (three,) = documents.load([other.root])
            there, whole = value_at(three.db, other), len(other.path) in (0, 2)
            mine = value_at(documents.file_core(label.root), label)
            if there is ABSENT or not (whole or (mine is not ABSENT and equal(mine, there))):
                side = FILES  # this very push wrote it, too
        tell = between_sides(session)
        return ConstraintBroken(error.label, error.constraint, error.other, (tell(label, FILES), tell(other, side)))


def _is_bulk(documents: Documents, decisions: Decisions, fresh: Sequence[str]) -> bool:
    """Whether so many rows are written that reading all of them afterwards is quicker than those that were touched."""
    if len(fresh) * MANY > len(documents.db_ids()):
        return True
    database, tasks = documents.working.database, documents.repo.config.mapping.tasks.table
    root = table_root(documents.sink, database, tasks) if database is not None else None
    return root is None or decisions.rows * MANY > tree.count(documents.sink, root)
