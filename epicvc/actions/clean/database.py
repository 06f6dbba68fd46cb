"""Cleans a database: removes rows whose owner is gone, archives old rows, and frees unused space.

A row to which rows of another table refer stays, and is reported: a clean-up never breaks a reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Final, TypeAlias

from msgspec import Struct

from epicvc.actions.clean.cleaning import Cleaned, CleanReport, carry_out, take_checkpoint
from epicvc.database.backend import Backend, Reader, Writer
from epicvc.database.query import Delete, Insert, Query, Select, table_named
from epicvc.database.quoting import quote_identifier as quote
from epicvc.database.reserved import require_own
from epicvc.database.rowcodec import SQLValue, show_value
from epicvc.errors import ConstraintBroken, NoMappedTable, UsageError
from epicvc.model.mapping import LinkMap, Mapping, TableMap
from epicvc.repo.repository import Repo

SESSIONS: Final = ("work_sessions", "timer_sessions")
"""The tables that hold the time spent on tasks, under the names that applications give them."""

ARCHIVE: Final = "_archive"
DAYS: Final = 90

_SAVEPOINT: Final = "epicvc_clean"


class Row(Struct, frozen=True):
    """A row that a clean-up deletes or archives."""

    table: str
    column: str
    key: SQLValue
    what: str

    @property
    def place(self) -> str:
        """The label of the row."""
        return f"@{self.table}/{show_value(self.key)}"


Group: TypeAlias = Sequence[Row]
"""Rows that go together or not at all. Rows that refer to others come first."""

Find: TypeAlias = Callable[[Reader], Iterable[Group]]
Deal: TypeAlias = Callable[[Writer, Row], None]


class CleanPart(Struct, frozen=True):
    """One clean-up of those that are done together.

    Attributes:
        command: the command of the clean-up.
        find: finds the rows.
        deal: deletes or archives one of the rows.
    """

    command: str
    find: Find
    deal: Deal


class DatabaseCleaning:
    """The clean-ups of one database.

    Args:
        backend: the database.
        mapping: its tables.
        repo: the epic repo that keeps its history; ``None`` without one, so that nothing can be undone.
        now: returns the present less some time, as ``YYYY-MM-DD HH:MM:SS`` in UTC.

    Attributes:
        private: the private directory of that repo.
    """

    def __init__(self, backend: Backend, mapping: Mapping, repo: Repo | None, now: Callable[[timedelta], str]) -> None:
        self.backend = self._backend = backend
        self._mapping = mapping
        self._repo = repo
        self._now = now
        self.private = repo.config.private if repo is not None else None

    def orphaned_tasks(self) -> CleanPart:
        """Return the part that removes tasks without an epic, and rows that belong to a missing epic or task."""
        return CleanPart("clean db --orphaned-tasks", self._orphans, _delete)

    def orphaned_sessions(self, tasks_in: Backend | None = None) -> CleanPart:
        """Return the part that removes recorded sessions of work on tasks that do not exist.

        Args:
            tasks_in: another database, which has the tasks.
        """
        known = self._known_tasks(tasks_in) if tasks_in is not None else None
        return CleanPart("clean db --orphaned-sessions", lambda reader: self._orphaned_sessions(reader, known), _delete)

    def archive(self, days: int = DAYS) -> CleanPart:
        """Return the part that moves rows into ``<table>_archive`` that were deleted or completed long ago.

        Args:
            days: the age from which rows are moved.

        Raises:
            UsageError: the number of days is negative.
        """
        if days < 0:
            raise UsageError(f"{days} is no number of days")
        limit = self._now(timedelta(days=days))
        return CleanPart(f"clean db --archive {days}", lambda reader: self._old(reader, limit), _archive)

    def vacuum(self, *, dry_run: bool = False) -> CleanReport:
        """Free unused space. No row changes, so that there is nothing to undo."""
        report = CleanReport("clean db --vacuum", dry_run=dry_run)
        if self._repo is not None and not dry_run:
            with self._repo.lock():
                report.freed = self._backend.vacuum()
        elif not dry_run:
            report.freed = self._backend.vacuum()
        return report

    # Finding

    def _orphans(self, reader: Reader) -> Iterator[Group]:
        epics, tasks, links = self._require_tables(reader)
        owners = {epics.table: epics.id, tasks.table: tasks.id}
        references = {(tasks.table, tasks.parent or "", epics.table)}
        if links is not None:
            references.add((links.table, links.parent, tasks.table))
        for fault in reader.faults():
            if fault.parent in owners and len(fault.columns) == 1 and fault.table not in SESSIONS:
                references.add((fault.table, fault.columns[0], fault.parent))
        seen: set[tuple[str, SQLValue]] = set()
        for table, column, owner in sorted(references):
            key = tasks.id if table == tasks.table else _key_of(reader, table)
            for at in _lonely(reader, table, key, column=column, owners=owner, owner=owners[owner]):
                if (table, at) in seen:
                    continue
                row = Row(table, key, at, f"belongs to a row of {owner} that does not exist")
                group = [*self._dependencies(reader, at), row] if table == tasks.table else [row]
                seen.update((each.table, each.key) for each in group)
                yield group

    def _known_tasks(self, backend: Backend) -> frozenset[SQLValue]:
        tasks = self._mapping.tasks
        with backend.read() as reader:
            if not reader.columns(tasks.table):
                raise NoMappedTable(backend.display, tasks.table)
            query = Select(columns=(quote(tasks.id),)).from_table(quote(tasks.table)).build()
            return frozenset(at for (at,) in _read(reader, query))

    def _orphaned_sessions(self, reader: Reader, known: frozenset[SQLValue] | None) -> Iterator[Group]:
        tasks = self._mapping.tasks
        for table in SESSIONS:
            if "task_id" not in {column.name for column in reader.columns(table)}:
                continue
            key = _key_of(reader, table)
            if known is None:
                lone = _lonely(reader, table, key, column="task_id", owners=tasks.table, owner=tasks.id)
            else:
                query = Select(columns=(quote(key), "task_id")).from_table(table).where("task_id", "!=", None).build()
                lone = [at for at, task in _read(reader, query) if task not in known]
            for at in lone:
                yield [Row(table, key, at, "a session on a task that does not exist")]

    def _old(self, reader: Reader, limit: str) -> Iterator[Group]:
        epics, tasks, _ = self._require_tables(reader)
        taken: set[SQLValue] = set()
        for epic, why in _over(reader, epics, limit):
            group: list[Row] = []
            for task in _keys(reader, tasks.table, tasks.id, tasks.parent or "", epic):
                taken.add(task)
                group += self._with_belongings(reader, task, "belongs to an epic that goes")
            yield [*group, Row(epics.table, epics.id, epic, why)]
        for task, why in _over(reader, tasks, limit):
            if task not in taken:
                yield self._with_belongings(reader, task, why)

    def _with_belongings(self, reader: Reader, task: SQLValue, why: str) -> list[Row]:
        """Return the rows of a task: its dependencies, its recorded sessions and its own row."""
        rows = self._dependencies(reader, task)
        for table in SESSIONS:
            if "task_id" in {column.name for column in reader.columns(table)}:
                key = _key_of(reader, table)
                found = _keys(reader, table, key, "task_id", task)
                rows += [Row(table, key, at, "a session on a task that goes") for at in found]
        return [*rows, Row(self._mapping.tasks.table, self._mapping.tasks.id, task, why)]

    def _dependencies(self, reader: Reader, task: SQLValue) -> list[Row]:
        links = self._mapping.links
        if links is None or not reader.columns(links.table):
            return []
        key = _key_of(reader, links.table)
        found = _keys(reader, links.table, key, links.parent, task)
        return [Row(links.table, key, at, "a dependency of a task that goes") for at in found]

    def _require_tables(self, reader: Reader) -> tuple[TableMap, TableMap, LinkMap | None]:
        """Return the mapped tables. That of dependencies is ``None`` if it does not exist."""
        epics, tasks, links = self._mapping.epics, self._mapping.tasks, self._mapping.links
        for table in (epics, tasks):
            if not reader.columns(table.table):
                raise NoMappedTable(self._backend.display, table.table)
        return epics, tasks, links if links is not None and reader.columns(links.table) else None

    # Doing

    def run(self, parts: Sequence[CleanPart], *, dry_run: bool = False) -> list[CleanReport]:
        """Do clean-ups together: as one operation and one commit, completely or not at all.

        Args:
            parts: the clean-ups in their order. Each one sees the rows that those before it left.
            dry_run: only report.

        Raises:
            InvalidData: an archive table has other columns than its table.
        """
        reports = []
        with self._backend.read() as reader:
            for part in parts:
                found = [Cleaned(row.place, row.what) for group in part.find(reader) for row in group]
                reports.append(CleanReport(part.command, found, dry_run=dry_run))
            if not any(report.done for report in reports):
                return reports
            require_own(reader)

        def work(writer: Writer) -> None:
            for part, report in zip(parts, reports, strict=True):
                _carry_out(writer, part, report)

        if dry_run:
            with self._backend.scratch(copy=True) as copy, copy.write(track=False) as writer:
                work(writer)  # only a trial tells which rows the database refuses to delete
            return reports
        if self._repo is None:
            with self._backend.write(track=False) as writer:
                work(writer)
                writer.commit()
            return reports
        checkpoint = take_checkpoint(self._repo, "clean-db")
        for report in reports:
            report.checkpoint = checkpoint if report.done else None
        command = " ".join(["clean db", *(part.command.removeprefix("clean db ") for part in parts)])
        carry_out(self._repo, "clean", command, lambda _session, writer, _stage: _given(writer, work), rows=True)
        return reports


def _carry_out(writer: Writer, part: CleanPart, report: CleanReport) -> None:
    report.done, report.kept = [], []
    for group in list(part.find(writer)):  # searched again: the rows may have changed since the report
        try:
            with _apart(writer):
                for row in group:
                    part.deal(writer, row)
        except ConstraintBroken as error:
            reason = f"the database refuses: {error.constraint}"
            report.kept += [Cleaned(row.place, f"{row.what}; {reason}") for row in group]
        else:
            report.done += [Cleaned(row.place, row.what) for row in group]


def _given(writer: Writer | None, work: Callable[[Writer], None]) -> None:
    assert writer is not None  # the request names the database
    work(writer)


@contextmanager
def _apart(writer: Writer) -> Iterator[None]:
    """Do the work in the block completely or not at all."""
    _do(writer, Query(f"SAVEPOINT {_SAVEPOINT}", []))
    try:
        yield
    except ConstraintBroken:
        _do(writer, Query(f"ROLLBACK TO {_SAVEPOINT}", []))
        _do(writer, Query(f"RELEASE {_SAVEPOINT}", []))
        raise
    _do(writer, Query(f"RELEASE {_SAVEPOINT}", []))


def _delete(writer: Writer, row: Row) -> None:
    _do(writer, Delete(target=table_named(row.table)).where(quote(row.column), "=", row.key).build())


def _archive(writer: Writer, row: Row) -> None:
    """Copy a row to the table's archive, and delete it. The archive is made if it does not exist."""
    archive = row.table + ARCHIVE
    names = [column.name for column in writer.columns(row.table)]
    if not writer.columns(archive):
        _do(writer, Query(f"CREATE TABLE {quote(archive)} AS SELECT * FROM {quote(row.table)} WHERE 0", []))
    old = Select(columns=tuple(map(quote, names))).from_table(quote(row.table)).where(quote(row.column), "=", row.key)
    _do(writer, Insert(target=table_named(archive)).from_select(names, old).build())
    _delete(writer, row)


