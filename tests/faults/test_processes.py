"""A process that is killed at any call, in any write; a call that fails; a disk that is full."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from faults.campaign import Stage, Tally, error_faults, process_faults, run_faults, sampled
from faults.client import Call, Fault, Kind, Server
from faults.conftest import MakeStage, require_none
from faults.mutants import PROCESS
from faults.scenes import SCENES

EVERYTHING = 1_000_000
SAMPLE = 6
MOVES = (Kind.RENAME, Kind.EXCHANGE)

Faults = Callable[[list[Call]], list[Fault]]


def _try(server: Server, stage: Stage, faults: Faults, count: int, work: Path, tally: Tally) -> None:
    run_faults(server, stage, sampled(faults(stage.calls), count, stage.name), work, tally)
    require_none(tally)


@pytest.mark.parametrize("wal", [False, True], ids=["delete", "wal"])
@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("faults", [process_faults, error_faults])
def test_some_faults(
    server: Server, stage: MakeStage, tmp_path: Path, tally: Tally, scene: str, wal: bool, faults: Faults
) -> None:
    _try(server, stage(scene, wal), faults, SAMPLE, tmp_path / "work", tally)


@pytest.mark.slow
@pytest.mark.parametrize("wal", [False, True], ids=["delete", "wal"])
@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("faults", [process_faults, error_faults])
def test_every_fault(
    server: Server, stage: MakeStage, tmp_path: Path, tally: Tally, scene: str, wal: bool, faults: Faults
) -> None:
    _try(server, stage(scene, wal), faults, EVERYTHING, tmp_path / "work", tally)


@pytest.mark.parametrize("mutant", PROCESS, ids=lambda mutant: mutant.__name__)
def test_what_is_taken_out_is_missed(
    server: Server, stage: MakeStage, tmp_path: Path, mutant: Callable[[], None]
) -> None:
    """Without a safety the same runs fail: the harness sees."""
    made, found = stage("sync", False), Tally()
    for fault in process_faults(made.calls)[::3]:
        name = f"faults.mutants:{mutant.__name__}"
        run_faults(server, made, [fault], tmp_path / "work", found, mutant=name)
        if found.failures:
            return
    pytest.fail(f"{found.runs} without a failure")


def test_the_harness_counts_what_sqlite_writes_too(stage: MakeStage) -> None:
    """Every call that changes the disk is seen, whoever makes it."""
    calls = stage("sync", False).calls
    seen = {(call.kind.name, Path(call.path).name) for call in calls}
    for name in ("store.db", "framework.db"):
        assert {
            ("CREATE", f"{name}-journal"),
            ("WRITE", f"{name}-journal"),
            ("SYNC", f"{name}-journal"),
            ("WRITE", name),
            ("SYNC", name),
            ("UNLINK", f"{name}-journal"),
        } <= seen
    assert {("SYNC_DIRECTORY", "epics"), ("WRITE", "lock")} <= seen
    moved = {Path(path).name for call in calls if call.kind in MOVES for path in (call.path, call.data.decode())}
    assert {"epico_1.json", "plan for six.json"} <= moved
    assert [call.point for call in calls] == list(range(1, len(calls) + 1))
