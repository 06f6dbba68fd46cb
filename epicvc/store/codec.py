"""Packs and unpacks objects: zstd with a checksum, and proof that an unpacked object matches its name.

It imports zstd, so code that only reads refs must not import this module.
"""

from __future__ import annotations

import sys
from enum import IntEnum
from functools import cache
from typing import TYPE_CHECKING, Final
from zlib import crc32

from epicvc.base.limits import OBJECT_SIZE
from epicvc.errors import DamagedObject, InvalidData, NewerFormat
from epicvc.store.dictionary import Dictionaries, Dictionary
from epicvc.store.objects import ID_SIZE, MAX_SIZE, ObjectId, ObjectType, Packed, object_id

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from threading import local

LEVEL: Final = 3
"""Compression level. Higher ones gain little on JSON and cost the first commit its speed."""

_SMALL: Final = 64  # bytes; a frame costs 14 or more, so nothing this short gets shorter by enough
_OPTIONS: Final[dict[int, int]] = {
    zstd.CompressionParameter.compression_level: LEVEL,
    zstd.CompressionParameter.checksum_flag: 1,
}
_CRC_SIZE: Final = 4
_MIN_WINDOW: Final = 10  # the least that zstd accepts, as a power of two
_MAX_WINDOW: Final = 27


class Codec(IntEnum):
    """The ways in which the data of a row encodes the payload."""

    RAW = 0
    ZSTD = 1
    LEARNT = 2  # zstd with a dictionary, whose id comes before the frame


def pack(oid: ObjectId, object_type: ObjectType, payload: bytes, dictionary: Dictionary | None = None) -> Packed:
    """Compress a payload whose id is known. Safe to call in several threads."""
    size = len(payload)
    if size > _SMALL:
        frame = _compressor(dictionary).compress(payload, zstd.ZstdCompressor.FLUSH_FRAME)
        prefix = dictionary.id if dictionary else b""
        if len(prefix) + len(frame) + _CRC_SIZE < size:
            data = prefix + frame + crc32(frame).to_bytes(_CRC_SIZE, "big")
            return Packed(oid, object_type, Codec.LEARNT if dictionary else Codec.ZSTD, size, data)
    return Packed(oid, object_type, Codec.RAW, size, payload)


def check_size(payload: bytes) -> None:
    """Refuse a payload that is longer than an object may be.

    Raises:
        InvalidData: the payload is too long.
    """
    if (most := OBJECT_SIZE.exceeded_by(len(payload))) is not None:
        raise InvalidData(
            f"an object of {len(payload):,} bytes is too large, the most is {most:,}",
            hint=f"exclude the file or ignore the table that holds it, or raise {OBJECT_SIZE.variable}",
        )


def unpack(packed: Packed, dictionaries: Dictionaries | None = None) -> bytes:
    """Return the payload of an object, proved to match its id.

    Args:
        packed: the object as it is stored.
        dictionaries: the dictionaries that the object may need.

    Raises:
        DamagedObject: size, compression or hash is wrong, or its dictionary is.
        NewerFormat: the codec is unknown to this version.
    """
    oid, object_type, codec, size, data = packed
    if not 0 <= size <= MAX_SIZE:
        raise DamagedObject(oid.hex(), f"it claims a size of {size} bytes")
    if (most := OBJECT_SIZE.exceeded_by(size)) is not None:
        reason = f"it has {size:,} bytes, and {most:,} are the most that is read; {OBJECT_SIZE.variable} raises that"
        raise DamagedObject(oid.hex(), reason)
    if codec == Codec.ZSTD:
        payload = _decompress(oid, size, data, None)
    elif codec == Codec.LEARNT:
        if dictionaries is None or object_type == ObjectType.DICTIONARY:
            raise DamagedObject(oid.hex(), "it needs a dictionary where there can be none")
        dictionary = dictionaries.get(data[:ID_SIZE])
        payload = _decompress(oid, size, data[ID_SIZE:], dictionary.content)
    elif codec == Codec.RAW:
        payload = data
    else:
        raise NewerFormat(f"object {oid.hex()[:12]}", codec, max(Codec))
    if len(payload) != size:
        raise DamagedObject(oid.hex(), f"it has {len(payload)} bytes instead of {size}")
    if object_id(object_type, payload) != oid:
        raise DamagedObject(oid.hex(), "its content does not match its name")
    return payload


@cache
def _compressors() -> local:
    """Return the storage in which each thread keeps its own compressors."""
    from threading import local  # imported late: it takes a millisecond, and reading compresses nothing

    return local()


def _compressor(dictionary: Dictionary | None) -> zstd.ZstdCompressor:
    # One for each thread and dictionary: making one costs five times as much as compressing a small object.
    own: dict[ObjectId | None, zstd.ZstdCompressor] | None = getattr(_compressors(), "own", None)
    if own is None:
        own = _compressors().own = {}
    key = dictionary.id if dictionary else None
    found = own.get(key)
    if found is None:
        learnt = dictionary.content.as_digested_dict if dictionary else None
        found = own[key] = zstd.ZstdCompressor(options=_OPTIONS, zstd_dict=learnt)
    return found


def _decompress(oid: ObjectId, size: int, data: bytes, learnt: zstd.ZstdDict | None) -> bytes:
    # The decoder ignores some bits of a frame: without the checksum, damage to them would go unseen.
    frame, crc = data[:-_CRC_SIZE], data[-_CRC_SIZE:]
    if crc32(frame).to_bytes(_CRC_SIZE, "big") != crc:
        raise DamagedObject(oid.hex(), "its compressed data has a wrong checksum")
    # The window is allocated before a byte is decoded, so its size is capped too, against a hostile frame header.
    window = min(max(size.bit_length(), _MIN_WINDOW), _MAX_WINDOW)
    try:
        options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: window}
        decompressor = zstd.ZstdDecompressor(zstd_dict=learnt, options=options)
        # one byte more than it claims, so that a longer payload is noticed
        payload = decompressor.decompress(frame, size + 1)
    except zstd.ZstdError as error:
        raise DamagedObject(oid.hex(), str(error)) from error
    if not decompressor.eof:
        raise DamagedObject(oid.hex(), f"it ends early or holds more than {size} bytes")
    if decompressor.unused_data:
        raise DamagedObject(oid.hex(), "something follows its compressed data")
    return payload
