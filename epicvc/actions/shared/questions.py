"""Questions about conflicts, in one form for the two sides of a sync and for two branches of a merge.

Open conflicts are offered as a :class:`Dispute`. The resolver, the answers of scripts and the memory of resolutions
depend on nothing else. This module holds values and this one protocol. It finds, decides and writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from msgspec import Struct, field

from epicvc.merge.threeway import ABSENT, Chosen, Conflict, Value
from epicvc.model.labels import Label
from epicvc.model.mapping import Kind, Mapping, Rule
from epicvc.store.objects import ObjectId


class Origin(Struct, frozen=True):
    """The origin of a value: the edit that made it.

    Attributes:
        side: the side of the change, ``files`` or ``db``.
        commit: the first commit with the change; ``None`` while it is uncommitted.
        author: the author of the commit.
        time: the time of the commit, UTC; for an uncommitted file the time of its last writing, if it is known.
    """

    side: str
    commit: ObjectId | None = None
    author: str | None = None
    time: datetime | None = None


class Origins(Struct, frozen=True):
    """The origins of the three values; ``None`` where history does not tell."""

    base: Origin | None = None
    ours: Origin | None = None
    theirs: Origin | None = None


class Spec(Struct, frozen=True):
    """The rules for a field's values: which ones fit, and how two are merged.

    Attributes:
        kind: the kind of its column; ``None`` for a place that is no field of its own (an epic, a task, an order).
        rule: the rule by which it is merged.
    """

    kind: Kind | None = None
    rule: Rule = Rule.SCALAR


class How(StrEnum):
    """The ways in which an answer is chosen."""

    OURS = "ours"
    THEIRS = "theirs"
    BASE = "base"
    BOTH = "both"  # the additions of both sides to a list or a text
    ITEMS = "items"  # chosen item by item, or line by line
    VALUE = "value"  # a value that the user set
    REMEMBERED = "remembered"  # the remembered resolution of the same conflict


class Answer(Struct, frozen=True):
    """The chosen value for a conflict, and the way in which it was chosen."""

    how: How
    chosen: Chosen


class Question(Struct, frozen=True):
    """One conflict with all that a person needs to answer it."""

    conflict: Conflict
    origins: Origins = Origins()
    spec: Spec = Spec()


class ResolveReport(Struct, frozen=True):
    """The settled conflicts, and those that are left.

    Attributes:
        commit: the commit that settling made, if it made one.
        settled: the places that no longer conflict.
        left: the conflicts that are still open.
        replayed: those of the settled places that were answered from memory.
        warning: a failure beside the settling, for people.
        sides: the names of ours and theirs.
        next_step: the next step, for people, if settling is not all.
    """

    commit: ObjectId | None = None
    settled: list[Label] = field(default_factory=list)
    left: list[Conflict] = field(default_factory=list)
    replayed: list[Label] = field(default_factory=list)
    warning: str | None = None
    sides: tuple[str, str] = ("files", "db")
    next_step: str | None = None


class Dispute(Protocol):
    """Open conflicts, and the way to settle them.

    ``ours`` and ``theirs`` are the names of the two for users: ``files`` and ``db``, or ``ours`` and ``theirs``.
    """

    ours: str
    theirs: str

    def conflicts(self) -> list[Conflict]:
        """Return the open conflicts in the order of the questions. They are read anew each time."""

    def spec(self, conflict: Conflict) -> Spec:
        """Return the kind and merge rule of the field of a conflict."""

    def origins(self, conflicts: Sequence[Conflict]) -> list[Origins]:
        """Return the origins of the values of these conflicts, in the same order. It goes through the history."""

    def fit(self, conflict: Conflict, chosen: Chosen) -> Chosen:
        """Return a chosen value as it would be stored.

        Raises:
            InvalidData: the value does not fit the place; nothing was written.
        """

    def settle(self, chosen: Sequence[tuple[Conflict, Chosen]], *, dry_run: bool = False) -> ResolveReport:
        """Settle conflicts in one operation. A conflict that changed since it was seen stays open.

        Raises:
            InvalidData: a value does not fit its place; nothing was written.
        """


def questions_of(dispute: Dispute, conflicts: Sequence[Conflict]) -> list[Question]:
    """Return conflicts with all that is known of them."""
    found = dispute.origins(conflicts)
    return [Question(item, origins, dispute.spec(item)) for item, origins in zip(conflicts, found, strict=True)]


def spec_of(mapping: Mapping, label: Label) -> Spec:
    """Return the kind and merge rule of the field that a label names."""
    path = label.path
    in_task = len(path) > 2 and path[0] == Mapping.TASKS
    if label.table or not path or (path[0] == Mapping.TASKS and not in_task):
        return Spec()
    name, inner = (path[2], path[3:]) if in_task else (path[0], path[1:])
    if in_task and mapping.links and name == mapping.links.field:
        return Spec(Kind.JSON, Rule.SET)
    found = (mapping.tasks if in_task else mapping.epics).by_name.get(name)
    if found is None:
        return Spec()
    return Spec(None, found.rule) if inner else Spec(found.kind, found.rule)


def plain(value: Value) -> Any:
    """Return a value as standard JSON: absence as null, exact decimals as texts."""
    if value is ABSENT:
        return None
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value
