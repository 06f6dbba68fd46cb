"""Which files are tracked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from epicvc.errors import FileUnavailable, UnsafeName
from epicvc.files.scan.patterns import compile_patterns, tracking
from epicvc.files.scan.scan import STAT_SIZE, scan, stat_key, times_of


def make(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"{}")


def test_sorted_by_the_bytes_of_the_path(tmp_path: Path) -> None:
    paths = ["a/b.json", "a.json", "a-b.json", "z.json", "é.json", "\uffff.json", "\U00010000.json", "a/c/d.json"]
    make(tmp_path, *paths, "a/readme.md", "x.JSON")
    found = scan(tmp_path)
    assert found.paths == sorted(paths, key=str.encode)
    for row, path in enumerate(found.paths):
        assert found.stat(row) == stat_key((tmp_path / path).stat())


def test_what_a_stat_key_tells_apart(tmp_path: Path) -> None:
    """Any change of a file that shows in its times, its size or its inode."""
    file = tmp_path / "a"
    file.write_bytes(b"1")
    os.utime(file, ns=(5, 1_700_000_000_123_456_789))
    status = file.stat()
    assert len(stat_key(status)) == STAT_SIZE
    assert times_of(stat_key(status)) == (1_700_000_000_123_456_789, status.st_ctime_ns)
    keys = {stat_key(status)}
    os.utime(file, ns=(5, 1_700_000_000_123_456_788))
    keys.add(stat_key(file.stat()))
    file.write_bytes(b"12")
    os.utime(file, ns=(5, 1_700_000_000_123_456_788))
    keys.add(stat_key(file.stat()))
    assert len(keys) == 3


@pytest.mark.parametrize("mtime", [-(10**18), 2**63 - 1, 2**63, 2**70])
def test_times_out_of_this_world(mtime: int) -> None:
    """Files may carry any time; they only have to be told from one another."""

    def key(mtime: int) -> bytes:
        named = {"st_mtime_ns": mtime, "st_ctime_ns": 1}
        return stat_key(os.stat_result([0, 2**64 - 1, 0, 0, 0, 0, 7, 0, 0, 0], named))

    assert len(key(mtime)) == STAT_SIZE
    assert key(mtime) != key(mtime + 2)


def test_hidden_and_temporary_files_are_passed_over(tmp_path: Path) -> None:
    make(tmp_path, "a.json", ".git/a.json", "x/.epicvc/a.json", "._a.json", ".a.json.op.epicvc-tmp", "b.epicvc-tmp")
    assert scan(tmp_path, ["**"]).paths == ["a.json"]


def test_symlinks_and_devices_are_reported(tmp_path: Path) -> None:
    files, outside = tmp_path / "files", tmp_path / "outside"
    make(tmp_path, "files/a.json", "outside/b.json")
    (files / "link.json").symlink_to(outside / "b.json")
    (files / "broken.json").symlink_to(outside / "missing")
    (files / "directory").symlink_to(outside)
    (files / "other.txt").symlink_to(outside)
    os.mkfifo(files / "pipe.json")
    skipped: dict[str, str] = {}
    assert scan(files, skipped=skipped.__setitem__).paths == ["a.json"]
    assert skipped == {"link.json": "a symlink", "broken.json": "a symlink", "pipe.json": "not a regular file"}
    assert scan(files).paths == ["a.json"]


def test_include_and_exclude(tmp_path: Path) -> None:
    make(tmp_path, "a.json", "user/b.json", "user/deep/c.json", "enriched/d.json", "[EPIC-ID].json")

    def found(include: list[str], exclude: list[str]) -> list[str]:
        return scan(tmp_path, include, exclude).paths

    assert found(["**/*.json"], ["enriched/**", "[EPIC-ID].json"]) == ["a.json", "user/b.json", "user/deep/c.json"]
    assert found(["**/*.json"], ["enriched", "**/deep"]) == ["[EPIC-ID].json", "a.json", "user/b.json"]
    assert found(["**/*.json"], ["us*/**", "**/[EPIC-ID].json"]) == ["a.json", "enriched/d.json"]
    assert found(["**/*.json"], ["user/**/?.json", "a*"]) == ["[EPIC-ID].json", "enriched/d.json"]
    assert found(["user/*.json"], []) == ["user/b.json"]
    assert found(["**/*.json"], ["**"]) == []
    assert found([], []) == []


def test_excluded_directories_are_not_entered(tmp_path: Path) -> None:
    make(tmp_path, "a.json", "out/b.json", "x/out/c.json", "x/outer/d.json")
    entered: list[str] = []
    assert scan(tmp_path, exclude=["**/out/**"], entered=entered.append).paths == ["a.json", "x/outer/d.json"]
    assert entered == ["", "x/", "x/outer/"]


def test_a_directory_that_became_a_symlink_is_not_followed(tmp_path: Path) -> None:
    make(tmp_path, "files/x/a.json", "outside/b.json")

    def swap(prefix: str) -> None:
        if prefix == "x/":
            (tmp_path / "files/x").rename(tmp_path / "away")
            (tmp_path / "files/x").symlink_to(tmp_path / "outside")

    with pytest.raises(FileUnavailable):
        scan(tmp_path / "files", entered=swap)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("**/*.json", ["a.json", "x/a.json", "x/y/a.json", ".json"], ["a.jsonx", "a"]),
        ("*.json", ["a.json"], ["x/a.json"]),
        ("x/**/a", ["x/a", "x/y/a", "x/y/z/a"], ["xa", "x/ya", "y/x/a"]),
        ("x/**", ["x/a", "x/y/a"], ["x", "xa"]),
        ("?.json", ["a.json", "é.json"], ["ab.json", "/.json", ".json"]),
        ("a[1].json", ["a[1].json"], ["a1.json"]),
        ("a.b", ["a.b"], ["axb"]),
        ("a**b", ["ab", "axxb"], ["a/b"]),
        ("*", ["a", "a\nb"], ["a/b"]),
    ],
)
def test_patterns(pattern: str, yes: list[str], no: list[str]) -> None:
    matches = compile_patterns([pattern])
    assert [p for p in yes if not matches(p)] == []
    assert [p for p in no if matches(p)] == []
    assert compile_patterns(["other", pattern])(yes[0])


@pytest.mark.parametrize("exclude", [(), ("x/**",), ("y",), ("**/b.json", "x/y/**")])
def test_tracking_says_what_a_scan_finds(tmp_path: Path, exclude: tuple[str, ...]) -> None:
    names = ["a.json", "b.json", "x/a.json", "x/y/b.json", "y/a.json", ".h/a.json", ".a.json", "a.txt", "a.epicvc-tmp"]
    for name in names:
        make(tmp_path, name)
    tracked = tracking(("**/*.json", "a.*"), exclude)
    found = scan(tmp_path, ("**/*.json", "a.*"), exclude).paths
    assert sorted(filter(tracked, names)) == found


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    make(tmp_path, "a.json")
    (tmp_path / os.fsdecode(b"\xff.txt")).write_bytes(b"")
    assert len(scan(tmp_path).paths) == 1
    (tmp_path / os.fsdecode(b"\xff.json")).write_bytes(b"")
    with pytest.raises(UnsafeName, match="UTF-8"):
        scan(tmp_path)


def test_a_missing_directory(tmp_path: Path) -> None:
    with pytest.raises(FileUnavailable, match="No such file"):
        scan(tmp_path / "missing")
    make(tmp_path, "a.json")
    with pytest.raises(FileUnavailable):
        scan(tmp_path / "a.json")
