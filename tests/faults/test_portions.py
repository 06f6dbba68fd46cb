"""Faults in a run of several portions."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from support.repos import EpicRepo

from faults.campaign import error_faults, process_faults, read_log, sampled
from faults.client import Fault, Server
from faults.portions import judge, make
from faults.work import copy

COMMAND, PREPARATION = ("sync",), "faults.portions:small"
SAMPLE, MANY = 20, 400


def _try(server: Server, base: Path, wal: bool, count: int) -> Counter[str]:
    before = make(base / "root", wal=wal)
    done, work, log = base / "done", base / "work", base / "log"
    copy(base / "root", done)
    answer = server.run(done, COMMAND, Fault(), log=log, preparation=PREPARATION)
    assert answer.code == 0, answer
    after, calls = EpicRepo(done / "repo", before.facts), read_log(log)
    ends: Counter[str] = Counter()
    for faults in (process_faults(calls), error_faults(calls)):
        for fault in sampled(faults, count, f"portions {wal}"):
            copy(base / "root", work)
            answer = server.run(work, COMMAND, fault, preparation=PREPARATION)
            ends[judge(work, before, after, fault, answer)] += 1
    return ends


@pytest.mark.parametrize("wal", [False, True], ids=["delete", "wal"])
def test_some_faults(server: Server, tmp_path: Path, wal: bool) -> None:
    assert _try(server, tmp_path, wal, SAMPLE).keys() >= {"killed", "old", "done"}


@pytest.mark.slow
@pytest.mark.parametrize("wal", [False, True], ids=["delete", "wal"])
def test_many_faults(server: Server, tmp_path: Path, wal: bool) -> None:
    assert _try(server, tmp_path, wal, MANY).keys() == {"killed", "old", "done", "still there", "unfinished"}
