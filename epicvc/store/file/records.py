"""The values of the operation log and of the intent of an unfinished operation, and their rows.

This module reads and writes no file; :mod:`epicvc.store.store` does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct, field

from epicvc.base.depth import require_shallow
from epicvc.errors import DamagedStore, InvalidData
from epicvc.store.file.sqlite import bindable
from epicvc.store.objects import is_id
from epicvc.store.refs import check_value

OPERATION_COLUMNS: Final = "id, time, command, description, user, before, after, undoes, redoes"
PENDING_COLUMNS: Final = "operation, command, database, prepared, before, after, details"


class View(Struct, frozen=True):
    """The state of a repo before or after an operation.

    Attributes:
        refs: every ref, ``HEAD`` included, with the value that :meth:`Store.refs` returns.
        snapshot: hexadecimal id of the snapshot of both sides; ``None`` if none was taken.
    """

    refs: Mapping[str, str] = field(default_factory=dict)
    snapshot: str | None = None


class Operation(Struct, frozen=True):
    """One run of a command that changed something.

    Attributes:
        id: 32 lower-case hexadecimal digits.
        time: UTC, ISO 8601 with microseconds.
        command: the command line, without secrets.
        description: a description of the changes, for people.
        user: the user who ran it.
        before: the view that it found.
        after: the view that it left.
        undoes: id of the operation that it undid.
        redoes: id of the operation that it did again.
    """

    id: str
    time: str
    command: str
    description: str
    user: str
    before: View
    after: View
    undoes: str | None = None
    redoes: str | None = None


class Pending(Struct, frozen=True):
    """The durable intent of an operation that is not finished.

    Attributes:
        operation: id of the operation.
        command: the command line, without secrets.
        database: the database decides the outcome.
        prepared: everything that the outcome needs is stored.
        before: the view to return to.
        after: the view to reach, once it is known.
        details: data that the layer above needs to finish or roll back.
    """

    operation: str
    command: str
    database: bool
    prepared: bool
    before: View
    after: View | None = None
    details: Mapping[str, str] = field(default_factory=dict)


Row = Sequence[object]


def operation_row(operation: Operation) -> tuple[str | None, ...]:
    """Return the values of :data:`OPERATION_COLUMNS`."""
    return (
        operation.id,
        operation.time,
        bindable(operation.command),
        bindable(operation.description),
        bindable(operation.user),
        _view_json(operation.before),
        _view_json(operation.after),
        operation.undoes,
        operation.redoes,
    )


def read_operation(path: str, row: Row) -> Operation:
    """Return the operation in a row of :data:`OPERATION_COLUMNS`.

    Raises:
        DamagedStore: the row is malformed.
    """
    oid, time, command, description, user, before, after, undoes, redoes = row
    what = f"operation {oid!r}"
    return Operation(
        id=_string(path, what, oid),
        time=_string(path, what, time),
        command=_string(path, what, command),
        description=_string(path, what, description),
        user=_string(path, what, user),
        before=_view(path, what, before),
        after=_view(path, what, after),
        undoes=None if undoes is None else _string(path, what, undoes),
        redoes=None if redoes is None else _string(path, what, redoes),
    )


def pending_row(pending: Pending) -> tuple[str | int | None, ...]:
    """Return the values of :data:`PENDING_COLUMNS`."""
    return (
        pending.operation,
        bindable(pending.command),
        int(pending.database),
        int(pending.prepared),
        _view_json(pending.before),
        None if pending.after is None else _view_json(pending.after),
        _dumps(dict(pending.details)),
    )


def read_pending(path: str, row: Row) -> Pending:
    """Return the intent in a row of :data:`PENDING_COLUMNS`.

    Raises:
        DamagedStore: the row is malformed.
    """
    operation, command, database, prepared, before, after, details = row
    what = "the unfinished operation"
    return Pending(
        operation=_string(path, what, operation),
        command=_string(path, what, command),
        database=bool(database),
        prepared=bool(prepared),
        before=_view(path, what, before),
        after=None if after is None else _view(path, what, after),
        details=_strings(path, what, _loads(path, what, details)),
    )


def _dumps(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _view_json(view: View) -> str:
    return _dumps({"refs": dict(view.refs), "snapshot": view.snapshot})


def _string(path: str, what: str, value: object) -> str:
    if not isinstance(value, str):
        raise DamagedStore(path, f"{what} is malformed")
    return value


def _loads(path: str, what: str, text: object) -> object:
    try:
        require_shallow(_string(path, what, text).encode("utf-8", "surrogatepass"))
        return json.loads(_string(path, what, text))
    except ValueError as error:
        raise DamagedStore(path, f"{what} is malformed: {error}") from error


def _strings(path: str, what: str, value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise DamagedStore(path, f"{what} is malformed")
    return {_string(path, what, key): _string(path, what, item) for key, item in value.items()}


def _view(path: str, what: str, text: object) -> View:
    value = _loads(path, what, text)
    if not isinstance(value, dict) or value.keys() != {"refs", "snapshot"}:
        raise DamagedStore(path, f"{what} is malformed")
    refs, snapshot = _strings(path, what, value["refs"]), value["snapshot"]
    try:
        for name, target in refs.items():
            check_value(name, target)
    except InvalidData as error:
        raise DamagedStore(path, f"{what} is malformed: {error.message}") from error
    if snapshot is not None and not is_id(_string(path, what, snapshot)):
        raise DamagedStore(path, f"{what} is malformed: {snapshot[:80]!r} is no snapshot")
    return View(refs, snapshot)
