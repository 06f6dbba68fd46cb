"""Values that wait: they come back in their order and as they were, from memory and from the file alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from epicvc.repo.rows import spool
from epicvc.repo.rows.spool import Spool

VALUES = [["a", 1, None], ["b" * 1000, 2.5, b"\xff"], [], ["c", {"x": [1, 2]}]]


def plain(value: list[object]) -> list[object]:
    return value


@pytest.mark.parametrize("in_memory", [1, spool.IN_MEMORY])
def test_what_goes_in_comes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: int) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", in_memory)
    waiting = Spool(tmp_path, plain)
    for value in VALUES:
        waiting.add(value)
    assert len(waiting) == len(VALUES)
    assert list(waiting) == list(waiting) == VALUES
    waiting.add(["late"])
    assert list(waiting)[-1] == ["late"]
    assert list(tmp_path.iterdir()) == [], "the file has no name"
    waiting.close()


def test_nothing_waits(tmp_path: Path) -> None:
    waiting = Spool(tmp_path / "nowhere", plain)
    assert list(waiting) == []
    waiting.close()
