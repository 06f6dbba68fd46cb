"""What is unpacked is what its name says, or it is damage; and memory is bounded by the declared size."""

from __future__ import annotations

import os
import sys
import tracemalloc
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.errors import DamagedObject, InvalidData, NewerFormat
from epicvc.store import codec, objects
from epicvc.store.codec import Codec, pack, unpack
from epicvc.store.file.census import EMPTY, dump_census
from epicvc.store.objects import ObjectType, Packed, is_id, object_id
from epicvc.store.store import Store
from epicvc.store.tree import node, tree

from .memory import Memory

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FORMAT = Path(__file__).parents[2] / "docs" / "format.md"


def packed(payload: bytes, type: ObjectType = ObjectType.BLOB) -> Packed:  # noqa: A002
    return pack(object_id(type, payload), type, payload)


def with_crc(frame: bytes) -> bytes:
    return frame + crc32(frame).to_bytes(4, "big")


@given(st.binary(max_size=300) | st.binary(max_size=50).map(lambda part: part * 50), st.sampled_from(ObjectType))
def test_round_trip(payload: bytes, kind: ObjectType) -> None:
    found = packed(payload, kind)
    assert unpack(found) == payload
    assert found.size == len(payload)
    assert len(found.data) <= len(payload)


def test_codecs() -> None:
    assert packed(b"").codec == packed(b"x" * 64).codec == packed(os.urandom(500)).codec == Codec.RAW
    frame = packed(b"x" * 65)
    assert frame.codec == Codec.ZSTD
    assert frame.data[4] & 0b100  # the frame's own checksum


