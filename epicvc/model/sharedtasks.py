"""Reads two versions of an epic's file only where they differ.

A version differs from the one before in a task or two of some thirty. The bytes of each task tell which ones, in a
tenth of the time of reading them. Only the tasks that differ are read. Pure.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, cast

import msgspec
from msgspec import Struct

from epicvc.base.depth import require_shallow
from epicvc.base.jsonio import JSON, parse
from epicvc.errors import InvalidJSON
from epicvc.model.diff import keyed
from epicvc.model.document import WRAPPER, epic_body
from epicvc.model.mapping import Mapping

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


class _Listed(Struct, frozen=True):
    """The text of a file, cut at its tasks.

    Attributes:
        tasks: the bytes of each task, of which there is at least one.
        before: the text before the first task.
        between: the text between any two tasks.
        after: the text behind the last task.
    """

    tasks: list[msgspec.Raw]
    before: bytes
    between: bytes
    after: bytes


def without_shared(old: bytes, new: bytes) -> tuple[dict[str, JSON], dict[str, JSON]] | None:
    """Read both versions of a file as values in which the tasks that they share have nothing but their id.

    Such a task is one object in both values, and no other task in them has its id. The values therefore differ in
    exactly the places in which the whole versions differ. Where all tasks are shared, they are left out of both values.

    Of a shared task only the id is read. Where both versions have the same fault in the same task (a key twice, a text
    that is no UTF-8), :func:`epicvc.base.jsonio.parse` refuses both versions, while this function still returns their
    other differences.

    Args:
        old: the one version of the file.
        new: the other version.

    Returns:
        The two values, in which everything else is exact; ``None`` where the versions share no task, or where that
        cannot be told.
    """
    before = _listed(old)
    after = _listed(new) if before else None
    if before is None or after is None:
        return None
    head, tail = _common(before.tasks, after.tasks)
    if not head and not tail:
        return None
    middles = [side.tasks[head : len(side.tasks) - tail] for side in (before, after)]
    first = _read(before, middles[0])
    if first is None:
        return None
    if before.before == after.before and before.after == after.after:
        second = _with_tasks(first, after.between.join(middles[1]))
    else:
        second = _read(after, middles[1])
    if second is None:
        return None
    if middles[0] or middles[1]:
        shared = before.tasks[:head] + before.tasks[len(before.tasks) - tail :]
        if not _put_back(shared, head, (epic_body(first), epic_body(second))):
            return None
    return first, second


def _listed(data: bytes) -> _Listed | None:
    """Find the tasks of a text.

    Returns ``None`` where there are none, or where not all are set apart by the same comma and white space.
    """
    try:
        require_shallow(data)
        whole = _decoders()[0].decode(data)
    except ValueError:
        return None
    tasks: list[msgspec.Raw] | None = (whole if whole.epic is None else whole.epic).tasks
    if not tasks:
        return None
    # Only the first task is searched for; the others must follow it. Where the same bytes also stand elsewhere, so that
    # the wrong place was cut, _read finds that out.
    start = data.find(tasks[0])
    end = start + len(memoryview(tasks[0]))
    between = data[end : data.find(tasks[1], end)] if len(tasks) > 1 else b","
    text = between.join(tasks)
    if not data.startswith(b"{", start) or between.strip() != b"," or not data.startswith(text, start):
        return None
    return _Listed(tasks, data[:start], between, data[start + len(text) :])


def _common(old: Sequence[msgspec.Raw], new: Sequence[msgspec.Raw]) -> tuple[int, int]:
    """Return how many tasks two lists have in common at their beginnings, and how many more at their ends."""
    most = min(len(old), len(new))
    head = 0
    while head < most and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < most - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return head, tail


def _read(side: _Listed, tasks: Sequence[msgspec.Raw]) -> dict[str, JSON] | None:
    """Read a text with only some of its tasks.

    Returns ``None`` if the rest cannot be read, or if the tasks that were left out did not stand in the epic's list of
    tasks.
    """
    try:
        value = parse(b"".join((side.before, side.between.join(tasks), side.after)))
    except InvalidJSON:
        return None
    if not isinstance(value, dict):
        return None
    left = epic_body(value).get(Mapping.TASKS)
    return value if isinstance(left, list) and len(left) == len(tasks) else None


def _with_tasks(value: dict[str, JSON], text: bytes) -> dict[str, JSON] | None:
    """Return the value with the tasks of a text that stands in the same place; ``None`` if they cannot be read."""
    body = epic_body(value)
    above = 1 if body is value else 2  # the containers around the list, which count towards the limit of nesting
    try:
        tasks = parse(b"[" * above + b"[" + text + b"]" + b"]" * above)
    except InvalidJSON:
        return None
    for _ in range(above):
        tasks = cast("list[JSON]", tasks)[0]
    other = {**body, Mapping.TASKS: tasks}
    return other if body is value else {**value, WRAPPER: cast("JSON", other)}


def _put_back(shared: Sequence[msgspec.Raw], head: int, bodies: Sequence[dict[str, JSON]]) -> bool:
    """Put the shared tasks, by their id alone, around the tasks that were read.

    Returns ``False`` where the ids do not tell all tasks of each side apart.

    Args:
        shared: the bytes of the shared tasks.
        head: how many of them come before the tasks that were read.
        bodies: the epics that get them.
    """
    decode = _decoders()[1].decode
    try:
        ids = cast("list[JSON]", parse(b"[" + b",".join([decode(task).id for task in shared]) + b"]"))
    except (msgspec.MsgspecError, InvalidJSON):
        return False
    stubs: list[JSON] = [{"id": key} for key in ids]
    known = keyed(stubs)
    if known is None:
        return False
    for body in bodies:
        tasks = cast("list[JSON]", body[Mapping.TASKS])
        own = keyed(tasks) if tasks else {}
        if own is None or not known.keys().isdisjoint(own):
            return False
        body[Mapping.TASKS] = [*stubs[:head], *tasks, *stubs[head:]]
    return True


@cache
def _decoders() -> tuple[msgspec.json.Decoder[Any], msgspec.json.Decoder[Any]]:
    """Return the parser that finds the tasks of a file, and the one that finds the id of a task."""
    tasks = (Mapping.TASKS, list[msgspec.Raw], None)
    body = msgspec.defstruct("Body", [tasks])
    whole = msgspec.defstruct("Whole", [(WRAPPER, body, None), tasks])
    task = msgspec.defstruct("Task", [("id", msgspec.Raw)])
    return msgspec.json.Decoder(whole), msgspec.json.Decoder(task)
