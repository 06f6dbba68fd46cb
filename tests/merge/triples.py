"""Random triples for the laws of merging, many and fast: ``python -m tests.merge.triples --count 100000``.

Hypothesis finds the small counterexample; this finds the rare one. A triple is made from its number alone, so that a
failure can be made again: ``--first NUMBER --count 1``.
"""

from __future__ import annotations

import argparse
import copy
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeAlias, cast

from epicvc.jsonio import JSON, dumps_canonical, equal
from epicvc.merge.document import DocumentMerge
from epicvc.merge.threeway import (
    ABSENT,
    Conflict,
    Context,
    Decide,
    Direction,
    Triple,
    Value,
    preferring,
    undecided,
)
from epicvc.merge.values import merge_value
from epicvc.model.document import UNAGREED, Core, read_file_epic, same_core, tasks_of
from epicvc.model.edit import new_file
from epicvc.model.labels import Label
from epicvc.model.mapping import BUILTIN
from epicvc.plan.findmoves import Places, find_moves
from epicvc.plan.plan import Outcome, Policy, plan_epic

Cores: TypeAlias = "tuple[Core | None, Core | None, Core | None]"
State: TypeAlias = "dict[str, Core]"
Outcomes: TypeAlias = "dict[str, Outcome]"
MergeSet: TypeAlias = Callable[..., "Outcomes"]

WORDS = ["", "a", "b", "c", "Ç ã", "\u0000", "~/", "1", "long " * 9]
NUMBERS: list[JSON] = [0, 1, 1.0, -1, 0.5, 10**30, True, False]
SETS = ("labels", "priority_tags")
EXTRAS = ("_note", "team", "history")
"""Keys that no field is for."""