def _do(writer: Writer, query: Query) -> None:
    for _ in writer.execute(query.sql, query.params):
        pass


def _read(reader: Reader, query: Query) -> Iterator[tuple[SQLValue, ...]]:
    return (tuple(row) for row in reader.execute(query.sql, query.params))


def _keys(reader: Reader, table: str, key: str, column: str, value: SQLValue) -> list[SQLValue]:
    """Return the keys of the rows with a value in a column."""
    query = Select(columns=(quote(key),)).from_table(quote(table)).where(quote(column), "=", value).order_by(quote(key))
    return [at for (at,) in _read(reader, query.build())]


def _lonely(reader: Reader, table: str, key: str, column: str, owners: str, owner: str) -> list[SQLValue]:
    """Return the keys of rows whose ``column`` names an owner that does not exist."""
    query = (
        Select(columns=(f"l.{quote(key)}",))
        .from_table(quote(table), "l")
        .left_join(quote(owners), f"o.{quote(owner)} = l.{quote(column)}", alias="o")
        .where(f"l.{quote(column)}", "!=", None)
        .where(f"o.{quote(owner)}", "=", None)
        .order_by(f"l.{quote(key)}")
    )
    return [at for (at,) in _read(reader, query.build())]


def _over(reader: Reader, table: TableMap, limit: str) -> Iterator[tuple[SQLValue, str]]:
    """Yield rows that were deleted or completed before a time, with the reason."""
    present = {column.name for column in reader.columns(table.table)}
    chosen = Select(columns=(quote(table.id),)).from_table(quote(table.table)).order_by(quote(table.id))
    seen: set[SQLValue] = set()
    for what, stamp, status in (("deleted", table.deleted_at, "deleted"), ("completed", "completed_at", "completed")):
        queries = []
        if stamp in present:
            queries.append(chosen.where(quote(stamp or ""), "!=", "").where(quote(stamp or ""), "<", limit))
        if table.status in present and "updated_at" in present:
            dated = chosen.where(quote(table.status or ""), "=", status).where("updated_at", "<", limit)
            if stamp in present:
                dated = dated.where_any((quote(stamp or ""), "=", None), (quote(stamp or ""), "=", ""))
            queries.append(dated)
        for query in queries:
            for (at,) in _read(reader, query.build()):
                if at not in seen:
                    seen.add(at)
                    yield at, f"{what} before {limit}"


def _key_of(reader: Reader, table: str) -> str:
    """Return the column that identifies the rows of a table: ``id``, else SQLite's own number."""
    return "id" if "id" in {column.name for column in reader.columns(table)} else "rowid"
