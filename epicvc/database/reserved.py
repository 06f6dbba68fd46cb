"""Guards the names that are kept for epicvc's own tables in a database."""

from __future__ import annotations

from epicvc.database.backend import Reader
from epicvc.errors import ReservedName


def require_own(reader: Reader) -> None:
    """Make sure, before anything is written, that no object hangs on a table of epicvc's own or takes its place.

    Raises:
        ReservedName: such an object exists.
    """
    for found in reader.intruders():
        raise ReservedName(found.kind, found.name, found.table)
