"""Safe names, collisions, and names for new epics."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.errors import UnsafeName
from epicvc.files.names import Namer, check_collisions, check_name, fold


@pytest.mark.parametrize(
    "name",
    ["a.json", "epics/épico 5.json", "a/b/c.json", "console.json", "com10.json", "x..json", "a.b/c", "{x}[y].json"],
)
def test_safe(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/a",
        "a//b",
        "a/",
        ".",
        "..",
        "../a",
        "a/../b",
        "a/./b",
        "a\\b",
        "..\\a",
        "c:a",
        "a\x00",
        "a\nb",
        "a\x85b",
        "\x7f",
        "con",
        "CON.json",
        "a/nul.tar.gz",
        "com1.json",
        "LPT9",
        "com¹.json",
        "aux .json",
        "a.",
        "a ",
        "dir./b",
        ".git",
        ".GIT/hooks/x",
        "a/.epicvc/b",
        "git~1/config",
        ".g\u200cit/config",
        "\u200c.git/config",
        ".hidden.json",
        "x" * 256,
        "é" * 128,
        "a\udcff.json",
    ],
)
def test_unsafe(name: str) -> None:
    with pytest.raises(UnsafeName) as caught:
        check_name(name)
    assert caught.value.name == name


@pytest.mark.parametrize(
    "paths",
    [
        ["a.json", "A.json"],
        ["é.json", "e\u0301.json"],
        ["straße.json", "STRASSE.json"],
        ["a", "a/b"],
        ["A", "a/b"],
        ["Dir/a", "dir/b"],
        ["x/y/Z/1", "x/y/z/2"],
    ],
)
def test_collisions(paths: list[str]) -> None:
    for order in (paths, paths[::-1]):
        with pytest.raises(UnsafeName):
            check_collisions(order)


def test_no_collision() -> None:
    check_collisions(["a/b", "a/c", "a.json", "b/a/c", "ab", "a/b"])
    check_collisions([])


@given(st.text(max_size=20))
def test_fold_is_idempotent_and_ignores_form(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert fold(unicodedata.normalize("NFD", text)) == fold(unicodedata.normalize("NFC", text))


@pytest.mark.parametrize(
    ("existing", "expected"),
    [
        ({}, "epic_7.json"),
        ({"epico_5.json": "5", "epico_0.json": "0"}, "epico_7.json"),
        ({"epics/epico_5.json": "5"}, "epics/epico_7.json"),
        ({"a/epico_5.json": "5", "b/epico_6.json": "6"}, "epico_7.json"),
        ({"0.json": "0", "readme.json": "r"}, "7.json"),
        ({"v1_1_plan.json": "1", "v1_2_plan.json": "2"}, "v1_7_plan.json"),
        ({"anything.json": "5", "other.json": "6", "epic-9.json": "9"}, "epic_7.json"),
        ({"epic_7.json": "5"}, "epic_7-7902699b.json"),
        ({"EPIC_7.JSON": "5"}, "epic_7-7902699b.json"),
    ],
)
def test_the_prevailing_pattern(existing: dict[str, str], expected: str) -> None:
    assert Namer(existing).name("7") == expected


@given(
    st.lists(st.text(max_size=300), max_size=8, unique=True), st.sampled_from([{}, {"0.json": "0"}, {"x/0y.json": "0"}])
)
def test_every_id_gets_a_safe_name_of_its_own(ids: list[str], existing: dict[str, str]) -> None:
    namer = Namer(existing)
    paths = [namer.name(epic_id) for epic_id in ids]
    for path in paths:
        check_name(path)
    check_collisions([*paths, *existing])
    assert len(set(paths)) == len(ids)


@pytest.mark.parametrize("epic_id", ["../x", "con", "a/b", "..", "", ".git", "x.", "a:b", "%", "\x00", "é" * 300])
def test_hostile_ids(epic_id: str) -> None:
    for existing in ({}, {"0.json": "0"}):
        path = Namer(existing).name(epic_id)
        check_name(path)
        assert "/" not in path
