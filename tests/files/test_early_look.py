"""A look by another process says what a look by this one says, or nothing."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from epicvc.files.scan import early, looking
from epicvc.files.scan.early import EarlyLook
from epicvc.files.scan.looking import Answer, look
from epicvc.files.scan.scan import is_settled, stat_key

EXCLUDE = ("left/**", "**/not_*.json")


class Place:
    """Files, and a witness that has long been as it is."""

    def __init__(self, root: Path) -> None:
        self.files = root / "epics"
        self.witness = root / "store.db"
        self.witness.write_bytes(b"1")
        self.age(self.witness)
        for name in ("a.json", "b/c.json", "b/é.json", "left/d.json", "not_e.json", "z.json", "notes.txt"):
            (self.files / name).parent.mkdir(parents=True, exist_ok=True)
            (self.files / name).write_bytes(b"{}")
        (self.files / "link.json").symlink_to("a.json")
        (self.files / "pipe.json").mkdir()
        self.question = str(self.files), ("**/*.json",), EXCLUDE

    @staticmethod
    def age(path: Path) -> None:
        """Wait until another write would show."""
        while not is_settled(stat_key(path.lstat()), time.time_ns()):
            time.sleep(0.005)

    def including(self, *include: str) -> None:
        """Have other files meant."""
        self.question = self.question[0], include, EXCLUDE

    def begin(self) -> EarlyLook:
        begun = EarlyLook.begin(self.question, str(self.witness))
        assert begun is not None
        return begun

    def begin_and_look(self) -> EarlyLook:
        """Begin, and wait until it has looked."""
        begun = self.begin()
        assert select.select([begun._pipe], [], [], 30)[0]
        return begun

    def take(self) -> Answer | None:
        begun = self.begin()
        try:
            return begun.take(self.question)
        finally:
            begun.close()


@pytest.fixture(name="place")
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(threading, "active_count", lambda: 1)  # the test runner's own do no harm
    fork, forked = os.fork, list[int]()

    def forking() -> int:
        process = fork()
        forked.extend([process] if process else [])
        return process

    monkeypatch.setattr(os, "fork", forking)
    yield Place(tmp_path)
    for process in forked:
        with pytest.raises(ChildProcessError):  # none is left, dead or alive
            os.waitpid(process, os.WNOHANG)


def answering(monkeypatch: pytest.MonkeyPatch, change: Callable[[bytes], bytes]) -> None:
    """Have the other process write something else."""
    real = looking.pack
    monkeypatch.setattr(looking, "pack", lambda answer: change(real(answer)))


def facts(answer: Answer | None) -> object:
    """An answer by its values."""
    assert answer is not None
    return answer.found.paths, bytes(answer.found.stats), answer.skipped, answer.directories, bytes(answer.stamps)


def test_the_same_as_without(place: Place) -> None:
    found = place.take()
    assert found is not None
    assert facts(found) == facts(look(place.question))
    assert found.found.paths == ["a.json", "b/c.json", "b/é.json", "z.json"]
    assert found.skipped == [("link.json", "a symlink")]
    assert found.directories == ["", "b/", "pipe.json/"]


def test_no_files(place: Place) -> None:
    place.including("*.none")
    assert facts(place.take()) == facts(look(place.question))


def test_more_than_a_pipe_holds(place: Place) -> None:
    place.including("**/*.json", "many/*")
    (place.files / "many").mkdir()
    for number in range(6000):
        (place.files / "many" / f"{number:0250}").touch()
    found = place.take()
    assert found is not None
    assert facts(found) == facts(look(place.question))
    assert len(found.found.paths) == 6004


def test_a_name_that_is_left_out_and_no_text(place: Place) -> None:
    name = os.fsdecode(b"\xff.json")
    (place.files / name).symlink_to("a.json")
    found = place.take()
    assert found is not None
    assert facts(found) == facts(look(place.question))
    assert (name, "a symlink") in found.skipped


def test_what_the_look_itself_refuses(place: Place) -> None:
    """The caller says what is wrong, when it looks."""
    (place.files / os.fsdecode(b"\xff.json")).touch()
    assert place.take() is None


@pytest.mark.parametrize("length", [0, 1, 10, 43, 44, 60, 200, -1])
def test_an_answer_that_is_short(place: Place, monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    answering(monkeypatch, lambda data: data[:length])
    assert place.take() is None


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data + b"x",
        lambda data: b"kool" + data[4:],
        lambda data: data.replace(b"b/c.json\0", b"b/c.json/"),
        lambda data: data.replace(b"z.json", b"z\0json"),
        lambda data: data.replace(b"symlink\0", b"symlink/"),
        lambda data: data.replace(b"\0pipe.json/\0", b"\0pipe.json\0\0"),
        lambda data: data[:28] + b"\xff" * 8 + data[36:],  # so many bytes of paths
        lambda data: data[:-60] + bytes((data[-60] ^ 1,)) + data[-59:],  # the stamp of a directory
    ],
)
def test_an_answer_that_is_wrong(
    place: Place, monkeypatch: pytest.MonkeyPatch, change: Callable[[bytes], bytes]
) -> None:
    answering(monkeypatch, change)
    assert place.take() is None


@pytest.mark.parametrize(
    "how", [lambda: os._exit(0), lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: 1 / 0, lambda: exit(0)]
)
def test_a_process_that_dies(place: Place, monkeypatch: pytest.MonkeyPatch, how: Callable[[], object]) -> None:
    answering(monkeypatch, lambda data: bytes(how() or 0))
    assert place.take() is None


def test_nothing_of_this_process_is_ended_by_the_other(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(_: bytes) -> bytes:
        raise KeyboardInterrupt

    answering(monkeypatch, interrupted)
    try:
        assert place.take() is None
    finally:
        with (tmp_path / "ended").open("a") as file:
            file.write(f"{os.getpid()}\n")
    assert (tmp_path / "ended").read_text() == f"{os.getpid()}\n"


def test_another_question(place: Place) -> None:
    begun = place.begin()
    assert begun.take((*place.question[:2], ())) is None
    assert begun.take(place.question) is None  # it is given up
    begun.close()


def test_taken_once(place: Place) -> None:
    begun = place.begin()
    assert begun.take(place.question) is not None
    assert begun.take(place.question) is None
    begun.close()
    begun.close()


def test_not_taken(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for, whatever it is at."""
    answering(monkeypatch, lambda data: time.sleep(60) or data)
    begun_s = time.monotonic()
    place.begin().close()
    assert time.monotonic() - begun_s < 30


