"""Edits that one side made to what it alone has of an epic, where the other side deleted the epic or a task. Pure.

A plan merges cores. A core has neither keys without a column nor columns without a field, so an edit of one of these
would go unseen where the other side deletes the epic or the task. :class:`Owned` puts such edits beside the core for as
long as the plan is made: a deletion here and an edit there are then one conflict, as they are between branches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, cast

from msgspec import Struct, field

from epicvc.base.jsonio import JSON
from epicvc.merge.threeway import Value
from epicvc.model.document import Core, tasks_of
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping as Document

BeforeAndNow: TypeAlias = "tuple[Core, Core]"
"""Edited members by name, as they were and as they are now; empty where there is nothing."""


class Owned(Struct, frozen=True):
    """The edits that a side made to members of an epic that the other side does not have.

    Attributes:
        epic: the edits of the epic's own members.
        tasks: the edits of each task's members, by the task's id.
    """

    epic: BeforeAndNow = ({}, {})
    tasks: Mapping[str, BeforeAndNow] = field(default_factory=dict)

    def beside_base(self, core: Core | None) -> Core | None:
        """Return the agreed core with the edited members as they were."""
        return self._beside(core, 0)

    def beside(self, core: Core | None) -> Core | None:
        """Return the core of the side that made the edits, with the edited members as they are now."""
        return self._beside(core, 1)

    def _beside(self, core: Core | None, number: int) -> Core | None:
        if core is None:
            return None
        whole = {**core, **self.epic[number]}
        if self.tasks and Document.TASKS in core:
            none: BeforeAndNow = ({}, {})
            tasks = [{**task, **self.tasks.get(cast("str", task["id"]), none)[number]} for task in tasks_of(core)]
            whole[Document.TASKS] = cast("JSON", tasks)
        return whole


def core_only(core: Core | None, mapping: Document) -> Core | None:
    """Return the core of an epic without the members that stood beside it."""
    if core is None:
        return None
    names = {*mapping.epic_fields}
    result = {name: member for name, member in core.items() if name in names}
    if tasks := tasks_of(core):
        result[Document.TASKS] = cast("JSON", [_core_of_task(task, mapping) for task in tasks])
    return result


def core_at(label: Label, value: Value, mapping: Document) -> Value:
    """Return the value of a conflict about an epic or a task without the members that stood beside the core.

    The value of any other conflict is returned as it is.
    """
    if not isinstance(value, dict) or label.table:
        return value
    if not label.path:
        return cast("JSON", core_only(value, mapping))
    if label.path[:-1] == (Document.TASKS,):
        return cast("JSON", _core_of_task(value, mapping))
    return value


def _core_of_task(task: Core, mapping: Document) -> Core:
    inner = {*mapping.task_fields, "id"}
    return {name: member for name, member in task.items() if name in inner}
