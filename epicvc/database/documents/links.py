"""Writes the child table that holds a set of keys per task: its rows are inserted and deleted, never replaced."""

from __future__ import annotations

from collections.abc import Sequence

from epicvc.database.backend import Writer
from epicvc.database.documents.layout import Layout
from epicvc.database.documents.rowwrites import NewRow, RowWrites
from epicvc.database.query import Delete, Select, table_named
from epicvc.database.quoting import quote_identifier as quote
from epicvc.database.rowcodec import SQLValue
from epicvc.model.labels import Label


class LinkWrites:
    """Writes links in one transaction.

    Args:
        writer: the open transaction.
        layout: the mapped tables.
        rows: runs statements and names the label that they write.
        orphans: the :attr:`orphans` of the transaction before this one, where nobody else has written since.
    """

    def __init__(
        self, writer: Writer, layout: Layout, rows: RowWrites, orphans: frozenset[SQLValue] | None = None
    ) -> None:
        self._writer = writer
        self._layout = layout
        self._rows = rows
        self._new: list[NewRow] = []
        self.orphans = orphans
        """:attr:`orphaned` as far as it has been looked up; ``None`` before that."""

    @property
    def orphaned(self) -> frozenset[SQLValue]:
        """Surrogate keys of tasks that do not exist although rows of the child table belong to them.

        A new task may get such a key. The links that wait there are not its own.
        """
        if self.orphans is None:
            self.orphans = self._find_orphaned()
        return self.orphans

    def _find_orphaned(self) -> frozenset[SQLValue]:
        links, tasks = self._layout.links, self._layout.tasks.map
        if links is None:
            return frozenset()
        parent, owner = f"l.{quote(links.parent)}", f"t.{quote(tasks.id)}"
        query = (
            Select(columns=(parent,))
            .distinct()
            .from_table(quote(links.table), "l")
            .left_join(quote(tasks.table), f"{owner} = {parent}", alias="t")
            .where(owner, "=", None)
        )
        return frozenset(at for (at,) in self._writer.execute(*query.build()))

    def stored(self, surrogate: SQLValue) -> list[str]:
        """Return the keys that a task is linked to in the database now."""
        links = self._layout.links
        if links is None:
            return []
        query = Select(columns=(quote(links.column),)).from_table(quote(links.table))
        found = query.where(quote(links.parent), "=", surrogate).build()
        return [str(key) for (key,) in self._writer.execute(found.sql, found.params)]

    def write(self, surrogate: SQLValue, before: Sequence[str], after: Sequence[str], label: Label) -> None:
        """Change a task's links. Removed ones are deleted at once; new ones wait for :meth:`flush`."""
        links = self._layout.links
        if links is None:
            return
        place = label.child(links.field)
        for key in before:
            if key not in after:
                statement = Delete(target=table_named(links.table)).where(quote(links.parent), "=", surrogate)
                self._rows.run(statement.where(quote(links.column), "=", key).build(), place)
        self.add(surrogate, [key for key in after if key not in before], (label.root, *label.path))

    def add(self, surrogate: SQLValue, keys: Sequence[str], at: tuple[str, ...]) -> None:
        """Link a task to more keys; the links wait for :meth:`flush`.

        Args:
            surrogate: the surrogate key of the task's row.
            keys: the keys that it is linked to.
            at: the task's place, as an epic and the names below it.
        """
        links = self._layout.links
        if links is not None and keys:
            columns, place = (links.parent, links.column), (*at, links.field)
            self._new += [(columns, (surrogate, key), place) for key in keys]

    def flush(self) -> None:
        """Insert the links that wait.

        Raises:
            ConstraintBroken: the database refuses one.
        """
        links, new = self._layout.links, self._new
        if links is None or not new:
            return
        self._new = []
        self._rows.insert_all(links.table, new)
