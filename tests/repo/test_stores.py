"""The list of a user's stores."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from epicvc.errors import InvalidData, Unavailable, UsageError
from epicvc.repo.home import stores

ID = "0123456789abcdef" * 2


@pytest.fixture(name="environment")
def _environment(tmp_path: Path) -> dict[str, str]:
    return {stores.STATE_VARIABLE: str(tmp_path / "state")}


def test_the_list_is_private_and_keeps_odd_names(environment: dict[str, str], tmp_path: Path) -> None:
    for name in ("plain", "new\nline", "per%0Acent", "blank in it", os.fsdecode(b"\xff")):
        (tmp_path / name).mkdir()
        stores.enter(environment, str(tmp_path / name), ID)
        assert stores.is_listed(environment, str(tmp_path / name))
    assert len(stores.ids_by_place(environment)) == 5
    path = tmp_path / "state" / stores.FILE
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_place_is_found_without_taking_the_others_apart(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command looks one place up; ends and beginnings of other places are none."""
    odd = ("/a", "/a b", "/x /a", "/a/b", "/a%b", "/a\nb", f"/x {ID} /a", "/ /a")
    others = [f"/somebody/plans {number}" for number in range(1000)]
    for number, place in enumerate([*odd, *others]):
        (tmp_path / "state").mkdir(exist_ok=True)
        line = f"{number:032x} ".encode() + stores._quoted(place) + b"\n"
        with (tmp_path / "state" / stores.FILE).open("ab") as file:
            file.write(line if number else b"epicvc.stores/1\n" + line)
    known = stores.ids_by_place(environment)
    assert known == {place: f"{number:032x}" for number, place in enumerate([*odd, *others])}
    for place in ("/b", "/somebody", "plans 1", "/x", f"{ID} /a", ""):
        monkeypatch.setattr(os.path, "realpath", lambda path: path)
        assert stores.id_at(environment, place) is None
        assert not stores.is_listed(environment, place)
    monkeypatch.setattr(stores, "_read", None)
    for place in [*odd, *others]:
        assert stores.id_at(environment, place) == known[place]
        assert stores.is_listed(environment, place)


def test_two_at_once_lose_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=stores.enter, args=(environment, str(tmp_path / str(number)), ID))
        for number in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stores.ids_by_place(environment)) == 12


def test_a_place_has_one_store_and_a_move_takes_the_old_one_off(environment: dict[str, str]) -> None:
    stores.enter(environment, "/a", ID)
    stores.enter(environment, "/a", ID[::-1])
    stores.enter(environment, "/b", ID[::-1], instead_of="/a")
    assert stores.ids_by_place(environment) == {"/b": ID[::-1]}
    stores.leave(environment, "/b")
    assert not stores.ids_by_place(environment)


@pytest.mark.parametrize(
    "data", [b"x", b"epicvc.stores/1", b"epicvc.stores/1\nshort /a\n", b"epicvc.stores/1\n" + ID.encode() + b" a\n"]
)
def test_a_damaged_list_is_said_and_trusts_nothing(environment: dict[str, str], tmp_path: Path, data: bytes) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / stores.FILE).write_bytes(data)
    with pytest.raises(InvalidData, match="no list of stores"):
        stores.ids_by_place(environment)
    assert not stores.is_listed(environment, "/a")


def test_where_it_is(tmp_path: Path) -> None:
    assert stores.directory({"HOME": "/h"}) == "/h/.local/state/epicvc"
    assert stores.directory({"HOME": "/h", "XDG_STATE_HOME": "relative"}) == "/h/.local/state/epicvc"
    assert stores.directory({"HOME": "/h", "XDG_STATE_HOME": "/s"}) == "/s/epicvc"
    with pytest.raises(UsageError, match="no absolute path"):
        stores.directory({stores.STATE_VARIABLE: "here"})


def test_a_directory_that_cannot_be_made_is_said_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable) as caught:
        stores.enter({stores.STATE_VARIABLE: str(tmp_path / "file" / "state")}, "/a", ID)
    assert stores.STATE_VARIABLE in str(caught.value.hint)
