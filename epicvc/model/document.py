"""Documents: an epic as a file has it, as a database has it, and the core that both own.

A *core* is a JSON object ``{"name": …, "tasks": [{"id": …, "title": …}, …]}`` that holds core fields only. Absent
and null are the same and are left out; so are an empty ``tasks`` and empty dependencies, since rows cannot tell an
empty list from none. Dependencies are a set, kept sorted: rows have no order.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from collections.abc import Sequence
from decimal import Decimal
from typing import TypeAlias, cast

from msgspec import Struct, field

from epicvc.base.jsonio import JSON, canonical_number, dumps_canonical, equal, join_canonical, number_text
from epicvc.errors import InvalidField, InvalidFile
from epicvc.model.labels import Label, escape
from epicvc.model.mapping import Field, Kind, Mapping

Core: TypeAlias = "dict[str, JSON]"
Tasks: TypeAlias = "list[dict[str, JSON]]"

WRAPPER = "epic"
"""The key that holds the epic in a wrapped file."""

CALCULATED = "calculated_fields"
"""The key beside ``epic`` that holds calculated fields; a file without the wrapper has no place for it."""

UNAGREED = "?"
"""The member of a base that lists what was never agreed on, as paths.

``name`` and ``tasks/5.1a/title`` are fields that the database has and the base lacks; ``tasks/5.1a`` is a task whose
place among the others each side sees elsewhere.
"""

INT64 = range(-(2**63), 2**63)
"""The integers that a column holds exactly."""

_WHOLE = 10**15
"""The limit below which whole numbers are written without an exponent, in whatever notation they were read."""

PLAIN_TYPE = {Kind.TEXT: str, Kind.DATE: str, Kind.BOOL: bool}
"""The Python type of which every value fits a kind. A kind without such a type is not in the table."""


class FileEpic(Struct, frozen=True):
    """An epic as a file has it.

    Attributes:
        id: the natural key.
        core: the fields that both sides own.
        whole: the parsed file, unknown keys included.
    """

    id: str
    core: Core
    whole: dict[str, JSON]

    @property
    def body(self) -> dict[str, JSON]:
        """The object that holds the epic's own fields."""
        return epic_body(self.whole)


class RowEpic(Struct, frozen=True):
    """An epic as rows have it, before :func:`settle` tells which of its fields are absent.

    Attributes:
        id: the natural key.
        core: every mapped value, column defaults included; tasks by sequence, then key.
        calculated: the calculated fields that have a value.
        defaults: names of the epic's fields whose value is the column's default.
        task_defaults: the same for each task, by task id.
        unordered: ids of tasks whose row carries no order.
    """

    id: str
    core: Core
    calculated: Core = field(default_factory=dict)
    defaults: frozenset[str] = frozenset()
    task_defaults: MappingABC[str, frozenset[str]] = field(default_factory=dict)
    unordered: frozenset[str] = frozenset()


def epic_body(whole: dict[str, JSON]) -> dict[str, JSON]:
    """Return the object of a parsed file that holds the epic's own fields: below ``epic``, or the file itself."""
    inner = whole.get(WRAPPER)
    return inner if isinstance(inner, dict) else whole