def test_every_bit_of_stored_data_counts(store: Store) -> None:
    for payload in (b"raw", b"".join(b"%d " % (n * n % 97) for n in range(300))):
        oid = object_id(ObjectType.BLOB, payload)
        sound = pack(oid, ObjectType.BLOB, payload)
        with store.transaction() as txn:
            txn.put_packed([sound])
        assert store.get(oid, ObjectType.BLOB) == payload
        store._db.begin()  # one transaction, so that the disk is not synced for every bit
        for position in range(len(sound.data) * 8):
            data = bytearray(sound.data)
            data[position // 8] ^= 1 << position % 8
            store._db.run("UPDATE object SET data = ? WHERE id = ?", (bytes(data), oid))
            with pytest.raises(DamagedObject):
                store.get(oid, ObjectType.BLOB)
        for cut in range(len(sound.data)):
            store._db.run("UPDATE object SET data = ? WHERE id = ?", (sound.data[:cut], oid))
            with pytest.raises(DamagedObject):
                store.get(oid, ObjectType.BLOB)
        store._db.rollback()


@pytest.mark.parametrize("size", [-1, 0, 1, 999, 1001, 2**40, 2**62])
@pytest.mark.parametrize("payload", [b"x" * 1000, bytes(range(250)) * 4])
def test_a_size_that_lies_is_damage(payload: bytes, size: int) -> None:
    with pytest.raises(DamagedObject):
        unpack(packed(payload)._replace(size=size))
    with pytest.raises(DamagedObject):
        unpack(packed(payload)._replace(size=size, codec=Codec.RAW))


def test_what_follows_a_frame_is_damage() -> None:
    sound = packed(b"x" * 1000)
    for more in (b"\0", sound.data, b"\x50\x2a\x4d\x18\0\0\0\0"):  # a byte, a frame, a skippable frame
        with pytest.raises(DamagedObject):
            unpack(sound._replace(data=sound.data + more))
        with pytest.raises(DamagedObject, match="follows"):
            unpack(sound._replace(data=with_crc(sound.data[:-4] + more)))


def test_a_bomb_takes_no_more_memory_than_it_declares() -> None:
    bomb = with_crc(zstd.compress(bytes(200_000_000)))
    tracemalloc.start()
    try:
        with pytest.raises(DamagedObject):
            unpack(Packed(bytes(32), ObjectType.BLOB, Codec.ZSTD, 10_000, bomb))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_frame_that_wants_a_large_window_is_refused() -> None:
    # Magic, a descriptor without content size, a window of 2**27 bytes, one empty last block.
    frame = b"\x28\xb5\x2f\xfd" + b"\x00" + bytes([(27 - 10) << 3]) + b"\x01\x00\x00"
    assert zstd.decompress(frame) == b""
    with pytest.raises(DamagedObject, match=r"memory|[Ww]indow"):
        unpack(Packed(object_id(ObjectType.BLOB, b""), ObjectType.BLOB, Codec.ZSTD, 0, with_crc(frame)))


@pytest.mark.parametrize("exponent", range(0, 24, 3))
def test_every_size_fits_its_own_window(exponent: int) -> None:
    for size in (2**exponent - 1, 2**exponent, 2**exponent + 1):
        payload = (b"%d" % size * (size // 2 + 1))[:size]
        assert unpack(packed(payload)) == payload


def test_a_frame_that_needs_a_dictionary_is_damage_and_a_later_codec_is_newer() -> None:
    with pytest.raises(NewerFormat):
        unpack(packed(b"x" * 100)._replace(codec=3))
    with pytest.raises(DamagedObject, match="dictionary"):
        unpack(packed(b"x" * 100)._replace(codec=2))
    samples = [b"some sample %d of a text that repeats" % number for number in range(500)]
    frame = zstd.compress(b"some sample", zstd_dict=zstd.train_dict(samples, 1000))
    with pytest.raises(DamagedObject):
        unpack(Packed(object_id(1, b"some sample"), 1, Codec.ZSTD, 11, with_crc(frame)))


def test_the_type_is_part_of_the_name() -> None:
    assert len({object_id(kind, b"x") for kind in ObjectType}) == len(ObjectType)
    with pytest.raises(DamagedObject, match="match"):
        unpack(packed(b"x" * 100)._replace(type=ObjectType.COMMIT))


def test_what_is_larger_than_an_object_may_be_is_neither_written_nor_read(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = b"x" * 2_000_000, b"x" * 2_000_001
    stored = packed(large)
    assert unpack(stored) == large
    monkeypatch.setenv("EPICVC_MAX_OBJECT_SIZE", "2M")
    codec.check_size(small)
    assert unpack(packed(small)) == small
    with pytest.raises(InvalidData, match="2,000,001 bytes is too large, the most is 2,000,000") as caught:
        codec.check_size(large)
    assert "EPICVC_MAX_OBJECT_SIZE" in str(caught.value.hint)
    with pytest.raises(
        DamagedObject, match="2,000,001 bytes, and 2,000,000 are the most that is read; EPICVC_MAX_OBJECT"
    ):
        unpack(stored)


def test_a_size_that_is_only_claimed_costs_nothing() -> None:
    """Nothing is unpacked of an object that would be too large."""
    with pytest.raises(DamagedObject, match="900,000,000 bytes, and 256,000,000 are the most"):
        unpack(packed(b"x" * 1000)._replace(size=900_000_000))


def test_ids_as_text() -> None:
    assert is_id("0f" * 32)
    for wrong in ("", "0f" * 31, "0F" * 32, "0g" * 32, " " + "0f" * 31 + "0", "٠" * 64):
        assert not is_id(wrong)


# --- docs/format.md ---


def test_the_worked_examples_of_the_format_hold() -> None:
    text = FORMAT.read_text("utf-8")
    memory = Memory()
    leaf = node.encode_leaf([b"a", b"b"], [b"1", b""])
    squares = sorted((b"%d" % number, b"%d" % number**2) for number in range(1, 101))
    root = tree.build(memory, squares)
    assert node.load_root(memory, root).keys == [b"76", b"99"]
    assert node.load_root(memory, root).counts == [75, 25]
    assert leaf.hex() == "930092c40161c4016292c40131c400"
    header = b"epicvc-object\0\x01\x01hello\n".hex()
    assert header == "".join(["65706963", "76632d6f", "626a6563", "74000101", "68656c6c", "6f0a"])
    for oid in (object_id(ObjectType.BLOB, b"hello\n"), tree.EMPTY, object_id(ObjectType.NODE, leaf), root):
        assert f"\n    {oid.hex()}\n" in text
    assert f"{objects.MAX_SIZE:,} bytes" in text


def test_the_tables_of_the_format_are_those_of_the_store() -> None:
    from epicvc.store.file import sqlite

    tables = "".join(f"{statement.strip()};\n" for statement in sqlite.TABLES.values())
    assert tables in FORMAT.read_text("utf-8")
    assert f"`{dump_census(EMPTY)}`" in FORMAT.read_text("utf-8")
    assert f"`0x{sqlite.APPLICATION_ID:x}`" in FORMAT.read_text("utf-8")
