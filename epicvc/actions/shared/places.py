"""Checks that labels name existing places. A word that matches nothing is a mistake, not a place without changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias, cast

from epicvc.actions.shared.difference import key_text, row_document
from epicvc.base.jsonio import JSON, parse
from epicvc.errors import EpicvcError, NotFound, UsageError
from epicvc.model.diff import Keyed, keyed
from epicvc.model.document import epic_body
from epicvc.model.labels import SIBLINGS, Label, Selection
from epicvc.model.mapping import Mapping
from epicvc.repo.documents import Documents
from epicvc.repo.files.filestree import epic_paths
from epicvc.repo.history.objects import Snapshot
from epicvc.repo.rows.dbside import table_root
from epicvc.repo.rows.rows import CapturedRows, NamedRow, mapped_tables, rows_of
from epicvc.store.objects import ObjectSource, ObjectType

Members: TypeAlias = "dict[int, Keyed | None]"
"""The items of lists by their ids, by the identity of the list; ``None`` for lists whose items have no ids."""

_COLUMN = 2  # the length of a path that names a column of a row


def require_fields(documents: Documents, selection: Selection) -> None:
    """Make sure that labels name places that a synchronisation handles: epics, tasks, fields and parts of these.

    Raises:
        UsageError: a label names a table.
        NotFound: no side has such a task or field in the epic.
    """
    mapping = documents.repo.config.mapping
    values: list[JSON] = []
    known: Members = {}
    root = None
    for label in selection.labels:
        if label.table:
            hint = "name epics or fields, as 5 or 5:name; other tables are the application's alone"
            raise UsageError(f"{label}: rows of a table are nothing to synchronise", hint=hint)
        if not label.path or label.root in documents.held.epics:
            continue
        if label.root != root:  # kept for one epic at a time, since labels of one epic follow each other
            root, values, known = label.root, _versions(documents, label.root), {}
        if not _is_field(mapping, label, values, known) and not any(has(value, label.path, known) for value in values):
            raise no_field(label)


def _versions(documents: Documents, epic: str) -> list[JSON]:
    """Return the versions of an epic: the agreed core, and that of each side."""
    (three,) = documents.load([epic])
    cores = (three.base, three.file, three.db, None if three.whole is None else epic_body(three.whole))
    return [cast("JSON", core) for core in cores if core is not None]


def require_known(
    source: ObjectSource,
    mapping: Mapping,
    selection: Selection,
    snapshots: Sequence[Snapshot | None],
    epics: str = "epic",
) -> None:
    """Make sure that each label names a place in at least one of these states.

    Args:
        source: the store of the states.
        mapping: the fields of epics.
        selection: the labels.
        snapshots: the states.
        epics: the kinds of things that a word without a ``:`` may name, for the message.

    Raises:
        NotFound: a label names no such place.
    """
    states = [snapshot for snapshot in snapshots if snapshot is not None]
    for label in selection.labels:
        if not any(_knows(source, mapping, state, label) for state in states):
            what = f"table {label.root}" if label.table else f"{epics} {label.root}"
            whole = Label(label.root, (), label.table)
            if label.path and any(_knows(source, mapping, state, whole) for state in states):
                raise no_field(label)
            raise NotFound(f"no {what}", hint="see `epicvc log` and `epicvc status`")


def no_field(label: Label) -> NotFound:
    """Return the error for a label whose epic or table exists."""
    task = len(label.path) == _COLUMN and label.path[0] == Mapping.TASKS
    what = "row or column" if label.table else "task" if task else "field"
    return NotFound(f"no {what} {label}", hint="`epicvc blame` and `epicvc diff` list labels that there are")


def has(value: JSON, path: Sequence[str], known: Members | None = None) -> bool:
    """Return whether a value has something below these names.

    Items of a list are found by id, or by their value.

    Args:
        value: the value.
        path: the names.
        known: keeps the members of lists between calls, for values that do not change.
    """
    known = {} if known is None else known
    for place, name in enumerate(path):
        if isinstance(value, list):
            if id(value) not in known:
                known[id(value)] = keyed(value)
            members = known[id(value)]
            if members is None:
                return place == len(path) - 1 and name in map(str, value)
            value = cast("JSON", members)
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    return True


def _is_field(mapping: Mapping, label: Label, values: Sequence[JSON], known: Members | None = None) -> bool:
    """Return whether a label names a field that its epic or its task could have."""
    path = label.path
    if len(path) == 1:
        return path[0] in {*mapping.epic_fields, *(spec.name for spec in mapping.epics.fields), Mapping.TASKS}
    named = len(path) == 3 and path[0] == Mapping.TASKS and path[2] in mapping.task_fields
    return named and any(has(value, path[:2], known) for value in values)


def _knows(source: ObjectSource, mapping: Mapping, state: Snapshot, label: Label) -> bool:
    if label.table:
        return _knows_row(source, state, label)
    values = list(_values(source, mapping, state, label.root))
    if not label.path:
        return bool(values)
    if any(has(value, label.path) for value in values):
        return True
    return bool(values) and _is_field(mapping, label, values)


def _knows_row(source: ObjectSource, state: Snapshot, label: Label) -> bool:
    database = state.database
    if database is None or table_root(source, database, label.root) is None:
        return False
    if not label.path:
        return True
    view = CapturedRows(source, database)
    for key, row in rows_of(source, database, label.root):
        if key_text(key) == label.path[0]:
            named = view.named(label.root, row)
            return len(label.path) < _COLUMN or (len(label.path) == _COLUMN and label.path[1] in named)
    return False


def _values(source: ObjectSource, mapping: Mapping, state: Snapshot, epic: str) -> Iterator[JSON]:
    """Yield an epic as the files and as the rows of a state have it."""
    for path, blob in epic_paths(source, state.files, {epic}).values():
        try:
            whole = parse(source.get(blob, ObjectType.BLOB), source=path)
        except EpicvcError:
            whole = {}
        body = epic_body(whole) if isinstance(whole, dict) else {}
        beside = {name: value for name, value in whole.items() if value is not body} if isinstance(whole, dict) else {}
        yield {**body, SIBLINGS: cast("JSON", beside)}
    if state.database is not None:
        yield from _rows(source, mapping, state, epic)


def _rows(source: ObjectSource, mapping: Mapping, state: Snapshot, epic: str) -> Iterator[JSON]:
    database = state.database
    assert database is not None  # the caller has checked it
    view, found, tasks = CapturedRows(source, database), None, dict[str, dict[str, JSON]]()
    links: list[tuple[str, NamedRow]] = []
    for table in mapped_tables(mapping):
        for _, row in rows_of(source, database, table):
            named = view.named(table, row)
            owner = view.owner(mapping, table, named)
            if owner is None or owner.epic != epic:
                continue
            if table == mapping.epics.table:
                found = row_document(mapping.epics, named)
            elif table == mapping.tasks.table and owner.task is not None:
                tasks[owner.task] = row_document(mapping.tasks, named)
            elif owner.task is not None:
                links.append((owner.task, named))
    if found is None:
        return
    if mapping.links is not None:
        for task, named in links:
            names = cast("list[JSON]", tasks.setdefault(task, {}).setdefault(mapping.links.field, []))
            names.append(str(named.get(mapping.links.column)))
    yield {**found, Mapping.TASKS: cast("JSON", {key: cast("JSON", task) for key, task in tasks.items()})}
