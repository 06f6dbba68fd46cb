"""The laws of planning, on random epics."""

from __future__ import annotations

from typing import TypeAlias, cast

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from model.epics import (
    EPIC,
    EPIC_FIELDS,
    LABEL,
    SETS,
    TASK_FIELDS,
    Path,
    at,
    changed,
    cores,
    leaves,
    order,
    threes,
    unmarked,
)

from epicvc.base.jsonio import JSON, equal
from epicvc.merge.threeway import ABSENT, Conflict, Direction, Value
from epicvc.model.document import Core, RowEpic, read_file_epic, same_core, settle, tasks_of
from epicvc.model.edit import new_file
from epicvc.model.labels import Label, Selection
from epicvc.model.mapping import BUILTIN
from epicvc.plan.epic import Outcome, Policy, plan_epic
from epicvc.plan.policies import decide_by_policy

Three: TypeAlias = "tuple[Core | None, Core | None, Core | None]"

TASKS = LABEL.child("tasks")
moderate = settings(max_examples=60, deadline=None)
DIRECTIONS = st.sampled_from([Direction.BOTH, Direction.TO_OURS, Direction.TO_THEIRS])


def plan(three: Three, policy: Policy | None = None) -> Outcome:
    return plan_epic(BUILTIN, policy or Policy(), EPIC, *three)


def again(outcome: Outcome, policy: Policy | None = None) -> Outcome:
    return plan((outcome.base, outcome.files, outcome.db), policy)


def plain(value: Value) -> JSON:
    return None if value is ABSENT else value


def conflict_keys(outcome: Outcome) -> dict[Label, tuple[JSON, JSON, JSON]]:
    return {c.label: (plain(c.base), plain(c.ours), plain(c.theirs)) for c in outcome.conflicts}


def assert_same_conflicts(one: Outcome, other: Outcome) -> None:
    mine, others = conflict_keys(one), conflict_keys(other)
    assert mine.keys() == others.keys()
    for label, values in mine.items():
        found = others[label]
        if label == TASKS:  # what one side added meanwhile stands in both orders then
            known = cast("list[str]", values[1])
            found = tuple(order and [key for key in order if key in known] for order in found)  # type: ignore
        assert all(equal(a, b) for a, b in zip(values, found, strict=True)), label


def in_conflict(outcome: Outcome, path: Path) -> bool:
    """Whether a leaf is part of a conflict; the one over the order of tasks has no leaf."""
    label = Label(EPIC, path)
    return any(conflict.label.covers(label) for conflict in outcome.conflicts if conflict.label != TASKS)


labels = st.one_of(
    st.sampled_from([LABEL, TASKS]),
    st.sampled_from([LABEL.child(name) for name in EPIC_FIELDS]),
    st.sampled_from([TASKS.child(key) for key in ("1", "2", "a/b", "~")]),
    st.sampled_from([TASKS.child(key).child(name) for key in ("1", "2", "3") for name in TASK_FIELDS]),
    st.sampled_from([LABEL.child("quality_gates").child(key) for key in ("x", "y/z", "")]),
)
selections = st.lists(labels, min_size=1, max_size=4).map(lambda chosen: Selection(tuple(chosen)))
policies = st.builds(Policy, DIRECTIONS, selections | st.just(Selection()))


# One side


@moderate
@given(threes())
def test_a_change_of_one_side_reaches_the_other(three: Three) -> None:
    base, files, _ = three
    for outcome in (plan((base, files, base)), plan((base, base, files))):
        assert not outcome.conflicts
        assert same_core(outcome.files, files) and same_core(outcome.db, files) and same_core(outcome.base, files)


@moderate
@given(threes())
def test_what_both_did_alike_is_agreed(three: Three) -> None:
    base, files, _ = three
    outcome = plan((base, files, files))
    assert not outcome.conflicts and not outcome.to_files and not outcome.to_db
    assert same_core(outcome.base, files)
    assert outcome.moves_base == (not same_core(base, files))