def natural_key(value: JSON) -> str | None:
    """Return the text that identifies a document with this ``id``; ``None`` where the value cannot be an id."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def item_key(value: JSON) -> str | None:
    """Return the text that identifies an item of a list with this ``id``; ``None`` where the value cannot be an id.

    Besides the ids of epics and tasks any other number can be one. Numbers of one value are one id.
    """
    if not isinstance(value, (float, Decimal)):
        return natural_key(value)
    if -_WHOLE < value < _WHOLE and value == int(value):
        return str(int(value))
    return canonical_number(value) if isinstance(value, Decimal) else number_text(value)


def tasks_of(core: Core) -> Tasks:
    """Return the tasks of a core, or no tasks."""
    return cast("Tasks", core.get(Mapping.TASKS) or [])


def task_in(core: Core | None, key: str) -> Core | None:
    """Return the task with an id; ``None`` where the core has none."""
    return next((task for task in tasks_of(core or {}) if task["id"] == key), None)


def with_tasks(core: Core, tasks: Tasks) -> Core:
    """Return a core with other tasks, or with none at all."""
    rest = {name: value for name, value in core.items() if name != Mapping.TASKS}
    return {**rest, Mapping.TASKS: cast("JSON", tasks)} if tasks else rest


def is_ambiguous(parsed: dict[str, JSON]) -> bool:
    """Return whether a file could be two epics.

    Such a file is an object with an ``id`` of its own and an object below ``epic``. It may be a wrapped epic, or an
    epic with a link to another one.
    """
    return parsed.get("id") is not None and isinstance(parsed.get(WRAPPER), dict)


def doubt(parsed: JSON) -> str | None:
    """Return the reason why it is unclear which epic a parsed file is; ``None`` where it is one, or clearly none."""
    if not isinstance(parsed, dict):
        return None
    if is_ambiguous(parsed):
        return 'it has an "id" beside "epic", so that it may be either; take out the one that is not it'
    return None if isinstance(parsed.get(WRAPPER), dict | None) else '"epic" is not an object'


def epic_id(parsed: JSON) -> str | None:
    """Return the id of the epic that a parsed file is; ``None`` where it is none, or may be either of two."""
    if not isinstance(parsed, dict) or doubt(parsed) is not None:
        return None
    return natural_key(epic_body(parsed).get("id"))


def read_file_epic(parsed: JSON, mapping: Mapping, path: str, *, stored: bool = False) -> FileEpic:
    """Return the epic that a parsed file is.

    Args:
        parsed: the file's JSON value.
        mapping: says which fields are core.
        path: the file, for messages.
        stored: the file comes from the history. An ambiguous file is read there and not refused, since it has been read
            before.

    Raises:
        InvalidFile: the value is no epic.
        InvalidField: a core field has a value that its column cannot hold.
    """
    if not isinstance(parsed, dict):
        raise InvalidFile(path, "an epic is a JSON object")
    body = epic_body(parsed)
    reason = doubt(parsed)
    if reason is not None and not (stored and is_ambiguous(parsed)):
        raise InvalidFile(path, reason)
    key = natural_key(body.get("id"))
    if key is None:
        raise InvalidFile(path, 'the epic has no "id" (a text or an integer)')
    label = Label(key)
    core: Core = {}
    _read_fields(core, body, mapping.epics.core, label, path)
    tasks = _read_tasks(body.get(Mapping.TASKS), mapping, label.child(Mapping.TASKS), path)
    if tasks:
        core[Mapping.TASKS] = cast("JSON", tasks)
    return FileEpic(key, core, parsed)


def _read_tasks(value: JSON, mapping: Mapping, label: Label, path: str) -> Tasks:
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidFile(path, f"{label} is not a list", str(label))
    seen: set[str] = set()
    tasks: Tasks = []
    for position, item in enumerate(value):
        key = natural_key(item.get("id")) if isinstance(item, dict) else None
        if key is None or not isinstance(item, dict):
            reason = f'{label}: task {position + 1} is no object with an "id" (a text or an integer)'
            raise InvalidFile(path, reason, str(label))
        if key in seen:
            raise InvalidFile(path, f"{label.child(key)}: two tasks have this id", str(label.child(key)))
        seen.add(key)
        tasks.append(_read_task(item, key, mapping, label, path))
    return tasks


def _read_task(item: dict[str, JSON], key: str, mapping: Mapping, tasks: Label, path: str) -> dict[str, JSON]:
    task: dict[str, JSON] = {"id": key}
    _read_fields(task, item, mapping.tasks.core, tasks, path)
    if mapping.links and (links := item.get(mapping.links.field)) is not None:
        keys = [natural_key(link) for link in links] if isinstance(links, list) else [None]
        if None in keys:
            place = tasks.child(key).child(mapping.links.field)
            raise InvalidFile(path, f"{place} is not a list of task ids", str(place))
        if keys:
            task[mapping.links.field] = cast("JSON", sorted(set(cast("list[str]", keys))))
    return task


def _read_fields(core: Core, item: dict[str, JSON], fields: Sequence[Field], label: Label, path: str) -> None:
    """Put the fields that are present into a core, each checked against its column's kind."""
    for spec in fields:
        name = spec.name
        value = item.get(name)
        if value is None:
            continue
        core[name] = value
        kind = spec.kind
        # Nearly all values are texts or free-form JSON, and need no call of misfit.
        if kind is Kind.JSON or type(value) is PLAIN_TYPE.get(kind):
            continue
        problem = misfit(value, kind)
        if problem:
            place = label.child(cast("str", core["id"])) if "id" in core else label
            raise InvalidField(str(place.child(name)), f"{problem} ({path})")


def misfit(value: JSON, kind: Kind) -> str | None:
    """Return the reason why a value cannot be stored as this kind; ``None`` when it can."""
    if kind is Kind.JSON:
        return None
    if kind is Kind.BOOL:
        return None if isinstance(value, bool) else "must be true or false"
    if kind is Kind.NUMBER:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            return "must be a number"
        if isinstance(value, Decimal) or (isinstance(value, int) and value not in INT64):
            return "the number does not fit the column exactly"
        return None
    return None if isinstance(value, str) else "must be a text"


def core_bytes(epic: str, core: Core) -> bytes:
    """Return the canonical form of a core.

    Its SHA-256 as an object of the store is the core id.
    """
    return dumps_canonical({**core, "id": epic})


def join_core(epic: str, core: Core, tasks: Sequence[bytes]) -> bytes:
    """Return :func:`core_bytes` of a core whose tasks are given in their canonical form.

    A caller that has most of these forms at hand need not encode the tasks again.
    """
    own = {**core, "id": epic}
    members = {
        name: dumps_canonical(value) for name, value in own.items() if value is not None and name != Mapping.TASKS
    }
    if tasks:
        members[Mapping.TASKS] = b"[" + b",".join(tasks) + b"]"
    return join_canonical(members)


