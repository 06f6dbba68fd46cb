"""The three-way rule for one value, and the way of the outcome into each of the two copies.

A merge has three results, not one: ours, theirs and the base *afterwards*. A value that merges goes to all that the
direction allows to change. Where it conflicts, each copy keeps its own and the base stays. So the conflict can be
derived again by anyone at any time, and nothing has to be stored about it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, Flag, auto
from typing import Final, Literal, TypeAlias, TypeVar

from msgspec import Struct, field

from epicvc.base.jsonio import JSON, equal
from epicvc.errors import UsageError
from epicvc.merge.versions import Versions
from epicvc.model.labels import Label


class _Absent(Enum):
    ABSENT = "absent"

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent.ABSENT
"""No value here: the field, item or document does not exist. JSON null is absent before it gets here."""

Value: TypeAlias = "JSON | Literal[_Absent.ABSENT]"

T = TypeVar("T")


class Direction(Flag):
    """The copies that may change."""

    TO_OURS = auto()
    TO_THEIRS = auto()
    BOTH = TO_OURS | TO_THEIRS


def agree(direction: Direction, values: Versions[T], merged: T) -> Versions[T]:
    """Give a merged value to the copies that may change.

    A copy that may not change has become the base: all that it says is in the merged value, so what the other copy has
    beyond it is that copy's change.
    """
    if direction == Direction.BOTH:
        return Versions(merged, merged, merged)
    if direction == Direction.TO_OURS:
        return Versions(values.theirs, merged, values.theirs)
    return Versions(values.ours, values.ours, merged)


class Chosen(Struct, frozen=True):
    """The decision of a policy or a person for a conflict. Two are equal that decided alike, whatever their reasons.

    Attributes:
        value: the value that the place gets.
        reason: the policy that decided and why, for reports; empty where a person decided.
    """

    value: Value
    reason: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Chosen) and type(other) is type(self) and other.value == self.value

    def __hash__(self) -> int:
        return hash(self.value)


class Conflict(Struct, frozen=True):
    """A place where base, ours and theirs all differ and no rule merges them."""

    label: Label
    base: Value
    ours: Value
    theirs: Value


Decide: TypeAlias = Callable[[Conflict], "Chosen | None"]


def undecided(_: Conflict) -> Chosen | None:
    """Decide nothing: the manual policy, which leaves every conflict to a person."""
    return None


PREFERENCES: Final = ("ours", "theirs", "base")


def preferring(side: str | None) -> Decide:
    """Return the decision that takes one version's value for every conflict.

    Without a version it decides nothing.

    Raises:
        UsageError: there is no such version.
    """
    if side is None:
        return undecided
    if side not in PREFERENCES:
        raise UsageError(f"--prefer takes {', '.join(PREFERENCES)}, not {side!r}")
    return lambda conflict: Chosen({"ours": conflict.ours, "theirs": conflict.theirs, "base": conflict.base}[side])


class MergeContext(Struct):
    """The freedom of one merge, and the conflicts that it finds.

    Attributes:
        direction: which copies may change.
        selects: whether a place belongs to this merge; others stay as they are, base included.
        touches: whether a place, or anything above or below it, belongs to this merge.
        decide: settles a conflict, or not.
        whole: whether a place is never merged inside: what both sides changed is a conflict.
        conflicts: filled while merging.
        decided: conflicts that were decided, filled while merging.
    """

    direction: Direction = Direction.BOTH
    selects: Callable[[Label], bool] = lambda _: True
    touches: Callable[[Label], bool] = lambda _: True
    decide: Decide = undecided
    whole: Callable[[Label], bool] = lambda _: False
    conflicts: list[Conflict] = field(default_factory=list)
    decided: list[tuple[Conflict, Chosen]] = field(default_factory=list)

    def agree(self, values: Versions[Value], merged: Value) -> Versions[Value]:
        """Give the merged value to the copies that may change."""
        return agree(self.direction, values, merged)

    def choose(self, label: Label, values: Versions[Value]) -> Chosen | None:
        """Return what is decided for a conflict; an undecided one is reported."""
        conflict = Conflict(label, *values)
        chosen = self.decide(conflict)
        if chosen is None:
            self.conflicts.append(conflict)
        else:
            self.decided.append((conflict, chosen))
        return chosen

    def settle(self, label: Label, values: Versions[Value]) -> Versions[Value]:
        """Give a conflict the value that was decided; else leave it as it is and report it."""
        chosen = self.choose(label, values)
        return values if chosen is None else self.agree(values, chosen.value)


def same(one: Value, other: Value) -> bool:
    """Tell whether two values are equal, absence included."""
    if one is ABSENT or other is ABSENT:
        return one is other
    return one is other or equal(one, other)


def merge_scalar(context: MergeContext, label: Label, values: Versions[Value]) -> Versions[Value]:
    """Merge any value as a whole: where one side alone changed it, its value is taken."""
    if not context.selects(label):
        return values
    base, ours, theirs = values
    if same(ours, theirs) or same(theirs, base):
        return context.agree(values, ours)
    if same(ours, base):
        return context.agree(values, theirs)
    return context.settle(label, values)
