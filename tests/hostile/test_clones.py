"""Repositories made hostile in every way, cloned by git, and tried with every command and face.

Nothing outside the clone is opened for writing, nothing but git and epicvc is started, and no connection is made: the
guard of the tests sees all three, also where a command hides what it was stopped in.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager, suppress
from pathlib import Path

import pytest
from end_to_end.test_adopt import git, state_of
from support.gitrepo import needs_git
from support.guard import GUARD
from support.repos import NO_FACTS, EpicRepo

from epicvc.backup_manager import BackupManager
from epicvc.bidirectional_sync import BidirectionalSync
from epicvc.errors import EpicvcError

from .lines import LINES, commands
from .ways import WITH_A_STORE, WITHOUT, Way

pytestmark = needs_git

BUG = 70


@pytest.fixture
def garden(tmp_path: Path) -> EpicRepo:
    """What becomes hostile: two epics, a database, a commit."""
    repo = EpicRepo(tmp_path / "garden", NO_FACTS)
    repo.directory.mkdir(parents=True)
    (repo.directory / "garden.json").write_text(
        '{"id": "1", "name": "Garden", "tasks": [{"id": "1.1", "title": "Dig"}]}'
    )
    (repo.directory / "shed.json").write_text('{"id": "2", "name": "Shed"}')
    repo.ok("init", "--db", "framework.db")
    repo.ok("sync")
    return repo


@pytest.fixture
def victim(garden: EpicRepo, tmp_path: Path) -> EpicRepo:
    """The user's own repo, beside the clone."""
    return garden.copy_to(tmp_path / "victim")


@contextmanager
def _kept_in(clone: EpicRepo, home: Path, victim: EpicRepo) -> Iterator[None]:
    """Nothing leaves the clone."""
    outside = state_of(victim.root)
    GUARD.trespasses.clear()
    # `git doctor` tries what the user's own git configuration has, since `git install`
    with chdir(clone.root), GUARD.watching(clone.root, home, programs={"git", Path(sys.executable).name}):
        yield
    assert GUARD.trespasses == []
    assert state_of(victim.root) == outside


def _cloned(garden: EpicRepo, victim: EpicRepo, way: Way) -> EpicRepo:
    way(garden.root, victim.root)
    git(garden.root, "init", "-q")
    git(garden.root, "add", "-A")
    if (garden.root / ".epicvc").is_symlink() or not (garden.root / ".epicvc" / ".gitignore").exists():
        git(garden.root, "add", "-f", ".epicvc")
    git(garden.root, "commit", "-qm", "x")
    git(garden.root.parent, "clone", "-q", str(garden.root), "clone")
    return EpicRepo(garden.root.parent / "clone", NO_FACTS)


def _try_all(clone: EpicRepo) -> None:
    for words in LINES:
        said = clone.run(*words)
        assert said.code != BUG, (words, said)
        assert GUARD.trespasses == [], (words, said)


def _try_faces(clone: EpicRepo) -> None:
    """What Python programs use."""
    root = clone.root
    for database in (root / "framework.db", root / "own.db"):
        with suppress(EpicvcError):
            BidirectionalSync(database, root / "epics", enable_enrichment=True).sync_all_epics()
        for remote in (None, root / "out"):
            with suppress(EpicvcError):
                backups = BackupManager(database, json_dir=root / "epics", remote=remote)
                backups.restore_from_backup(backups.create_full_backup(), to=root / "out" / "back")
        assert GUARD.trespasses == [], database


def test_every_command_is_tried() -> None:
    tried = {words[:length] for words in LINES for length in (1, 2)}
    assert commands() - tried == set()


@pytest.mark.parametrize("way", WITH_A_STORE)
def test_with_a_private_directory(garden: EpicRepo, victim: EpicRepo, home: Path, way: str) -> None:
    clone = _cloned(garden, victim, WITH_A_STORE[way])
    with _kept_in(clone, home, victim):
        _try_all(clone)
        _try_faces(clone)


@pytest.mark.parametrize("way", WITHOUT)
def test_what_the_user_makes_a_repo_of(garden: EpicRepo, victim: EpicRepo, home: Path, way: str) -> None:
    """Its user runs ``init`` in it, with the database that is named, and with one of their own."""
    clone = _cloned(garden, victim, WITHOUT[way])
    with _kept_in(clone, home, victim):
        for words in (("init",), ("sync",), ("checkout", "HEAD", "--discard-changes"), ("migrate", "up")):
            clone.run(*words)
        with suppress(FileNotFoundError):
            shutil.rmtree(clone.root / ".epicvc")
        clone.run("init", "--db", "own.db")
        clone.run("sync", "--db", "own.db")
        _try_all(clone)
        _try_faces(clone)
