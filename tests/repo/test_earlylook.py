"""An early look changes how long a command takes, and nothing that it says."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from store.memory import Memory
from support.repos import list_place

from epicvc.files.scan import looking
from epicvc.files.scan.early import EarlyLook
from epicvc.files.scan.scan import STAT_SIZE, FoundFiles, pack_paths
from epicvc.repo.config.config import PRIVATE, Config
from epicvc.repo.files import earlylook
from epicvc.repo.files.earlylook import FILE, begin, remember
from epicvc.repo.files.filesside import FilesSide
from epicvc.repo.files.tracked import FilesState
from epicvc.repo.history.base import put_mapping
from epicvc.repo.repository import STORE

TWO = FoundFiles(pack_paths(["1.json", "2.json"]), bytes(2 * STAT_SIZE))


@pytest.fixture(name="config")
def _config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Config]:
    """A repo whose two files are many, on a machine that has time."""
    monkeypatch.setattr(earlylook, "MANY", 2)
    monkeypatch.setattr(earlylook, "_is_processor_idle", lambda: True)
    monkeypatch.setattr(threading, "active_count", lambda: 1)  # the test runner's own do no harm
    config = Config(tmp_path, tmp_path / "epics")
    for directory in (config.files, config.private):
        directory.mkdir()
    (config.private / STORE).touch()
    list_place(tmp_path)
    for number in "12":
        (config.files / f"{number}.json").write_text(f'{{"id": "{number}", "name": "x"}}')
    time.sleep(0.03)
    forked, fork = list[int](), os.fork
    monkeypatch.setattr(os, "fork", lambda: forked.append(process := fork()) or process)
    yield config
    for process in forked:
        with pytest.raises(ChildProcessError):  # none is left, dead or alive
            os.waitpid(process, os.WNOHANG)


class Looker:
    """Scans with one store."""

    def __init__(self, config: Config) -> None:
        self.config, self.store = config, Memory()

    def scan(self, early: EarlyLook | None = None) -> FilesState:
        mapping = put_mapping(self.store, self.config.mapping)
        try:
            return FilesSide(self.config, mapping, early=early).scan(self.store, None)
        finally:
            if early is not None:
                early.close()


def begun_at(config: Config) -> EarlyLook:
    """A look that has ended."""
    begun = begin(str(config.root))
    assert begun is not None
    assert select.select([begun._pipe], [], [], 30)[0]
    return begun


def facts(state: FilesState) -> object:
    views = [list(view.items()) for view in (state.files, state.by_epic)]
    return state.root, views, [str(problem) for problem in state.problems], state.skipped


def test_the_scan_says_the_same(config: Config) -> None:
    looker = Looker(config)
    looker.scan()
    (config.files / "link.json").symlink_to("1.json")
    (config.files / "3.json").write_text("{broken")
    (config.files / "2.json").unlink()
    begun = begun_at(config)
    state = looker.scan(begun)
    assert begun._pipe is None  # it was taken
    assert facts(state) == facts(looker.scan())
    assert len(state.problems) == len(state.skipped) == 1


def test_what_is_saved_in_place_meanwhile_is_read_the_next_time(config: Config) -> None:
    """The command says how the files were when it began; nothing wrong is remembered."""
    looker = Looker(config)
    before = looker.scan()
    begun = begun_at(config)
    (config.files / "1.json").write_text('{"id": "1", "name": "y"}')
    assert facts(looker.scan(begun)) == facts(before)
    assert facts(looker.scan()) != facts(before)


def test_what_is_saved_in_place_and_was_others_before_is_read(config: Config) -> None:
    """What is read is what there is, and is remembered by a stat that it no longer has."""
    looker = Looker(config)
    looker.scan()
    (config.files / "1.json").write_text('{"id": "1", "name": "y"}')
    begun = begun_at(config)
    time.sleep(0.03)
    (config.files / "1.json").write_text('{"id": "1", "name": "z"}')
    seen = facts(looker.scan(begun))
    assert seen == facts(looker.scan())
    (config.files / "1.json").write_text('{"id": "1", "name": "!"}')
    assert facts(looker.scan()) != seen


def test_what_is_replaced_meanwhile_is_seen(config: Config) -> None:
    looker = Looker(config)
    before = looker.scan()
    begun = begun_at(config)
    (config.root / "new").write_text('{"id": "1", "name": "y"}')
    (config.root / "new").rename(config.files / "1.json")
    (config.files / "2.json").unlink()
    state = looker.scan(begun)
    assert facts(state) == facts(looker.scan()) != facts(before)
    assert list(state.by_epic) == ["1"]


def test_another_configuration_than_the_note_says(config: Config) -> None:
    looker = Looker(config)
    looker.scan()
    begun = begun_at(config)
    looker.config = Config(config.root, config.files, exclude=("1.json",))
    assert list(looker.scan(begun).by_epic) == ["2"]


def test_the_files_directory_went(config: Config) -> None:
    looker = Looker(config)
    looker.scan()
    begun = begun_at(config)
    config.files.rename(config.root / "elsewhere")
    assert "does not exist" in str(looker.scan(begun).problems[0])


def test_files_in_the_repo_itself(config: Config) -> None:
    looker = Looker(Config(config.root, config.root, include=("epics/*",)))
    looker.scan()
    begun = begun_at(config)
    assert sorted(looker.scan(begun).by_epic) == ["1", "2"]
    assert begun._pipe is None


def test_the_note_comes_and_goes_with_the_files(config: Config) -> None:
    looker = Looker(config)
    assert begin(str(config.root)) is None
    looker.scan()
    note = config.private / FILE
    written = note.stat().st_mtime_ns
    looker.scan()
    assert note.stat().st_mtime_ns == written
    (config.files / "2.json").unlink()
    looker.scan()
    assert not note.exists()


@pytest.mark.parametrize(
    "damage", [b"", b"epicvc", b"\xff", b"epicvc.early-look/1\0epics", b"epicvc.early-look/1\0epics\0x"]
)
def test_a_note_that_is_none(config: Config, damage: bytes) -> None:
    (config.private / FILE).write_bytes(damage)
    assert begin(str(config.root)) is None
    Looker(config).scan()
    begun_at(config).close()


def test_files_that_are_scattered(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "MOST_DIRECTORIES", 1)
    (config.files / "b").mkdir()
    (config.files / "b" / "3.json").write_text('{"id": "3"}')
    Looker(config).scan()
    assert not (config.private / FILE).exists()


@pytest.mark.parametrize("files", ["/", "/etc", "..", "epics/../.."])
def test_a_note_that_leads_out_of_the_repo(config: Config, files: str) -> None:
    remember(config, TWO)
    note = config.private / FILE
    note.write_bytes(note.read_bytes().replace(b"epics", files.encode()))
    assert begin(str(config.root)) is None


def test_where_it_begins(config: Config, tmp_path: Path) -> None:
    remember(config, TWO)
    begun_at(config).close()
    below = begin(str(config.files))
    assert below is not None
    below.close()
    assert begin(str(tmp_path.parent)) is None


@pytest.mark.parametrize(("running", "idle"), [("1/90", True), ("99999/99999", False), ("", True)])
def test_a_machine_that_has_no_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, running: str, idle: bool) -> None:
    """On one processor both would take turns."""
    load = tmp_path / "loadavg"
    load.write_text(f"0.00 0.00 0.00 {running} 4711\n" if running else "")
    monkeypatch.setattr(earlylook, "_LOAD", str(load))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    assert earlylook._is_processor_idle() == idle
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    assert not earlylook._is_processor_idle()


def test_a_machine_that_has_time_in_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who started the command runs on for a moment; somebody who works goes on."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    for seen, idle in (([2, 1], True), ([3, 2, 1], True), ([2, 2, 2], False)):
        monkeypatch.setattr(earlylook, "_running", lambda seen=seen: iter(seen))
        assert earlylook._is_processor_idle() == idle


def test_the_names_are_those_of_the_repo() -> None:
    assert (earlylook.PRIVATE, earlylook.STORE) == (PRIVATE, STORE)
