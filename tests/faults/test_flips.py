"""Bits of the store turn over: ``fsck`` finds it, whoever reads it stops, and nobody uses it."""

from __future__ import annotations

import random
from collections.abc import Callable
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

_PAGE, _FILE_HEADER, _PAGE_HEADER = 4096, 100, 12


def _history(repo: EpicRepo) -> None:
    repo.ok("tag", "first")
    edit_both(repo)
    repo.ok("sync")
    repo.ok("checkpoint", "good")
    repo.ok("branch", "side")


Bits = list[tuple[int, int]]
"""Bytes, and a bit of each."""


def _spread(count: int, seed: str) -> Callable[[bytes], Bits]:
    """Bits in every part of a file alike."""
    rng = random.Random(seed)
    return lambda data: [
        ((number * len(data) + rng.randrange(len(data))) // count, rng.randrange(8)) for number in range(count)
    ]


def _page_headers(data: bytes) -> Bits:
    """What says how many rows a page has and where: SQLite reads another number there without a murmur."""
    starts = (max(page, _FILE_HEADER) for page in range(0, len(data), _PAGE))
    return [(start + at, bit) for start in starts for at in range(_PAGE_HEADER) for bit in range(8)]


def _flip(server: Server, root: Path, choose: Callable[[bytes], Bits], tally: Tally) -> None:
    """Turn bits over one at a time."""
    repo = make(Scene((), _history), root, wal=False).root
    store = repo / ".epicvc/store.db"
    for _ in range(2):  # the first fills the caches
        sound = server.call(root, "faults.flips:answers", repo=str(repo)).value
    whole = server.call(root, "faults.flips:content", repo=str(repo)).value
    data = store.read_bytes()
    for at, bit in choose(data):
        store.write_bytes(data)
        answer = server.call(
            root, "faults.flips:flip", Fault(), repo=str(repo), at=at, bit=bit, sound=sound, whole=whole
        )
        problems = [f"the check broke: {answer}"] if answer.value is None else answer.value
        tally.add("bit flips", f"byte {at}, bit {bit}", problems)


def test_some_bits(server: Server, tmp_path: Path, tally: Tally) -> None:
    _flip(server, tmp_path / "work", _spread(SAMPLE, "some"), tally)
    require_none(tally)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_many_bits(server: Server, tmp_path: Path, tally: Tally, part: int) -> None:
    _flip(server, tmp_path / "work", _spread(MANY, f"part {part}"), tally)
    require_none(tally)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_every_page_header(server: Server, tmp_path: Path, tally: Tally, part: int) -> None:
    _flip(server, tmp_path / "work", lambda data: _page_headers(data)[part::PARTS], tally)
    require_none(tally)
