"""The mapping of fields to columns, with the owner of each field and the rule by which it is merged.

A mapping is a value. The built-in one fits the ``framework_*`` schema; ``epicvc.toml`` changes it
(:func:`epicvc.repo.config.config`). Its canonical bytes are stored with every snapshot, so that an old base is read by
the rules under which it was agreed.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import cached_property
from typing import Any

from msgspec import Struct, convert, to_builtins
from msgspec.structs import replace


class Layer(StrEnum):
    """The owner of a field."""

    CORE = "core"  # both sides
    CALCULATED = "calculated"  # db -> files
    SYSTEM = "system"  # db only
    EXTRA = "extra"  # files only


class Kind(StrEnum):
    """The type of a column's values. It decides how a value is checked, encoded and decoded."""

    TEXT = "text"
    NUMBER = "number"
    BOOL = "bool"
    DATE = "date"
    JSON = "json"


class Rule(StrEnum):
    """The rule by which two changed values of a field are merged (``docs/configuration.md``, "Mapping")."""

    SCALAR = "scalar"
    LIST = "list"
    SET = "set"
    OBJECT = "object"


class Field(Struct, frozen=True):
    """One field and the column that holds it."""

    name: str
    column: str
    kind: Kind = Kind.TEXT
    layer: Layer = Layer.CORE
    rule: Rule = Rule.SCALAR


class TableMap(Struct, frozen=True, dict=True):
    """A table whose rows are epics or tasks.

    Attributes:
        table: the table's name.
        id: the surrogate key, local to one database, that other tables refer to.
        key: the natural key, the ``id`` of the document.
        fields: mapped fields, in the order in which a new file lists them.
        parent: column that holds the surrogate key of the epic (tasks only).
        sequence: column that holds the order among siblings (tasks only).
        deleted_at: column that is filled when a row is deleted, where there is one.
        status: column that says ``deleted`` when a row is deleted, where there is one.
    """

    table: str
    id: str
    key: str
    fields: tuple[Field, ...]
    parent: str | None = None
    sequence: str | None = None
    deleted_at: str | None = "deleted_at"
    status: str | None = "status"

    @cached_property
    def core(self) -> tuple[Field, ...]:
        """The fields that both sides own."""
        return tuple(field for field in self.fields if field.layer is Layer.CORE)

    @cached_property
    def core_columns(self) -> tuple[tuple[str, str, bool, Field], ...]:
        """Each core field as its name, its column, whether it is JSON, and itself: for loops over many rows."""
        return tuple((field.name, field.column, field.kind is Kind.JSON, field) for field in self.core)

    @cached_property
    def calculated(self) -> tuple[Field, ...]:
        """The fields that the database calculates for the files."""
        return tuple(field for field in self.fields if field.layer is Layer.CALCULATED)

    @cached_property
    def by_name(self) -> dict[str, Field]:
        """Core fields by name."""
        return {field.name: field for field in self.core}

    @cached_property
    def by_column(self) -> dict[str, Field]:
        """All mapped fields by column."""
        return {field.column: field for field in self.fields}

    def without(self, names: Iterable[str]) -> TableMap:
        """Return the same table where these fields are not mapped (they become extra)."""
        dropped = frozenset(names)
        return replace(self, fields=tuple(field for field in self.fields if field.name not in dropped))


class LinkMap(Struct, frozen=True):
    """A child table that holds a set of keys per task, as ``task_dependencies`` does."""

    field: str
    table: str
    parent: str
    column: str


class Mapping(Struct, frozen=True, dict=True):
    """The tables and columns that hold documents."""

    epics: TableMap
    tasks: TableMap
    links: LinkMap | None = None

    TASKS = "tasks"
    """The field of an epic that holds its tasks."""

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value from which :meth:`from_json` makes the same mapping."""
        value: dict[str, Any] = to_builtins(self)
        return value

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Mapping:
        """Return the mapping that :meth:`to_json` described.

        Raises:
            ValueError: a value is of another type, or is none of those that there are.
            KeyError: a key is missing.
            TypeError: there is a key that none knows, or no object where one belongs.
        """
        links = value["links"]
        made = cls(_table(value["epics"]), _table(value["tasks"]), LinkMap(**links) if links else None)
        return convert(to_builtins(made), cls)  # constructors take values of any type

    @cached_property
    def task_fields(self) -> tuple[str, ...]:
        """The names of a task's core fields, that of its links included."""
        names = tuple(field.name for field in self.tasks.core)
        return (*names, self.links.field) if self.links else names

    @cached_property
    def epic_fields(self) -> tuple[str, ...]:
        """The names of an epic's core fields, ``tasks`` included."""
        return (*(field.name for field in self.epics.core), self.TASKS)


def _table(value: dict[str, Any]) -> TableMap:
    fields = tuple(
        Field(f["name"], f["column"], Kind(f["kind"]), Layer(f["layer"]), Rule(f["rule"])) for f in value["fields"]
    )
    return TableMap(**{**value, "fields": fields})


def _texts(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, name) for name in names)


def _json(rule: Rule, *names: str) -> tuple[Field, ...]:
    return tuple(Field(name, name, Kind.JSON, Layer.CORE, rule) for name in names)


def _calculated(kind: Kind, *names: str) -> tuple[Field, ...]:
    return tuple(Field(name, name, kind, Layer.CALCULATED) for name in names)


BUILTIN = Mapping(
    epics=TableMap(
        table="framework_epics",
        id="id",
        key="epic_key",
        fields=(
            *_texts("name", "summary"),
            Field("tdd_enabled", "tdd_enabled", Kind.BOOL),
            *_texts("methodology"),
            *_json(Rule.LIST, "goals", "definition_of_done"),
            Field("duration", "duration_description"),
            *_json(Rule.SET, "labels"),
            *_json(Rule.OBJECT, "performance_constraints", "quality_gates", "automation_hooks"),
            *_json(Rule.LIST, "checklist_epic_level"),
            *_calculated(Kind.DATE, "planned_start_date", "planned_end_date"),
            *_calculated(Kind.NUMBER, "calculated_duration_days"),
            *_calculated(Kind.TEXT, "duration_unit"),
            *_calculated(Kind.DATE, "actual_start_date", "actual_end_date"),
        ),
    ),
    tasks=TableMap(
        table="framework_tasks",
        id="id",
        key="task_key",
        parent="epic_id",
        sequence="task_sequence",
        fields=(
            *_texts("title", "tdd_phase", "tdd_skip_reason"),
            Field("estimate_minutes", "estimate_minutes", Kind.NUMBER),
            Field("story_points", "story_points", Kind.NUMBER),
            *_texts("description"),
            *_json(Rule.LIST, "test_specs", "acceptance_criteria", "deliverables"),
            Field("branch", "github_branch"),
            *_json(Rule.LIST, "files_touched", "test_plan"),
            *_texts("risk", "mitigation"),
            *_json(Rule.SET, "priority_tags"),
        ),
    ),
    links=LinkMap("dependencies", "task_dependencies", "task_id", "depends_on_task_key"),
)
"""The mapping of the ``framework_*`` schema."""
