"""Random edits on both sides and random commands, against a plain model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from support.counts import Tally
from support.repos import EpicRepo

from epicvc.database.sqlite.pages import marking
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


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> EpicRepo:
    """A synchronised repo, to be copied."""
    return make(tmp_path_factory.mktemp("stateful") / "template")


@pytest.mark.parametrize("renamed", [False, True])
def test_a_file_is_renamed_before_a_checkout_and_after_it(template: EpicRepo, tmp_path: Path, renamed: bool) -> None:
    """What chance comes upon once in ten thousand steps: undo would give the epic both names."""
    machine = Machine(template, tmp_path, lambda _name: None)
    machine.rename_file(number=0)
    machine.checkout(number=0, discard=True, by_branch=True)
    if renamed:
        machine.rename_file(number=0)
    machine.undo()
    assert len(machine.done) == renamed
    machine.status()
    machine.redo()
    machine.teardown()


EDITS: Mapping[str, Callable[[Machine], None]] = {
    "nothing": lambda machine: machine.write_row_again(number=0),
    "a key of a task in the file": lambda machine: machine.edit_task_key(number=0, at=0, value=3),
    "a key beside the epic": lambda machine: machine.edit_beside_the_epic(number=0, value=3),
    "a column of the task": lambda machine: machine.complete_task(number=0, at=0),
    "a column of the epic": lambda machine: machine.edit_row_column(number=0, column="icon", value=3),
}
DELETIONS: Mapping[str, Callable[[Machine], None]] = {
    "a task from the file": lambda machine: machine.remove_file_task(number=0, at=0),
    "a task from the database": lambda machine: machine.delete_row_task(number=0, at=0),
    "the file": lambda machine: machine.delete_file(number=0),
    "the row": lambda machine: machine.delete_row(number=0),
}


@pytest.mark.parametrize("recorded", ["before", "between", "no"])
@pytest.mark.parametrize("deletion", DELETIONS)
@pytest.mark.parametrize("edit", EDITS)
def test_one_side_deletes_what_the_other_edited_for_itself(
    template: EpicRepo, tmp_path: Path, edit: str, deletion: str, recorded: str
) -> None:
    machine = Machine(template, tmp_path, lambda _name: None)
    steps = [EDITS[edit], DELETIONS[deletion]]
    steps.insert({"before": 1, "between": 2, "no": 0}[recorded], Machine.commit)
    for step in steps:
        step(machine)
    machine.synchronise(command="sync")
    machine.status()
    machine.resolve(side="files")
    machine.teardown()


@pytest.mark.slow
@pytest.mark.usefixtures("_marks")
@pytest.mark.parametrize("part", range(4))
def test_many_random_histories(tmp_path: Path, tally: Tally, part: int) -> None:
    steps = 0
    while steps < 1250:
        steps += _run(tmp_path / f"at{steps}", tally, 25, STEPS, derandomize=False)["steps"]
