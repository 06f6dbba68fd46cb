"""The protocol of what makes one database faster, and no database right.

A backend offers it as :attr:`~epicvc.database.backend.Backend.shortcuts`, or ``None`` there. Whoever asks works without
it too, and comes to the same result: then a command reads all rows again and writes row by row. A backend with some of
the shortcuts answers ``None`` or false to the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from epicvc.database.backend import Change, Reader, Writer
from epicvc.database.tables import TableInfo


class ChangedKeys(Struct, frozen=True):
    """The ranges of keys in which rows may differ from those that an earlier transaction saw.

    Rows outside the ranges are the same.

    Attributes:
        tables: by table, ranges of keys, ascending, both ends included; empty where nothing changed. Nothing is known
            of a table that is missing.
        worn: so much has changed since that a new mark is due.
    """

    tables: Mapping[str, Sequence[tuple[bytes, bytes]]]
    worn: bool


class Ahead(Struct, frozen=True):
    """Many rows that a restore is going to write, brought to the database before the database is locked.

    Attributes:
        tables: by name, the definition that a table has before and after, and the same differences as are then given to
            :meth:`~epicvc.database.backend.Writer.restore`.
        path: a file that does not exist yet, where rows may wait; the caller owns its directory.
    """

    tables: Mapping[str, tuple[TableInfo, Iterable[Change]]]
    path: Path


class Shortcuts(Protocol):
    """What one backend can do faster than the protocol of all backends allows."""

    def token(self) -> str | None:
        """Return a text that stands for the state of the database. Equal tokens mean equal contents.

        ``None`` means that no token can be had. Without it, every command reads the database to know its state. Its
        price: O(1), some stats of files.
        """
        ...

    def token_left(self) -> str | None:
        """Return the token of the state that this backend's last write transaction left, after it was committed.

        ``None`` means that somebody has written since, or that it cannot be told. Without it, the command after a write
        reads what was written. Its price: a tenth of a second at most, for a large database.
        """
        ...

    def version_left(self) -> object:
        """Return the value of ``Reader.version`` until somebody writes after this backend's last transaction.

        Without it, each operation after the first of a command counts as one beside others. Its price: nothing, since
        the version is noted at the commit.
        """
        ...

    def mark_left(self) -> bytes | None:
        """Return a mark, as :meth:`marking` makes it, of the state that this backend's last write transaction left.

        ``None`` means that somebody has written since, or that there is no mark. Its price: a read of all pages.
        """
        ...

    def marking(self, reader: Reader) -> AbstractContextManager[Callable[[], bytes | None]]:
        """Note, while other work goes on, the state that a later transaction is compared with.

        The function that the context manager yields waits for the mark. It returns ``None`` where there is no mark: it
        is not worth its price, or cannot be had. Its price: a read of all pages, in another process, and a file of some
        bytes for each page.

        Args:
            reader: a read transaction of this backend.
        """
        ...

    def comparing(self, reader: Reader, mark: bytes) -> AbstractContextManager[Callable[[], ChangedKeys | None]]:
        """Find out, while other work goes on, which rows may have changed since a transaction made a mark.

        The function that the context manager yields waits for the answer. It returns ``None`` where all rows may have
        changed, or where comparing would take as long as reading them. Without it, all rows are read. Its price: a read
        of all pages, in another process.

        Args:
            reader: a read transaction of this backend.
            mark: the mark.
        """
        ...

    @property
    def takes_images(self) -> bool:
        """Tell whether :meth:`write` can lay a SQLite database beside this one.

        Without it, new epics are written row by row. A copy that ``Backend.scratch`` makes takes images as well.
        """
        ...

    def write(
        self,
        *,
        as_restore: bool = False,
        track: bool = True,
        foreign_keys: bool = True,
        ahead: Ahead | None = None,
        image: bytes | None = None,
    ) -> AbstractContextManager[Writer]:
        """Open a write transaction as ``Backend.write`` does, with rows that are there before the lock is taken.

        Its price: memory for an image, a file for rows that wait. The lock is held for less time.

        Args:
            as_restore: as for ``Backend.write``.
            track: as for ``Backend.write``.
            foreign_keys: as for ``Backend.write``.
            ahead: the rows that a restore is going to write into tables with many differences.
            image: a SQLite database, as SQLite would write it into a file. Statements find its tables in the schema
                ``_epicvc_beside`` for as long as the transaction lasts. Only where :attr:`takes_images` is true.
        """
        ...
