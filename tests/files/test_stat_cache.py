"""The stat cache saves work and never lies."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from epicvc.files.cache import CacheEntry, StatCache, clock_ns
from epicvc.files.scan import StatKey, scan

SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND
ENTRY = CacheEntry(StatKey(NOW + 1, NOW + 2, 3, 4), b"b" * 32, "5", b"c" * 32, 1)


def filled() -> StatCache:
    cache = StatCache({"config": "x"})
    assert cache.record("a/é.json", ENTRY, observed_ns=NOW + SECOND)
    assert cache.record("b.json", CacheEntry(ENTRY.stat, b"d" * 32), observed_ns=NOW + SECOND)
    return cache


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "cache"
    filled().save(path)
    loaded = StatCache.load(path)
    assert loaded.header == {"config": "x"}
    assert loaded.entries == filled().entries
    assert loaded.lookup("a/é.json", ENTRY.stat) == ENTRY
    assert loaded.lookup("a/é.json", ENTRY.stat._replace(inode=5)) is None
    assert loaded.lookup("other", ENTRY.stat) is None
    assert path.stat().st_mode & 0o777 == 0o600


def test_anything_else_is_an_empty_cache(tmp_path: Path) -> None:
    path = tmp_path / "cache"
    assert StatCache.load(path).entries == {}
    filled().save(path)
    good = path.read_bytes()
    for length in (0, 1, 64, 65, 66, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:length])
        assert StatCache.load(path).entries == {}
    for place in range(0, len(good), 7):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        assert StatCache.load(path).entries == {}
    path.unlink()
    path.symlink_to(tmp_path)
    assert StatCache.load(path).entries == {}


@pytest.mark.parametrize(
    "change",
    [
        {"format": "epicvc.stat-cache/2"},
        {"blob": ["zz", "zz"]},
        {"blob": []},
        {"epic": None},
        {"mtime": [1]},
        {"header": []},
        {"core": [1, 2]},
        {"path": [[], {}]},
    ],
)
def test_a_foreign_cache_is_an_empty_one(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "cache"
    filled().save(path)
    body = json.dumps(json.loads(path.read_bytes()[:-65]) | change).encode()
    path.write_bytes(body + b"\n" + hashlib.sha256(body).hexdigest().encode())
    assert StatCache.load(path).entries == {}
    body = b"[]"
    path.write_bytes(body + b"\n" + hashlib.sha256(body).hexdigest().encode())
    assert StatCache.load(path).entries == {}


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_any_bytes(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "cache").write_bytes(data)
    assert StatCache.load(tmp_path / "cache").entries == {}


@pytest.mark.parametrize(
    ("mtime", "ctime", "observed", "trusted"),
    [
        (NOW + 1, NOW + 1, NOW + SECOND, True),
        (NOW + 1, NOW + 1, NOW + 1, False),
        (NOW + 1, NOW + 1, NOW + 10_000_000, False),
        (NOW - 9 * SECOND, NOW + 1, NOW + 5, False),
        (NOW + 9 * SECOND, NOW + 1, NOW + SECOND, False),
        (NOW, NOW, NOW + SECOND, False),  # a clock of whole seconds
        (NOW, NOW, NOW + 3 * SECOND, True),
    ],
)
def test_racily_clean_files_are_not_remembered(mtime: int, ctime: int, observed: int, trusted: bool) -> None:
    cache = StatCache(entries={"a": ENTRY})
    entry = CacheEntry(StatKey(mtime, ctime, 1, 1), b"x" * 32)
    assert cache.record("a", entry, observed_ns=observed) == trusted
    assert cache.entries == ({"a": entry} if trusted else {})


def test_a_change_in_the_same_tick_is_seen(tmp_path: Path) -> None:
    """However often a file is written with the same size, the cache never takes new bytes for old ones."""
    files = tmp_path / "files"
    files.mkdir()
    file = files / "a.json"
    cache = StatCache()
    for number in range(300):
        content = f"{number:05}".encode()
        with open(file, "r+b" if number else "wb") as handle:
            handle.write(content)
        observed = clock_ns(tmp_path)
        (found,) = scan(files)
        known = cache.lookup(found.path, found.stat)
        blob = hashlib.sha256(file.read_bytes()).digest()
        assert known is None or known.blob_id == blob
        cache.record(found.path, CacheEntry(found.stat, blob), observed_ns=observed)


def test_the_clock_leaves_one_file(tmp_path: Path) -> None:
    before = clock_ns(tmp_path)
    (tmp_path / "a").write_bytes(b"")
    assert before <= os.stat(tmp_path / "a").st_mtime_ns <= clock_ns(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "clock"]
    assert clock_ns(tmp_path / "missing") > NOW
