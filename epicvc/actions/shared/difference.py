"""Finds the differences between two states, by label and side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias, cast

from msgspec import Struct

from epicvc.base.jsonio import JSON, parse
from epicvc.database.rowcodec import decode_key, plain
from epicvc.errors import EpicvcError, InvalidRow
from epicvc.model.diff import Change, Op, diff, diff_epic
from epicvc.model.document import WRAPPER, epic_body, natural_key
from epicvc.model.labels import SIBLINGS, Label, Selection
from epicvc.model.mapping import Layer, Mapping, TableMap
from epicvc.repo.files.filestree import changed_files
from epicvc.repo.history.objects import DatabaseState, Snapshot
from epicvc.repo.rows.dbside import get_schema, row_changes
from epicvc.store.objects import ObjectId, ObjectSource, ObjectType
from epicvc.store.tree.tree import EMPTY

if TYPE_CHECKING:
    from epicvc.repo.rows.rows import CapturedRows, NamedRow


class SideChange(Struct, frozen=True):
    """A change of one side.

    Attributes:
        side: ``files`` or ``db``.
        change: the change.
        layer: the owner of the field; ``None`` for rows of unmapped tables.
        migration: the versions of the migrations that made it; ``None`` for a change by people.
    """

    side: str
    change: Change
    layer: Layer | None = Layer.CORE
    migration: str | None = None


def differences(
    source: ObjectSource,
    mapping: Mapping,
    before: Snapshot | None,
    after: Snapshot,
    *,
    side: str | None = None,
    selection: Selection | None = None,
) -> Iterator[SideChange]:
    """Yield the changes from one state to the other: files by path, then the database by table.

    Args:
        source: the store.
        mapping: the fields of epics.
        before: the earlier state; ``None`` for an empty one.
        after: the later state.
        side: ``files`` or ``db`` for the changes of one side.
        selection: the places of interest.
    """
    chosen = selection or Selection()
    found: Iterator[SideChange] = iter(())
    if side in (None, "files"):
        found = _files(source, mapping, before.files if before else None, after.files)
        yield from (change for change in found if chosen.touches(change.change.label))
    if side in (None, "db"):
        found = _database(source, mapping, before.database if before else None, after.database)
        yield from (change for change in found if chosen.touches(change.change.label))


# Files


def _files(source: ObjectSource, mapping: Mapping, before: ObjectId | None, after: ObjectId) -> Iterator[SideChange]:
    old: dict[str, tuple[str, ObjectId]] = {}
    new: dict[str, tuple[str, ObjectId]] = {}
    values: dict[ObjectId, JSON] = {}  # only of files that are not compared at once
    compared: dict[str, list[Change]] = {}

    def value_of(blob: ObjectId) -> JSON:
        if blob not in values:
            values[blob] = _value_in(source.get(blob, ObjectType.BLOB))
        return values[blob]

    for path, was, now in changed_files(source, before or EMPTY, after):
        if was is not None and now is not None:
            pair = _pair(source.get(was, ObjectType.BLOB), source.get(now, ObjectType.BLOB))
            epic = _epic_in(pair[0], path)
            if epic == _epic_in(pair[1], path):
                old[epic], new[epic] = (path, was), (path, now)
                compared[epic] = list(file_changes(Label(epic), *pair))
                continue
        for blob, epics in ((was, old), (now, new)):
            if blob is not None:
                epics[_epic_in(value_of(blob), path)] = (path, blob)
    layers = _file_layers(mapping)
    for epic in sorted({*old, *new}):
        path, was = old.get(epic, ("", None))
        new_path, now = new.get(epic, ("", None))
        label = Label(epic)
        if path == new_path:  # its file has the same path in both states, and was compared above
            changes = compared[epic]
        else:
            changes = list(file_changes(label, *(None if blob is None else value_of(blob) for blob in (was, now))))
        if not changes and path != new_path:
            yield SideChange("files", Change(label, Op.MOVE, path, new_path), Layer.EXTRA)
        for change in changes:
            yield SideChange("files", change, layers(change.label))


def _pair(was: bytes, now: bytes) -> tuple[JSON, JSON]:
    """Return two versions of a file as values. Tasks that both share may have only their id, or be left out."""
    # imported here: it takes half a millisecond, and is needed only to compare two versions
    from epicvc.model.sharedtasks import without_shared

    return without_shared(was, now) or (_value_in(was), _value_in(now))


def _value_in(data: bytes) -> JSON:
    """Return the value of a stored file, or its text if it is no JSON."""
    try:
        return parse(data)
    except EpicvcError:
        return data.decode("utf-8", "backslashreplace")


def _epic_in(value: JSON, path: str) -> str:
    """Return the id of the epic in a file. A file that is no epic goes by its path."""
    key = natural_key(epic_body(value).get("id")) if isinstance(value, dict) else None
    return path if key is None else key


def file_changes(label: Label, was: JSON, now: JSON) -> Iterator[Change]:
    """Yield the differences between two values of one epic's file; ``None`` stands for no file."""
    if not (isinstance(was, dict) and isinstance(now, dict)):
        yield from diff(label, _flat(was), _flat(now))
        return
    yield from diff_epic(label, cast("JSON", epic_body(was)), cast("JSON", epic_body(now)))
    siblings = [_siblings(value) for value in (was, now)]
    yield from diff(label.child(SIBLINGS), cast("JSON", siblings[0]), cast("JSON", siblings[1]))


