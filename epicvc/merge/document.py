"""Merge the core of one epic, field by field, by the rules of its mapping."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, cast

from msgspec import Struct

from epicvc.base.jsonio import JSON
from epicvc.merge.keyed import merge_keyed, merge_optional
from epicvc.merge.threeway import ABSENT, MergeContext, Triple, Value
from epicvc.merge.values import member, merge_by_rule, merge_keys
from epicvc.model.document import UNAGREED, Core, tasks_of
from epicvc.model.labels import Label, escape
from epicvc.model.mapping import Mapping, Rule

_Agreed: TypeAlias = Callable[[str], bool]
"""Whether the base of a field, absent or not, is something that both sides once agreed on."""

_OF_EPICS = frozenset({"id", Mapping.TASKS, UNAGREED})
"""Members of an epic that are no fields."""


class DocumentMerge:
    """The merge of epics under one mapping."""

    def __init__(self, mapping: Mapping) -> None:
        self._epic_rules = {field.name: field.rule for field in mapping.epics.core}
        self._task_rules = {field.name: field.rule for field in mapping.tasks.core}
        self._links = mapping.links.field if mapping.links else None

    def merge(
        self, context: MergeContext, epic: str, base: Core | None, ours: Core | None, theirs: Core | None
    ) -> Triple:
        """Merge one epic; ``None`` is an epic that does not exist there.

        Args:
            context: what the merge may do; gets the conflicts.
            epic: its id.
            base: the last agreed core, with its note of what was never agreed on (``UNAGREED``), if any.
            ours: one side's core.
            theirs: the other's.

        Returns:
            What the three are afterwards; the base without a note.
        """
        marks: frozenset[str] = frozenset()
        if base is not None and UNAGREED in base:
            marks = frozenset(cast("list[str]", base[UNAGREED]))
            base = {name: value for name, value in base.items() if name != UNAGREED}
        merge = _EpicMerge(self._epic_rules, self._task_rules, self._links, base is not None, marks)
        values = (ABSENT if core is None else cast("Value", core) for core in (base, ours, theirs))
        return merge_optional(merge.epic, context, Label(epic), *values)


class _EpicMerge(Struct, frozen=True):
    """The merge of one epic.

    Attributes:
        epic_rules: its fields and how each is merged.
        task_rules: the same for a task.
        links: the field of a task that is a set of ids.
        known: whether the base has the epic.
        marks: what the base says was never agreed on.
    """

    epic_rules: dict[str, Rule]
    task_rules: dict[str, Rule]
    links: str | None
    known: bool
    marks: frozenset[str]

    def epic(self, context: MergeContext, label: Label, base: Core, ours: Core, theirs: Core) -> Triple:
        """Merge an epic that both sides have."""
        results = _merge_fields(self.epic_rules, _OF_EPICS, self._epic_field, context, label, base, ours, theirs)
        tasks = (tasks_of(base), tasks_of(ours), tasks_of(theirs))
        if any(tasks):
            place = label.child(Mapping.TASKS)
            unplaced = frozenset(key for task in tasks[0] if self._path(key := cast("str", task["id"])) in self.marks)
            merged = merge_keyed(self.task, context, place, *tasks, unplaced=unplaced)
            for core, side in zip(results, (merged.ours, merged.theirs, merged.base), strict=True):
                if side:
                    core[Mapping.TASKS] = cast("JSON", side)
        return Triple(*results)

    def task(self, context: MergeContext, label: Label, base: Core, ours: Core, theirs: Core) -> Triple:
        """Merge a task that both sides have."""
        key = cast("str", ours["id"])
        path = self._path(key) + "/"

        def agreed(name: str) -> bool:
            return "id" in base and path + name not in self.marks

        structure = frozenset({"id", self.links or "id"})
        results = _merge_fields(self.task_rules, structure, agreed, context, label, base, ours, theirs)
        for core in results:
            core["id"] = key
        if self.links:
            values = (member(core, self.links) for core in (base, ours, theirs))
            place = label.child(self.links)
            _put(results, self.links, merge_keys(context, place, *values, agreed=agreed(self.links)))
        return Triple(*results)

    def _epic_field(self, name: str) -> bool:
        return self.known and name not in self.marks

    @staticmethod
    def _path(task: str) -> str:
        return f"{Mapping.TASKS}/{escape(task)}"


def _merge_fields(
    rules: dict[str, Rule],
    structure: frozenset[str],
    agreed: _Agreed,
    context: MergeContext,
    label: Label,
    *cores: Core,
) -> tuple[Core, Core, Core]:
    """Merge the fields of base, ours and theirs; gives those of ours, theirs and base.

    A field without a rule is free-form: what only the files or only the database know of, where a whole document is
    merged and not its core alone. ``structure`` is what is no field.
    """
    results: tuple[Core, Core, Core] = ({}, {}, {})
    for name, rule in _all_rules(rules, structure, cores).items():
        base, ours, theirs = (member(core, name) for core in cores)
        if base is ours and ours is theirs:
            _put(results, name, Triple(ours, theirs, base))
            continue
        if rule is Rule.SET and not agreed(name):
            rule = Rule.SCALAR  # a three-way set merge needs to know what there was
        _put(results, name, merge_by_rule(rule, context, label.child(name), base, ours, theirs))
    return results


def _all_rules(rules: dict[str, Rule], structure: frozenset[str], cores: tuple[Core, ...]) -> dict[str, Rule]:
    free = {name: Rule.OBJECT for core in cores for name in core if name not in rules and name not in structure}
    return {**rules, **free} if free else rules


def _put(results: tuple[Core, Core, Core], name: str, triple: Triple) -> None:
    for core, value in zip(results, (triple.ours, triple.theirs, triple.base), strict=True):
        if value is not ABSENT:
            core[name] = value
