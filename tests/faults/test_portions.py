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

COMMAND = ("sync",)
SAMPLE, MANY = 20, 400
FORMS = pytest.mark.parametrize(
    ("wal", "preparation"), [(False, "small"), (True, "small"), (False, "packed")], ids=["delete", "wal", "parcels"]
)


def _try(server: Server, base: Path, wal: bool, preparation: str, count: int) -> Counter[str]:
    preparation = f"faults.portions:{preparation}"
    before = make(base / "root", wal=wal)
    done, work, log = base / "done", base / "work", base / "log"
    copy(base / "root", done)
    answer = server.run(done, COMMAND, Fault(), log=log, preparation=preparation)
    assert answer.code == 0, answer
    after, calls = EpicRepo(done / "repo", before.facts), read_log(log)
    ends: Counter[str] = Counter()
    for faults in (process_faults(calls), error_faults(calls)):
        for fault in sampled(faults, count, f"{preparation} {wal}"):
            copy(base / "root", work)
            answer = server.run(work, COMMAND, fault, preparation=preparation)
            ends[judge(work, before, after, fault, answer)] += 1
    return ends


@FORMS
def test_some_faults(server: Server, tmp_path: Path, wal: bool, preparation: str) -> None:
    assert _try(server, tmp_path, wal, preparation, SAMPLE).keys() >= {"killed", "old", "done"}


@pytest.mark.slow
@FORMS
def test_many_faults(server: Server, tmp_path: Path, wal: bool, preparation: str) -> None:
    assert _try(server, tmp_path, wal, preparation, MANY).keys() == {
        "killed",
        "old",
        "done",
        "still there",
        "unfinished",
    }