class Maker:
    """Makes values, and what somebody makes of them."""

    def __init__(self, number: int) -> None:
        self.pick = random.Random(number)

    def text(self) -> str:
        if self.pick.random() < 0.4:
            return "\n".join(self.pick.choice(["x", "y", "z", "", "w w"]) for _ in range(self.pick.randrange(2, 7)))
        return self.pick.choice(WORDS)

    def value(self, depth: int = 0) -> JSON:
        kind = self.pick.randrange(7 if depth < 3 else 3)
        if kind == 0:
            return self.text()
        if kind in (1, 2):
            return self.pick.choice([self.pick.choice(NUMBERS), self.pick.choice(WORDS)])
        if kind == 3:
            return [self.value(depth + 1) for _ in range(self.pick.randrange(5))]
        if kind == 4:
            keys = self.pick.sample("123456", self.pick.randrange(1, 5))
            return [{"id": key, **self.members(depth + 1)} for key in keys]
        return self.members(depth + 1)

    def members(self, depth: int) -> dict[str, JSON]:
        return {self.pick.choice(["a", "b", "c/d", ""]): self.value(depth) for _ in range(self.pick.randrange(4))}

    def edited(self, value: JSON) -> JSON:
        """What somebody made of a value: mostly the same, with something changed inside."""
        chance = self.pick.random()
        if chance < 0.15:
            return self.value(2)
        if isinstance(value, dict):
            result = {k: self.edited(v) if k != "id" and self.chance(0.3) else v for k, v in value.items()}
            if self.chance(0.2):
                result.update(self.members(2))
            return {k: v for k, v in result.items() if k == "id" or not self.chance(0.1)}
        if isinstance(value, list):
            return self.edited_list(value)
        if isinstance(value, str) and "\n" in value:
            return "\n".join(cast("list[str]", self.edited_list(cast("list[JSON]", value.split("\n")), lines=True)))
        return value if chance < 0.6 else self.value(2)

    def edited_list(self, items: list[JSON], *, lines: bool = False) -> list[JSON]:
        result = [item for item in items if not self.chance(0.15)]
        if not lines:
            result = [self.edited(item) if self.chance(0.2) else item for item in result]
        if self.chance(0.3):
            known = {cast("Any", item).get("id") for item in items if isinstance(item, dict)}
            fresh: JSON = self.pick.choice("pqr")
            if known and not lines and (key := self.pick.choice("789")) not in known:
                fresh = {"id": key, "n": 1}
            result.insert(self.pick.randrange(len(result) + 1), fresh)
        if len(result) > 1 and self.chance(0.15):
            result.insert(self.pick.randrange(len(result)), result.pop(self.pick.randrange(len(result))))
        return copy.deepcopy(result)

    def chance(self, part: float) -> bool:
        return self.pick.random() < part

    # Epics

    def core(self) -> Core:
        fields: dict[str, Callable[[], JSON]] = {
            "name": self.text,
            "summary": self.text,
            "tdd_enabled": lambda: self.chance(0.5),
            "goals": lambda: [self.pick.choice("abcdefg") for _ in range(self.pick.randrange(6))],
            "labels": self.labels,
            "quality_gates": self.value,
            "automation_hooks": lambda: self.members(0),
        }
        core = {name: make() for name, make in fields.items() if self.chance(0.7)}
        keys = self.pick.sample(["1", "2", "3", "a/b", "~", "10"], self.pick.randrange(5))
        if keys:
            core["tasks"] = [self.task(key) for key in keys]
        return core

    def task(self, key: str) -> Core:
        fields: dict[str, Callable[[], JSON]] = {
            "title": lambda: f"title {key} {self.pick.randrange(3)}",
            "description": self.text,
            "story_points": lambda: self.pick.choice([1, 2, 3.0]),
            "acceptance_criteria": lambda: [self.pick.choice("abcd") for _ in range(self.pick.randrange(4))],
            "priority_tags": self.labels,
            "dependencies": lambda: cast("JSON", sorted(self.pick.sample(["1", "2", "3", "10"], 2))),
        }
        return {"id": key, **{name: make() for name, make in fields.items() if self.chance(0.6)}}

    def with_extras(self, core: Core) -> Core:
        """The same with keys that no column has, changed here and there."""
        result = copy.deepcopy(core)
        for item in (result, *tasks_of(result)):
            for name in EXTRAS:
                if self.chance(0.4):
                    item[name] = self.edited(item[name]) if name in item else self.value(1)
                    if item[name] is None:
                        del item[name]
        return result

    def labels(self) -> JSON:
        return cast("JSON", self.pick.sample("abcde", self.pick.randrange(4)))

    def edited_core(self, core: Core) -> Core:
        other = self.core()
        result: Core = {}
        for name in {**core, **other}:
            if name == "tasks":
                continue
            if name in core and not self.chance(0.1):
                result[name] = core[name] if self.chance(0.6) else self.fitting(name, core[name], other)
            elif name in other and self.chance(0.2):
                result[name] = other[name]
        tasks = [
            task if self.chance(0.5) else {**task, **self.task(cast("str", task["id"]))}
            for task in tasks_of(core)
            if not self.chance(0.15)
        ]
        known = {task["id"] for task in tasks_of(core)}
        tasks += [task for task in tasks_of(other) if task["id"] not in known and self.chance(0.3)]
        if len(tasks) > 1 and self.chance(0.3):
            tasks.insert(self.pick.randrange(len(tasks)), tasks.pop(self.pick.randrange(len(tasks))))
        if tasks:
            result["tasks"] = cast("JSON", tasks)
        return copy.deepcopy(result)

    def fitting(self, name: str, value: JSON, other: Core) -> JSON:
        """An edit that the field's column can hold."""
        if name in ("quality_gates", "automation_hooks"):
            return self.edited(value)
        if name == "goals" or (isinstance(value, str) and "\n" in value):
            edited = self.edited_list(
                cast("list[JSON]", value if isinstance(value, list) else value.split("\n")), lines=True
            )
            return edited if name == "goals" else "\n".join(cast("list[str]", edited))
        return other.get(name, value)


class Broken(AssertionError):
    """A law does not hold."""


def require(condition: object, law: str) -> None:
    if not condition:
        raise Broken(law)


