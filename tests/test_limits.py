"""The limits that the user may set, and a repo only lower."""

from __future__ import annotations

from pathlib import Path

import pytest

from epicvc.base.limits import FILE_SIZE, OBJECT_SIZE, QUERY_SECONDS, Limit
from epicvc.errors import InvalidConfig, UsageError
from epicvc.repo.config.config import CONFIG, load_config

LIMIT = Limit("EPICVC_TEST", 500, least=10, most=2_000_000)


@pytest.mark.parametrize(
    ("text", "number"),
    [("", 500), ("10", 10), ("2000000", 2_000_000), ("2M", 2_000_000), ("1k", 1000), ("499", 499), ("0010", 10)],
)
def test_what_an_environment_says(text: str, number: int) -> None:
    assert LIMIT.within({"EPICVC_TEST": text}) == number
    assert LIMIT.within({}) == 500


@pytest.mark.parametrize(
    "text", ["9", "0", "-1", "2000001", "3M", "1G", "k", "x", "1e3", "1.5", " 10", "٣٣٣", "9" * 5000]
)
def test_what_no_limit_can_be(text: str) -> None:
    with pytest.raises(UsageError, match=r"EPICVC_TEST=.* is no number from 10 to 2,000,000"):
        LIMIT.within({"EPICVC_TEST": text})


def test_a_number_is_held_against_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert LIMIT.exceeded_by(500) is None
    assert LIMIT.exceeded_by(501) == 500
    monkeypatch.setenv("EPICVC_TEST", "600")
    assert LIMIT.exceeded_by(600) is None
    assert LIMIT.exceeded_by(601) == 600


def test_a_large_object_fits_wherever_a_file_does() -> None:
    assert OBJECT_SIZE.default >= FILE_SIZE.default
    assert OBJECT_SIZE.most < 10**9


def configured(root: Path, text: str) -> tuple[int | None, int | None]:
    (root / CONFIG).write_text(text)
    config = load_config(root, {})
    return config.file_size, config.query_seconds


def test_a_repo_lowers_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert configured(tmp_path, "") == (None, None)
    assert configured(tmp_path, "[limits]\nfile_size = 2000\nquery_seconds = 60") == (2000, 60)
    monkeypatch.setenv("EPICVC_MAX_FILE_SIZE", "1000")
    monkeypatch.setenv("EPICVC_QUERY_TIMEOUT", "900")
    assert configured(tmp_path, "[limits]\nfile_size = 2000\nquery_seconds = 60") == (1000, 60)


@pytest.mark.parametrize(
    "said",
    ["file_size = 256_000_001", "file_size = 0", "query_seconds = 301", "query_seconds = true", "query_seconds = '5'",
     "query_seconds = 1.5", "object_size = 5"],
)  # fmt: skip
def test_a_repo_raises_none(said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where the user raised it further: who clones a repo has not looked at what it says."""
    monkeypatch.setenv("EPICVC_MAX_FILE_SIZE", "1G")
    monkeypatch.setenv("EPICVC_QUERY_TIMEOUT", "900")
    with pytest.raises(InvalidConfig, match=r"\[limits\]") as caught:
        configured(tmp_path, f"[limits]\n{said}")
    assert caught.value.exit_code == 4


def test_limits_are_in_the_documentation() -> None:
    text = (Path(__file__).parents[1] / "docs" / "configuration.md").read_text("utf-8")
    for limit in (FILE_SIZE, OBJECT_SIZE):
        assert f"| {limit.default:,} bytes (`{limit.variable}`) |" in text
    assert f"| {QUERY_SECONDS.default} seconds (`{QUERY_SECONDS.variable}`) |" in text
