"""The stat cache saves work and never lies."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from epicvc.files.scan.cache import VERSION, clock_ns, is_settled, load_index, save_index
from epicvc.files.scan.index import Edit, FileIndex, IndexRow
from epicvc.files.scan.scan import scan, stat_key

SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND
EMPTY = FileIndex("x")


def filled() -> FileIndex:
    rows = [IndexRow("a/é.json", b"s" * 32, b"b" * 32, "5", b"c" * 32, 1), IndexRow("b.json", b"t" * 32, b"d" * 32)]
    index = FileIndex("x", b"r" * 32)
    return index.edited([(Edit(0, 0, number), row) for number, row in enumerate(rows)])


def key(mtime_ns: int, ctime_ns: int) -> bytes:
    named = {"st_mtime_ns": mtime_ns, "st_ctime_ns": ctime_ns}
    return stat_key(os.stat_result([0, 1, 0, 0, 0, 0, 1, 0, 0, 0], named))


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "cache"
    save_index(path, filled())
    loaded = load_index(path, "x")
    assert loaded == filled()
    assert (loaded.paths, loaded.epics, loaded.root) == (["a/é.json", "b.json"], ["5", ""], b"r" * 32)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_index(path, "another configuration") == FileIndex("another configuration")


def test_anything_else_is_an_empty_cache(tmp_path: Path) -> None:
    path = tmp_path / "cache"
    assert load_index(path, "x") == EMPTY
    save_index(path, filled())
    good = path.read_bytes()
    for length in (0, 1, 31, 32, 33, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:length])
        assert load_index(path, "x") == EMPTY
    for place in range(len(good)):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        assert load_index(path, "x") == EMPTY
    path.unlink()
    path.symlink_to(tmp_path)
    assert load_index(path, "x") == EMPTY


@pytest.mark.parametrize(
    "body",
    [
        b"epicvc.stat-cache" + bytes((VERSION + 1,)) + msgspec.msgpack.encode(filled()),
        b"epicvc.stat-cache" + bytes((VERSION,)) + msgspec.msgpack.encode({"basis": 1}),
        b"epicvc.stat-cache" + bytes((VERSION,)) + msgspec.msgpack.encode([]),
        b"epicvc.stat-cache" + bytes((VERSION,)),
        b"",
    ],
)
def test_a_foreign_cache_is_an_empty_one(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "cache"
    path.write_bytes(body + hashlib.sha256(body).digest())
    assert load_index(path, "x") == EMPTY


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_any_bytes(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "cache").write_bytes(data)
    assert load_index(tmp_path / "cache", "x") == EMPTY


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
    assert is_settled(key(mtime, ctime), observed) == trusted


def test_a_change_in_the_same_tick_is_seen(tmp_path: Path) -> None:
    """However often a file is written with the same size, what is remembered never takes new bytes for old ones."""
    files = tmp_path / "files"
    files.mkdir()
    file = files / "a.json"
    remembered: dict[bytes, bytes] = {}
    for number in range(300):
        content = f"{number:05}".encode()
        with open(file, "r+b" if number else "wb") as handle:
            handle.write(content)
        found = scan(files)
        observed = clock_ns(tmp_path)
        assert remembered.get(found.stat(0), content) == content
        if is_settled(found.stat(0), observed):
            remembered[found.stat(0)] = file.read_bytes()


def test_the_clock_leaves_one_file(tmp_path: Path) -> None:
    before = clock_ns(tmp_path)
    (tmp_path / "a").write_bytes(b"")
    assert before <= os.stat(tmp_path / "a").st_mtime_ns <= clock_ns(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "clock"]
    assert clock_ns(tmp_path / "missing") > NOW


@pytest.mark.parametrize(
    "wrong",
    [
        {"packed_paths": b"\xff"},
        {"packed_paths": b"a.json"},
        {"packed_epics": b"\xc1"},
        {"packed_epics": msgspec.msgpack.encode(["5"])},
        {"packed_epics": b"\x92\xa1\xff\xa0"},
        {"stats": memoryview(b"s" * 63)},
        {"blobs": memoryview(b"")},
        {"cores": memoryview(b"c" * 96)},
        {"flags": b"\1"},
    ],
)
def test_columns_that_do_not_fit_each_other_are_an_empty_cache(wrong: dict[str, object], tmp_path: Path) -> None:
    """However right the checksum is."""
    save_index(tmp_path / "cache", msgspec.structs.replace(filled(), **wrong))
    assert load_index(tmp_path / "cache", "x") == EMPTY


def test_a_text_that_is_none_is_an_empty_cache(tmp_path: Path) -> None:
    save_index(tmp_path / "cache", filled())
    body = (tmp_path / "cache").read_bytes()[:-32].replace(b"\xa5basis\xa1x", b"\xa5basis\xa1\xff")
    (tmp_path / "cache").write_bytes(body + hashlib.sha256(body).digest())
    assert load_index(tmp_path / "cache", "x") == EMPTY
