"""The power goes at any moment: what was acknowledged stays, and the rest is the old state or the new one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from faults.campaign import Tally, lose_power
from faults.client import Call, Kind, Server
from faults.conftest import MakeStage, require_none
from faults.mutants import POWER
from faults.powerloss import Disk
from faults.scenes import SCENES

SAMPLE = 8
MANY = 950
ATTEMPTS = 10
"""How often so many states are tried before a mutant counts as unseen: which calls there are depends on the clock."""


@pytest.mark.parametrize("wal", [False, True], ids=["delete", "wal"])
@pytest.mark.parametrize("scene", SCENES)
def test_some_states(server: Server, stage: MakeStage, tmp_path: Path, tally: Tally, scene: str, wal: bool) -> None:
    lose_power(server, stage(scene, wal), SAMPLE, tmp_path / "work", tally)
    require_none(tally)


@pytest.mark.slow
@pytest.mark.parametrize("wal", [False, True], ids=["delete", "wal"])
@pytest.mark.parametrize("scene", SCENES)
def test_many_states(server: Server, stage: MakeStage, tmp_path: Path, tally: Tally, scene: str, wal: bool) -> None:
    lose_power(server, stage(scene, wal), MANY, tmp_path / "work", tally)
    require_none(tally)


@pytest.mark.parametrize("wal", [False, True], ids=["delete", "wal"])
@pytest.mark.parametrize("mutant", POWER, ids=lambda mutant: mutant.__name__)
def test_what_is_taken_out_is_missed(
    server: Server, stage: MakeStage, tmp_path: Path, mutant: Callable[[], None], wal: bool
) -> None:
    """Without a sync the same states fail: the harness sees."""
    made, found = stage("sync", wal), Tally()
    for attempt in range(ATTEMPTS):
        name = f"faults.mutants:{mutant.__name__}"
        lose_power(server, made, 40, tmp_path / "work", found, mutant=name, seed=f" {attempt}")
        if found.failures:
            return
    pytest.fail(f"{found.runs} without a failure")


# The model


def _disk(tmp_path: Path) -> Disk:
    (tmp_path / "disk/sub").mkdir(parents=True)
    (tmp_path / "disk/old").write_bytes(b"old")
    return Disk(tmp_path / "disk")


def _call(tmp_path: Path, kind: Kind, path: str = "", inode: int = 0, offset: int = 0, data: bytes = b"") -> Call:
    return Call(kind, 0, str(tmp_path / "disk" / path).rstrip("/"), inode, offset, data)


def _states(disk: Disk, count: int = 300) -> set[tuple[tuple[str, bytes | None], ...]]:
    import random

    return {tuple(sorted(disk.after_power_loss(random.Random(seed)).items())) for seed in range(count)}


def test_what_is_synced_is_there(tmp_path: Path) -> None:
    disk = _disk(tmp_path)
    for call in (
        _call(tmp_path, Kind.CREATE, "new", 7),
        _call(tmp_path, Kind.WRITE, "new", 7, 0, b"new"),
        _call(tmp_path, Kind.SYNC, "new", 7),
        _call(tmp_path, Kind.RENAME, "new", data=str(tmp_path / "disk/old").encode()),
        _call(tmp_path, Kind.SYNC_DIRECTORY),
    ):
        disk.apply(call)
    assert disk.pending == 0
    assert _states(disk, 3) == {(("old", b"new"), ("sub", None))}


def test_what_is_not_synced_may_be_there_or_not(tmp_path: Path) -> None:
    disk = _disk(tmp_path)
    for call in (
        _call(tmp_path, Kind.CREATE, "new", 7),
        _call(tmp_path, Kind.WRITE, "new", 7, 0, b"a" * 512 + b"b" * 512),
        _call(tmp_path, Kind.RENAME, "new", data=str(tmp_path / "disk/old").encode()),
    ):
        disk.apply(call)
    found = {dict(state).get("old") for state in _states(disk)}
    assert found == {b"old", b"", b"a" * 512, bytes(512) + b"b" * 512, b"a" * 512 + b"b" * 512}
    assert any("new" in dict(state) for state in _states(disk))


def test_syncing_a_file_keeps_no_name_and_syncing_a_directory_no_bytes(tmp_path: Path) -> None:
    disk = _disk(tmp_path)
    disk.apply(_call(tmp_path, Kind.CREATE, "sub/new", 7))
    disk.apply(_call(tmp_path, Kind.WRITE, "sub/new", 7, 0, b"x"))
    disk.apply(_call(tmp_path, Kind.SYNC, "sub/new", 7))
    assert {dict(state).get("sub/new") for state in _states(disk)} == {None, b"x"}
    disk.apply(_call(tmp_path, Kind.SYNC_DIRECTORY, "sub"))
    disk.apply(_call(tmp_path, Kind.WRITE, "sub/new", 7, 0, b"y"))
    assert {dict(state).get("sub/new") for state in _states(disk)} == {b"x", b"y"}
