"""Bits of the store turn over: ``fsck`` finds it, whoever reads it stops, and nobody uses it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from support.repos import EpicRepo

from faults.campaign import Tally
from faults.client import Fault, Server
from faults.conftest import require_none
from faults.scenes import Scene, edit_both, make

SAMPLE = 16
PARTS = 8
MANY = 400
"""Flips in each of the parts, which run side by side."""


def _history(repo: EpicRepo) -> None:
    repo.ok("tag", "first")
    edit_both(repo)
    repo.ok("sync")
    repo.ok("checkpoint", "good")
    repo.ok("branch", "side")


def _flip(server: Server, root: Path, count: int, seed: str, tally: Tally) -> None:
    """Turn bits over one at a time, in every part of the file alike."""
    repo = make(Scene((), _history), root, wal=False).root
    store = repo / ".epicvc/store.db"
    for _ in range(2):  # the first fills the caches
        sound = server.call(root, "faults.flips:answers", repo=str(repo)).value
    whole = server.call(root, "faults.flips:content", repo=str(repo)).value
    data = store.read_bytes()
    rng = random.Random(seed)
    for number in range(count):
        at, bit = (number * len(data) + rng.randrange(len(data))) // count, rng.randrange(8)
        store.write_bytes(data)
        answer = server.call(
            root, "faults.flips:flip", Fault(), repo=str(repo), at=at, bit=bit, sound=sound, whole=whole
        )
        problems = [f"the check broke: {answer}"] if answer.value is None else answer.value
        tally.add("bit flips", f"byte {at}, bit {bit}", problems)


def test_some_bits(server: Server, tmp_path: Path, tally: Tally) -> None:
    _flip(server, tmp_path / "work", SAMPLE, "some", tally)
    require_none(tally)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_many_bits(server: Server, tmp_path: Path, tally: Tally, part: int) -> None:
    _flip(server, tmp_path / "work", MANY, f"part {part}", tally)
    require_none(tally)
