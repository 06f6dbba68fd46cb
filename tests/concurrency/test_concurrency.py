"""Many processes at once: nothing that was acknowledged is lost, and the checker would see it if it were."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.counts import Tally

from concurrency.scenario import Scenario

ATTEMPTS = 6
"""Runs in which something has to happen once that depends on who is how fast."""


def _crowd(scenario: Scenario, commanders: int, operations: int, pause: float, **spec: object) -> Scenario:
    """So many processes of epicvc over the repos, with the application, authors and an editor beside them."""
    for number in range(commanders):
        scenario.add("commander", repo=number % scenario.repos, operations=operations, **spec)
    scenario.add("application", 2, pause=pause)
    scenario.add("author", pause=pause)
    scenario.add("editor", path="by_hand.json", pause=pause)
    return scenario


def _nothing_lost(scenario: Scenario, tally: Tally, timeout: float) -> dict[str, int]:
    checker = scenario.run(timeout)
    problems = checker.problems()
    counts = checker.counts()
    tally({**counts, "problems": len(problems)})
    assert not problems, problems[:20]
    return counts


# The ordinary run: small


@pytest.mark.parametrize(("commanders", "repos", "journal"), [(16, 1, "WAL"), (2, 1, "DELETE"), (4, 4, "WAL")])
def test_nothing_is_lost(tmp_path: Path, tally: Tally, commanders: int, repos: int, journal: str) -> None:
    scenario = _crowd(Scenario(tmp_path, repos, journal), commanders, 32 // commanders, 0.2)
    counts = _nothing_lost(scenario, tally, 120)
    assert counts["epicvc"] == 32 // commanders * commanders
    assert counts["exit 0"] > counts["epicvc"] // 4


@pytest.mark.parametrize(("repos", "journal"), [(2, "DELETE")])
def test_nothing_is_lost_while_processes_are_stopped_and_killed(
    tmp_path: Path, tally: Tally, repos: int, journal: str
) -> None:
    for seed in range(ATTEMPTS):  # on a machine with nothing else to do, all may have ended before they were killed
        directory = tmp_path / str(seed)
        directory.mkdir()
        scenario = _crowd(Scenario(directory, repos, journal, seed), 4, 12, 0.2, kill=0.15, stop=0.1)
        if _nothing_lost(scenario, tally, 120).get("exit None"):
            return
    pytest.fail("nobody was killed")


def test_nothing_is_lost_where_marks_tell_what_has_changed(tmp_path: Path, tally: Tally) -> None:
    _nothing_lost(_crowd(Scenario(tmp_path, 2, form="small marks"), 4, 8, 0.2), tally, 120)


# What has to be seen


def _seen(tmp_path: Path, form: str, problem: str, fill: Callable[[Scenario], object]) -> bool:
    """Whether the checker sees a broken form, whose chance to lose something depends on who is how fast."""
    for number in range(ATTEMPTS):
        directory = tmp_path / str(number)
        directory.mkdir()
        scenario = Scenario(directory, form=form, seed=number)
        fill(scenario)
        if any(problem in found for found in scenario.run(120).problems()):
            return True
    return False


def test_the_checker_sees_a_missing_lock(tmp_path: Path) -> None:
    assert _seen(tmp_path, "without-lock", "", lambda scenario: _crowd(scenario, 8, 12, 0.1))


def test_the_checker_sees_overwritten_files(tmp_path: Path) -> None:
    def fill(scenario: Scenario) -> None:
        scenario.add("commander", 2, operations=20, commands="pulling")
        scenario.add("application", pause=0.03, places=["row name by hand"])
        scenario.add("editor", path="by_hand.json", pause=0.03)

    assert _seen(tmp_path, "without-file-check", "saved", fill)


def test_the_checker_sees_overwritten_rows(tmp_path: Path) -> None:
    def fill(scenario: Scenario) -> None:
        scenario.add("commander", 2, operations=20, commands="pulling")
        scenario.add("application", 2, pause=0.02, places=["labels"])
        scenario.add("author", pause=0.02, places=["labels"])

    assert _seen(tmp_path, "without-row-check", "labels in database", fill)


# The long run


@pytest.mark.slow
@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
@pytest.mark.parametrize("repos", [1, 4])
def test_sixteen_processes_with_two_hundred_operations_each(
    tmp_path: Path, tally: Tally, repos: int, journal: str
) -> None:
    counts = _nothing_lost(_crowd(Scenario(tmp_path, repos, journal), 16, 200, 0.5), tally, 3600)
    assert counts["epicvc"] == 3200


@pytest.mark.slow
@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
def test_many_operations_where_marks_tell_what_has_changed(tmp_path: Path, tally: Tally, journal: str) -> None:
    _nothing_lost(_crowd(Scenario(tmp_path, 2, journal, form="small marks"), 8, 100, 0.3), tally, 3600)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("repos", "journal"), [(1, "WAL"), (4, "DELETE")])
def test_stopped_and_killed_again_and_again(tmp_path: Path, tally: Tally, repos: int, journal: str, seed: int) -> None:
    scenario = _crowd(Scenario(tmp_path, repos, journal, seed), 8, 100, 0.3, kill=0.1, stop=0.05)
    counts = _nothing_lost(scenario, tally, 3600)
    assert counts["exit None"] > 20