# Two sides


@moderate
@given(threes())
def test_sides_are_treated_alike(three: Three) -> None:
    base, files, db = three
    one, other = plan((base, files, db)), plan((base, db, files))
    assert leaves(one.files) == leaves(other.db)
    assert leaves(one.db) == leaves(other.files)
    assert leaves(one.base) == leaves(other.base)
    common = set(order(files)) & set(order(db))
    for mine, mirrored in ((one.files, other.db), (one.db, other.files)):
        assert [k for k in order(mine) if k in common] == [k for k in order(mirrored) if k in common]
    swapped = {label: (base, theirs, ours) for label, (base, ours, theirs) in conflict_keys(other).items()}
    mine_ = conflict_keys(one)
    assert mine_.keys() == swapped.keys()
    for label, values in mine_.items():
        assert all(equal(a, b) for a, b in zip(values, swapped[label], strict=True)), label


@moderate
@given(threes(), policies)
def test_no_value_appears_that_no_side_wrote(three: Three, policy: Policy) -> None:
    outcome = plan(three, policy)
    written = {*leaves(three[1], parts=True).items(), *leaves(three[2], parts=True).items()}
    for side in (outcome.files, outcome.db):
        # An object that both sides emptied together is the one thing that neither wrote.
        assert {leaf for leaf in leaves(side, parts=True).items() if leaf[1] != b"{}"} <= written


@moderate
@given(threes())
def test_a_conflict_leaves_everything_in_place(three: Three) -> None:
    _, files, db = three
    outcome = plan(three)
    for conflict in outcome.conflicts:
        path = conflict.label.path
        if conflict.label == TASKS:
            common = set(order(files)) & set(order(db))
            assert conflict.ours == [key for key in order(outcome.files) if key in common]
            assert conflict.theirs == [key for key in order(outcome.db) if key in common]
            continue
        before = (plain(conflict.base), plain(conflict.ours), plain(conflict.theirs))
        for value, old, new in zip(before, three, (outcome.base, outcome.files, outcome.db), strict=True):
            assert equal(value, at(old, path))
            assert equal(value, at(unmarked(new), path))


@moderate
@given(threes())
def test_everything_else_is_merged(three: Three) -> None:
    outcome = plan(three)
    merged = [
        {path: value for path, value in leaves(core).items() if not in_conflict(outcome, path)}
        for core in (outcome.files, outcome.db, outcome.base)
    ]
    assert merged[0] == merged[1] == merged[2]
    if not outcome.conflicts:
        assert same_core(outcome.files, outcome.db) and same_core(outcome.files, outcome.base)


@moderate
@given(threes(absent=False))
def test_scalars_follow_the_trivial_rule(three: Three) -> None:
    base, files, db = (cast("Core", core) for core in three)
    outcome = plan(three)
    for name in ("name", "tdd_enabled"):
        before, ours, theirs = base.get(name), files.get(name), db.get(name)
        expected = theirs if equal(ours, before) else ours
        if equal(ours, before) or equal(theirs, before) or equal(ours, theirs):
            assert equal(cast("Core", outcome.files).get(name), expected)
            assert equal(cast("Core", outcome.db).get(name), expected)
        elif "\n" not in str(before):
            assert LABEL.child(name) in conflict_keys(outcome)


@moderate
@given(threes(absent=False))
def test_sets_lose_what_one_side_removed_and_revive_nothing(three: Three) -> None:
    outcome = plan(three)
    for path in {path for core in three for path in leaves(core) if path[-1] in SETS}:
        values = [at(core, path) for core in (*three, outcome.files)]
        if all(isinstance(value, list) for value in values[:3]):
            base, ours, theirs, merged = (set(cast("list[str]", value or [])) for value in values)
            assert merged == (ours & theirs) | (ours - base) | (theirs - base)


# Again


