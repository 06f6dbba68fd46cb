"""Plans one epic: from base, files, database and a policy to the next state of each, and the conflicts.

Pure and per document, so that a caller can stream any number of epics through it. "Ours" is the files side, "theirs"
the database, everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import cast

from msgspec import Struct, field
from msgspec.structs import replace

from epicvc.base.jsonio import JSON
from epicvc.merge.document import DocumentMerge
from epicvc.merge.threeway import ABSENT, Chosen, Conflict, Decide, Direction, MergeContext, Value, undecided
from epicvc.merge.versions import Versions
from epicvc.model.diff import Change, diff_epic
from epicvc.model.document import Core, same_core, sharing, tasks_of
from epicvc.model.labels import Label, Selection
from epicvc.model.mapping import Mapping
from epicvc.plan.moves.movedview import MovedView, unmerged
from epicvc.plan.moves.moves import Cores, Moves, course
from epicvc.plan.owned import Owned, core_only
from epicvc.plan.policies import Policies
from epicvc.plan.unagreed import Notes
from epicvc.plan.waits import Waits


class Policy(Struct, frozen=True):
    """The freedom of one synchronisation.

    Attributes:
        direction: ``TO_OURS`` pulls (db to files), ``TO_THEIRS`` pushes, ``BOTH`` syncs.
        selection: the places that the synchronisation is about.
        decide: settles a conflict, or not.
        policies: say which places are never merged inside. They decide nothing here: see ``decide``.
        moves: tasks that are in another place now than in the base.
    """

    direction: Direction = Direction.BOTH
    selection: Selection = field(default_factory=Selection)
    decide: Decide = undecided
    policies: Policies = field(default_factory=Policies)
    moves: Moves = field(default_factory=Moves)


class Outcome(Struct, frozen=True):
    """The outcome of planning one epic; ``None`` is an epic that does not exist there.

    Attributes:
        epic: the epic's id.
        files: the core that the files side will have.
        db: the core that the database will have.
        base: the core that both agree on afterwards.
        to_files: the changes of the files side.
        to_db: the changes of the database.
        conflicts: the conflicts that nothing settled.
        moves_base: whether the base becomes another.
        decided: the conflicts that were settled, each with its decision.
        waits: the places that stay as they are, since a side cannot be read whole.
    """

    epic: str
    files: Core | None
    db: Core | None
    base: Core | None
    to_files: tuple[Change, ...] = ()
    to_db: tuple[Change, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    moves_base: bool = False
    decided: tuple[tuple[Conflict, Chosen], ...] = ()
    waits: tuple[Waits, ...] = ()

    @property
    def changes_anything(self) -> bool:
        """Tell whether a side or the base becomes another."""
        return bool(self.to_files or self.to_db or self.moves_base)


def plan_epic(
    mapping: Mapping,
    policy: Policy,
    epic: str,
    base: Core | None,
    files: Core | None,
    db: Core | None,
    *,
    own: tuple[Owned | None, Owned | None] = (None, None),
    waiting: tuple[Waits, ...] = (),
) -> Outcome:
    """Plan the next state of one epic.

    Args:
        mapping: the fields and their merge rules.
        policy: the direction, the selection, and the function that settles a conflict.
        epic: the epic's id.
        base: the core on which both sides last agreed.
        files: the core that the files have.
        db: the core that the database has, settled against the base (:func:`epicvc.model.document.settle`).
        own: the edits of the files, and of the database, to what the other side lacks.
        waiting: places that stay as they are.
    """
    if waiting:
        places = frozenset(place.label for place in waiting)
        policy = replace(policy, selection=replace(policy.selection, but=places))
    selection = policy.selection
    context = _context(policy)
    merge = DocumentMerge(mapping)
    seen = _with_own(Versions(base, files, db), own)
    view = _moved_view(policy, context, epic, seen)
    if view is not None:
        merged = _merge_moved(merge, policy, context, view)
        db = core_only(view.cores.theirs, mapping) if any(own) else view.cores.theirs
    else:
        merged = merge.merge(context, epic, seen)
    after = merged.map(lambda value: None if value is ABSENT else cast("Core", value))
    if any(own):
        after = after.map(lambda core: core_only(core, mapping))
    new_files, new_db = _recognised(after.ours, files, db), _recognised(after.theirs, db, files)
    new_base = _recognised(after.base, new_files, new_db, base)
    label = Label(epic)
    if new_base is not None:
        new_base = Notes(label, selection, base, context.conflicts).note(new_base, new_files, new_db)
    return Outcome(
        epic,
        new_files,
        new_db,
        base=new_base,
        to_files=tuple(diff_epic(label, cast("Core", files), cast("Core", new_files))),
        to_db=tuple(diff_epic(label, cast("Core", db), cast("Core", new_db))),
        conflicts=tuple(context.conflicts),
        moves_base=not same_core(base, new_base),
        decided=tuple(context.decided),
        waits=waiting,
    )


def _with_own(cores: Cores, own: tuple[Owned | None, Owned | None]) -> Cores:
    """Return base, files and database with the edits that a side made for itself."""
    base, files, db = cores
    mine, theirs = own
    for edits in own:
        base = edits.beside_base(base) if edits is not None else base
    return Versions(base, mine.beside(files) if mine else files, theirs.beside(db) if theirs else db)


def _recognised(core: Core | None, *known: Core | None) -> Core | None:
    """Return a core of an outcome, as one of the known ones where it equals it.

    A known core has been named and compared already, and need not be again.
    """
    if core is None:
        return None
    for like in known:
        core = sharing(core, like)
    return core


def _context(policy: Policy) -> MergeContext:
    selection = policy.selection
    return MergeContext(policy.direction, selection.selects, selection.touches, policy.decide, policy.policies.whole)


def _moved_view(policy: Policy, context: MergeContext, epic: str, cores: Cores) -> MovedView | None:
    """Return the moves that concern an epic; ``None`` where it has nothing to do with any."""
    moves = policy.moves
    items = moves.concerning(epic)
    if not items:
        return None

    def ask(conflict: Conflict) -> Chosen | None:
        # The plan of each epic that the task may be in asks; the one of its label reports.
        where = context if conflict.label.root == epic else _context(policy)
        if not policy.selection.selects(conflict.label):
            return None
        return where.choose(conflict.label, Versions(conflict.base, conflict.ours, conflict.theirs))

    courses = [course(item, policy.direction, ask) for item in items]
    view = MovedView(epic, cores, courses, policy.direction, moves.links)
    return replace(view, cores=cores._replace(theirs=view.settled()))


def _merge_moved(merge: DocumentMerge, policy: Policy, context: MergeContext, view: MovedView) -> Versions[Value]:
    """Merge an epic that tasks leave or come to, or whose tasks depend on one with another id now."""

    def task(owner: str, versions: Cores) -> Versions[Value]:
        # The fields of a task that stays in several epics are merged in the plan of each, and reported once.
        where = context if owner == view.epic else _context(policy)
        found = merge.merge(where, owner, versions.map(_alone)).map(lambda side: tasks_of(cast("Core", side)))
        return found.map(lambda tasks: cast("JSON", tasks[0]) if tasks else ABSENT)

    seen = view.before()
    merged = unmerged(seen) if view.waits else merge.merge(context, view.epic, seen)
    return view.after(merged, task)


def _alone(task: Core | None) -> Core:
    """Return an epic with one task, or with none."""
    return {} if task is None else {Mapping.TASKS: [cast("JSON", task)]}


def decide_labels(
    chosen: Iterable[tuple[Label, Callable[[Conflict], Chosen | None]]], otherwise: Decide = undecided
) -> Decide:
    """Decide each conflict by the first entry whose label covers it."""
    entries: dict[Label, tuple[int, Callable[[Conflict], Chosen | None]]] = {}
    for number, (label, choice) in enumerate(chosen):
        entries.setdefault(label, (number, choice))

    def decide(conflict: Conflict) -> Chosen | None:
        covering = [entries[label] for label in conflict.label.upwards() if label in entries]
        return min(covering, key=itemgetter(0))[1](conflict) if covering else otherwise(conflict)

    return decide
