"""Runs are kept where they can be, and whatever is wrong with their file is nobody's concern."""

from __future__ import annotations

import ast
import os
import re
import sqlite3
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.guard import ROOT

from epicvc.repo import runs
from epicvc.repo.runs import FILE, Run, keep_run, kept_runs


def run(started: int = 1000, command: str = "sync", **facts: Any) -> Run:
    return Run(command, started, 12.5, facts.pop("exit", 0), **facts)


def test_what_is_kept_is_read(tmp_path: Path) -> None:
    first = run(records=2, to_files=3, to_db=4, conflicts=1)
    second = run(2000, "push", exit=6, error="database_locked")
    keep_run(tmp_path, second)
    keep_run(tmp_path, first)
    assert kept_runs(tmp_path) == [first, second]
    assert kept_runs(tmp_path, 1001) == [second]
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_no_statement_numbers_its_placeholders() -> None:
    """Python 3.12 warns of ``?1`` where a sequence is bound."""
    numbered = re.compile(r"(?<!\[)\?\d")  # behind a bracket it is a sequence for the terminal
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "epicvc").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and numbered.search(node.value)
    ]
    assert found == []


def test_nothing_is_there(tmp_path: Path) -> None:
    assert kept_runs(tmp_path) == []
    assert not (tmp_path / FILE).exists()
    assert kept_runs(tmp_path / "gone") == []
    keep_run(tmp_path / "gone", run())


def test_the_oldest_of_a_command_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "KEPT", 3)
    keep_run(tmp_path, run(1, "merge"))
    for started in range(10, 20):
        keep_run(tmp_path, run(started))
    assert [found.started_ms for found in kept_runs(tmp_path)] == [1, 17, 18, 19]


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"no database at all" * 500),
        lambda path: path.write_bytes(path.read_bytes()[:-4096]),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
        lambda path: _execute(path, "DROP TABLE run"),
        lambda path: _execute(path, "ALTER TABLE run DROP COLUMN error"),
    ],
    ids=["foreign", "cut off", "empty", "gone", "without its table", "without a column"],
)
def test_a_damaged_file_is_begun_anew(tmp_path: Path, damage: Any) -> None:
    keep_run(tmp_path, run())
    damage(tmp_path / FILE)
    assert kept_runs(tmp_path) == []
    keep_run(tmp_path, run(2000))
    assert kept_runs(tmp_path) == [run(2000)]


def _execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE run SET started_ms = 9223372036854775807",
        "UPDATE run SET took_ms = 'long'",
        "UPDATE run SET exit = X'00'",
    ],
)
def test_values_that_nobody_wrote(tmp_path: Path, statement: str) -> None:
    keep_run(tmp_path, run())
    _execute(tmp_path / FILE, statement)
    assert kept_runs(tmp_path) == []


def test_a_later_release_has_its_own_form(tmp_path: Path) -> None:
    keep_run(tmp_path, run())
    _execute(tmp_path / FILE, "PRAGMA user_version = 2")
    before = (tmp_path / FILE).read_bytes()
    keep_run(tmp_path, run(2000))
    assert kept_runs(tmp_path) == []
    assert (tmp_path / FILE).read_bytes() == before


def test_a_locked_file_is_not_waited_for(tmp_path: Path) -> None:
    keep_run(tmp_path, run())
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        keep_run(tmp_path, run(2000))
        assert kept_runs(tmp_path) == []
        assert time.monotonic() - began < 5
    assert kept_runs(tmp_path) == [run()]


def test_several_at_once(tmp_path: Path) -> None:
    """One that has to wait too long is left out, and nothing else happens to it."""
    keep_run(tmp_path, run(0))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda started: keep_run(tmp_path, run(started)), range(1, 101)))
    found = [one.started_ms for one in kept_runs(tmp_path)]
    assert found == sorted(set(found))
    assert found[0] == 0
    assert len(found) > 1


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    private = tmp_path / "private"
    private.mkdir()
    for target in (outside, tmp_path / "private"):
        (private / FILE).symlink_to(target)
        keep_run(private, run())
        assert kept_runs(private) == []
        (private / FILE).unlink()
    assert not outside.exists()
    os.mkfifo(private / FILE)
    keep_run(private, run())
    assert kept_runs(private) == []


def test_what_somebody_was_killed_in_is_taken_back(tmp_path: Path) -> None:
    """A journal that is left is played back by whoever comes next, a reader too."""
    keep_run(tmp_path, run())
    path = tmp_path / FILE
    with closing(sqlite3.connect(path, isolation_level=None)) as killed:
        killed.execute("PRAGMA cache_size = 1")
        killed.execute("PRAGMA cache_spill = 1")
        killed.execute("BEGIN IMMEDIATE")
        for number in range(2000):
            killed.execute(
                "INSERT INTO run SELECT 'x' || ?, number, 0, 0, 0, '', 0, 0, 0, 0 FROM run LIMIT 1", (number,)
            )
        data, journal = path.read_bytes(), (tmp_path / f"{FILE}-journal").read_bytes()
    assert journal
    path.write_bytes(data)
    (tmp_path / f"{FILE}-journal").write_bytes(journal)
    assert kept_runs(tmp_path) == [run()]
