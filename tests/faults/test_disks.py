"""A disk that is full or read-only: one line that says so, the old state, and the same command works later."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.campaign import verdict
from faults.client import Answer, Fault, Server
from faults.conftest import MakeStage
from faults.oracle import End
from faults.work import copy

ROOM = "640k"
LEFT = (0, 2, 5, 9, 14, 20, 27, 35, 44)
"""Blocks that the full disk still has."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    point = tmp_path / "disk"
    point.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=0700", "tmpfs", str(point)], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"no file system may be mounted here: {done.stderr.strip()}")
    try:
        yield point
    finally:
        subprocess.run(["umount", "--lazy", str(point)], check=True)


def _says_one_line(answer: Answer) -> None:
    assert answer.code == 6, answer
    first, *rest = answer.err.splitlines()
    assert first.startswith("epicvc: ")
    assert len(rest) <= 1
    assert "unfinished" not in first


@pytest.mark.parametrize("scene", ["sync", "commit", "checkout"])
def test_a_full_disk(server: Server, stage: MakeStage, disk: Path, scene: str) -> None:
    made = stage(scene, False)
    work, filler = disk / "work", disk / "filler"
    ends = set()
    for left in LEFT:
        filler.unlink(missing_ok=True)
        copy(made.root, work)
        free = os.statvfs(disk)
        filler.write_bytes(bytes(max(0, free.f_bavail - left) * free.f_bsize))
        answer = server.run(work, made.command, preparation=made.form)
        filler.unlink()
        if answer.code:
            _says_one_line(answer)
        end = End.ERROR if answer.code else End.DONE
        ends.add(end)
        assert verdict(server, made, end, answer.err, work) == [], left
    assert End.ERROR in ends


@pytest.mark.parametrize("scene", ["sync", "commit", "rollback"])
def test_a_disk_that_became_read_only(server: Server, stage: MakeStage, disk: Path, scene: str) -> None:
    made = stage(scene, False)
    work = disk / "work"
    copy(made.root, work)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    answer = server.run(work, made.command, preparation=made.form)
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    _says_one_line(answer)
    assert verdict(server, made, End.ERROR, answer.err, work) == []


@pytest.mark.parametrize("wal", [False, True], ids=["delete", "wal"])
@pytest.mark.parametrize(
    "place", ["epics", "epics/later", ".epicvc", ".epicvc/store.db", "framework.db", "."], ids=lambda place: place
)
def test_what_may_not_be_written(server: Server, stage: MakeStage, tmp_path: Path, place: str, wal: bool) -> None:
    """A directory or a database without permission; the same command works once it is given."""
    made = stage("sync", wal)
    work = tmp_path / "work"
    copy(made.root, work)
    path = work / "repo" / place
    before = path.stat().st_mode & 0o777
    path.chmod(before & 0o555)
    answer = server.run(work, made.command, Fault(), preparation="faults.permissions:give_up_overrides")
    path.chmod(before)
    if answer.code == 0:
        assert place == "."  # a database in WAL mode whose log is there needs no new name beside it
        return
    _says_one_line(answer)
    assert verdict(server, made, End.ERROR, answer.err, work) == []
