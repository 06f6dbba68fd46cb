"""Edits that one side made to what it alone has of an epic, where the other side deleted the epic or a task. Pure.

A plan merges cores, and a core has nothing of a key without a column or of a column without a field. So an edit of one
of these would go unseen where the other side deletes the epic or the task. :class:`Owned` puts such edits beside the
core for as long as the plan is made: deleted here and edited there is then one conflict, as it is between branches.
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
    """Edits of what the side that still has an epic, or some of its tasks, has for itself.

    Attributes:
        epic: the edits of the epic's own members.
        tasks: those of each task, by id.
    """

    epic: BeforeAndNow = ({}, {})
    tasks: Mapping[str, BeforeAndNow] = field(default_factory=dict)

    def beside_base(self, core: Core | None) -> Core | None:
        """The agreed core with what was edited, as it was."""
        return self._beside(core, 0)

    def beside(self, core: Core | None) -> Core | None:
        """The core of the side that has the edits, with them."""
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
    """The core of an epic without what stood beside it."""
    if core is None:
        return None
    names = {*mapping.epic_fields}
    result = {name: member for name, member in core.items() if name in names}
    if tasks := tasks_of(core):
        result[Document.TASKS] = cast("JSON", [_core_of_task(task, mapping) for task in tasks])
    return result


def core_at(label: Label, value: Value, mapping: Document) -> Value:
    """A value of a conflict without what stood beside the core: that of an epic, or of a task."""
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
