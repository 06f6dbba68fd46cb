"""What is told from the words of a command line before it is read."""

from __future__ import annotations

import os

import pytest

from epicvc.cli import fast
from epicvc.cli.line.table import EPICVC
from epicvc.repo.files import earlylook


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["diff"], "."),
        (["status", "--json"], "."),
        (["diff", "HEAD~1", "5"], "."),
        (["-C", "below", "status"], "below"),
        (["-C", "a", "-C", "b/c", "diff", "-q"], "a/b/c"),
        (["-C", "/a", "diff"], "/a"),
        ([], None),
        (["-C"], None),
        (["-C", "a"], None),
        (["--json", "diff"], None),  # could be, and is not looked into
        (["diff", "-C", "a"], None),
        (["sync", "diff"], None),
        (["migrate", "status"], None),
    ],
)
def test_what_a_command_line_begins_with(monkeypatch: pytest.MonkeyPatch, words: list[str], place: str | None) -> None:
    places = list[str]()
    monkeypatch.setattr(earlylook, "begin", lambda directory: places.append(os.path.normpath(directory)))
    fast.early_look(words)
    assert places == ([] if place is None else [place])


def test_commands_that_look_are_there() -> None:
    assert set(fast.LOOKING) <= set(EPICVC.commands)
