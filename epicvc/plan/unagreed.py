"""The note in a base of the places that were never agreed on (:data:`epicvc.model.document.UNAGREED`).

A base can only say which values were agreed on. It has nothing for a field, or a task's place, on which the sides never
agreed. It also has nothing where both agreed on absence. Without the note a value in the database that equals its
column's default would read as absent from then on (:func:`epicvc.model.document.settle`), a set would be merged against
nothing, and a task would seem to have moved on one side only: the conflict would settle itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from msgspec import Struct

from epicvc.base.jsonio import JSON
from epicvc.merge.threeway import Conflict
from epicvc.model.document import UNAGREED, Core, tasks_of
from epicvc.model.labels import Label, Selection, escape, unescape
from epicvc.model.mapping import Mapping


class Notes(Struct, frozen=True):
    """Makes the note of one epic's new base.

    Attributes:
        label: the epic.
        selection: the places that the plan was about; notes on other places stay.
        before: the old base, with its note.
        conflicts: the conflicts that the plan left undecided.
    """

    label: Label
    selection: Selection
    before: Core | None
    conflicts: Iterable[Conflict]

    def note(self, base: Core, files: Core | None, db: Core | None) -> Core:
        """Return the new base with its note, given the cores that both sides have from now on."""
        if self.before is None and base is files and base is db:
            return base  # one side had the epic, and it is taken whole
        old = _marks(self.before)
        known, ours, theirs = (_by_id(core) for core in (self.before, files, db))
        found = {path for path in old if not self.selection.selects(self._label(path))}
        found.update(_open_fields("", base, self.before, db or {}, old))
        disputed = frozenset() if self._in_order(list(ours), list(theirs)) else ours.keys() & theirs.keys()
        for key, task in _by_id(base).items():
            path = f"{Mapping.TASKS}/{escape(key)}"
            found.update(_open_fields(path + "/", task, known.get(key), theirs.get(key, {}), old))
            if key in disputed and (key not in known or path in old):
                found.add(path)
        return {**base, UNAGREED: cast("JSON", sorted(found))} if found else base

    def _label(self, path: str) -> Label:
        return Label(self.label.root, tuple(map(unescape, path.split("/"))))

    def _in_order(self, ours: list[str], theirs: list[str]) -> bool:
        """Tell whether nothing is open about the order of the tasks that both sides have."""
        label = self.label.child(Mapping.TASKS)
        if self.selection.selects(label) and all(conflict.label != label for conflict in self.conflicts):
            return True
        common = set(ours) & set(theirs)
        return [key for key in ours if key in common] == [key for key in theirs if key in common]


def _open_fields(path: str, base: Core, before: Core | None, db: Core, marks: frozenset[str]) -> list[str]:
    """Return the fields that the database has and the base lacks, without those whose absence was agreed on."""
    missing = (name for name in db if name not in base and name != Mapping.TASKS)
    return [path + name for name in missing if before is None or name in before or path + name in marks]


def _marks(base: Core | None) -> frozenset[str]:
    return frozenset(cast("list[str]", (base or {}).get(UNAGREED) or []))


def _by_id(core: Core | None) -> dict[str, Core]:
    return {cast("str", task["id"]): task for task in tasks_of(core or {})}
