"""Stores that a clone, a copy or a move brought: what is read of them, and what asks first."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.gitrepo import needs_git
from support.repos import NO_FACTS, EpicRepo

COMMANDS = [
    ("status",),
    ("status", "--porcelain"),
    ("status", "--json"),
    ("diff",),
    ("sync",),
    ("pull",),
    ("push",),
    ("resolve", "--prefer", "files"),
    ("commit", "-m", "x"),
    ("blame", "1:name"),
    ("checkout", "HEAD"),
    ("restore", "1"),
    ("checkpoint", "c"),
    ("rollback", "HEAD"),
    ("branch",),
    ("branch", "b"),
    ("switch", "-c", "b"),
    ("tag",),
    ("merge", "main"),
    ("revert", "HEAD"),
    ("undo",),
    ("redo",),
    ("plan",),
    ("enrich",),
    ("gc",),
    ("doctor", "--repair"),
    ("op", "log"),
    ("migrate", "status"),
    ("migrate", "up"),
    ("clean", "db"),
    ("clean", "files"),
    ("clean", "cache"),
    ("init",),
    ("init", "--db", "own.db"),
]
READING = [("log",), ("log", "--json"), ("show",), ("fsck",), ("doctor",)]


def git(directory: Path, *words: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=directory, check=True)


def state_of(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in sorted(directory.rglob("*"))
        if ".git" not in path.parts
    }


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The databases that are opened, stores apart."""
    found: list[str] = []
    connect = sqlite3.connect

    def noting(database: object, *words: object, **named: object) -> object:
        if "store.db" not in str(database):
            found.append(str(database))
        return connect(database, *words, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(sqlite3, "connect", noting)
    return found


def tracked_store(made: EpicRepo, outside: Path) -> None:
    (made.root / ".epicvc" / ".gitignore").unlink()
    (made.root / ".epicvc" / "config").write_text(f'[database]\nurl = "{outside}/framework.db"\n')


def only_configuration(made: EpicRepo, outside: Path) -> None:
    tracked_store(made, outside)
    (made.root / ".epicvc" / "store.db").unlink()


def linked_store(made: EpicRepo, outside: Path) -> None:
    shutil.rmtree(made.root / ".epicvc")
    (made.root / ".epicvc").symlink_to(outside / ".epicvc")


def linked_file(made: EpicRepo, outside: Path) -> None:
    tracked_store(made, outside)
    (made.root / ".epicvc" / "config").unlink()
    (made.root / ".epicvc" / "config").symlink_to(outside / "framework.db")


@needs_git
@pytest.mark.parametrize("make", [tracked_store, only_configuration, linked_store, linked_file])
def test_nothing_that_a_clone_brings_acts(
    made: EpicRepo, tmp_path: Path, opened: list[str], make: Callable[[EpicRepo, Path], None]
) -> None:
    victim = made.copy_to(tmp_path / "victim")
    make(made, victim.root)
    git(made.root, "init", "-q")
    git(made.root, "add", "-f", "epics", "epicvc.toml", ".epicvc")
    git(made.root, "commit", "-qm", "x")
    git(tmp_path, "clone", "-q", str(made.root), str(tmp_path / "clone"))
    clone = EpicRepo(tmp_path / "clone", NO_FACTS)
    before, outside = state_of(clone.root), state_of(victim.root)
    opened.clear()
    for words in [*COMMANDS, ("adopt",)]:
        if make is only_configuration and words[0] != "init":
            continue  # without a store it is no repo
        said = clone.run(*words)
        assert said.code in (4, 5), (words, said)
        assert not opened, (words, opened)
    if make is tracked_store:
        for words in READING:
            assert clone.run(*words).code == (4 if words == ("doctor",) else 0), words  # which says that git tracks it
        assert not opened
    assert state_of(clone.root) == before
    assert state_of(victim.root) == outside


def test_a_store_that_is_not_listed_is_read_for_its_history(made: EpicRepo, opened: list[str]) -> None:
    shutil.rmtree(Path(os.environ["XDG_STATE_HOME"], "epicvc"))
    before = state_of(made.root)
    for words in COMMANDS[:-2]:
        said = made.run(*words)
        assert said.code == 5, (words, said)
        assert "epicvc adopt" in said.err + said.out or "--json" in words
    for words in READING:
        made.ok(*words)
    assert "is not on the list" in made.ok("doctor").out
    assert not opened
    assert state_of(made.root) == before
    assert made.json("adopt", "--dry-run")["was"] == "unknown"
    assert made.run("status").code == 5
    assert "framework.db" in made.ok("adopt").err
    made.ok("sync")
    assert made.json("adopt")["was"] == "listed"


def test_an_answer_that_a_clone_brings_is_not_given(made: EpicRepo) -> None:
    made.ok("status", "--porcelain")
    shutil.rmtree(Path(os.environ["XDG_STATE_HOME"], "epicvc"))
    assert made.run("status", "--porcelain").code == 5


def test_a_copy_asks_and_gets_an_id_of_its_own(made: EpicRepo, tmp_path: Path) -> None:
    shutil.copytree(made.root, tmp_path / "copy")
    copy = EpicRepo(tmp_path / "copy", NO_FACTS)
    assert "copy of the store in" in copy.refused(5, "sync", naming=str(made.root))
    answer = copy.json("adopt")
    assert (answer["was"], answer["other"]) == ("copied", str(made.root))
    with made.store() as one, copy.store() as other:
        assert answer["store"] == other.repo_id != one.repo_id
    copy.ok("fsck")
    copy.ok("sync")
    made.ok("sync")


def test_a_moved_repo_says_so_once(made: EpicRepo, tmp_path: Path) -> None:
    made.root.rename(tmp_path / "moved")
    moved = EpicRepo(tmp_path / "moved", NO_FACTS)
    said = moved.ok("status")
    assert said.err.splitlines() == [f"the repo was moved here from {made.root}"]
    assert moved.ok("status").err == ""


def test_a_store_in_the_place_of_another_is_not_taken_for_it(made: EpicRepo, tmp_path: Path) -> None:
    other = EpicRepo(tmp_path / "other", NO_FACTS)
    shutil.copytree(made.directory, other.directory)
    other.ok("init", "--db", "new.db")
    shutil.rmtree(made.root / ".epicvc")
    shutil.copytree(other.root / ".epicvc", made.root / ".epicvc")
    assert made.run("sync").code == 5


def test_others_must_not_be_able_to_write_it(made: EpicRepo) -> None:
    (made.root / ".epicvc").chmod(0o777)
    made.refused(5, "status", naming="written by other users")


def test_a_pipe_in_the_private_directory_keeps_nobody_waiting(made: EpicRepo) -> None:
    os.mkfifo(made.root / ".epicvc" / "config")
    made.refused(5, "status", naming="config")


def test_a_journal_that_names_another_one_is_not_played_back(made: EpicRepo, tmp_path: Path) -> None:
    """SQLite removes the file that it names."""
    journal = made.root / ".epicvc" / "store.db-journal"
    journal.write_bytes(bytes(512) + bytes.fromhex("d9d505f920a163d7"))
    assert made.run("status").code == 4


@pytest.mark.parametrize("name", ["epics", "epics/enriched"])
def test_a_link_in_place_of_a_directory_is_not_followed(made: EpicRepo, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    path = made.root / name
    if path.exists():
        path.rename(made.root / "real")
        path.symlink_to("real")  # even inside the repo
    else:
        outside.mkdir()
        path.symlink_to(outside)
    said = made.run("enrich")
    assert said.code in (4, 5), said
    assert "sym" in said.err
    assert not outside.exists() or not any(outside.iterdir())


def test_a_server_that_only_the_shared_configuration_names_is_not_contacted(made: EpicRepo) -> None:
    (made.root / "epicvc.toml").write_text('[files]\ndir = "epics"\n[database]\nurl = "postgresql://h.invalid/x"\n')
    assert "--db" in made.run("sync").err
    made.refused(5, "sync", naming="names a server")


def test_init_says_where_the_list_cannot_be_written(fresh: EpicRepo, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    before = state_of(fresh.root)
    said = fresh.process("init", EPICVC_STATE_DIR=str(tmp_path / "file" / "x"))
    assert said.code == 6
    assert "EPICVC_STATE_DIR" in said.err
    assert state_of(fresh.root) == before