def test_one_from_before_the_process_was_stopped(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early, "OLDEST_S", 0)
    assert place.take() is None


def test_another_command_has_written_since(place: Place) -> None:
    begun = place.begin()
    place.witness.write_bytes(b"2")
    assert begun.take(place.question) is None
    begun.close()


def test_another_command_has_just_written(place: Place) -> None:
    """It may write once more without a trace."""
    place.witness.write_bytes(b"2")
    os.utime(place.witness, ns=(time.time_ns() + 10**9,) * 2)
    assert place.take() is None


@pytest.mark.parametrize("name", ["new.json", "b/new.json", "b/c.json", "pipe.json/new.json"])
def test_a_file_that_came_or_was_replaced_since(place: Place, name: str) -> None:
    for directory in (place.files, place.files / "b", place.files / "pipe.json"):
        place.age(directory)
    begun = place.begin_and_look()
    (place.files / "notes.txt").write_bytes(b"{ }")
    (place.files / "notes.txt").rename(place.files / name)
    assert begun.take(place.question) is None
    begun.close()


def test_a_directory_that_went_since(place: Place) -> None:
    begun = place.begin_and_look()
    (place.files / "b").rename(place.files / "c")
    assert begun.take(place.question) is None
    begun.close()


def test_so_many_directories_that_it_saves_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "MOST_DIRECTORIES", 3)
    assert place.take() is not None
    (place.files / "one").mkdir()
    assert place.take() is None


def test_other_threads(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that one of them holds would be held for ever in the other process."""
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    assert EarlyLook.begin(place.question, str(place.witness)) is None


@pytest.mark.parametrize("name", ["fork", "pipe"])
def test_a_system_that_has_no_more(place: Place, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def refuse() -> int:
        raise BlockingIOError

    before = os.listdir("/dev/fd")
    monkeypatch.setattr(os, name, refuse)
    assert EarlyLook.begin(place.question, str(place.witness)) is None
    assert os.listdir("/dev/fd") == before


def test_a_system_without_fork(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    assert EarlyLook.begin(place.question, str(place.witness)) is None


def test_no_witness(place: Place) -> None:
    assert EarlyLook.begin(place.question, str(place.witness) + "~") is None


def test_a_system_that_forgets_children_at_once(place: Place) -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert place.take() is not None
        place.begin().close()
    finally:
        signal.signal(signal.SIGCHLD, before)
