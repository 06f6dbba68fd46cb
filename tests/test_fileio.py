"""Atomic writing, reading without symlinks, and the lock."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from epicvc.base.fileio import (
    RepoLock,
    atomic_write,
    check_directories,
    directory_locked,
    fsync_directory,
    leftover_temporaries,
    make_directories,
    publish,
    read_below,
    read_file,
    read_followed,
    remove_file,
    stage_file,
)
from epicvc.errors import FileTooLarge, FileUnavailable, LinkInTheWay, Unavailable


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_atomic_write_makes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    atomic_write(path, b"1")
    assert path.read_bytes() == b"1"
    assert mode(path) == 0o666 & ~_umask()
    path.chmod(0o640)
    atomic_write(path, b"2" * 100_000, durable=False)
    assert path.read_bytes() == b"2" * 100_000
    assert mode(path) == 0o640
    atomic_write(path, b"", mode=0o600)
    assert mode(path) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_staged_then_published(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    staged = stage_file(path, b"new", "op1")
    assert staged.name == ".a.json.op1.epicvc-tmp"
    assert path.read_bytes() == b"old"
    assert leftover_temporaries(tmp_path, "op1") == [staged]
    assert leftover_temporaries(tmp_path, "op2") == []
    publish(staged, path)
    fsync_directory(tmp_path)
    assert path.read_bytes() == b"new"
    assert leftover_temporaries(tmp_path, "op1") == []


def test_leftovers_are_found_below_and_for_long_names(tmp_path: Path) -> None:
    below = tmp_path / "x" / "y"
    below.mkdir(parents=True)
    long_name = below / ("é" * 125 + ".json")
    staged = stage_file(long_name, b"1", "op1")
    assert len(os.fsencode(staged.name)) <= 255
    other = stage_file(below / ("é" * 124 + "e.json"), b"2", "op1")
    assert leftover_temporaries(tmp_path, "op1") == sorted([staged, other])
    publish(staged, long_name)
    assert long_name.read_bytes() == b"1"


def test_a_staged_file_is_never_written_over(tmp_path: Path) -> None:
    stage_file(tmp_path / "a", b"1", "t")
    with pytest.raises(FileUnavailable, match="exists"):
        stage_file(tmp_path / "a", b"2", "t")
    (tmp_path / ".b.t.epicvc-tmp").symlink_to(tmp_path / "target")
    with pytest.raises(FileUnavailable):
        stage_file(tmp_path / "b", b"2", "t")
    assert not (tmp_path / "target").exists()


def test_only_regular_files_are_replaced(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"kept")
    link, directory = tmp_path / "link", tmp_path / "directory"
    link.symlink_to(target)
    directory.mkdir()
    for path in (link, directory):
        with pytest.raises(FileUnavailable, match="not a regular file"):
            atomic_write(path, b"1")
    assert target.read_bytes() == b"kept"


def test_failures_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(FileUnavailable, match="No space left") as caught:
            atomic_write(path, b"new")
    assert caught.value.path == str(path)
    with pytest.raises(FileUnavailable, match="No such file"):
        atomic_write(tmp_path / "missing" / "a", b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert path.read_bytes() == b"old"


def test_a_full_disk_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(FileUnavailable, match="File too large"):
            atomic_write(path, b"x" * 10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_remove_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"")
    assert remove_file(path)
    assert not remove_file(path)
    with pytest.raises(FileUnavailable):
        remove_file(tmp_path)


def test_make_directories(tmp_path: Path) -> None:
    make_directories(tmp_path / "a" / "b" / "c", tmp_path)
    make_directories(tmp_path / "a" / "b" / "c", tmp_path)
    make_directories(tmp_path, tmp_path)
    assert (tmp_path / "a" / "b" / "c").is_dir()
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    for name, error in (("file", FileUnavailable), ("link", LinkInTheWay)):
        for make in (make_directories, check_directories):
            with pytest.raises(error):
                make(tmp_path / name / "b", tmp_path)
    check_directories(tmp_path / "new" / "b", tmp_path)
    assert not (tmp_path / "new").exists()
    for outside in (tmp_path.parent, tmp_path / ".." / "x"):
        with pytest.raises(ValueError, match="not"):
            make_directories(outside, tmp_path)


def test_read_file(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    path = tmp_path / "d" / "a.json"
    path.write_bytes(b"{}")
    assert read_file(path) == read_file(path, root=tmp_path) == read_file(path, root=path.parent) == b"{}"
    with pytest.raises(FileUnavailable, match="No such file") as caught:
        read_file(tmp_path / "missing", root=tmp_path)
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    with pytest.raises(ValueError, match="not"):
        read_file(path, root=tmp_path / "other")
    with pytest.raises(ValueError, match="not"):
        read_file(tmp_path / "d" / ".." / "d" / "a.json", root=tmp_path)


@pytest.mark.parametrize("path", ["../a.json", "d/../a.json", "d/..", "/a.json"])
def test_a_path_that_may_lead_out_is_not_read(tmp_path: Path, path: str) -> None:
    (tmp_path / "a.json").write_bytes(b"{}")
    (tmp_path / "d").mkdir()
    with pytest.raises(ValueError, match="not below"):
        read_below(tmp_path / "d" if path == "../a.json" else tmp_path, path)


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 70_000, 1_000_000])
def test_a_file_of_any_size_is_read_whole(tmp_path: Path, size: int) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.json").write_bytes(data := os.urandom(size))
    assert read_below(tmp_path, "d/a.json") == data


def test_a_file_that_grows_while_it_is_read_is_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system says of a size may be old, or nothing at all, as below /proc."""
    (tmp_path / "a.json").write_bytes(data := os.urandom(10_000))
    fstat = os.fstat

    def smaller(descriptor: int) -> os.stat_result:
        found = list(fstat(descriptor))
        found[stat.ST_SIZE] = 0
        return os.stat_result(found)

    monkeypatch.setattr(os, "fstat", smaller)
    assert read_below(tmp_path, "a.json") == data


