"""Which files are tracked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from epicvc.errors import FileUnavailable, UnsafeName
from epicvc.files.scan import StatKey, compile_patterns, scan


def make(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"{}")


def test_sorted_by_the_bytes_of_the_path(tmp_path: Path) -> None:
    paths = [
        "a/b.json",
        "a.json",
        "a-b.json",
        "z.json",
        "é.json",
        "\uffff.json",
        "\U00010000.json",
        "a/c/d.json",
    ]
    make(tmp_path, *paths, "a/readme.md", "x.JSON")
    found = list(scan(tmp_path))
    assert [f.path for f in found] == sorted(paths, key=str.encode)
    for path, key in found:
        status = (tmp_path / path).stat()
        assert key == StatKey.of(status) == (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


def test_hidden_and_temporary_files_are_passed_over(tmp_path: Path) -> None:
    make(
        tmp_path,
        "a.json",
        ".git/a.json",
        "x/.epicvc/a.json",
        "._a.json",
        ".a.json.op.epicvc-tmp",
        "b.epicvc-tmp",
    )
    assert [f.path for f in scan(tmp_path, ["**"])] == ["a.json"]


def test_symlinks_and_devices_are_reported(tmp_path: Path) -> None:
    files, outside = tmp_path / "files", tmp_path / "outside"
    make(tmp_path, "files/a.json", "outside/b.json")
    (files / "link.json").symlink_to(outside / "b.json")
    (files / "broken.json").symlink_to(outside / "missing")
    (files / "directory").symlink_to(outside)
    (files / "other.txt").symlink_to(outside)
    os.mkfifo(files / "pipe.json")
    skipped: dict[str, str] = {}
    assert [f.path for f in scan(files, skipped=skipped.__setitem__)] == ["a.json"]
    assert skipped == {
        "link.json": "a symlink",
        "broken.json": "a symlink",
        "pipe.json": "not a regular file",
    }
    assert [f.path for f in scan(files)] == ["a.json"]


def test_include_and_exclude(tmp_path: Path) -> None:
    make(tmp_path, "a.json", "user/b.json", "user/deep/c.json", "enriched/d.json", "[EPIC-ID].json")

    def found(include: list[str], exclude: list[str]) -> list[str]:
        return [f.path for f in scan(tmp_path, include, exclude)]

    assert found(["**/*.json"], ["enriched/**", "[EPIC-ID].json"]) == [
        "a.json",
        "user/b.json",
        "user/deep/c.json",
    ]
    assert found(["**/*.json"], ["enriched", "**/deep"]) == ["[EPIC-ID].json", "a.json", "user/b.json"]
    assert found(["user/*.json"], []) == ["user/b.json"]
    assert found([], []) == []


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


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    make(tmp_path, "a.json")
    (tmp_path / os.fsdecode(b"\xff.txt")).write_bytes(b"")
    assert len(list(scan(tmp_path))) == 1
    (tmp_path / os.fsdecode(b"\xff.json")).write_bytes(b"")
    with pytest.raises(UnsafeName, match="UTF-8"):
        list(scan(tmp_path))


def test_a_missing_directory(tmp_path: Path) -> None:
    with pytest.raises(FileUnavailable, match="No such file"):
        list(scan(tmp_path / "missing"))
    make(tmp_path, "a.json")
    with pytest.raises(FileUnavailable):
        list(scan(tmp_path / "a.json"))
