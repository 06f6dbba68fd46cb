"""The laws of merging for sets of epics between which tasks move, get other ids, come and go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from typing import TypeAlias, cast

from support.plans import State, states

from epicvc.merge.threeway import Decide, Direction, preferring, undecided
from epicvc.merge.versions import Versions
from epicvc.model.document import UNAGREED, Core, same_core, tasks_of
from epicvc.model.mapping import BUILTIN
from epicvc.plan.epic import Outcome, Policy, plan_epic
from epicvc.plan.moves.findmoves import Places, find_moves

from .making import Maker, SetMaker, require

Outcomes: TypeAlias = "dict[str, Outcome]"
MergeSet: TypeAlias = Callable[..., "Outcomes"]


def check_set(maker: Maker) -> None:
    """Laws for epics between which tasks move, or get other ids."""
    sets = SetMaker(maker)
    base = sets.base()
    ours, theirs = sets.edited(base, "o"), sets.edited(base, "t")
    unique = maker.chance(0.5)

    def merge(b: State, o: State, t: State, direction: Direction = Direction.BOTH, side: str | None = None) -> Outcomes:
        return plan_set(b, o, t, direction, unique=unique, decide=preferring(side))

    found = merge(base, *maker.pick.choice([(ours, base), (base, ours), (ours, ours)]))
    require(not disputed(found) and all(same_set(side, ours) for side in states(found)), "sets: one side, or alike")
    outcomes, mirrored = merge(base, ours, theirs), merge(base, theirs, ours)
    after, swapped = states(outcomes), states(mirrored)
    require(same_set(after[1], swapped[2]) and same_set(after[2], swapped[1]), "symmetry: sets")
    require(disputed(outcomes) == disputed(mirrored), "symmetry: conflicts of sets")
    again = merge(*after)
    require(not any(o.changes_anything for o in again.values()), "a second plan of a set changes nothing")
    require(disputed(again) == disputed(outcomes), "a conflict of a set stays one")
    require(nothing_torn(base, (ours, theirs), after), "nothing is lost and nothing doubled")
    if not disputed(outcomes):
        require(same_set(after[1], after[2]) and same_set(after[1], after[0]), "what is resolved is agreed")
    check_direction(merge, maker, base, (ours, theirs))
    check_answers(merge, maker, base, after)


def check_direction(merge: MergeSet, maker: Maker, base: State, sides: tuple[State, State]) -> None:
    """One side stays as it is where the other is to change."""
    direction, kept = maker.pick.choice([(Direction.TO_OURS, 2), (Direction.TO_THEIRS, 1)])
    found = states(merge(base, *sides, direction))
    require(same_set(found[kept], sides[kept - 1]), "one direction leaves the other side alone")
    require(nothing_torn(base, sides, found), "nothing is lost in one direction")
    again = merge(*found, direction)
    require(not any(o.to_files or o.to_db for o in again.values()), "a second plan in one direction changes nothing")


def check_answers(merge: MergeSet, maker: Maker, base: State, after: tuple[State, State, State]) -> None:
    """Every answer settles; what it brings to light can be answered, too."""
    side = maker.pick.choice(["ours", "theirs", "base"])
    for _ in range(4):
        outcomes = merge(*after, Direction.BOTH, side)
        require(not disputed(outcomes), "an answer settles what was asked")
        after = states(outcomes)
        require(same_set(after[1], after[2]) and same_set(after[1], after[0]), "what is answered is agreed")
        keys = Counter(cast("str", task["id"]) for core in after[1].values() for task in tasks_of(core))
        require(all(count == 1 for count in keys.values()), "no id is in two places")
        if not any(outcome.changes_anything for outcome in outcomes.values()):
            return
    require(False, "answers come to an end")


def marks(state: State) -> Counter[str]:
    """How often a state has each task, under whatever id."""
    return Counter(cast("str", task["title"]) for core in state.values() for task in tasks_of(core))


def nothing_torn(base: State, sides: tuple[State, State], after: tuple[State, State, State]) -> bool:
    """Whether both sides have each task once that both had, and none twice."""
    mine, other, before = marks(sides[0]), marks(sides[1]), marks(base)
    results = [marks(state) for state in after[1:]]
    kept = all(found[task] >= 1 for found in results for task in mine.keys() & other.keys() & before.keys())
    return kept and all(count == 1 for found in results for count in found.values())


def disputed(outcomes: Outcomes) -> list[str]:
    return sorted(str(conflict.label) for outcome in outcomes.values() for conflict in outcome.conflicts)


def same_set(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(same_core(agreed(one[name]), agreed(other[name])) for name in one)


def agreed(core: Core) -> Core:
    return {name: value for name, value in core.items() if name != UNAGREED}


def plan_set(
    base: State, ours: State, theirs: State, direction: Direction, *, unique: bool, decide: Decide = undecided
) -> Outcomes:
    cores = {name: (base.get(name), ours.get(name), theirs.get(name)) for name in sorted({*base, *ours, *theirs})}
    places = [found for name, three in cores.items() if (found := Places.of(name, Versions(*three))) is not None]

    def owners(keys: Collection[str]) -> set[str]:
        return {
            name for name, three in cores.items() for core in three for t in tasks_of(core or {}) if t["id"] in keys
        }

    moves = find_moves(places, cores.__getitem__, "dependencies", owners=owners, unique=unique)
    policy = Policy(direction, moves=moves, decide=decide)
    return {name: plan_epic(BUILTIN, policy, name, *three) for name, three in cores.items()}
