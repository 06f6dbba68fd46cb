"""What is wrong with a set against a record, and what is to be done: decided without a database."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.database.migrations.checks import check
from epicvc.database.migrations.history import BASELINE, PROGRAM, History, MigrationRecord
from epicvc.database.migrations.migration import Migration
from epicvc.database.migrations.planning import Plan, find, plan_baseline, plan_down, plan_up
from epicvc.errors import InvalidMigration, NotFound, Refused, UsageError


def migration(version: str, *dependencies: str, rollback: bool = True, sql: str = "SELECT 1;") -> Migration:
    return Migration(version, sql, "SELECT 0;" if rollback else None, dependencies, name=f"m{int(version)}")


def record(made: Migration, **values: str) -> MigrationRecord:
    return MigrationRecord(made.version, made.name, "2025-08-17 10:00:00", "system", made.checksum, **values)


def history(*made: Migration) -> History:
    return History(tuple(record(one) for one in made))


NEW = History()
M1, M2, M3 = (migration(f"00{n}") for n in (1, 2, 3))


def messages(*migrations: Migration, applied: History = NEW) -> list[str]:
    return [problem.message for problem in check(migrations, applied).problems]


def versions(plan: Plan) -> list[str]:
    return [step.migration.version for step in plan.steps]


def test_circles_are_named() -> None:
    a, b, c = migration("001", "003"), migration("002", "001"), migration("003", "002")
    assert messages(a, b, c) == ["migration 001: depends on itself in a circle: 001 -> 003 -> 002 -> 001"]
    assert messages(migration("004", "4")) == ["migration 004: depends on itself in a circle: 004 -> 004"]


def test_dependencies_that_cannot_be() -> None:
    assert messages(migration("001", "007")) == ["migration 001: depends on 007, which does not exist"]
    assert messages(migration("001", "002"), M2) == ["migration 001: depends on 002, which comes after it"]
    assert check([migration("001", "007"), M2], history(M3)).dependencies[0].message.endswith("does not exist")


def test_a_gap_is_a_note() -> None:
    found = check([M1, M3, migration("010")], History())
    assert not found.problems
    assert found.notes == ("there is no 002 between 001 and 003", "there is no 004 to 009 between 003 and 010")


def test_a_missing_rollback_is_a_note_until_it_is_needed() -> None:
    one_way = migration("002", rollback=False)
    found = check([M1, one_way], History())
    assert not found.problems
    assert found.without_rollback == ("migration 002 has no rollback; give it rollback_sql or down",)
    one_way = replace(one_way, file="migrations/002_x.sql")
    found = check([M1, one_way], History())
    with pytest.raises(InvalidMigration, match=r"002_x.sql: has no rollback; write 002_rollback\.sql beside it"):
        plan_down([M1, one_way], history(M1, one_way), found)


def test_what_a_program_gave_need_not_be_here() -> None:
    """Whoever has only the files goes on from it, depends on it, and cannot take it back."""
    applied = History((*history(M1).records, record(M2, kind=PROGRAM)))
    after, unmet = migration("003", "002"), migration("004", "009")
    found = check([M1, after], applied)
    assert not found.problems
    assert found.notes == ("002 m2 was given by a program, which alone has it",)
    assert versions(plan_up([M1, after], applied, found)) == ["003"]
    assert versions(plan_up([M1, after], applied, found, to="2")) == []
    with pytest.raises(Refused, match="002 m2 was given by a program, which alone has its rollback"):
        plan_down([M1, after], applied, found)
    assert versions(plan_down([M1, M2, after], applied, check([M1, M2, after], applied))) == ["002"]
    assert messages(M1, unmet, applied=applied) == ["migration 004: depends on 009, which does not exist"]
    assert messages(M1, migration("002", sql="SELECT 5;"), applied=applied) != []  # edited, as a file is


def test_edited_gone_and_late() -> None:
    edited = migration("001", sql="SELECT 2;")
    (message,) = messages(edited, M2, applied=history(M1))
    assert message == (
        "migration 001: was edited after it was applied (2025-08-17 10:00:00); a change needs a new migration"
    )
    assert messages(M2, applied=history(M1, M2)) == ["migration 001 m1: was applied, and its file is gone"]
    assert messages(M1, M2, M3, applied=history(M1, M3)) == [
        "migration 002: comes too late: 003 has been applied; give it a higher number"
    ]
    assert messages(M1, applied=History((MigrationRecord("1"),))) == []  # an older tool's record has no checksum


def test_a_problem_stops_everything() -> None:
    broken = [migration("001", "007"), migration("002", "008")]
    found = check(broken, History())
    for plan in (plan_up, plan_down):
        with pytest.raises(InvalidMigration, match=r"depends on 007, which does not exist \(and 1 more"):
            plan(broken, History(), found)  # type: ignore[operator]
    with pytest.raises(InvalidMigration):
        plan_baseline(broken, History(), found, "001")


ALL = [M1, M2, M3]
SOUND = check(ALL, History())


def test_up() -> None:
    plan = plan_up(ALL, history(M1), SOUND)
    assert (versions(plan), plan.start, plan.end) == (["002", "003"], "001", "003")
    plan = plan_up(ALL, history(M1), SOUND, "2")
    assert (versions(plan), plan.end) == (["002"], "002")
    assert versions(plan_up(ALL, history(M1, M2), SOUND, "001")) == []
    with pytest.raises(NotFound, match="no migration 9"):
        plan_up(ALL, History(), SOUND, "9")


def test_down() -> None:
    full = history(*ALL)
    plan = plan_down(ALL, full, SOUND)
    assert (versions(plan), plan.start, plan.end) == (["003"], "003", "002")
    assert versions(plan_down(ALL, full, SOUND, to="1")) == ["003", "002"]
    assert versions(plan_down(ALL, full, SOUND, to="003")) == []
    assert versions(plan_down(ALL, full, SOUND, to="none")) == ["003", "002", "001"]
    plan = plan_down(ALL, full, SOUND, count=3)
    assert (versions(plan), plan.end) == (["003", "002", "001"], None)
    with pytest.raises(NotFound, match="only 3 migrations are applied, not 99"):
        plan_down(ALL, full, SOUND, count=99)
    with pytest.raises(UsageError):
        plan_down(ALL, full, SOUND, count=0)
    with pytest.raises(NotFound, match="no migration to take back"):
        plan_down(ALL, History(), SOUND)
    with pytest.raises(NotFound, match="version 003 is not applied"):
        plan_down(ALL, history(M1), SOUND, to="003")


def test_what_was_adopted_is_not_taken_back() -> None:
    mixed = History((record(M1, kind=BASELINE), record(M2)))
    assert versions(plan_down(ALL, mixed, SOUND)) == ["002"]
    with pytest.raises(Refused, match="001 m1 was adopted"):
        plan_down(ALL, mixed, SOUND, count=2)


def test_baseline() -> None:
    assert plan_baseline(ALL, History(), SOUND, "2") == [M1, M2]
    assert plan_baseline(ALL, History(), SOUND, "none") == []
    with pytest.raises(Refused, match="has a history already, at 001"):
        plan_baseline(ALL, history(M1), SOUND, "2")


@pytest.mark.parametrize("wanted", ["2", "002", "0002", "002_b.sql", "002_b"])
def test_a_migration_is_found_by_version_or_file(wanted: str) -> None:
    made = Migration("002", "SELECT 1;", name="b", file="migrations/002_b.sql")
    assert find([M1, made], wanted) is made


@pytest.mark.parametrize("wanted", ["", "b", "٢", "2; DROP TABLE a", "../002_b.sql", "9" * 30])
def test_nothing_else_finds_one(wanted: str) -> None:
    with pytest.raises(NotFound):
        find([Migration("002", "SELECT 1;", name="b", file="migrations/002_b.sql")], wanted)


@given(st.sets(st.integers(0, 30), min_size=1), st.data())
def test_up_and_down_are_inverse(numbers: set[int], data: st.DataObject) -> None:
    migrations = [migration(f"{n:03}") for n in sorted(numbers)]
    cut = data.draw(st.integers(0, len(migrations)))
    before = history(*migrations[:cut])
    up = plan_up(migrations, before, check(migrations, before))
    after = history(*migrations)
    down = plan_down(migrations, after, check(migrations, after), to=up.start or "none")
    assert versions(down) == versions(up)[::-1]
    assert (down.start, down.end) == (up.end, up.start)
