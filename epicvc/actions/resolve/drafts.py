"""Answers that were chosen but not applied yet. They are stored, so that ``resolve`` can be left and resumed.

An answer counts only for the conflict for which it was given. If base, ours or theirs changed since, the answer is
dropped, since nobody has seen the new values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from epicvc.actions.shared import privatefile
from epicvc.actions.shared.privatefile import pack, unpack
from epicvc.actions.shared.questions import Answer, How
from epicvc.base.fileio import remove_file
from epicvc.base.jsonio import JSON
from epicvc.merge.threeway import Chosen, Conflict, same
from epicvc.model.labels import Label

FILE: Final = "resolve.json"
VERSION: Final = 1
_SIDES: Final = ("base", "ours", "theirs")


class Drafts:
    """The stored answers of one repo that are not applied yet.

    Args:
        private: the repo's private directory.
        others: the open conflicts that are not shown now; their answers are not changed.
    """

    def __init__(self, private: Path, others: Iterable[Conflict] = ()) -> None:
        self._private = private
        self._path = private / FILE
        self._others = frozenset(str(conflict.label) for conflict in others)

    def load(self, conflicts: Iterable[Conflict]) -> tuple[dict[Label, Answer], int]:
        """Return the answers to these conflicts, and the number of dropped answers.

        An answer is dropped if its conflict is gone or changed.
        """
        known = {label: entry for label, entry in self._entries().items() if label not in self._others}
        found = {}
        for conflict in conflicts:
            answer = _read(known.get(str(conflict.label)), conflict)
            if answer is not None:
                found[conflict.label] = answer
        return found, len(known) - len(found)

    def save(self, conflicts: Iterable[Conflict], answers: Mapping[Label, Answer]) -> None:
        """Store the answers to these conflicts and keep those to the others. All other answers are removed.

        Raises:
            FileUnavailable: the file cannot be written; the answers stored before stay.
        """
        entries = {label: entry for label, entry in self._entries().items() if label in self._others}
        entries |= {
            str(conflict.label): _write(conflict, answers[conflict.label])
            for conflict in conflicts
            if conflict.label in answers
        }
        if entries:
            privatefile.save(self._path, {"version": VERSION, "answers": entries}, self._private)
        else:
            remove_file(self._path)

    def _entries(self) -> dict[str, JSON]:
        value = privatefile.load(self._path)
        if not isinstance(value, dict) or value.get("version") != VERSION:
            return {}
        entries = value.get("answers")
        return entries if isinstance(entries, dict) else {}


def _write(conflict: Conflict, answer: Answer) -> JSON:
    sides: dict[str, JSON] = {name: pack(getattr(conflict, name)) for name in _SIDES}
    return {**sides, "how": answer.how.value, "value": pack(answer.chosen.value)}


def _read(entry: JSON, conflict: Conflict) -> Answer | None:
    if not isinstance(entry, dict):
        return None
    try:
        seen = [unpack(entry.get(name)) for name in _SIDES]
        answer = Answer(How(str(entry.get("how"))), Chosen(unpack(entry.get("value"))))
    except ValueError:
        return None
    now = (conflict.base, conflict.ours, conflict.theirs)
    return answer if all(map(same, seen, now)) else None
