"""Merges of random schemas with random edits, each held against a law of its own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import SystemRandom

import pytest
from support.counts import Tally
from support.haste import no_waiting

from schemas.inventing import ALL
from schemas.law import Broken
from schemas.steps import Step, shrunk
from schemas.world import PHASES, Play, Script, make

COMMANDS = ("merge", "revert", "restore", "sync")


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    no_waiting(monkeypatch)


def _try(tmp_path: Path, tally: Tally, first: int, wanted: int) -> Counter[str]:
    """Histories from one seed on until so many merges, reverts and syncs are done.

    One that breaks the law is made small and printed.
    """
    template, counts = make(tmp_path / "template"), Counter[str]()
    seed = first
    try:
        while sum(counts[name] + counts[f"{name} with conflicts"] for name in ("merge", "revert", "sync")) < wanted:
            play = Play(template, tmp_path / "play", seed, ALL, counts=counts)
            try:
                play.run()
            except Broken as broken:
                pytest.fail(_told(play, str(broken)), pytrace=False)
            seed += 1
    finally:
        tally(counts)
    return counts


def _told(play: Play, said: str) -> str:
    """The smallest history that breaks the law too, as a script, and what is broken in it."""
    found = {"": said}

    def fails(steps: list[tuple[str, Step]]) -> bool:
        script: Script = {phase: [step for at, step in steps if at == phase] for phase in PHASES}
        try:
            Play(play.template, play.root, play.seed, play.features, script).run()
        except Broken as broken:
            if str(broken).split(maxsplit=1)[0] == said.split(maxsplit=1)[0]:
                found[""] = str(broken)
                return True
        return False

    steps = shrunk([(phase, step) for phase in PHASES for step in play.done[phase]], fails)
    return "\n".join([f"seed {play.seed}", *(f"{phase}: {step!r}" for phase, step in steps), found[""]])


def _diverse(counts: Counter[str]) -> None:
    """The histories are no mere row of refusals, nor do they never meet."""
    merges = counts["merge"] + counts["merge with conflicts"]
    assert counts["merge refused"] < merges / 1.5, counts
    assert merges / 8 < counts["merge with conflicts"] < merges / 1.5, counts
    assert all(counts[name] for name in COMMANDS), counts
    assert counts["sync refused"] < counts["sync"] / 4, counts
    assert counts["edits"] > 5 * merges, counts


@pytest.mark.parametrize("first", [1, 1001])  # two processes have half each
def test_a_few_random_schemas(tmp_path: Path, tally: Tally, first: int) -> None:
    _diverse(_try(tmp_path, tally, first, 100))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_many_random_schemas(tmp_path: Path, tally: Tally, part: int) -> None:
    first = SystemRandom().randrange(10**9)
    _diverse(_try(tmp_path, tally, first, 1600))
