"""``status --porcelain`` answers from memory only what it would answer in earnest."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.repos import EpicRepo

from epicvc import __main__ as entry
from epicvc.database.sqlite.pages.changetoken import COARSE_MARGIN_NS
from epicvc.files.scan import cache as stat_cache
from epicvc.repo.config.config import PRIVATE, load_config
from epicvc.repo.repository import STORE
from epicvc.repo.shortcuts import lastanswer

MARGIN_S = 0.12
"""After it, what was written last counts as settled."""


def ask(repo: EpicRepo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.chdir(repo.root)
    monkeypatch.setattr("sys.argv", ["epicvc", "status", "--porcelain"])
    code = entry.main()
    said = capsys.readouterr()
    return f"{code}\n{said.out}{said.err}"


class Asker:
    """Asks for the status, with the memory there is and without any."""

    def __init__(self, repo: EpicRepo, ask: Callable[[], str]) -> None:
        self.repo, self.ask = repo, ask
        self.memory = repo.root / PRIVATE / lastanswer.FILE

    def recalled(self) -> str | None:
        return lastanswer.recall(os.environ)

    def remembered(self) -> str:
        """Let everything settle and have the answer remembered."""
        time.sleep(MARGIN_S)
        answer = self.ask()
        assert f"0\n{self.recalled()}" == answer
        return answer

    def in_earnest(self) -> str:
        kept = self.memory.read_bytes() if self.memory.exists() else None
        self.memory.unlink(missing_ok=True)
        answer = self.ask()
        if kept is not None:
            self.memory.write_bytes(kept)
        return answer


@pytest.fixture
def asker(made: EpicRepo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Asker:
    return Asker(made, lambda: ask(made, monkeypatch, capsys))


def test_the_names_are_those_of_the_repo() -> None:
    assert (lastanswer.PRIVATE, lastanswer.STORE) == (PRIVATE, STORE)


def test_a_clean_answer_is_given_again(asker: Asker) -> None:
    assert asker.remembered() == "0\n"
    assert asker.recalled() == ""
    assert asker.ask() == "0\n"


def test_an_answer_with_lines_is_given_again(asker: Asker) -> None:
    asker.repo.edit("1", "Refatorar", "Refazer")
    asker.repo.sql("UPDATE audit_notes SET weight = 2")
    answer = asker.remembered()
    assert "M.> 1 epico_1.json\n@audit_notes" in answer
    assert asker.ask() == answer == asker.in_earnest()


def test_from_a_directory_below(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    asker.remembered()
    monkeypatch.chdir(asker.repo.directory / "later")
    assert asker.recalled() == ""
    monkeypatch.chdir(asker.repo.root.parent)
    assert asker.recalled() is None


def edited_in_place(repo: EpicRepo) -> None:
    """Same size, and the time of modification put back."""
    path = repo.path("1")
    found = path.stat()
    path.write_bytes(path.read_bytes().replace(b"Refatorar", b"refatorar"))
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def replaced(repo: EpicRepo) -> None:
    path = repo.path("2")
    found = path.stat()
    other = path.with_name("other.tmp")
    other.write_bytes(path.read_bytes().replace(b"Interactive", b"interactive"))
    os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
    other.replace(path)


def copied_database(repo: EpicRepo) -> None:
    other = repo.root / "other.db"
    shutil.copy2(repo.database, other)
    other.replace(repo.database)


def linked_directory(repo: EpicRepo) -> None:
    """The same files, but by a link that leaves the repo."""
    outside = repo.root.parent / "outside"
    repo.directory.rename(outside)
    repo.directory.symlink_to(outside)


def renamed_directory(repo: EpicRepo) -> None:
    (repo.directory / "later").rename(repo.directory / "sooner")


CHANGES: dict[str, Callable[[EpicRepo], object]] = {
    "a file": edited_in_place,
    "a file, by renaming": replaced,
    "a new file": lambda repo: shutil.copy(repo.path("1"), repo.directory / "later" / "copy.json"),
    "a new file in a new directory": lambda repo: shutil.copytree(repo.directory / "later", repo.directory / "new"),
    "a file gone": lambda repo: repo.path("3").unlink(),
    "a file renamed": lambda repo: repo.path("3").rename(repo.directory / "three.json"),
    "a directory renamed": renamed_directory,
    "the directory behind a link": linked_directory,
    "a file that is no epic": lambda repo: repo.path("3").write_bytes(b"[]"),
    "a directory instead of a file": lambda repo: (repo.path("3").unlink(), repo.path("3").mkdir()),
    "a row": lambda repo: repo.sql("UPDATE framework_tasks SET title = 'x' WHERE task_key = '1.1'"),
    "a row of another table": lambda repo: repo.sql("INSERT INTO audit_notes VALUES ('more', 2)"),
    "the database gone": lambda repo: repo.database.unlink(),
    "the database replaced": copied_database,
    "the configuration": lambda repo: (repo.root / "epicvc.toml").write_text('[files]\ndir = "epics"\n', "utf-8"),
    "the private configuration": lambda repo: (repo.root / PRIVATE / "config").write_text(
        '[database]\nurl = "none.db"\n', "utf-8"
    ),
    "a table to ignore": lambda repo: (repo.root / "epicvc.toml").write_bytes(
        (repo.root / "epicvc.toml").read_bytes() + b'\n[tables]\nignore = ["settings"]\n'
    ),
    "a commit": lambda repo: (repo.sql("UPDATE audit_notes SET weight = 3"), repo.ok("commit", "-m", "x")),
    "a reference": lambda repo: repo.ok("checkpoint", "here"),
    "the store gone": lambda repo: (repo.root / PRIVATE / STORE).unlink(),
    "an edit and a commit": lambda repo: (repo.edit("1", "Refatorar", "R"), repo.ok("commit", "-m", "x")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_change_is_noticed(asker: Asker, change: Callable[[EpicRepo], object]) -> None:
    asker.remembered()
    change(asker.repo)
    assert asker.recalled() is None
    assert asker.ask() == asker.in_earnest()


def test_a_database_that_a_variable_names(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    asker.remembered()
    before = asker.memory.read_bytes()
    other = asker.repo.root / "other.db"
    asker.repo.sql("VACUUM INTO ?", str(other))
    connection = sqlite3.connect(other)
    connection.execute("UPDATE framework_tasks SET title = 'x' WHERE task_key = '1.1'")
    connection.commit()
    connection.close()
    monkeypatch.setenv("EPICVC_DATABASE_URL", str(other))
    assert asker.recalled() is None
    assert ".M< 1" in asker.ask()
    assert asker.memory.read_bytes() == before


def test_another_user_is_not_answered(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    asker.remembered()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert asker.recalled() is None


def test_another_version_asks_again(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    asker.remembered()
    monkeypatch.setattr(lastanswer, "_FORMAT", b"epicvc.last-answer/2 0.1.0")
    assert asker.recalled() is None


def test_a_store_that_is_being_written(asker: Asker) -> None:
    asker.remembered()
    (asker.repo.root / PRIVATE / f"{STORE}-journal").touch()
    assert asker.recalled() is None


def test_a_damaged_memory_is_none(asker: Asker) -> None:
    asker.repo.edit("1", "Refatorar", "Refazer")
    asker.remembered()
    whole = asker.memory.read_bytes()
    rnd = random.Random(3)
    for position in [*range(60), *rnd.sample(range(len(whole)), 100)]:
        damaged = bytearray(whole)
        damaged[position] ^= 1 << rnd.randrange(8)
        asker.memory.write_bytes(damaged)
        assert asker.recalled() is None, position
    for length in [0, 1, 20, 40, len(whole) // 2, len(whole) - 1]:
        asker.memory.write_bytes(whole[:length])
        assert asker.recalled() is None, length
    asker.memory.write_bytes(whole)
    assert asker.recalled() is not None


def test_an_error_is_not_remembered(asker: Asker) -> None:
    (asker.repo.directory / "aux.json").write_text('{"id": "odd"}')
    time.sleep(MARGIN_S)
    assert asker.ask().startswith("4\n")
    assert not asker.memory.exists()


def test_a_young_change_is_not_remembered(asker: Asker) -> None:
    """What changes twice within a tick of the clock may look the same: the second change must be noticed."""
    asker.remembered()
    path = asker.repo.path("1")
    for turn in range(30):
        word = b"Refatorar" if turn % 2 else b"refatorar"
        path.write_bytes(path.read_bytes().replace(b"Refatorar", word).replace(b"refatorar", word))
        assert asker.ask() == ("0\nM.> 1 epico_1.json\n" if word == b"refatorar" else "0\n"), turn


def test_young_stamps_are_not_settled(asker: Asker) -> None:
    config = load_config(asker.repo.root, {})
    time.sleep(MARGIN_S)
    now = min(time.time_ns(), stat_cache.clock_ns(config.private))
    late = lastanswer.observe(config, {}, now)
    assert late is not None
    assert late.settled
    for path in (asker.repo.path("6"), asker.repo.directory / "later", asker.repo.root / "epicvc.toml"):
        before = path.stat()
        os.utime(path, ns=(before.st_atime_ns, now + 1))
        early = lastanswer.observe(config, {}, now)
        assert early is not None
        assert not early.settled, path
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        again = lastanswer.observe(config, {}, time.time_ns() + 2 * COARSE_MARGIN_NS)
        assert again is not None
        assert again.settled


def test_what_changes_while_it_is_read_is_not_remembered(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the configuration's reading and the look at its stat, and between that look and the answer."""
    asker.remembered()
    asker.memory.unlink()
    observe = lastanswer.observe
    toml = asker.repo.root / "epicvc.toml"

    def changing(*arguments: object) -> object:
        toml.write_text(toml.read_text("utf-8") + "# more\n", "utf-8")
        return observe(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(lastanswer, "observe", changing)
    asker.ask()
    assert asker.recalled() is None

    def changing_later(*arguments: object) -> object:
        found = observe(*arguments)  # type: ignore[arg-type]
        edited_in_place(asker.repo)
        return found

    time.sleep(MARGIN_S)
    monkeypatch.setattr(lastanswer, "observe", changing_later)
    asker.ask()
    assert asker.recalled() is None


def test_random_work_is_always_answered_rightly(asker: Asker) -> None:
    rnd = random.Random(11)
    paths = [asker.repo.path(epic) for epic in ("1", "3", "4")]
    originals = [path.read_bytes() for path in paths]

    def edit() -> None:
        index = rnd.randrange(len(paths))
        text = originals[index]
        paths[index].write_bytes(text if rnd.random() < 0.5 else text.replace(b'"title": "', b'"title": "!', 1))

    works: list[Callable[[], object]] = [
        edit,
        lambda: asker.repo.sql("UPDATE audit_notes SET weight = ?", rnd.randrange(3)),
        lambda: time.sleep(rnd.choice([0, 0.01, MARGIN_S])),
        lambda: asker.repo.run("commit", "-m", "x"),
        asker.ask,
    ]
    given_again = 0
    for _ in range(60):
        rnd.choice(works)()
        given_again += asker.recalled() is not None
        assert asker.ask() == asker.in_earnest()
    assert given_again


def test_a_directory_that_cannot_be_written(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes, **_: object) -> None:
        from epicvc.errors import FileUnavailable

        raise FileUnavailable(str(path), "No space left on device")

    time.sleep(MARGIN_S)
    monkeypatch.setattr("epicvc.base.fileio.atomic_write", full)
    assert asker.ask() == "0\n"
    assert not asker.memory.exists()