@settings(max_examples=200, deadline=None)
@given(threes(), policies)
def test_a_second_plan_changes_nothing(three: Three, policy: Policy) -> None:
    outcome = plan(three, policy)
    second = again(outcome, policy)
    assert not second.to_files and not second.to_db and not second.moves_base
    assert_same_conflicts(outcome, second)


DEFAULTS: Core = {"name": "a", "tdd_enabled": True, "labels": []}
TASK_DEFAULTS: Core = {"title": "a", "story_points": 1, "priority_tags": ["a"]}


def rows(core: Core) -> RowEpic:
    """The core as a database keeps it whose columns have defaults."""
    values = {**DEFAULTS, **core}
    stored = [{**TASK_DEFAULTS, **task} for task in tasks_of(core)]
    if stored:
        values["tasks"] = cast("JSON", stored)
    return RowEpic(
        EPIC,
        values,
        defaults=_defaults(values, DEFAULTS),
        task_defaults={cast("str", task["id"]): _defaults(task, TASK_DEFAULTS) for task in stored},
    )


def _defaults(values: Core, defaults: Core) -> frozenset[str]:
    return frozenset(name for name, value in defaults.items() if equal(values[name], value))


def read(db: Core | None, base: Core | None, files: Core | None) -> Core | None:
    return None if db is None else settle(rows(db), files if base is None else base)


@settings(max_examples=200, deadline=None)
@given(threes(), DIRECTIONS)
def test_rows_with_defaults_read_back_as_planned(three: Three, direction: Direction) -> None:
    base, files, db = three
    settled = read(db, base, files)
    policy = Policy(direction)
    outcome = plan((base, files, settled), policy)
    if outcome.base is not None:
        found = read(outcome.db, outcome.base, outcome.files)
        assert same_core(found, outcome.db)
        second = plan((outcome.base, outcome.files, found), policy)
        assert not second.changes_anything
        assert_same_conflicts(outcome, second)


@settings(max_examples=120, deadline=None)
@given(threes(), st.data(), selections)
def test_a_conflict_outlives_other_changes(three: Three, data: st.DataObject, selection: Selection) -> None:
    """Whatever else happens later, what was never agreed on is not settled by itself."""
    _, files, db = three
    first = plan((None, files, read(db, None, files)))
    assume(first.conflicts and first.base is not None)
    disputed = {conflict.label for conflict in first.conflicts}
    files = data.draw(changed(cast("Core", first.files)))
    for name in {label.path[0] for label in disputed}:
        files.pop(name, None)
        if (value := cast("Core", first.files).get(name)) is not None:
            files[name] = value
    part = plan((first.base, files, read(first.db, first.base, files)), Policy(selection=selection))
    rest = plan((part.base, part.files, read(part.db, part.base, part.files)))
    assert disputed == {conflict.label for conflict in rest.conflicts}


@moderate
@given(threes(), policies)
def test_what_is_planned_can_be_written_and_read(three: Three, policy: Policy) -> None:
    outcome = plan(three, policy)
    for core in (outcome.files, outcome.db):
        if core is not None:
            found = read_file_epic(cast("JSON", new_file(EPIC, core)), BUILTIN, "5.json").core
            assert same_core(found, core)


# Directions


@moderate
@given(threes(), selections | st.just(Selection()))
def test_a_direction_changes_one_side_only(three: Three, selection: Selection) -> None:
    pull = plan(three, Policy(Direction.TO_OURS, selection))
    assert not pull.to_db and same_core(pull.db, three[2])
    push = plan(three, Policy(Direction.TO_THEIRS, selection))
    assert not push.to_files and same_core(push.files, three[1])


