"""Staged files go into place, and what somebody saved at that moment stays."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from epicvc.base import publish
from epicvc.base.publish import create, remove_known, replace_known
from epicvc.errors import FileUnavailable


@pytest.fixture(params=["exchanging", "plain"], autouse=True)
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test runs on a system that can exchange names and on one that cannot."""
    if request.param == "plain":
        monkeypatch.setattr(publish, "_renameat2", lambda: None)
    return str(request.param)


def is_old(data: bytes) -> bool:
    return data == b"old"


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def save(path: Path, data: bytes) -> None:
    beside = path.with_name("saving")
    beside.write_bytes(data)
    beside.replace(path)


def test_the_known_is_replaced(tmp_path: Path) -> None:
    staged, target = tmp_path / "staged", tmp_path / "target"
    staged.write_bytes(b"new")
    target.write_bytes(b"old")
    assert replace_known(staged, target, is_old)
    assert (names(tmp_path), target.read_bytes()) == ({"target"}, b"new")


@pytest.mark.parametrize("other", [b"edited", None])
def test_the_unknown_stays(tmp_path: Path, other: bytes | None) -> None:
    staged, target = tmp_path / "staged", tmp_path / "target"
    staged.write_bytes(b"new")
    if other is not None:
        target.write_bytes(other)
    assert not replace_known(staged, target, is_old)
    assert not staged.exists()
    assert (target.read_bytes() if target.exists() else None) == other


def test_no_directory_and_no_symlink_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"old")
    (tmp_path / "link").symlink_to("elsewhere")
    (tmp_path / "directory").mkdir()
    for name in ("link", "directory"):
        staged = tmp_path / "staged"
        staged.write_bytes(b"new")
        assert not replace_known(staged, tmp_path / name, is_old)
    assert names(tmp_path) == {"elsewhere", "link", "directory"}
    assert (tmp_path / "elsewhere").read_bytes() == b"old"
    assert (tmp_path / "link").is_symlink()


def test_an_error_of_the_system_is_reported(tmp_path: Path) -> None:
    (tmp_path / "staged").write_bytes(b"new")
    with pytest.raises(FileUnavailable):
        create(tmp_path / "staged", tmp_path / "staged" / "below")
    assert names(tmp_path) == {"staged"}


@pytest.mark.parametrize("saves", range(5))
def test_the_latest_of_many_saves_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str, saves: int
) -> None:
    """Somebody saves before each of the first exchanges, however many of them putting back takes."""
    if system == "plain":
        pytest.skip("without exchanging, the gap cannot be closed")
    staged, target = tmp_path / "staged", tmp_path / "target"
    staged.write_bytes(b"new")
    target.write_bytes(b"old")
    counter = itertools.count(1)

    def interfere(real: Callable[[Path, Path], bool]) -> Callable[[Path, Path], bool]:
        def call(one: Path, other: Path) -> bool:
            if (number := next(counter)) <= saves:
                save(target, f"save {number}".encode())
            return real(one, other)

        return call

    monkeypatch.setattr(publish, "_exchange", interfere(publish._exchange))
    assert replace_known(staged, target, is_old) is (saves == 0)
    assert names(tmp_path) == {"target"}
    assert target.read_bytes() == (f"save {saves}".encode() if saves else b"new")


def test_a_new_file_takes_no_name_that_is_taken(tmp_path: Path) -> None:
    staged, target = tmp_path / "staged", tmp_path / "target"
    staged.write_bytes(b"new")
    assert create(staged, target)
    assert (names(tmp_path), target.read_bytes()) == ({"target"}, b"new")
    staged.write_bytes(b"newer")
    assert not create(staged, target)
    assert (names(tmp_path), target.read_bytes()) == ({"target"}, b"new")


def test_the_known_is_removed_and_the_unknown_is_not(tmp_path: Path) -> None:
    target, aside = tmp_path / "target", tmp_path / "aside"
    assert remove_known(target, aside, is_old)
    target.write_bytes(b"old")
    assert remove_known(target, aside, is_old)
    assert names(tmp_path) == set()
    target.write_bytes(b"edited")
    assert not remove_known(target, aside, is_old)
    assert (names(tmp_path), target.read_bytes()) == ({"target"}, b"edited")


def test_a_save_while_it_is_removed_stays(tmp_path: Path) -> None:
    target, aside = tmp_path / "target", tmp_path / "aside"
    target.write_bytes(b"edited")

    def meanwhile(data: bytes) -> bool:
        save(target, b"edited again")
        return is_old(data)

    assert not remove_known(target, aside, meanwhile)
    assert (names(tmp_path), target.read_bytes()) == ({"target"}, b"edited again")
