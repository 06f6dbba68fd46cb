"""The command ``restore LABEL``: restores single epics, tasks, fields, rows or tables from another commit.

What both sides agreed on does not change.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from epicvc.actions.restore.formerrows import FormerRows
from epicvc.actions.restore.parents import Parent, Parents, require_checks
from epicvc.actions.restore.restoredfile import check_new_names, restore_file
from epicvc.actions.shared.difference import key_text
from epicvc.actions.shared.places import require_known
from epicvc.actions.shared.session import Session, change
from epicvc.actions.shared.sides import check_side
from epicvc.actions.shared.targets import Target, go, reachable
from epicvc.base.jsonio import JSON, parse
from epicvc.database.backend import Writer
from epicvc.database.documents.values import decode, encode
from epicvc.database.rowcodec import SQLValue, encode_row
from epicvc.errors import ConstraintBroken, NotFound, Refused, UsageError
from epicvc.files.format.rewrite import rewrite
from epicvc.model.document import WRAPPER, epic_body, item_key
from epicvc.model.labels import SIBLINGS, Label, Selection
from epicvc.model.mapping import Field, Mapping
from epicvc.repo.documents import Documents
from epicvc.repo.files.filestree import epic_paths, update_files
from epicvc.repo.history.objects import DatabaseState, Snapshot
from epicvc.repo.repository import Repo
from epicvc.repo.rows.dbside import pack_row, row_changes, table_root
from epicvc.repo.rows.rows import CapturedRows, NamedRow, Owner, mapped_tables, rows_of
from epicvc.store.objects import ObjectSink, ObjectType
from epicvc.store.tree import tree

Object = dict[str, JSON]


class Picked(Struct, frozen=True):
    """The result of ``restore LABEL``, or of its dry run.

    Attributes:
        files: the number of changed files.
        database: rows changed too.
        parents: the rows that were restored too, since restored rows refer to them.
    """

    files: int
    database: bool
    parents: tuple[Label, ...] = ()


def pick(
    repo: Repo,
    revision: str,
    selection: Selection,
    *,
    side: str | None = None,
    with_parents: bool = False,
    dry_run: bool = False,
) -> Picked:
    """Restore places as they are in a commit.

    Args:
        repo: the repo.
        revision: the commit.
        selection: the places.
        side: restore only this side.
        with_parents: restore the missing rows too to which restored rows refer.
        dry_run: only say what would be done.

    Raises:
        ConstraintBroken: a restored row refers to a missing row, or breaks a CHECK constraint that it breaks in no
            other state.
        NotFound: the revision does not exist, or neither the commit nor the sides have the place of a label.
        UsageError: a label cannot be restored by itself.
        Refused: the restore would overwrite a row of another place.
        UnsafeName: a restored file has a name that some system takes for the name of another file.
    """
    check_side(side)
    commit = repo.revisions.resolve(revision)

    def act(session: Session) -> Picked:
        source = reachable(session, repo.snapshot_of(commit))
        current = session.working.snapshot()
        wanted = current
        restored = {label.root for label in selection.labels if not label.table and not label.path}
        _require_readable(session, selection)
        former = FormerRows(session.staging, session.reader, source, current)
        for label in selection.labels:
            wanted = _pick_one(session, wanted, source, label=label, side=side, restored=restored, former=former)
        check_new_names(session.staging, current.files, wanted.files)
        guard, parents = None, list[Parent]()
        if session.reader is not None and current.database and source.database and wanted.database:
            finder = Parents(session.staging, session.reader, current.database, source.database, former)
            database = wanted.database
            if with_parents:
                database, parents = finder.bring(database)
                wanted = replace(wanted, database=database)
            guard = _guard(session, finder, current.database, source.database, database)
        labels = tuple(parent.label for parent in parents)
        picked = Picked(_count(session, current, wanted), current.database != wanted.database, labels)
        if wanted.same_sides(current):
            require_known(session.staging, repo.config.mapping, selection, (source, current))
            return picked
        text = f"restore {' '.join(map(str, selection.labels))} from {revision}"
        go(session, "restore", text, Target(wanted, check=guard), dry_run=dry_run)
        return picked

    return change(repo, act)


def _require_readable(session: Session, selection: Selection) -> None:
    """Make sure that files can be read of which a part is restored. A whole epic needs no readable file.

    Raises:
        EpicvcError: the fault of the file.
    """
    if session.working.files.unreadable:
        held = Documents(session.repo, session.working, session.staging, None).held
        for label in selection.labels:
            if label.path and not label.table:
                held.require_readable(label.root)


def _guard(
    session: Session, finder: Parents, current: DatabaseState, source: DatabaseState, wanted: DatabaseState
) -> Callable[[Writer], None] | None:
    """Check the rows before anything is written. Return the check for the time after the writing."""
    reader = session.reader
    assert reader is not None  # the caller has a database
    if current == wanted:
        return None
    for parent in finder.missing(wanted):
        raise ConstraintBroken(
            str(parent.child),
            f"it refers to {parent.label}, which {'has another value by now' if parent.taken else 'is gone'}",
            hint=f"restore {parent.label} with it; nothing was written"
            if parent.taken
            else "add --with-parents to bring that back too; nothing was written",
        )
    require_checks(session.staging, reader, (current, source), wanted)
    before = reader.faults(finder.concerned(wanted))
    return lambda writer: finder.check(wanted, writer, before)


def _count(session: Session, current: Snapshot, wanted: Snapshot) -> int:
    return sum(1 for _ in tree.diff(session.staging, current.files, wanted.files))


def _pick_one(
    session: Session,
    current: Snapshot,
    source: Snapshot,
    label: Label,
    side: str | None,
    restored: Collection[str],
    former: FormerRows,
) -> Snapshot:
    result, known = current, False
    if side in (None, "files") and not label.table:
        files = _pick_file(session, current, source, label, restored)
        if files is not None:
            result, known = replace(result, files=files), True
    if side in (None, "db") and current.database is not None and source.database is not None:
        picker = _RowPicker(session, current.database, source.database, restored, former)
        database = picker.table(label) if label.table else picker.document(label)
        if database is not None:
            result, known = replace(result, database=database), True
    if not known:
        raise NotFound(f"{label}: neither the commit nor the sides know it", hint="see `epicvc show` for its labels")
    return result


# Files


def _pick_file(
    session: Session, current: Snapshot, source: Snapshot, label: Label, restored: Collection[str]
) -> bytes | None:
    """Return the files tree with this place as in the source, or ``None`` if neither has the place."""
    sink = session.staging
    here = epic_paths(sink, current.files, {label.root}).get(label.root)
    there = epic_paths(sink, source.files, {label.root}).get(label.root)
    if here is None and there is None:
        return None
    if not label.path or here is None or there is None:
        if label.path:
            raise NotFound(
                f"{label}: the epic's file is only on one side", hint=f"restore the whole epic: {label.root}"
            )
        return restore_file(sink, current.files, label.root, now=here, then=there, restored=restored)
    raw = sink.get(here[1], ObjectType.BLOB)
    whole, other = (cast("Object", parse(sink.get(blob, ObjectType.BLOB))) for blob in (here[1], there[1]))
    target = _graft_file(whole, other, label)
    if target is None:
        return None
    blob = sink.put(ObjectType.BLOB, rewrite(raw, cast("JSON", target)))
    return update_files(sink, current.files, [(here[0], blob)])


def _graft_file(whole: Object, other: Object, label: Label) -> Object | None:
    path = label.path
    if path[0] == SIBLINGS:
        grafted = _graft(whole, other, path[1:])
        return grafted if isinstance(grafted, dict) else None
    body = _graft(epic_body(whole), epic_body(other), path)
    if not isinstance(body, dict):
        return None
    return body if epic_body(whole) is whole else {**whole, WRAPPER: body}


class _Unknown(Exception):  # internal: neither value has the place
    pass


def _graft(value: JSON, other: JSON, path: tuple[str, ...]) -> JSON:
    """Return ``value`` with a place below it as in ``other``, or ``None`` if neither has the place."""
    try:
        return _grafted(value, other, path)
    except _Unknown:
        return None


def _grafted(value: JSON, other: JSON, path: tuple[str, ...]) -> JSON:
    if not path:
        return other
    name, rest = path[0], path[1:]
    if isinstance(value, dict) and isinstance(other, dict):
        if name not in value and name not in other:
            raise _Unknown
        if rest and name in value and name in other:
            return {**value, name: _grafted(value[name], other[name], rest)}
        if rest:
            raise _Unknown
        if name not in other:
            return {key: inner for key, inner in value.items() if key != name}
        return {**value, name: other[name]}
    if isinstance(value, list) and isinstance(other, list):
        return _grafted_item(value, other, name, rest)
    raise _Unknown


def _grafted_item(value: list[JSON], other: list[JSON], name: str, rest: tuple[str, ...]) -> JSON:
    """Return a list of objects with ids, with one item as in the other list."""
    here, there = ({_id(item): item for item in items} for items in (value, other))
    if name not in here and name not in there:
        raise _Unknown
    if rest:
        if name not in here or name not in there:
            raise _Unknown
        return [_grafted(item, there[name], rest) if _id(item) == name else item for item in value]
    if name not in there:
        return [item for item in value if _id(item) != name]
    if name in here:
        return [there[name] if _id(item) == name else item for item in value]
    order = [_id(item) for item in other]
    before = [key for key in order[: order.index(name)] if key in here]
    position = list(here).index(before[-1]) + 1 if before else 0
    return [*value[:position], there[name], *value[position:]]


def _id(item: JSON) -> str | None:
    return item_key(item.get("id")) if isinstance(item, dict) else None


# Rows


class _Owned(Struct, frozen=True):
    """A row of a place that differs between two databases. Its key may belong to another place now.

    Attributes:
        key: its key.
        here: the present row of the place; ``None`` if the place has none under this key.
        there: the row of the place in the other database; ``None`` if it has none.
        others: the present row under this key if it belongs to another place.
    """

    key: bytes
    here: bytes | None
    there: bytes | None
    others: bytes | None = None


class _RowPicker:
    """Takes rows from one captured database into another.

    Args:
        session: the running command.
        current: the database as it is.
        source: the database from which rows are taken.
        restored: the epics that the command restores as a whole. Their rows may replace each other.
        former: reads rows of the other database in the present columns.
    """

    def __init__(
        self,
        session: Session,
        current: DatabaseState,
        source: DatabaseState,
        restored: Collection[str],
        former: FormerRows,
    ) -> None:
        self._former = former
        self._sink: ObjectSink = session.staging
        self._mapping: Mapping = session.repo.config.mapping
        self._current = current
        self._source = source
        self._restored = restored
        self._here = CapturedRows(self._sink, current)
        self._there = CapturedRows(self._sink, source)

    def table(self, label: Label) -> DatabaseState | None:
        """Return the database with a row, a column of a row, or all rows of a table restored.

        Returns ``None`` if neither database has the place.
        """
        if self._here.table(label.root) is None or self._there.table(label.root) is None:
            raise UsageError(f"{label}: only one side has this table", hint="check out the whole database instead")
        changes = []
        for key, old, new in self._differing(label.root):
            if label.path and key_text(key) != label.path[0]:
                continue
            if len(label.path) > 1:
                new = self._with_column(label.root, old, new, label.path[1])
            elif new is not None:
                new = self._former.packed(Label(label.root, (key_text(key),), table=True), label.root, new, old)
            changes.append((key, new))
        if not changes and label.path and not self._knows(label):
            return None
        return self._with_rows({label.root: changes})

    def _knows(self, label: Label) -> bool:
        return any(key_text(key) == label.path[0] for key, _ in rows_of(self._sink, self._current, label.root))

    def _with_column(self, table: str, old: bytes | None, new: bytes | None, column: str) -> bytes | None:
        if old is None or new is None:
            raise NotFound(f"@{table}: the row is only on one side", hint="restore the whole row")
        here, there = self._here.named(table, old), self._former.named(table, self._there.named(table, new))
        if column not in here or column not in there:
            raise NotFound(f"@{table} has no column {column}")
        return encode_row(tuple({**here, column: there[column]}.values()))

    def document(self, label: Label) -> DatabaseState | None:
        """Return the database with an epic, a task or a field restored.

        Returns ``None`` if neither database has the place.
        """
        task = label.path[1] if len(label.path) > 1 and label.path[0] == Mapping.TASKS else None
        if label.path[:1] == (SIBLINGS,) or not self._knows_document(label.root, task):
            return None
        self._former.require_owners(label, self._mapping)
        whole = not label.path or (task is not None and len(label.path) == 2) or label.path == (Mapping.TASKS,)

        def wanted(owner: Owner) -> bool:
            if owner.epic != label.root:
                return False
            if label.path == (Mapping.TASKS,):
                return owner.task is not None
            return task is None or owner.task == task

        rows = {name: list(self._owned_changes(name, wanted)) for name in mapped_tables(self._mapping)}
        if whole:
            return self._with_rows({name: self._as_there(label, name, found) for name, found in rows.items()})
        return self._field(label, task, rows)

    def _knows_document(self, epic: str, task: str | None) -> bool:
        """Return whether either state has a row of this epic, or of this task in it."""
        table = self._mapping.epics.table if task is None else self._mapping.tasks.table
        wanted = Owner(epic, task)
        return any(
            view.owner(self._mapping, table, view.named(table, row)) == wanted
            for view, state in ((self._here, self._current), (self._there, self._source))
            for _, row in rows_of(self._sink, state, table)
        )

    def _as_there(self, label: Label, table: str, found: Iterable[_Owned]) -> list[tuple[bytes, bytes | None]]:
        """Return the changes that restore the rows of a place. Rows of other places do not change.

        Raises:
            Refused: the key of one of its rows belongs to the row of another place now.
        """
        for row in found:
            if row.others is None:
                continue
            owner = self._here.owner(self._mapping, table, self._here.named(table, row.others))
            if owner is not None and owner.epic in self._restored:
                continue  # the other epic gets its own row back
            place = Label(owner.epic, (Mapping.TASKS, owner.task) if owner.task else ()) if owner else "nobody"
            raise Refused(
                f"{label}: row {key_text(row.key)} of {table}, which it had there, is another one of {place} by now",
                hint="restore that epic with it, or check out the whole database",
            )
        return [(row.key, row.there and self._former.packed(label, table, row.there, row.here)) for row in found]

    def _field(self, label: Label, task: str | None, rows: dict[str, list[_Owned]]) -> DatabaseState | None:
        columns = self._mapping.epics if task is None else self._mapping.tasks
        inner = label.path if task is None else label.path[2:]
        links = self._mapping.links
        if links and task is not None and inner == (links.field,):
            return self._with_rows({links.table: self._as_there(label, links.table, rows[links.table])})
        field = columns.by_name.get(inner[0]) or Field(inner[0], inner[0])
        changes: list[tuple[bytes, bytes | None]] = []
        for row in rows[columns.table]:
            if row.here is None or row.there is None:
                raise NotFound(f"{label}: its row is only on one side", hint="restore the whole epic or task")
            here = self._here.named(columns.table, row.here)
            there = self._former.named(columns.table, self._there.named(columns.table, row.there))
            if field.column not in here or field.column not in there:
                return None
            here[field.column] = self._column(field, here, there, inner[1:], label)
            changes.append((row.key, encode_row(tuple(here.values()))))
        return self._with_rows({columns.table: changes})

    def _column(self, field: Field, here: NamedRow, there: NamedRow, rest: tuple[str, ...], label: Label) -> SQLValue:
        if not rest:
            return there[field.column]
        values = [decode(row[field.column], field, "", str(label)) for row in (here, there)]
        grafted = _graft(values[0], values[1], rest)
        if grafted is None:
            raise NotFound(f"{label}: neither state has it")
        return encode(grafted, field, label)

    def _differing(self, table: str) -> Iterator[tuple[bytes, bytes | None, bytes | None]]:
        for name, rows in row_changes(self._sink, self._current, self._source):
            if name == table:
                yield from rows

    def _owned_changes(self, table: str, wanted: Callable[[Owner], bool]) -> Iterator[_Owned]:
        for key, old, new in self._differing(table):
            here, there = (
                None if row is None else view.owner(self._mapping, table, view.named(table, row))
                for view, row in ((self._here, old), (self._there, new))
            )
            mine = here is not None and wanted(here)
            if there is not None and wanted(there):
                # A task that moved to another epic is the same task, and comes back from there.
                moved = here is not None and here.task is not None and here.task == there.task
                yield _Owned(key, old if mine else None, new, None if mine or moved else old)
            elif mine:
                yield _Owned(key, old, None)

    def _with_rows(self, rows: dict[str, list[tuple[bytes, bytes | None]]]) -> DatabaseState:
        roots: list[tuple[bytes, bytes | None]] = []
        for table, changes in sorted(rows.items(), key=lambda item: item[0].encode()):
            root = table_root(self._sink, self._current, table)
            if root is None or not changes:
                continue
            packed = [(key, None if row is None else pack_row(self._sink, row)) for key, row in changes]
            roots.append((table.encode(), tree.update(self._sink, root, packed)))
        return DatabaseState(self._current.schema, tree.update(self._sink, self._current.tables, roots))