def pieces(value: JSON, inside: str = "") -> Iterator[tuple[str, bytes]]:
    """Every scalar, item and line of a value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key != UNAGREED:
                yield from pieces(inner, key)
    elif isinstance(value, list):
        for item in value:
            yield from pieces(item, inside)
    elif isinstance(value, str):
        for line in value.split("\n"):
            yield inside, dumps_canonical(line)
    else:
        yield inside, dumps_canonical(value)


def check_value(maker: Maker) -> None:
    """The laws for three values of any shape, any root."""
    base = maker.value()
    ours, theirs = maker.edited(base), maker.edited(base)
    label = Label("value")

    def merge(b: Value, o: Value, t: Value) -> tuple[Triple, list[Conflict]]:
        context = Context()
        return merge_value(context, label, b, o, t), context.conflicts

    for side in (ours, theirs):
        for found, conflicts in (merge(base, side, base), merge(base, base, side), merge(base, side, side)):
            require(not conflicts and equal(plain(found.ours), side), "one side alone changed, or both did alike")
    found, conflicts = merge(base, ours, theirs)
    mirrored, others = merge(base, theirs, ours)
    require(equal(plain(found.ours), plain(mirrored.theirs)), "symmetry: values")
    require(sorted(str(c.label) for c in conflicts) == sorted(str(c.label) for c in others), "symmetry: conflicts")
    require(bool(conflicts) or equal(plain(found.ours), plain(found.theirs)), "what is resolved is agreed")
    written = {*pieces(ours), *pieces(theirs)}
    require({*pieces(plain(found.ours))} <= written, "nothing appears that no side wrote")
    if isinstance(base, dict) and isinstance(ours, dict) and isinstance(theirs, dict):
        merged = cast("dict[str, JSON]", found.ours)
        for key in {**base, **ours, **theirs}:
            for mine, other in ((ours, theirs), (theirs, ours)):
                if equal(other.get(key), base.get(key)) and not conflicts:
                    require(equal(merged.get(key), mine.get(key)), "what the other side did not touch survives")


def plain(value: Value) -> JSON:
    return None if value is ABSENT else value


def check_epic(maker: Maker) -> None:
    """The laws for three versions of an epic, absent ones among them."""
    base: Core | None = maker.core()
    sides = [maker.edited_core(cast("Core", base)) if maker.chance(0.9) else None for _ in range(2)]
    if maker.chance(0.1):
        base = None
    ours, theirs = sides
    require(same_core(plan((base, ours, base)).db, ours), "one side alone changed")
    alike = plan((base, ours, ours))
    require(not alike.conflicts and not alike.to_db and same_core(alike.base, ours), "both did alike")
    outcome, mirrored = plan((base, ours, theirs)), plan((base, theirs, ours))
    require(same_core(outcome.files, mirrored.db) and same_core(outcome.db, mirrored.files), "symmetry: sides")
    require(same_core(outcome.base, mirrored.base), "symmetry: base")
    labels = [sorted(str(c.label) for c in found.conflicts) for found in (outcome, mirrored)]
    require(labels[0] == labels[1], "symmetry: conflicts")
    second = plan((outcome.base, outcome.files, outcome.db))
    require(not second.changes_anything, "a second plan changes nothing")
    require(len(second.conflicts) == len(outcome.conflicts), "a conflict stays one")
    if not outcome.conflicts:
        require(same_core(outcome.files, outcome.db), "what is resolved is agreed")
    for core in (outcome.files, outcome.db):
        if core is not None:
            require(same_core(read_file_epic(cast("JSON", new_file("5", core)), BUILTIN, "5").core, core), "valid")
    written = {*pieces(cast("JSON", ours)), *pieces(cast("JSON", theirs))}
    for core in (outcome.files, outcome.db):
        require({*pieces(cast("JSON", core))} <= written, "nothing appears that no side wrote")
    if base is not None and ours is not None and theirs is not None:
        check_parts(base, ours, theirs, outcome)


def check_parts(base: Core, ours: Core, theirs: Core, outcome: Outcome) -> None:
    """What survives, and what does not come back."""
    merged = cast("Core", outcome.files)
    disputed = {conflict.label.path[:1] for conflict in outcome.conflicts}
    for name in {**base, **ours, **theirs}:
        if name == "tasks":
            continue
        for mine, other in ((ours, theirs), (theirs, ours)):
            if equal(other.get(name), base.get(name)):
                require(equal(merged.get(name), mine.get(name)), "what the other side did not touch survives")
        if name == "goals" and (name,) not in disputed:
            counts = [
                Counter(map(dumps_canonical, cast("list[JSON]", c.get(name) or [])))
                for c in (base, ours, theirs, merged)
            ]
            for item in counts[0]:
                b, o, t, m = (count[item] for count in counts)
                require(not ((o < b and t <= b) or (t < b and o <= b)) or m < b, "a deleted item stays deleted")
        if name in SETS and (name,) not in disputed:
            values = [set(cast("list[str]", core.get(name) or [])) for core in (base, ours, theirs, merged)]
            require(not values[0] & values[3] - (values[1] & values[2]), "a deleted label stays deleted")
    known = {cast("str", task["id"]): task for task in tasks_of(base)}
    for mine, other in ((ours, theirs), (theirs, ours)):
        kept = {cast("str", task["id"]): task for task in tasks_of(other)}
        gone = known.keys() - {task["id"] for task in tasks_of(mine)}
        for core in (outcome.files, outcome.db):
            for task in tasks_of(core or {}):
                key = cast("str", task["id"])
                if key in gone and key in kept:
                    require(not same_core(kept[key], known[key]), "a deleted task stays deleted")


def plan(cores: Cores, direction: Direction = Direction.BOTH) -> Outcome:
    return plan_epic(BUILTIN, Policy(direction), "5", *cores)


def check_whole(maker: Maker) -> None:
    """Laws for documents with more than their mapping knows: what no field is for is merged, and never lost."""
    base = maker.with_extras(maker.core())
    ours, theirs = (maker.with_extras(maker.edited_core(base)) for _ in range(2))

    def merge(b: Core, o: Core, t: Core) -> tuple[Triple, list[Conflict]]:
        context = Context()
        return DocumentMerge(BUILTIN).merge(context, "5", b, o, t), context.conflicts

    for found, conflicts in (merge(base, ours, base), merge(base, base, ours), merge(base, ours, ours)):
        require(not conflicts and equal(plain(found.ours), cast("JSON", ours)), "extra keys: one side alone changed")
    found, conflicts = merge(base, ours, theirs)
    mirrored, others = merge(base, theirs, ours)
    require(equal(plain(found.ours), plain(mirrored.theirs)), "symmetry: extra keys")
    labels = [sorted(str(conflict.label) for conflict in found) for found in (conflicts, others)]
    require(labels[0] == labels[1], "symmetry: conflicts of extra keys")
    merged = cast("Core", found.ours)
    for name in EXTRAS:
        for mine, other in ((ours, theirs), (theirs, ours)):
            if equal(other.get(name), base.get(name)):
                require(equal(merged.get(name), mine.get(name)), "an extra key survives")
    known = [{task["id"]: task for task in tasks_of(core)} for core in (base, ours, theirs, merged)]
    for key in known[0].keys() & known[1].keys() & known[2].keys():
        before, mine, other, after = (tasks[key] for tasks in known)
        for name in EXTRAS:
            for one, two in ((mine, other), (other, mine)):
                if equal(two.get(name), before.get(name)):
                    require(equal(after.get(name), one.get(name)), "an extra key of a task survives")


class SetMaker:
    """Makes sets of epics, and what somebody makes of them: tasks move, get other ids, come, go, and change.

    Each task says which it is in its title and keeps that, so that it can be followed wherever it goes.
    """

    def __init__(self, maker: Maker) -> None:
        self.maker = maker

    def base(self) -> State:
        base = {name: self.epic() for name in "ABC"}
        keys = [f"{name}.{number}" for name, core in base.items() for number in range(len(tasks_of(core)))]
        for name, core in base.items():
            for number, task in enumerate(tasks_of(core)):
                self.marked(task, f"{name}.{number}", keys)
        return base

    def epic(self) -> Core:
        """An epic with little but tasks: what its own fields do, other triples try."""
        core: Core = {"name": self.maker.pick.choice(WORDS)}
        count = self.maker.pick.randrange(4)
        return {**core, "tasks": [self.task() for _ in range(count)]} if count else core

    def task(self) -> Core:
        fields = self.maker.task("")
        kept = ("id", "description", "story_points", "priority_tags", "dependencies")
        return {name: fields[name] for name in kept if name in fields}

    def marked(self, task: Core, key: str, keys: list[str]) -> None:
        """Give a task its id, its mark, and others that it depends on."""
        task.update(id=key, title=f"task {key}")
        if "description" in task:
            task["description"] = f"{key}\n{task['description']}"
        if "dependencies" in task:
            others = [other for other in keys if other != key]
            links = self.maker.pick.sample(others, min(2, len(others)))
            task.update(dependencies=cast("JSON", sorted(links)))
            if not links:
                del task["dependencies"]

    def edited(self, base: State, side: str) -> State:
        maker = self.maker
        state = copy.deepcopy(base)
        if maker.chance(0.1):
            state["D"] = {"name": side}
        for name in "ABC":
            tasks = tasks_of(state[name])
            for task in list(tasks):
                if not any(found is task for found in tasks) or cast("str", task["id"])[0] != name:
                    continue
                chance = maker.pick.random()
                if chance < 0.2:
                    tasks.remove(task)
                    target = state[maker.pick.choice(sorted(state.keys() - {name}))]
                    there = cast("list[JSON]", target.setdefault("tasks", []))
                    there.insert(maker.pick.randrange(len(there) + 1), cast("JSON", task))
                elif chance < 0.35:
                    self.rename(state, cast("str", task["id"]), f"{task['id']}{maker.pick.choice('xy')}")
                elif chance < 0.45:
                    tasks.remove(task)
                    self.rename(state, cast("str", task["id"]), None)
                elif chance < 0.7:
                    fields = self.task()
                    task.update({k: v for k, v in fields.items() if k in ("story_points", "priority_tags")})
            if maker.chance(0.2):
                new = self.task()
                self.marked(new, f"{name}.{side}", [])
                cast("list[JSON]", state[name].setdefault("tasks", [])).append(cast("JSON", new))
        for core in state.values():
            if not core.get("tasks"):
                core.pop("tasks", None)
        return {name: core for name, core in state.items() if not maker.chance(0.05)}

    @staticmethod
    def rename(state: State, old: str, new: str | None) -> None:
        """Let everything that depends on a task depend on it by another id, or no longer."""
        for core in state.values():
            for task in tasks_of(core):
                if task["id"] == old and new is not None:
                    task["id"] = new
                links = cast("list[str]", task.get("dependencies") or [])
                if old in links:
                    named = sorted({*links, new or old} - {old})
                    task["dependencies"] = cast("JSON", named)
                    if not named:
                        del task["dependencies"]


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


def states(outcomes: Outcomes) -> tuple[State, State, State]:
    """Base, files and database afterwards."""
    sides: tuple[State, State, State] = ({}, {}, {})
    for name, outcome in outcomes.items():
        for side, core in zip(sides, (outcome.base, outcome.files, outcome.db), strict=True):
            if core is not None:
                side[name] = core
    return sides


def same_set(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(same_core(agreed(one[name]), agreed(other[name])) for name in one)


def agreed(core: Core) -> Core:
    return {name: value for name, value in core.items() if name != UNAGREED}


def plan_set(
    base: State, ours: State, theirs: State, direction: Direction, *, unique: bool, decide: Decide = undecided
) -> Outcomes:
    cores = {name: (base.get(name), ours.get(name), theirs.get(name)) for name in sorted({*base, *ours, *theirs})}
    places = [found for name, three in cores.items() if (found := Places.of(name, *three)) is not None]

    def owners(keys: Collection[str]) -> set[str]:
        return {
            name for name, three in cores.items() for core in three for t in tasks_of(core or {}) if t["id"] in keys
        }

    moves = find_moves(places, cores.__getitem__, "dependencies", owners=owners, unique=unique)
    policy = Policy(direction, moves=moves, decide=decide)
    return {name: plan_epic(BUILTIN, policy, name, *three) for name, three in cores.items()}


CHECKS = (check_value, check_epic, check_whole, check_set)


def run(count: int, first: int = 0) -> None:
    """Check the laws for triples by number.

    Raises:
        Broken: a law does not hold; the number is in the notes.
    """
    for number in range(first, first + count):
        for check in CHECKS:
            try:
                check(Maker(number))
            except Exception as error:
                error.add_note(f"{check.__name__}, triple {number}")
                raise


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.merge.triples", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="how many triples")
    parser.add_argument("--first", type=int, default=0, help="the number of the first")
    options = parser.parse_args(arguments)
    started = time.process_time()
    run(options.count, options.first)
    seconds = time.process_time() - started
    sys.stdout.write(
        f"{options.count} triples of values, epics, documents and sets of epics: every law holds ({seconds:.0f} s)\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
