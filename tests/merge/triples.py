"""Random triples for the laws of merging, many and fast: ``python -m tests.merge.triples --count 100000``.

Hypothesis finds the small counterexample; this finds the rare one. A triple is made from its number alone, so that a
failure can be made again: ``--first NUMBER --count 1``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import TypeAlias, cast

from epicvc.base.jsonio import JSON, dumps_canonical, equal
from epicvc.merge.document import DocumentMerge
from epicvc.merge.threeway import ABSENT, Conflict, Direction, MergeContext, Value
from epicvc.merge.values import merge_value
from epicvc.merge.versions import Versions
from epicvc.model.document import UNAGREED, Core, read_file_epic, same_core, tasks_of
from epicvc.model.edit import new_file
from epicvc.model.labels import Label
from epicvc.model.mapping import BUILTIN
from epicvc.plan.epic import Outcome, Policy, plan_epic

from .making import EXTRAS, SETS, Maker, require
from .setlaws import check_set

Cores: TypeAlias = "tuple[Core | None, Core | None, Core | None]"


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

    def merge(b: Value, o: Value, t: Value) -> tuple[Versions[Value], list[Conflict]]:
        context = MergeContext()
        return merge_value(context, label, Versions(b, o, t)), context.conflicts

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

    def merge(b: Core, o: Core, t: Core) -> tuple[Versions[Value], list[Conflict]]:
        context = MergeContext()
        return DocumentMerge(BUILTIN).merge(context, "5", Versions(b, o, t)), context.conflicts

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
