"""The worked examples of ``docs/format.md`` about cores, rows and keys are true."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from epicvc.base.jsonio import JSON, dumps_canonical
from epicvc.database.rowcodec import SQLValue, decode_key, decode_row, encode_key, encode_row
from epicvc.repo.rows.dbside import SPILL, pack_row, unpack_row
from epicvc.store.objects import ObjectId, ObjectType, object_id

DOCUMENT = Path(__file__).parents[2] / "docs" / "format.md"

ROWS: dict[str, tuple[SQLValue, ...]] = {
    "key `5`": (5,),
    "key `-1`": (-1,),
    "key `'a'`": ("a",),
    "key `1.5`": (1.5,),
    "row `1, 'á', NULL, 2.5, x'78'`": (1, "á", None, 2.5, b"x"),
}
NUMBERS: dict[str, JSON] = {"`-0.0`": -0.0, "`0.5`": 0.5, "`123.450`": Decimal("123.450"), "10 to the 50th": 10**50}


def _table(name: str) -> dict[str, str]:
    text = DOCUMENT.read_text(encoding="utf-8")
    section = text.split(f"## {name}\n", 1)[1].split("\n## ", 1)[0]
    return dict(re.findall(r"^\| (.+?) \| `([^`]+)` \|$", section, flags=re.MULTILINE))


@pytest.mark.parametrize("words", ROWS)
def test_rows_and_keys(words: str) -> None:
    data = bytes.fromhex(_table("Rows")[words])
    if words.startswith("key"):
        assert (encode_key(ROWS[words]), decode_key(data)) == (data, ROWS[words])
    else:
        assert (encode_row(ROWS[words]), decode_row(data)) == (data, ROWS[words])


@pytest.mark.parametrize("words", NUMBERS)
def test_numbers(words: str) -> None:
    assert dumps_canonical(NUMBERS[words]).decode() == _table("Core")[words]


def test_one_is_one_however_written() -> None:
    assert dumps_canonical(1) == dumps_canonical(1.0) == dumps_canonical(Decimal("1e0")) == b"1"


class _Memory:
    def __init__(self) -> None:
        self.objects: dict[ObjectId, bytes] = {}

    def put(self, type: ObjectType, payload: bytes) -> ObjectId:  # noqa: A002  # the protocol's word
        oid = object_id(type, payload)
        self.objects[oid] = payload
        return oid

    def get(self, oid: ObjectId, type: ObjectType) -> bytes:  # noqa: A002  # the protocol's word
        return self.objects[oid]

    def has(self, oid: ObjectId) -> bool:
        return oid in self.objects


@pytest.mark.parametrize("size", [1, SPILL, SPILL + 1, 10 * SPILL])
def test_long_rows_are_objects_of_their_own(size: int) -> None:
    sink, row = _Memory(), b"\x91" + b"x" * (size - 1)
    value = pack_row(sink, row)
    assert unpack_row(sink, value) == row
    assert (value == row) == (size <= SPILL == 16384)
    assert value == row or value == b"\xc1" + object_id(ObjectType.BLOB, row)