def _flat(value: JSON) -> JSON:
    """Return a whole file as the epic that it adds or removes."""
    return cast("JSON", epic_body(value)) if isinstance(value, dict) else value


def _siblings(value: dict[str, JSON]) -> dict[str, JSON]:
    body = epic_body(value)
    return {} if body is value else {name: inner for name, inner in value.items() if name != WRAPPER}


def _file_layers(mapping: Mapping) -> Callable[[Label], Layer]:
    epic, task = frozenset((*mapping.epic_fields, "id")), frozenset((*mapping.task_fields, "id"))

    def layer(label: Label) -> Layer:
        path = label.path
        if not path or (path[0] == Mapping.TASKS and len(path) < 3):
            return Layer.CORE
        if path[0] == Mapping.TASKS:
            return Layer.CORE if path[2] in task else Layer.EXTRA
        return Layer.CORE if path[0] in epic else Layer.EXTRA

    return layer


# Database


def _database(
    source: ObjectSource, mapping: Mapping, before: DatabaseState | None, after: DatabaseState | None
) -> Iterator[SideChange]:
    if before == after:
        return
    yield from _schema(source, before, after)
    from epicvc.repo.rows.rows import CapturedRows

    views = [CapturedRows(source, state) if state else None for state in (before, after)]
    for table, rows in row_changes(source, before, after):
        for key, *pair in rows:
            old, new = (
                None if row is None or view is None else (view, view.named(table, row))
                for view, row in zip(views, pair, strict=True)
            )
            yield from row_differences(mapping, table, key, old, new)


Seen: TypeAlias = "tuple[CapturedRows, NamedRow] | None"


def row_differences(mapping: Mapping, table: str, key: bytes, old: Seen, new: Seen) -> Iterator[SideChange]:
    """Yield the differences of a row between two captured databases, by label."""
    if table == mapping.epics.table:
        yield from _mapped(mapping, mapping.epics, table, key=key, old=old, new=new)
    elif table == mapping.tasks.table:
        yield from _mapped(mapping, mapping.tasks, table, key=key, old=old, new=new)
    elif mapping.links and table == mapping.links.table and (place := _link_label(mapping, table, old, new)):
        ops = (Op.ADD if old is None else Op.REMOVE if new is None else Op.REPLACE,)
        values = [None if seen is None else plain(seen[1].get(mapping.links.column)) for seen in (old, new)]
        if ops[0] is not Op.REPLACE or values[0] != values[1]:
            yield SideChange("db", Change(place, ops[0], values[0], values[1]))
        else:
            yield from _plain_row(table, key, old, new)
    else:
        yield from _plain_row(table, key, old, new)


