"""Results are told from what was planned; here they are compared with what is there afterwards."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from epicvc import BidirectionalSync
from epicvc.bidirectional_sync.foresight import Foresight
from epicvc.bidirectional_sync.reading import read_known
from epicvc.database.sqlite.backend import SQLiteBackend
from epicvc.errors import BrokenGraph, ConstraintBroken, DatabaseUnavailable
from epicvc.repo.repository import Repo
from tests.faces.place import FILES, edit, epic_name, rename, sql

ROUNDS = 25


class Compared:
    """Has every foresight compared with both sides as they are then."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.count = 0
        complete = Foresight.complete

        def completed(foresight: Foresight, repo: Repo) -> None:
            complete(foresight, repo)
            known = read_known(repo, foresight._only)
            there = known.names if foresight._only is None else {e: known.names[e] for e in foresight._only}
            assert foresight.names == there
            assert foresight.files == known.files
            self.count += 1

        patch.setattr(Foresight, "complete", completed)


def edit_at_random(rng: random.Random, number: int) -> None:
    """Make, rename, delete an epic, or give it another key, on either side."""
    paths = sorted(FILES.rglob("*.json"))
    rows = [key for (key,) in sql("SELECT epic_key FROM framework_epics WHERE deleted_at IS NULL")]
    path, row = str(rng.choice(paths).relative_to(FILES)), rng.choice(rows)
    kind = rng.randrange(8)
    if kind == 0:
        rename(path, f"file {number}")
    elif kind == 1:
        sql("UPDATE framework_epics SET name = ? WHERE epic_key = ?", f"row {number}", row)
    elif kind == 2:
        (FILES / f"f{number}.json").write_text(json.dumps({"epic": {"id": f"F{number}", "name": f"new {number}"}}))
    elif kind == 3:
        sql("INSERT INTO framework_epics (epic_key, name) VALUES (?, ?)", f"D{number}", f"new {number}")
    elif kind == 4 and len(paths) > 3:
        (FILES / path).unlink()
    elif kind == 5 and len(rows) > 3:
        sql("UPDATE framework_epics SET deleted_at = '2025-01-01' WHERE epic_key = ?", row)
    elif kind == 6:
        edit(path, lambda body: body.update(id=f"R{number}"))
    elif kind == 7:
        sql("UPDATE framework_epics SET epic_key = ? WHERE epic_key = ?", f"Q{number}", row)


@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 30))])
def test_what_was_foreseen_is_there(synced: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng, compared = random.Random(seed), Compared(monkeypatch)
    policies = ("manual", "json_wins", "database_wins")
    syncs = [BidirectionalSync(conflict_resolution=policy, allow_mass_delete=True) for policy in policies]
    for number in range(0, 10 * ROUNDS, 10):
        for at in range(rng.randint(1, 4)):
            edit_at_random(rng, number + at)
        sync = rng.choice(syncs)
        calls: tuple[Any, ...] = (
            sync.sync_all_epics,
            sync.sync_json_to_database,
            sync.sync_database_to_json,
            lambda sync=sync: sync.sync_epic_to_database(rng.choice(sorted(FILES.rglob("*.json"))).absolute()),
        )
        with suppress(ConstraintBroken, BrokenGraph):  # refused, with nothing done
            rng.choice(calls)()
    assert compared.count > ROUNDS / 2


def test_a_database_that_fails_afterwards_makes_no_failure_of_what_is_done(
    synced: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename("epico_1.json", "Ours")
    (FILES / "new.json").write_text('{"epic": {"id": "N", "name": "New"}}')
    complete = Foresight.complete

    def failing(foresight: Foresight, repo: Repo) -> None:
        def read(backend: SQLiteBackend) -> None:
            raise DatabaseUnavailable("framework.db", "disk I/O error")

        with monkeypatch.context() as patch:
            patch.setattr(SQLiteBackend, "read", read)
            complete(foresight, repo)

    monkeypatch.setattr(Foresight, "complete", failing)
    found = {result["epic_id"]: result for result in BidirectionalSync().sync_all_epics()}
    assert [(found[epic]["success"], found[epic]["epic_name"]) for epic in ("1", "N")] == [(True, "Ours"), (True, None)]
    assert epic_name("N") == "New"
