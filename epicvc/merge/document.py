"""Merges the core of one epic, field by field, by the rules of its mapping."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias, cast

from msgspec import Struct

from epicvc.base.jsonio import JSON
from epicvc.merge.keyed import merge_keyed, merge_optional
from epicvc.merge.threeway import ABSENT, MergeContext, Value
from epicvc.merge.values import member, merge_by_rule, merge_keys
from epicvc.merge.versions import Versions
from epicvc.model.document import UNAGREED, Core, tasks_of
from epicvc.model.labels import Label, escape
from epicvc.model.mapping import Mapping, Rule

_Agreed: TypeAlias = Callable[[str], bool]
"""Tells whether both sides once agreed on the base of a field, absent or not."""

_OF_EPICS = frozenset({"id", Mapping.TASKS, UNAGREED})
"""Members of an epic that are no fields."""


class DocumentMerge:
    """The merge of epics under one mapping."""

    def __init__(self, mapping: Mapping) -> None:
        self._epic_rules = {field.name: field.rule for field in mapping.epics.core}
        self._task_rules = {field.name: field.rule for field in mapping.tasks.core}
        self._links = mapping.links.field if mapping.links else None

    def merge(self, context: MergeContext, epic: str, cores: Versions[Core | None]) -> Versions[Value]:
        """Merge one epic; ``None`` is an epic that does not exist there.

        Args:
            context: what the merge may do; gets the conflicts.
            epic: the epic's id.
            cores: the last agreed core, with its note of what was never agreed on (``UNAGREED``), if any; and those
                of both sides.

        Returns:
            The three cores after the merge; the base is without a note.
        """
        base = cores.base
        marks: frozenset[str] = frozenset()
        if base is not None and UNAGREED in base:
            marks = frozenset(cast("list[str]", base[UNAGREED]))
            cores = cores._replace(base={name: value for name, value in base.items() if name != UNAGREED})
        merge = _EpicMerge(self._epic_rules, self._task_rules, self._links, base is not None, marks)
        values = cores.map(lambda core: ABSENT if core is None else cast("Value", core))
        return merge_optional(merge.epic, context, Label(epic), values)


class _EpicMerge(Struct, frozen=True):
    """The merge of one epic.

    Attributes:
        epic_rules: the fields of the epic, with the rule of each.
        task_rules: the fields of a task, with the rule of each.
        links: the field of a task that is a set of ids.
        known: whether the base has the epic.
        marks: the paths that were never agreed on, as the base notes them.
    """

    epic_rules: dict[str, Rule]
    task_rules: dict[str, Rule]
    links: str | None
    known: bool
    marks: frozenset[str]

    def epic(self, context: MergeContext, label: Label, cores: Versions[Core]) -> Versions[Value]:
        """Merge an epic that both sides have."""
        fields = _Fields(self.epic_rules, _OF_EPICS, self._epic_field)
        results = _merge_fields(fields, context, label, cores)
        tasks = cores.map(tasks_of)
        if any(tasks):
            place = label.child(Mapping.TASKS)
            unplaced = frozenset(key for task in tasks.base if self._path(key := cast("str", task["id"])) in self.marks)
            merged = merge_keyed(self.task, context, place, tasks, unplaced=unplaced)
            for core, side in zip(results, merged, strict=True):
                if side:
                    core[Mapping.TASKS] = cast("JSON", side)
        return cast("Versions[Value]", results)

    def task(self, context: MergeContext, label: Label, cores: Versions[Core]) -> Versions[Value]:
        """Merge a task that both sides have."""
        base = cores.base
        key = cast("str", cores.ours["id"])
        path = self._path(key) + "/"

        def agreed(name: str) -> bool:
            return "id" in base and path + name not in self.marks

        structure = frozenset({"id", self.links or "id"})
        results = _merge_fields(_Fields(self.task_rules, structure, agreed), context, label, cores)
        for core in results:
            core["id"] = key
        if (links := self.links) is not None:
            values = cores.map(lambda core: member(core, links))
            _put(results, links, merge_keys(context, label.child(links), values, agreed=agreed(links)))
        return cast("Versions[Value]", results)

    def _epic_field(self, name: str) -> bool:
        return self.known and name not in self.marks

    @staticmethod
    def _path(task: str) -> str:
        return f"{Mapping.TASKS}/{escape(task)}"


class _Fields(NamedTuple):
    """The fields of an epic or of a task.

    Attributes:
        rules: the rule of each field.
        structure: members that are no fields.
        agreed: tells whether the base of a field is something that both sides agreed on.
    """

    rules: dict[str, Rule]
    structure: frozenset[str]
    agreed: _Agreed

    def all(self, cores: Versions[Core]) -> dict[str, Rule]:
        """Return the rule of every field that is there.

        A field without a rule is free-form. It is one that only the files or only the database have, where a whole
        document is merged and not its core alone.
        """
        rules, structure = self.rules, self.structure
        free = {name: Rule.OBJECT for core in cores for name in core if name not in rules and name not in structure}
        return {**rules, **free} if free else rules


def _merge_fields(fields: _Fields, context: MergeContext, label: Label, cores: Versions[Core]) -> Versions[Core]:
    results: Versions[Core] = Versions({}, {}, {})
    base, ours, theirs = cores
    for name, rule in fields.all(cores).items():
        values = Versions(member(base, name), member(ours, name), member(theirs, name))
        if not values.one_object:
            if rule is Rule.SET and not fields.agreed(name):
                rule = Rule.SCALAR  # a three-way merge of sets needs an agreed base
            values = merge_by_rule(rule, context, label.child(name), values)
        _put(results, name, values)
    return results


def _put(results: Versions[Core], name: str, values: Versions[Value]) -> None:
    for core, value in zip(results, values, strict=True):
        if value is not ABSENT:
            core[name] = value