def same_core(ours: Core | None, theirs: Core | None) -> bool:
    """Return whether two cores are equal by value."""
    if ours is None or theirs is None:
        return ours is theirs
    return equal(cast("JSON", ours), cast("JSON", theirs))


def sharing(core: Core, like: Core | None) -> Core:
    """Return the same core made of the other's parts, epic, tasks and fields, wherever these are equal.

    Later comparisons of the two find equal parts by identity, however often they are made.
    """
    if like is None or core is like:
        return core
    fields = _sharing_fields(core, like)
    if Mapping.TASKS in core and Mapping.TASKS in like:
        fields[Mapping.TASKS] = _sharing_tasks(core[Mapping.TASKS], like[Mapping.TASKS])
    return like if _made_of(fields, like) else fields


def _sharing_tasks(tasks: JSON, like: JSON) -> JSON:
    ours, theirs = cast("Tasks", tasks), cast("Tasks", like)
    known = {task["id"]: task for task in theirs}
    result = [_sharing_task(task, known.get(task["id"])) for task in ours]
    same = len(result) == len(theirs) and all(one is other for one, other in zip(result, theirs, strict=True))
    return like if same else cast("JSON", result)


def _sharing_task(task: dict[str, JSON], like: dict[str, JSON] | None) -> dict[str, JSON]:
    """Return the same task made of the other's parts; see :func:`sharing`."""
    if like is None or task is like:
        return task
    fields = _sharing_fields(task, like)
    return like if _made_of(fields, like) else fields


def _sharing_fields(core: Core, like: Core) -> Core:
    get = like.get
    return {
        name: other if (other := get(name)) is not None and equal(value, other) else value
        for name, value in core.items()
    }


def _made_of(core: Core, like: Core) -> bool:
    return len(core) == len(like) and all(value is like.get(name) for name, value in core.items())


def settle(rows: RowEpic, reference: Core | None, file: Core | None = None) -> Core:
    """Return the core that rows stand for, read against a reference.

    Rows alone do not tell which fields are absent, nor the order of tasks without a sequence.

    A value that equals its column's default reads as absent where the reference has the document without that field,
    unless the field was never agreed on. Otherwise it is a value. Without a reference every value counts.

    Args:
        rows: the epic as the database has it.
        reference: the base, or the file's core while there is no base.
        file: the file's core, for tasks that the reference does not have.
    """
    if reference is None:
        return rows.core
    unagreed = frozenset(cast("list[str]", reference.get(UNAGREED) or []))
    core = _without_defaults(rows.core, rows.defaults, reference, unagreed, "")
    if not tasks_of(core):
        return core
    known = {cast("str", task["id"]): task for task in tasks_of(reference)}
    agreed = list(known)
    known = {cast("str", task["id"]): task for task in tasks_of(file or {})} | known
    tasks = []
    for task in tasks_of(core):
        key = cast("str", task["id"])
        defaults = rows.task_defaults.get(key)
        if defaults and key in known:
            path = f"{Mapping.TASKS}/{escape(key)}/"
            tasks.append(_without_defaults(task, defaults, known[key], unagreed, path))
        else:
            tasks.append(task)
    if rows.unordered:
        tasks = _in_order(tasks, rows.unordered, agreed)
    core[Mapping.TASKS] = cast("JSON", tasks)
    return core


def _without_defaults(
    values: Core, defaults: frozenset[str], reference: Core, unagreed: frozenset[str], path: str
) -> Core:
    """Return the values without the defaults of fields that the reference lacks.

    Fields that were never agreed on stay.
    """
    return {
        name: value
        for name, value in values.items()
        if name not in defaults or name in reference or path + name in unagreed
    }


def _in_order(tasks: Tasks, unordered: frozenset[str], reference: Sequence[str]) -> Tasks:
    """Put the tasks without an order where the reference has them.

    Tasks that it does not have come last, by key.
    """
    by_id = {cast("str", task["id"]): task for task in tasks}
    ordered = [key for key in by_id if key not in unordered]
    known = [key for key in reference if key in unordered and key in by_id]
    placed = place(ordered, known, reference)
    strangers = by_id.keys() - set(placed)
    return [by_id[key] for key in [*placed, *sorted(strangers)]]


def place(order: Sequence[str], missing: Sequence[str], reference: Sequence[str]) -> list[str]:
    """Insert ``missing`` into ``order``, each after its nearest predecessor in ``reference`` that is there.

    Args:
        order: ids whose relative order stays.
        missing: ids to insert, none of them in ``order``, in the order of ``reference``.
        reference: an order that has all of ``missing``.
    """
    result = list(order)
    present = set(order)
    wanted = set(missing)
    anchor: str | None = None
    at: dict[str | None, list[str]] = {}
    for key in reference:
        if key in wanted:
            at.setdefault(anchor, []).append(key)
        elif key in present:
            anchor = key
    merged = list(at.get(None, ()))
    for key in result:
        merged.append(key)
        merged.extend(at.get(key, ()))
    return merged
