"""The fork server, and scenes that are made ready."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import counts

from faults.campaign import Stage, Tally, make_stage
from faults.client import Server, build, missing_tool

MakeStage = Callable[[str, bool], Stage]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A fork server for all tests of this process."""
    reason = missing_tool()
    if reason is not None:
        pytest.skip(reason)
    with Server(build(tmp_path_factory.mktemp("interpose"))) as running:
        yield running


@pytest.fixture
def stage(server: Server, tmp_path: Path) -> MakeStage:
    """A function that makes a scene ready in the test's directory."""
    return lambda name, wal: make_stage(server, name, tmp_path, wal=wal)


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Iterator[Tally]:
    """Counts of what is tried, for the summary at the end of the run; the test fails if anything failed."""
    found = Tally()
    yield found
    record_property(counts.PROPERTY, {**found.runs, "failures of the fault harness": len(found.failures)})


def require_none(tally: Tally) -> None:
    """Fail with the first failures, in full."""
    assert tally.runs, "nothing was tried"
    assert not tally.failures, "\n".join([f"{len(tally.failures)} failures", *tally.failures[:12]])
