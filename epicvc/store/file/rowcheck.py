"""Checksums of the rows that no object id covers: refs, the operation log, the intent, the store's own settings.

An object proves itself by its name. These rows could rot unseen, and then a branch would point elsewhere or an undo
would go back to another state. A CRC-32 finds every error of a single bit and of up to 32 bits in a row. It does not
defend against somebody who writes to the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

from epicvc.errors import DamagedStore


def crc_of(*values: object) -> int:
    """Return the checksum of a row's values, which are texts, integers and NULL."""
    crc = 0
    for value in values:
        if value is None:
            crc = crc32(b"n", crc)
        elif isinstance(value, int):
            crc = crc32(b"i%d;" % value, crc)
        else:
            data = str(value).encode("utf-8", "surrogatepass")
            crc = crc32(b"t%d:" % len(data) + data, crc)
    return crc


def verified(path: str, what: str, row: Sequence[object]) -> Sequence[object]:
    """Return a row without its checksum, which is its last value.

    Args:
        path: the store's file, for the message.
        what: the name of the row, for the message.
        row: the values of the row.

    Raises:
        DamagedStore: the checksum is not that of the values.
    """
    *values, crc = row
    if crc != crc_of(*values):
        raise DamagedStore(path, f"{what} does not match its checksum")
    return values
