"""What the configuration says is kept with the text that says so, and is never anything else than that."""

from __future__ import annotations

import math
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from epicvc.base.limits import MAX_DEPTH
from epicvc.errors import InvalidConfig
from epicvc.repo.config.config import CONFIG, PRIVATE, load_config
from epicvc.repo.config.configcache import FILE, recall, remember

TEXT = b"""
[files]
dir = "epics"  # \xc3\xa9
include = ["**/*.json", "b"]
[sync]
policy = "json_wins"
[sync.fields]
"summary" = "database_wins"
[plan]
business_days = true
"""
VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repo's directory, with as much of it as the configuration needs."""
    (tmp_path / PRIVATE).mkdir()
    (tmp_path / CONFIG).write_bytes(TEXT)
    return tmp_path


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that are parsed from now on."""
    found: list[str] = []
    loads = tomllib.loads

    def noting(text: str) -> dict[str, Any]:
        found.append(text)
        return loads(text)

    monkeypatch.setattr(tomllib, "loads", noting)
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text(), VALUES, max_size=4), st.binary())
def test_what_is_kept_comes_back(tmp_path: Path, said: dict[str, Any], text: bytes) -> None:
    (tmp_path / FILE).unlink(missing_ok=True)
    remember(tmp_path, text, said)
    again = recall(tmp_path, text)
    assert again is None or repr(again) == repr(said)
    assert recall(tmp_path, text + b"#") is None


def test_a_text_is_parsed_once(root: Path, parsed: list[str]) -> None:
    first = load_config(root, {})
    assert len(parsed) == 1
    assert load_config(root, {}) == first
    assert len(parsed) == 1
    (root / CONFIG).write_bytes(TEXT.replace(b"json_wins", b"newest_wins"))
    assert load_config(root, {}).policies.overall == "newest_wins"
    assert len(parsed) == 2
    assert load_config(root, {}).policies.overall == "newest_wins"
    assert len(parsed) == 2
    assert (root / PRIVATE / FILE).stat().st_mode & 0o777 == 0o600


def test_what_is_refused_is_refused_again(root: Path) -> None:
    for text in (b"x =", b"other = 1", b"\xff", b"[sync]\npolicy = 'none'", b"[plan]\nstart = 1", b"sync = 1"):
        (root / CONFIG).write_bytes(text)
        said = set()
        for _ in range(3):
            with pytest.raises(InvalidConfig) as caught:
                load_config(root, {})
            said.add(str(caught.value))
        assert len(said) == 1


@pytest.mark.parametrize(
    "value",
    [
        "2025-08-18",
        "07:32:00",
        "2025-08-18T07:32:00Z",
        "2025-08-18 07:32:00",
        "[2025-08-18]",
        "1" * 25,
        "-" + "1" * 25,
        "nan",
        "-inf",
        "[inf]",
    ],
)
def test_what_cannot_be_kept_exactly_is_not_kept(tmp_path: Path, value: str) -> None:
    said = tomllib.loads(f"a = 1\nb = {{ c = {value} }}")
    remember(tmp_path, b"", said)
    assert recall(tmp_path, b"") is None


@pytest.mark.parametrize("value", ["-0.0", "1e300", "9223372036854775807", "-9223372036854775808", "'é'"])
def test_what_looks_as_if_it_could_not_be_kept(tmp_path: Path, value: str) -> None:
    said = tomllib.loads(f"a = {value}")
    remember(tmp_path, b"", said)
    again = recall(tmp_path, b"")
    assert again is not None and repr(again) == repr(said)
    if isinstance(said["a"], float):
        assert math.copysign(1, again["a"]) == math.copysign(1, said["a"])


def test_a_start_that_is_a_date(root: Path) -> None:
    (root / CONFIG).write_bytes(b"[plan]\nstrategy = 'custom_date'\nstart = 2025-08-18\n")
    assert [load_config(root, {}).plan.custom_date for _ in range(2)] == [load_config(root, {}).plan.custom_date] * 2


def test_what_is_as_deep_as_it_may_be(tmp_path: Path) -> None:
    said: dict[str, Any] = {}
    for _ in range(MAX_DEPTH - 1):
        said = {"a": said}
    remember(tmp_path, b"", said)
    assert recall(tmp_path, b"") == said
    remember(tmp_path, b"", {"a": said})
    assert recall(tmp_path, b"") is None


def test_damage_is_noticed(root: Path) -> None:
    load_config(root, {})
    path = root / PRIVATE / FILE
    whole = path.read_bytes()
    said = recall(root / PRIVATE, TEXT)
    assert said is not None
    for position in range(len(whole)):
        path.write_bytes(whole[:position])
        assert recall(root / PRIVATE, TEXT) is None
        path.write_bytes(whole[:position] + bytes((whole[position] ^ 1 << position % 8,)) + whole[position + 1 :])
        assert recall(root / PRIVATE, TEXT) is None
    expected = load_config(root, {})
    assert path.read_bytes() == whole
    assert load_config(root, {}) == expected


def test_another_interpreter_reads_for_itself(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_config(root, {})
    monkeypatch.setattr(sys, "hexversion", sys.hexversion + 1)
    assert recall(root / PRIVATE, TEXT) is None


def test_without_a_repo_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_bytes(TEXT)
    assert load_config(tmp_path, {}).policies.overall == "json_wins"
    assert [path.name for path in tmp_path.iterdir()] == [CONFIG]


def test_where_nothing_can_be_written(root: Path) -> None:
    """A directory has the name, so that not even root can."""
    (root / PRIVATE / FILE).mkdir()
    assert load_config(root, {}) == load_config(root, {})
    assert sorted(path.name for path in (root / PRIVATE).iterdir()) == [FILE]


def test_the_private_configuration_is_not_kept(root: Path) -> None:
    (root / PRIVATE / "config").write_text('[database]\nurl = "postgresql://me:secret@host/name"\n')
    for _ in range(2):
        database = load_config(root, {}).database
        assert database is not None and database.has_password
    assert b"secret" not in (root / PRIVATE / FILE).read_bytes()


def test_a_password_where_none_may_be_is_not_kept(root: Path) -> None:
    (root / CONFIG).write_text('[database]\nurl = "postgresql://me:secret@host/name"\n')
    with pytest.raises(InvalidConfig, match="password"):
        load_config(root, {})
    assert not (root / PRIVATE / FILE).exists()
