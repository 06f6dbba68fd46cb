"""What is asked when something conflicts: one value for the two sides of a sync and for two branches of a merge.

Whoever has open conflicts offers them as a :class:`Dispute`; the resolver, the scripts' answers and the memory of
former resolutions know nothing else. This module holds values and that one seam; it finds, decides and writes nothing.
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
    """Who made a value what it is.

    Attributes:
        side: where it was changed, ``files`` or ``db``.
        commit: the commit that has the change first; ``None`` while it lies uncommitted in a working copy.
        author: that commit's author.
        time: that commit's time, UTC; for an uncommitted file when it was last written, where that is known.
    """

    side: str
    commit: ObjectId | None = None
    author: str | None = None
    time: datetime | None = None


class Origins(Struct, frozen=True):
    """Who made the three values; ``None`` where history does not say."""

    base: Origin | None = None
    ours: Origin | None = None
    theirs: Origin | None = None


class Spec(Struct, frozen=True):
    """How a field's values are: what fits, and how two are merged.

    Attributes:
        kind: what its column holds; ``None`` for a place that is no field of its own (an epic, a task, an order).
        rule: how it is merged.
    """

    kind: Kind | None = None
    rule: Rule = Rule.SCALAR


class How(StrEnum):
    """How an answer came about."""

    OURS = "ours"
    THEIRS = "theirs"
    BASE = "base"
    BOTH = "both"  # what either side added to a list or a text
    ITEMS = "items"  # chosen item by item, or line by line
    VALUE = "value"  # a value of one's own
    REMEMBERED = "remembered"  # as it was settled before


class Answer(Struct, frozen=True):
    """What a conflict shall be settled by, and how that was chosen."""

    how: How
    chosen: Chosen


class Question(Struct, frozen=True):
    """One conflict as a person is asked about it."""

    conflict: Conflict
    origins: Origins = Origins()
    spec: Spec = Spec()


class ResolveReport(Struct, frozen=True):
    """What was settled and what is left.

    Attributes:
        commit: the commit that settling made, if any.
        settled: the places that conflict no longer.
        left: the conflicts that are still open.
        replayed: those of the settled that were answered as they were before.
        warning: what did not work beside the settling, for people.
        sides: what ours and theirs are called.
        next_step: what to do now, for people, where settling is not all.
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

    ``ours`` and ``theirs`` are what users call the two: ``files`` and ``db``, or ``ours`` and ``theirs``.
    """

    ours: str
    theirs: str

    def conflicts(self) -> list[Conflict]:
        """The open conflicts, in the order in which they are asked; looked up anew each time."""

    def spec(self, conflict: Conflict) -> Spec:
        """How the field of a conflict is stored and merged."""

    def origins(self, conflicts: Sequence[Conflict]) -> list[Origins]:
        """Who made the values of these conflicts, in the same order; goes through the history."""

    def fit(self, conflict: Conflict, chosen: Chosen) -> Chosen:
        """A chosen value as it would be stored.

        Raises:
            InvalidData: it does not fit the place; nothing was written.
        """

    def settle(self, chosen: Sequence[tuple[Conflict, Chosen]], *, dry_run: bool = False) -> ResolveReport:
        """Settle conflicts in one operation; one that is no longer as it was seen stays open.

        Raises:
            InvalidData: a value does not fit its place; nothing was written.
        """


def questions_of(dispute: Dispute, conflicts: Sequence[Conflict]) -> list[Question]:
    """Conflicts with all that is known of them."""
    found = dispute.origins(conflicts)
    return [Question(item, origins, dispute.spec(item)) for item, origins in zip(conflicts, found, strict=True)]


def spec_of(mapping: Mapping, label: Label) -> Spec:
    """How the field that a label names is stored and merged."""
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
    """A value as standard JSON can carry it: absence as null, exact decimals as texts."""
    if value is ABSENT:
        return None
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value