def _mapped(mapping: Mapping, columns: TableMap, table: str, key: bytes, old: Seen, new: Seen) -> Iterator[SideChange]:
    from epicvc.repo.rows.rows import is_alive

    labels = [_label(mapping, table, seen) for seen in (old, new)]
    was, now = (
        None if seen is None or not is_alive(seen[1], columns) else row_document(columns, seen[1])
        for seen in (old, new)
    )
    label = labels[1] or labels[0]
    if label is None or (was is None and now is None):
        yield from _plain_row(table, key, old, new)
        return
    if labels[0] and labels[1] and labels[0] != labels[1]:
        yield SideChange("db", Change(label, Op.MOVE, str(labels[0]), str(labels[1])))
    if was is None or now is None:
        side = Change(label, Op.REMOVE if now is None else Op.ADD, cast("JSON", was), cast("JSON", now))
        yield SideChange("db", side)
        return
    names = {field.name: field.layer for field in columns.fields}
    for change in diff(label, cast("JSON", was), cast("JSON", now)):
        field = change.label.path[len(label.path)]
        yield SideChange("db", change, names.get(field, Layer.SYSTEM))


def _label(mapping: Mapping, table: str, seen: Seen) -> Label | None:
    owner = seen[0].owner(mapping, table, seen[1]) if seen else None
    if owner is None:
        return None
    return Label(owner.epic, (Mapping.TASKS, owner.task) if owner.task is not None else ())


def _link_label(mapping: Mapping, table: str, old: Seen, new: Seen) -> Label | None:
    assert mapping.links is not None  # the caller has checked it
    seen = new or old
    label = _label(mapping, table, seen)
    if label is None or seen is None:
        return None
    return label.child(mapping.links.field).child(str(seen[1].get(mapping.links.column)))


def row_document(columns: TableMap, row: NamedRow) -> dict[str, JSON]:
    """Return a row as its mapped fields. Unmapped columns become system fields under their own names.

    Keys, parents and the order are no fields: labels and moves express them.
    """
    from epicvc.database.documents.values import decode

    structure = {columns.id, columns.key, columns.parent}
    names = columns.by_column
    result: dict[str, JSON] = {}
    for column, value in row.items():
        field = names.get(column)
        if field is not None:
            try:
                decoded = decode(value, field, columns.table, str(row.get(columns.key)))
            except InvalidRow:
                decoded = plain(value)
            result[field.name] = decoded
        elif column not in structure:
            result.setdefault(column, plain(value))
    return {name: value for name, value in result.items() if value is not None}


def _plain_row(table: str, key: bytes, old: Seen, new: Seen) -> Iterator[SideChange]:
    label = Label(table, (key_text(key),), table=True)
    was, now = (None if seen is None else {c: plain(v) for c, v in seen[1].items()} for seen in (old, new))
    for change in diff(label, cast("JSON", was), cast("JSON", now)):
        yield SideChange("db", change, None)


def key_text(key: bytes) -> str:
    """Return the key of a row as a label has it."""
    return ",".join(str(plain(value)) for value in decode_key(key))


def _schema(source: ObjectSource, before: DatabaseState | None, after: DatabaseState | None) -> Iterator[SideChange]:
    for change in schema_changes(source, before, after):
        yield SideChange("db", change, None)


def schema_changes(source: ObjectSource, before: DatabaseState | None, after: DatabaseState | None) -> Iterator[Change]:
    """Yield the definitions that differ, each under a label of its kind and name."""
    if before is not None and after is not None and before.schema == after.schema:
        return
    old, new = (definitions(source, state) for state in (before, after))
    label = Label("", table=True)
    for name in sorted({*old, *new}):
        yield from diff(label.child(name), old.get(name), new.get(name))


def definitions(source: ObjectSource, state: DatabaseState | None) -> dict[str, JSON]:
    """Return every definition of a captured database by name, and its two numbers."""
    if state is None:
        return {}
    schema = get_schema(source, state)
    found: dict[str, JSON] = {f"table {table.name}": table.sql for table in schema.tables}
    for table in schema.tables:
        found.update({f"index {index.name}": index.sql for index in table.indexes})
    found.update({f"view {view.name}": view.sql for view in schema.views})
    found.update({f"trigger {trigger.name}": trigger.sql for trigger in schema.triggers})
    found["user_version"] = schema.user_version
    found["application_id"] = schema.application_id
    return found
