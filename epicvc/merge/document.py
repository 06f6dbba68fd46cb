"""Merge the core of one epic, field by field, by the rules of its mapping."""

from __future__ import annotations

from typing import cast

from epicvc.merge.keyed import merge_keyed, merge_optional
from epicvc.merge.threeway import ABSENT, Context, Triple, Value
from epicvc.merge.values import merge_by_rule
from epicvc.model.document import Core, Tasks, tasks_of
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping, Rule


class DocumentMerge:
    """The merge of epics under one mapping."""

    def __init__(self, mapping: Mapping) -> None:
        self._epic_rules = {field.name: field.rule for field in mapping.epics.core}
        self._task_rules = {field.name: field.rule for field in mapping.tasks.core}
        if mapping.links:
            self._task_rules[mapping.links.field] = Rule.SET

    def merge(self, context: Context, epic: str, base: Core | None, ours: Core | None, theirs: Core | None) -> Triple:
        """Merge one epic; ``None`` is an epic that does not exist there."""
        values = (ABSENT if core is None else cast("Value", core) for core in (base, ours, theirs))
        return merge_optional(self._merge_epic, context, Label(epic), *values)

    def _merge_epic(self, context: Context, label: Label, base: Core, ours: Core, theirs: Core) -> Triple:
        triple = self._merge_fields(self._epic_rules, context, label, base, ours, theirs)
        tasks: tuple[Tasks, Tasks, Tasks] = (tasks_of(base), tasks_of(ours), tasks_of(theirs))
        if any(tasks):
            merged = merge_keyed(self._merge_task, context, label.child(Mapping.TASKS), *tasks)
            for core, side in zip(
                (triple.ours, triple.theirs, triple.base), (merged.ours, merged.theirs, merged.base), strict=True
            ):
                if side:
                    cast("Core", core)[Mapping.TASKS] = cast("list[object]", side)  # type: ignore[assignment]
        return triple

    def _merge_task(self, context: Context, label: Label, base: Core, ours: Core, theirs: Core) -> Triple:
        triple = self._merge_fields(self._task_rules, context, label, base, ours, theirs)
        key = ours["id"]
        return Triple(*({"id": key, **cast("Core", side)} for side in (triple.ours, triple.theirs, triple.base)))

    @staticmethod
    def _merge_fields(
        rules: dict[str, Rule], context: Context, label: Label, base: Core, ours: Core, theirs: Core
    ) -> Triple:
        results: tuple[Core, Core, Core] = ({}, {}, {})
        for name, rule in rules.items():
            values = [core.get(name) for core in (base, ours, theirs)]
            if values == [None, None, None]:
                continue
            triple = merge_by_rule(
                rule, context, label.child(name), *(ABSENT if value is None else value for value in values)
            )
            for result, value in zip(results, (triple.ours, triple.theirs, triple.base), strict=True):
                if value is not ABSENT:
                    result[name] = value
        return Triple(*results)
