"""Bundles: written whole or not at all, and nothing in them is believed."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from epicvc.errors import DamagedBundle, EpicvcError, InvalidData, NewerFormat, NotFound
from epicvc.store.codec import zstd
from epicvc.store.objects import ObjectType, Packed, object_id
from epicvc.store.packs.bundle import Bundle, write_bundle
from epicvc.store.packs.pack import write_packs
from epicvc.store.packs.quarantine import RATIO, receive, sendable
from epicvc.store.staging import Staging
from epicvc.store.store import Store
from tests.store.test_dictionary import SAMPLES, payloads

REF, COMMIT = "refs/backups/x", "a" * 64
Sections = list[tuple[bytes, bytes]]


def fill(store: Store, count: int = 3) -> list[bytes]:
    with Staging(store, flush_bytes=1 << 20) as staging:
        ids = [staging.put(ObjectType.BLOB, f"text {number} ".encode() * 40) for number in range(count)]
        staging.flush()
    return ids


def written(store: Store, path: Path, ids: list[bytes]) -> Path:
    packs = write_packs(sendable(store, ids))
    return write_bundle(path, packs, refs={REF: COMMIT}, time="2025-01-01T00:00:00Z", writer="me").path


@pytest.fixture
def bundle(store: Store, tmp_path: Path) -> Path:
    return written(store, tmp_path / "one.bundle", fill(store))


def sections(data: bytes) -> Sections:
    """A bundle taken apart by the documented layout alone."""
    assert data[:8] == bytes.fromhex("4550564362646c01")
    at, found = 8, []
    while at < len(data) - 32:
        kind, length = struct.unpack_from(">cQ", data, at)
        found.append((kind, data[at + 9 : at + 9 + length]))
        at += 9 + length
    assert sha256(data[:-32]).digest() == data[-32:]
    return found


def joined(parts: Sections) -> bytes:
    body = bytes.fromhex("4550564362646c01")
    body += b"".join(struct.pack(">cQ", kind, len(data)) + data for kind, data in parts)
    return body + sha256(body).digest()


def receive_into(path: Path, place: Path) -> int:
    with Store.open(place / "scratch.db", create=True) as scratch:
        return receive(Bundle(path), scratch)


def test_what_went_in_comes_out(store: Store, bundle: Path, tmp_path: Path) -> None:
    opened = Bundle(bundle)
    assert opened.refs == {REF: COMMIT}
    assert bundle.stat().st_mode & 0o777 == 0o600
    with Store.open(tmp_path / "scratch.db", create=True) as scratch:
        assert receive(opened, scratch) == 3
        assert {oid for oid, _, _ in scratch.objects()} == {oid for oid, _, _ in store.objects()}


def test_dictionaries_come_along(store: Store, tmp_path: Path) -> None:
    with Staging(store, flush_bytes=1 << 20) as staging:
        ids = [staging.put(ObjectType.BLOB, text) for text in payloads(SAMPLES + 40)]
        staging.flush()
    assert any(store.packed(oid).codec == 2 for oid in ids)
    path = written(store, tmp_path / "learnt.bundle", ids)
    with Store.open(tmp_path / "scratch.db", create=True) as scratch:
        receive(Bundle(path), scratch)
        assert all(scratch.get(oid, ObjectType.BLOB) == store.get(oid, ObjectType.BLOB) for oid in ids)


def test_the_layout_is_the_documented_one(bundle: Path) -> None:
    (one, form), *packs, (last, entry) = sections(bundle.read_bytes())
    assert (one, last, [kind for kind, _ in packs]) == (b"F", b"L", [b"P"])
    described, said = json.loads(form), json.loads(entry)
    assert said["packs"] == [sha256(data).hexdigest() for _, data in packs]
    assert (described["digest"], described["encrypted"], described["append_only"]) == ("sha256", False, False)
    assert said["remote"] == described["remote"]
    assert said["refs"] == {REF: [None, COMMIT]}
    assert (said["seq"], said["parent"], said["drop"], said["full"], said["base"]) == (1, None, [], True, None)


def test_nothing_is_written_over(store: Store, bundle: Path) -> None:
    before = bundle.read_bytes()
    with pytest.raises(InvalidData, match="there already"):
        written(store, bundle, [])
    assert bundle.read_bytes() == before


def test_nothing_is_left_of_one_that_fails(store: Store, tmp_path: Path) -> None:
    with pytest.raises(EpicvcError):
        written(store, tmp_path / "two.bundle", [b"\0" * 32])
    assert not list(tmp_path.glob("*bundle*"))
    assert not list(tmp_path.glob(".*tmp"))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_refused(bundle: Path, tmp_path: Path, data: st.DataObject) -> None:
    sound = bundle.read_bytes()
    damaged = bytearray(sound)
    at = data.draw(st.integers(0, len(sound) - 1))
    match data.draw(st.sampled_from(["flip", "cut", "insert", "add"])):
        case "flip":
            damaged[at] ^= data.draw(st.integers(1, 255))
        case "cut":
            del damaged[at:]
        case "insert":
            damaged[at:at] = data.draw(st.binary(min_size=1, max_size=9))
        case _:
            damaged += b"x"
    place = fresh(tmp_path)
    (place / "it.bundle").write_bytes(bytes(damaged))
    with pytest.raises(InvalidData):
        receive_into(place / "it.bundle", place)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_mutant_under_right_checksums_is_refused(bundle: Path, tmp_path: Path, data: st.DataObject) -> None:
    (form, pack, entry) = (part for _, part in sections(bundle.read_bytes()))
    body = bytearray(pack[:-32])
    at = data.draw(st.integers(8, 8 + 42 + 20))  # the first record: its head and the beginning of its frame
    body[at] ^= data.draw(st.integers(1, 255))
    hostile = bytes(body) + sha256(body).digest()
    said = json.loads(entry)
    said["packs"] = [sha256(hostile).hexdigest()]
    place = fresh(tmp_path)
    parts = [(b"F", form), (b"P", hostile), (b"L", json.dumps(said).encode())]
    (place / "it.bundle").write_bytes(joined(parts))
    with pytest.raises(InvalidData):
        receive_into(place / "it.bundle", place)


def fresh(tmp_path: Path) -> Path:
    """A directory for one example."""
    place = tmp_path / uuid4().hex
    place.mkdir()
    return place


def edit(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda entry: entry.update({key: value})


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (edit("version", 2), NewerFormat),
        (edit("remote", "0" * 32), DamagedBundle),
        (edit("seq", 2), DamagedBundle),
        (edit("packs", []), DamagedBundle),
        (edit("packs", ["0" * 64]), DamagedBundle),
        (edit("packs", ["no id"]), DamagedBundle),
        (edit("drop", ["0" * 64]), DamagedBundle),
        (edit("full", False), DamagedBundle),
        (edit("refs", {"refs/backups/../x": [None, COMMIT]}), InvalidData),
        (edit("refs", {"nowhere": [None, COMMIT]}), InvalidData),
        (edit("refs", {REF: [COMMIT, COMMIT]}), DamagedBundle),
        (edit("refs", {REF: [None, "ref: refs/heads/main"]}), DamagedBundle),
        (edit("refs", 7), DamagedBundle),
        (edit("base", {"commit": "x", "entry": COMMIT}), DamagedBundle),
        (edit("more", 1), DamagedBundle),
        (lambda entry: entry.pop("nonce"), DamagedBundle),
    ],
)
def test_an_entry_that_cannot_be(bundle: Path, tmp_path: Path, change: Any, error: type[Exception]) -> None:
    *parts, (kind, entry) = sections(bundle.read_bytes())
    said = json.loads(entry)
    change(said)
    path = tmp_path / "hostile.bundle"
    path.write_bytes(joined([*parts, (kind, json.dumps(said).encode())]))
    with pytest.raises(error):
        receive_into(path, tmp_path)


@pytest.mark.parametrize("order", ["", "F", "L", "FL", "PFL", "FPLP", "FFPL", "FPLL", "FXL"])
def test_parts_in_another_order(bundle: Path, tmp_path: Path, order: str) -> None:
    known = dict(sections(bundle.read_bytes()))
    path = tmp_path / "hostile.bundle"
    path.write_bytes(joined([(kind.encode(), known.get(kind.encode(), b"")) for kind in order]))
    with pytest.raises(DamagedBundle):
        receive_into(path, tmp_path)


def smuggled(tmp_path: Path, packed: Packed) -> Path:
    path = tmp_path / "bomb.bundle"
    write_bundle(path, write_packs([packed]), refs={REF: COMMIT}, time="", writer="")
    return path


def frame(payload: bytes) -> bytes:
    from zlib import crc32

    options: dict[int, int] = {zstd.CompressionParameter.checksum_flag: 1}
    data = zstd.compress(payload, options=options)
    return data + crc32(data).to_bytes(4, "big")


@pytest.mark.parametrize("claimed", [10, 999_995_904, 2**32 - 1])
def test_bombs_are_refused(tmp_path: Path, claimed: int) -> None:
    payload = bytes(80 << 20)
    bomb = Packed(object_id(ObjectType.BLOB, payload), ObjectType.BLOB, 1, claimed, frame(payload))
    assert len(bomb.data) * RATIO < len(payload)
    with pytest.raises(DamagedBundle, match=r"claims|bytes|memory"):
        receive_into(smuggled(tmp_path, bomb), tmp_path)


@pytest.mark.parametrize(
    "packed",
    [
        Packed(object_id(ObjectType.BLOB, b"x"), ObjectType.COMMIT, 0, 1, b"x"),  # under another type
        Packed(object_id(99, b"x"), 99, 0, 1, b"x"),
        Packed(object_id(ObjectType.BLOB, b"x"), ObjectType.BLOB, 0, 1, b"y"),
        Packed(object_id(ObjectType.BLOB, b"x"), ObjectType.BLOB, 0, 2, b"x"),
        Packed(object_id(ObjectType.BLOB, b"x"), ObjectType.BLOB, 2, 1, b"\0" * 32 + frame(b"x")),  # no such dictionary
        Packed(object_id(ObjectType.DICTIONARY, b"x"), ObjectType.DICTIONARY, 2, 1, b"\0" * 32 + frame(b"x")),
    ],
)
def test_objects_that_are_not_what_they_claim(tmp_path: Path, packed: Packed) -> None:
    with pytest.raises(DamagedBundle):
        receive_into(smuggled(tmp_path, packed), tmp_path)


def test_a_newer_codec_is_said_to_be_newer(tmp_path: Path) -> None:
    with pytest.raises(NewerFormat):
        receive_into(smuggled(tmp_path, Packed(object_id(1, b"x"), 1, 9, 1, b"x")), tmp_path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        Bundle(tmp_path / "nowhere.bundle")
