"""Packs give back what went in, and whatever else they hold is refused."""

from __future__ import annotations

import struct
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.errors import InvalidData
from epicvc.store.codec import pack
from epicvc.store.objects import ObjectType, Packed, object_id
from epicvc.store.packs.pack import LIMIT, read_pack, write_packs

payloads = st.lists(st.binary(max_size=300), unique=True, min_size=1, max_size=20)


def packed(payload: bytes, kind: ObjectType = ObjectType.BLOB) -> Packed:
    return pack(object_id(kind, payload), kind, payload)


def sealed(body: bytes) -> bytes:
    """A pack whose checksum is right, whatever is in it."""
    return body + sha256(body).digest()


@given(payloads)
def test_round_trip(values: list[bytes]) -> None:
    objects = [packed(value) for value in values]
    (data,) = write_packs(objects)
    assert list(read_pack(data)) == objects


def test_no_objects_are_no_pack() -> None:
    assert list(write_packs([])) == []


def test_a_pack_ends_at_its_limit_and_a_long_object_has_one_of_its_own() -> None:
    def raw(number: int, size: int) -> Packed:
        return Packed(bytes([number]) * 32, ObjectType.BLOB, 0, size, bytes(size))

    objects = [raw(1, 6 << 20), raw(2, 6 << 20), raw(3, 6 << 20), raw(4, 20 << 20), raw(5, 1)]
    found = list(write_packs(objects))
    assert [[one.id[0] for one in read_pack(data)] for data in found] == [[1, 2], [3], [4], [5]]
    assert [len(data) <= LIMIT for data in found] == [True, True, False, True]


@given(payloads, st.data())
def test_a_flipped_bit_is_refused(values: list[bytes], data: st.DataObject) -> None:
    (found,) = write_packs(packed(value) for value in values)
    at = data.draw(st.integers(0, len(found) * 8 - 1))
    damaged = bytearray(found)
    damaged[at // 8] ^= 1 << at % 8
    with pytest.raises(InvalidData):
        list(read_pack(bytes(damaged)))


@given(payloads, st.data())
def test_a_changed_byte_under_a_right_checksum_is_refused_or_harmless(values: list[bytes], data: st.DataObject) -> None:
    objects = [packed(value) for value in values]
    (found,) = write_packs(objects)
    at = data.draw(st.integers(8, len(found) - 33))
    body = bytearray(found[:-32])
    body[at] ^= data.draw(st.integers(1, 255))
    try:
        read = list(read_pack(sealed(bytes(body))))
    except InvalidData:
        return
    # A record's own bytes are proved when it is unpacked; there are as many records, under the same names.
    assert [one.id for one in read] == [one.id for one in objects]


@pytest.mark.parametrize("body", [b"", b"EPVCpck\x02", b"EPVCpck\x01", b"EPVCpck\x01" + b"\xff" * 4, b"x" * 100])
def test_what_is_no_pack(body: bytes) -> None:
    with pytest.raises(InvalidData):
        list(read_pack(sealed(body)))


def test_one_object_twice_is_refused() -> None:
    one = packed(b"x")
    (data,) = write_packs([one, one])
    with pytest.raises(InvalidData, match="index"):
        list(read_pack(data))


def test_the_layout_is_the_documented_one() -> None:
    (data,) = write_packs([packed(b"hello\n")])
    name = "16a5bfaa1c4a0a79c0459e683cde905b84207a301e23df58936bf55ff457756d"
    record = bytes.fromhex(name) + bytes([1, 0]) + struct.pack(">II", 6, 6) + b"hello\n"
    index = bytes.fromhex(name) + struct.pack(">Q", 8)
    assert data == sealed(bytes.fromhex("455056437063 6b01") + record + index + struct.pack(">I", 1))
