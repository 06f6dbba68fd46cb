"""Patterns of tracked files: what they match, and that no pattern takes more than a look along a path."""

from __future__ import annotations

import random
import re

import pytest

from epicvc.files.scan.patterns import compile_patterns


def spelled_out(pattern: str) -> re.Pattern[str]:
    """What a pattern means, as the plainest expression; it may take for ever."""
    *directories, last = pattern.split("/")
    parts = ["(?:[^/]+/)*" if segment == "**" else segment_of(segment) + "/" for segment in directories]
    return re.compile("".join(parts) + (".+" if last == "**" else segment_of(last)), re.DOTALL)


def segment_of(segment: str) -> str:
    return "".join({"*": "[^/]*", "?": "[^/]"}.get(c, re.escape(c)) for c in segment)


def test_patterns_mean_what_they_say() -> None:
    source = random.Random(5)
    matches = 0
    for _ in range(500):
        segments = [
            "**" if source.random() < 0.4 else random_text(source, "ab*?[.") for _ in range(source.randint(1, 5))
        ]
        pattern = "/".join(segments)
        test, meant = compile_patterns([pattern]), spelled_out(pattern)
        for _ in range(20):
            path = "/".join(random_text(source, "ab[.\n") for _ in range(source.randint(1, 6)))
            assert test(path) == (meant.fullmatch(path) is not None), (pattern, path)
            matches += test(path)
    assert matches > 300


def random_text(source: random.Random, alphabet: str) -> str:
    return "".join(source.choices(alphabet, k=source.randint(1, 4)))


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("**/a/" * 40 + "b", "a/" * 2000 + "c"),
        ("**/*a*/" * 30 + "**/b", "aaaa/" * 1000 + "c"),
        ("*a" * 60 + "b", "a" * 255),
        ("**/" + "?*" * 60 + "b", "x/" * 100 + "a" * 200),
        ("**/" * 200 + "b", "a/" * 1000 + "c"),
    ],
)
def test_no_pattern_takes_for_ever(pattern: str, path: str) -> None:
    """With a choice at every star these would not end within the age of the universe."""
    assert not compile_patterns([pattern])(path)
