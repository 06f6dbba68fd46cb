"""Random edits on both sides and random commands, against a plain model."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from support.counts import Tally

from epicvc.database.sqlite import marking
from stateful.machine import Machine
from stateful.world import make

STEPS = 50


def _run(tmp_path: Path, tally: Tally, examples: int, steps: int, *, derandomize: bool) -> Counter[str]:
    template = make(tmp_path / "template")
    counts: Counter[str] = Counter()

    class Counted(Machine):
        def __init__(self) -> None:
            super().__init__(template, tmp_path, lambda name: counts.update([name]))

        def check_invariants(self, *arguments: object, **options: object) -> None:
            counts.update(["steps"])
            super().check_invariants(*arguments, **options)

    try:
        run_state_machine_as_test(
            Counted,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                derandomize=derandomize,
                database=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate, Phase.shrink],
                report_multiple_bugs=False,
            ),
        )
    finally:
        tally(counts)
    return counts


@pytest.fixture(params=["as it is", "small marks"])
def _marks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done for large databases alone is done for small ones in half of the runs."""
    if request.param == "small marks":
        monkeypatch.setattr(marking, "WORTH_MARKING", 0)


@pytest.mark.usefixtures("_marks")
def test_a_few_random_histories(tmp_path: Path, tally: Tally) -> None:
    counts = _run(tmp_path, tally, 5, 25, derandomize=True)
    assert counts["steps"] > 80


@pytest.mark.parametrize("renamed", [False, True])
def test_a_file_is_renamed_before_a_checkout_and_after_it(tmp_path: Path, renamed: bool) -> None:
    """What chance comes upon once in ten thousand steps: undo would give the epic both names."""
    machine = Machine(make(tmp_path / "template"), tmp_path, lambda _name: None)
    machine.rename_file(number=0)
    machine.checkout(number=0, discard=True, by_branch=True)
    if renamed:
        machine.rename_file(number=0)
    machine.undo()
    assert len(machine.done) == renamed
    machine.status()
    machine.redo()
    machine.teardown()


@pytest.mark.slow
@pytest.mark.usefixtures("_marks")
@pytest.mark.parametrize("part", range(4))
def test_many_random_histories(tmp_path: Path, tally: Tally, part: int) -> None:
    steps = 0
    while steps < 1250:
        steps += _run(tmp_path / f"at{steps}", tally, 25, STEPS, derandomize=False)["steps"]