@settings(max_examples=120, deadline=None)
@given(threes(), st.booleans())
def test_pull_and_push_reach_what_sync_reaches(three: Three, pull_first: bool) -> None:
    directions = [Direction.TO_OURS, Direction.TO_THEIRS]
    both = plan(three)
    first, second = directions if pull_first else reversed(directions)
    half = plan(three, Policy(first))
    whole = again(half, Policy(second))
    assert conflict_keys(half).keys() == conflict_keys(whole).keys() == conflict_keys(both).keys()
    assert leaves(whole.files) == leaves(both.files)
    assert leaves(whole.db) == leaves(both.db)
    if not both.conflicts:
        assert same_core(whole.files, both.files) and same_core(whole.db, both.db)
        assert same_core(whole.base, both.base)


# Selections


@settings(max_examples=120, deadline=None)
@given(threes(), policies)
def test_what_is_not_selected_never_changes(three: Three, policy: Policy) -> None:
    outcome = plan(three, policy)
    selects = policy.selection.selects
    for old, new in zip(three, (outcome.base, outcome.files, outcome.db), strict=True):
        before, after = (
            {path: value for path, value in leaves(core).items() if not selects(Label(EPIC, path))}
            for core in (old, new)
        )
        for core in (before, after):  # an id comes with the first field that is agreed on, {} goes with it
            for path in [path for path, value in core.items() if path[-1] == "id" or value == b"{}"]:
                del core[path]
        assert before == after
        if not selects(TASKS):
            common = set(order(old)) & set(order(new))
            assert [k for k in order(old) if k in common] == [k for k in order(new) if k in common]
    for old, new in zip(three[1:], (outcome.files, outcome.db), strict=True):
        changed_ids = set(order(old)) ^ set(order(new))
        assert all(selects(TASKS.child(key)) for key in changed_ids)
    assert all(selects(conflict.label) for conflict in outcome.conflicts)


@moderate
@given(threes())
def test_an_epic_selected_by_name_is_an_epic_selected(three: Three) -> None:
    one, other = plan(three), plan(three, Policy(selection=Selection((LABEL,))))
    assert one == other
    nothing = plan(three, Policy(selection=Selection((Label("other"),))))
    assert not nothing.changes_anything and not nothing.conflicts


@settings(max_examples=120, deadline=None)
@given(threes(), selections)
def test_a_part_first_and_then_the_rest_is_the_whole(three: Three, selection: Selection) -> None:
    whole = plan(three)
    rest = again(plan(three, Policy(selection=selection)))
    assert conflict_keys(rest).keys() - {TASKS} == conflict_keys(whole).keys() - {TASKS}
    if not whole.conflicts and not rest.conflicts:
        assert leaves(rest.files) == leaves(whole.files) == leaves(rest.db)


# Decisions


@moderate
@given(threes(), st.sampled_from(["json_wins", "database_wins"]))
def test_a_policy_settles_every_conflict(three: Three, name: str) -> None:
    manual = plan(three)
    decided = plan(three, Policy(decide=decide_by_policy(name)))
    assert not decided.conflicts
    assert same_core(decided.files, decided.db) and same_core(decided.files, decided.base)
    for conflict in manual.conflicts:
        wanted = conflict.ours if name == "json_wins" else conflict.theirs
        if conflict.label == TASKS:
            assert [key for key in order(decided.files) if key in cast("list[str]", wanted)] == wanted
        else:
            assert equal(plain(wanted), at(decided.files, conflict.label.path))
    settled = {path: v for path, v in leaves(manual.files).items() if not in_conflict(manual, path)}
    assert settled.items() <= leaves(decided.files).items()


def test_decisions_are_asked_once_for_each_conflict() -> None:
    asked: list[Conflict] = []
    plan(({"name": "a"}, {"name": "b"}, {"name": "c"}), Policy(decide=lambda conflict: asked.append(conflict)))
    assert [conflict.label for conflict in asked] == [LABEL.child("name")]


@given(cores())
def test_an_epic_that_one_side_has_is_new_there(core: Core) -> None:
    outcome = plan((None, core, None))
    assert same_core(outcome.db, core) and same_core(outcome.base, core)
    assert [(change.label, change.op.value) for change in outcome.to_db] == [(LABEL, "add")]
