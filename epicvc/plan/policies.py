"""Policies, which settle conflicts without a person: one for all, and others for single fields and kinds of lists.

The values do not tell which one is newer. A caller that can tell gives :class:`Policies` a decision for
``newest_wins``. Without evidence that decision is none, and the conflict stays.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from epicvc.model.mapping import BUILTIN, Mapping, Rule

if TYPE_CHECKING:
    from epicvc.merge.threeway import Chosen, Conflict, Decide
    from epicvc.model.labels import Label

POLICIES: Final = ("manual", "json_wins", "database_wins", "newest_wins")
"""Policies for all conflicts."""

NEVER_AUTO: Final = "never-auto"
FIELD_POLICIES: Final = (*POLICIES, NEVER_AUTO)
"""Policies for one field or one kind of list. ``never-auto``: not merged inside either, and decided by nobody else."""

KINDS: Final = ("list", "set", "tasks")
"""Kinds of lists: ordered ones, those without an order, and the list of tasks with its order and its members."""

_KIND_OF: Final = {Rule.LIST: "list", Rule.SET: "set"}


class Policies(Struct, frozen=True):
    """The policies of a repo.

    Attributes:
        overall: the policy for places that have no other one.
        fields: policies by field, as ``("summary",)`` or ``("tasks", "title")``; they hold for all below the field.
        kinds: policies by kind of list.
        mapping: tells of which kind a field is.
    """

    overall: str = "manual"
    fields: MappingABC[tuple[str, ...], str] = field(default_factory=dict)
    kinds: MappingABC[str, str] = field(default_factory=dict)
    mapping: Mapping = BUILTIN

    def of(self, label: Label) -> str:
        """Return the policy for a place: that of its field, else that of its kind, else the one for all."""
        return self._own(label) or self.overall

    def whole(self, label: Label) -> bool:
        """Tell whether a place is never merged inside."""
        return self._own(label) == NEVER_AUTO

    def decide(self, newest: Decide | None = None) -> Decide:
        """Return the function that decides a conflict by the policies.

        Args:
            newest: decides by what is newer, and gives the evidence as its reason.
        """
        # commands that read the configuration and merge nothing need not import it
        from epicvc.merge.threeway import Chosen

        def decide(conflict: Conflict) -> Chosen | None:
            name = self.of(conflict.label)
            if name == "json_wins":
                return Chosen(conflict.ours, "json_wins took the files' value")
            if name == "database_wins":
                return Chosen(conflict.theirs, "database_wins took the database's value")
            return newest(conflict) if newest is not None and name == "newest_wins" else None

        return decide

    def decide_between_branches(self, newest: Decide | None = None) -> Decide:
        """Return the function that decides a conflict between two branches by the policies.

        Neither branch is the files or the database, so only ``newest_wins`` decides.
        """

        def decide(conflict: Conflict) -> Chosen | None:
            return newest(conflict) if newest is not None and self.of(conflict.label) == "newest_wins" else None

        return decide

    def _own(self, label: Label) -> str | None:
        if label.table or not (self.fields or self.kinds):
            return None
        tasks, path = Mapping.TASKS, label.path
        names = (tasks, *path[2:]) if path[:1] == (tasks,) else path
        for length in range(len(names), 0, -1):
            found = self.fields.get(names[:length])
            if found:
                return found
        return self.kinds.get(self._kind(names) or "")

    def _kind(self, names: tuple[str, ...]) -> str | None:
        mapping, links = self.mapping, self.mapping.links
        if names == (Mapping.TASKS,):
            return "tasks"
        in_task = names[:1] == (Mapping.TASKS,)
        name = names[1] if in_task else names[0] if names else ""
        if in_task and links is not None and name == links.field:
            return "set"
        spec = (mapping.tasks if in_task else mapping.epics).by_name.get(name)
        return _KIND_OF.get(spec.rule) if spec else None


def decide_by_policy(name: str) -> Decide:
    """Return the decision of one policy for every conflict.

    ``newest_wins`` decides none, since there is no evidence.

    Raises:
        ValueError: no policy has this name.
    """
    if name not in POLICIES:
        raise ValueError(f"conflict policy {name!r} is none of {', '.join(POLICIES)}")
    return Policies(name).decide()