def test_read_file_follows_no_symlink(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / "a").write_bytes(b"secret")
    (tmp_path / "file").symlink_to(real / "a")
    (tmp_path / "directory").symlink_to(real)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileUnavailable, match="symlink"):
        read_file(tmp_path / "file")
    with pytest.raises(FileUnavailable, match="symlink"):
        read_file(tmp_path / "file", root=tmp_path)
    with pytest.raises(FileUnavailable):
        read_file(tmp_path / "directory" / "a", root=tmp_path)
    for irregular in (tmp_path / "pipe", real):
        with pytest.raises(FileUnavailable):
            read_file(irregular)
    (tmp_path / "root").symlink_to(real)
    assert read_file(tmp_path / "root" / "a", root=tmp_path / "root") == b"secret"


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        for path in (tmp_path, tmp_path / "missing", tmp_path / "d" / "missing" / "x"):
            with pytest.raises(FileUnavailable):
                read_file(path)
        with pytest.raises(FileUnavailable):
            read_file(tmp_path / "d" / "missing" / "x", root=tmp_path)
        atomic_write(tmp_path / "a", b"1")
        with RepoLock(tmp_path / "lock"), pytest.raises(Unavailable), RepoLock(tmp_path / "lock"):
            pass
    assert len(os.listdir("/proc/self/fd")) == before


# --- the lock ---

ROOT = Path(__file__).parents[1]
HOLDER = """
import sys, time
from pathlib import Path
from epicvc.base.fileio import RepoLock
with RepoLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_lock_excludes_processes_and_dies_with_them(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        started = time.monotonic()
        with pytest.raises(Unavailable, match=f"locked by process {holder.pid} "), RepoLock(path, timeout=0.1):
            pass
        assert 0.1 <= time.monotonic() - started < 5
    finally:
        holder.kill()
        holder.communicate()
    with RepoLock(path, timeout=5):
        assert path.read_text() == f"{os.getpid()}\n"
    assert path.exists()
    assert mode(path) == 0o600


def test_the_lock_excludes_threads(tmp_path: Path) -> None:
    inside = 0
    seen: list[int] = []

    def work() -> None:
        nonlocal inside
        for _ in range(3):
            with RepoLock(tmp_path / "lock", timeout=10):
                inside += 1
                seen.append(inside)
                time.sleep(0.002)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1] * 12


def test_the_lock_is_not_reentrant(tmp_path: Path) -> None:
    lock = RepoLock(tmp_path / "lock")
    with lock, pytest.raises(RuntimeError), lock:
        pass
    with lock:
        pass


def test_a_lock_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(FileUnavailable), RepoLock(tmp_path / "missing" / "lock"):
        pass
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileUnavailable, match="symlink"), RepoLock(tmp_path / "link"):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_a_directory_is_held_without_a_file_in_it(tmp_path: Path) -> None:
    with directory_locked(tmp_path, 0):
        with pytest.raises(Unavailable, match="held by another process"), directory_locked(tmp_path, 0.05):
            pass
        assert list(tmp_path.iterdir()) == []
    with directory_locked(tmp_path, 0):
        pass


def test_a_directory_that_cannot_be_locked_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(number: int) -> None:
        def flock(descriptor: int, operation: int) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(fcntl, "flock", flock)

    refuse(errno.EBADF)
    with directory_locked(tmp_path, 0), directory_locked(tmp_path, 0):
        pass
    refuse(errno.EIO)
    with pytest.raises(FileUnavailable), directory_locked(tmp_path, 0):
        pass
    with pytest.raises(FileUnavailable), directory_locked(tmp_path / "gone", 0):
        pass


def test_a_sparse_giant_is_refused_by_its_size(tmp_path: Path) -> None:
    """Of three gigabytes not one is read."""
    giant = tmp_path / "giant"
    giant.touch()
    os.truncate(giant, 3_000_000_000)
    for read in (read_file, read_followed, lambda path: read_file(path, root=tmp_path)):
        with pytest.raises(
            FileTooLarge, match=r"giant: has 3,000,000,000 bytes, and 256,000,000 are the most"
        ) as found:
            read(giant)
        assert found.value.exit_code == 4
        assert "raise EPICVC_MAX_FILE_SIZE" in str(found.value.hint)


def test_the_user_says_how_large_a_file_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").write_bytes(b"x" * 2001)
    monkeypatch.setenv("EPICVC_MAX_FILE_SIZE", "2k")
    with pytest.raises(FileTooLarge, match="2,001 bytes, and 2,000 are the most"):
        read_file(tmp_path / "f")
    monkeypatch.setenv("EPICVC_MAX_FILE_SIZE", "2001")
    assert len(read_file(tmp_path / "f")) == 2001


def test_a_limit_is_the_size_that_may_just_be(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"12345")
    assert read_followed(tmp_path / "f", 5) == b"12345"
    with pytest.raises(FileTooLarge):
        read_followed(tmp_path / "f", 4)
