"""Cleaning reads one file at a time: what it needs goes with the largest file, not with all of them."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from epicvc.actions.clean.files import FileCleaning
from epicvc.model.mapping import BUILTIN


def write(directory: Path, count: int) -> None:
    directory.mkdir()
    for number in range(count):
        tasks = [{"id": f"{number}.{k}", "title": "T" * 10_000} for k in range(10)]
        text = json.dumps({"id": str(number), "name": "n", "tasks": tasks})
        (directory / f"{number}.json").write_text(text[:-1] + ",}", encoding="utf-8")


def peak(directory: Path, *, dry_run: bool) -> int:
    cleaning = FileCleaning(directory, BUILTIN, None)
    tracemalloc.start()
    try:
        cleaning.run([cleaning.repair(), cleaning.duplicates()], dry_run=dry_run)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dry_run", [True, False])
def test_memory_does_not_grow_with_the_files(tmp_path: Path, dry_run: bool) -> None:
    for count in (1, 3, 12):
        write(tmp_path / str(count), count)
    peak(tmp_path / "1", dry_run=True)  # what is imported once
    assert peak(tmp_path / "12", dry_run=dry_run) < 1.5 * peak(tmp_path / "3", dry_run=dry_run)


def test_a_copy_is_known_once_both_are_mended(tmp_path: Path) -> None:
    for name, text in (
        ("1", '\ufeff{"epic": {"id": 1, "x": [1]}}'),
        ("b", '{"id": "1", "x": [1.0]}'),
        ("c", '{"epic": {"id": 1, "x": [1]}}'),
    ):
        (tmp_path / f"{name}.json").write_text(text, encoding="utf-8")
    cleaning = FileCleaning(tmp_path, BUILTIN, None)
    repaired, copies = cleaning.run([cleaning.repair(), cleaning.duplicates()])
    assert {item.place for item in repaired.done} == {"1.json", "b.json"}
    assert {item.place for item in copies.done} == {"c.json"}
    assert [item.place for item in copies.kept] == ["b.json"]  # its id is a text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.json", "b.json"]
    assert (tmp_path / "1.json").read_bytes() == b'{"epic": {"id": 1, "x": [1]}}'
    assert json.loads((tmp_path / "b.json").read_bytes()) == {"epic": {"id": "1", "x": [1.0]}}
