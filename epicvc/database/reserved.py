"""Names that are kept for epicvc's own tables in a database."""

from __future__ import annotations

from epicvc.database.backend import Reader
from epicvc.errors import ReservedName


def require_own(reader: Reader) -> None:
    """Make sure that nothing hangs on a table of epicvc's own or takes its place, before anything is written.

    Raises:
        ReservedName: something does.
    """
    for found in reader.intruders():
        raise ReservedName(found.kind, found.name, found.table)
