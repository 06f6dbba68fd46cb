"""The laws of merging on random triples: a few always, a hundred thousand in the long run."""

from __future__ import annotations

import pytest

from .triples import run


def test_the_laws_hold() -> None:
    run(150)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_the_laws_hold_for_a_hundred_thousand(part: int) -> None:
    run(10_000, first=10_000 * part)
