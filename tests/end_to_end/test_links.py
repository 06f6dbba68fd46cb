"""Symbolic links that a clone could have brought: nothing is written behind them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.gitrepo import needs_git
from support.repos import NO_FACTS, EpicRepo

from .test_adopt import git

WRITING = [
    ("restore", "1", "--to"),
    ("restore", "--at", "2999-01-01", "--to"),
    ("backup", "create", "--to"),
    ("backup", "restore", "latest", "--to"),
    ("enrich", "--to"),
    ("status", "--log-file"),
    ("migrate", "new", "more", "--dir"),
]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    found = tmp_path / "outside"
    found.mkdir()
    return found


@pytest.fixture
def kept(garden: EpicRepo) -> EpicRepo:
    """With a backup and a commit."""
    garden.ok("commit", "--allow-empty", "-m", "all")
    garden.ok("backup", "create")
    return garden


@pytest.mark.parametrize("words", WRITING, ids=lambda words: " ".join(words[:2]))
@pytest.mark.parametrize("way", ["out", "out/new", "epics/../out/deep/er", "out/../out/new"])
def test_a_place_behind_a_link(kept: EpicRepo, outside: Path, words: tuple[str, ...], way: str) -> None:
    (kept.root / "out").symlink_to(outside)
    (outside.parent / "out").mkdir()  # what the last way would come to by its text alone
    kept.refused(5, *words, way, naming="out is a symbolic link, which is not followed")
    assert [*outside.iterdir()] == []


@pytest.mark.parametrize("words", WRITING, ids=lambda words: " ".join(words[:2]))
def test_a_link_of_the_users(kept: EpicRepo, outside: Path, words: tuple[str, ...]) -> None:
    """Outside the repo and its git work tree links are followed: ``/tmp`` is one on some systems."""
    (outside.parent / "link").symlink_to(outside)
    kept.ok(*words, str(outside.parent / "link" / "new"))
    assert [path.name for path in outside.iterdir()] == ["new"]


@needs_git
def test_a_link_in_the_work_tree_around(kept: EpicRepo, outside: Path, tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    git(top, "init", "-q")
    shutil.move(kept.root, top / "plans")
    (top / "out").symlink_to(outside)
    moved = EpicRepo(top / "plans", NO_FACTS)
    moved.run("status")  # which says that it was moved
    moved.refused(5, "restore", "1", "--to", "../out/new", naming="out is a symbolic link")
    assert [*outside.iterdir()] == []


@pytest.mark.parametrize("words", [("enrich",), ("enrich", "1"), ("enrich", "--check")])
def test_in_place_of_the_enriched_files(garden: EpicRepo, outside: Path, words: tuple[str, ...]) -> None:
    (garden.directory / "enriched").symlink_to(outside)
    garden.refused(5, *words, naming="enriched is a symbolic link")
    assert [*outside.iterdir()] == []


@pytest.mark.parametrize("command", ["sync", "pull"])
def test_in_place_of_a_directory_of_epics(garden: EpicRepo, outside: Path, command: str) -> None:
    """A file that was in it goes there no more."""
    (garden.directory / "beds").mkdir()
    path = garden.directory / "beds" / "7.json"
    path.write_text('{"id": "7", "name": "Pond"}')
    garden.ok("sync")
    shutil.rmtree(path.parent)
    path.parent.symlink_to(outside)
    garden.sql("UPDATE framework_epics SET name = 'Lake' WHERE epic_key = '7'")
    garden.run("resolve", "--prefer", "db")
    garden.refused(5, "resolve", "--prefer", "db", naming="beds is a symbolic link")
    garden.refused(5, "checkout", "--side", "files", "HEAD", "--discard-changes", naming="beds is a symbolic link")
    assert garden.run(command).code == 1
    assert [*outside.iterdir()] == []


@pytest.mark.parametrize("words", [("merge-file",), ("merge-driver",)])
@pytest.mark.parametrize("place", ["ours.json", "beds/ours.json"])
def test_merged_files(garden: EpicRepo, outside: Path, words: tuple[str, ...], place: str) -> None:
    for name, title in (("base", "a"), ("theirs", "b")):
        (garden.root / f"{name}.json").write_text(f'{{"id": "1", "name": "{title}"}}')
    shutil.copy(garden.root / "base.json", outside / "ours.json")
    (garden.root / "ours.json").symlink_to(outside / "ours.json")
    (garden.root / "beds").symlink_to(outside)
    for_git = ("base.json", place, "theirs.json", "7", "p")
    said = garden.run(*words, *(for_git if words == ("merge-driver",) else (place, "base.json", "theirs.json")))
    assert (said.code, "is a symbolic link" in said.err) == (5, True)
    assert '"a"' in (outside / "ours.json").read_text()
