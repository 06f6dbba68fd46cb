"""The option ``resolve --from``: reads the answers of a script from JSON.

The listing that ``resolve --json`` prints is the form to fill in. A conflict is answered by a ``take`` (a side, or
both), by ``pieces`` (one such choice for each overlap of a list or text) or by a ``value``; the others stay open. If an
answer repeats base, ours or theirs, the value must be the current one. The module reads and checks the answers. It
settles nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from epicvc.actions.resolve.choices import take, take_pieces
from epicvc.actions.shared.questions import Dispute, How, plain
from epicvc.base.jsonio import JSON, equal, parse
from epicvc.errors import InvalidData, NotFound, UsageError
from epicvc.merge.threeway import ABSENT, Chosen, Conflict
from epicvc.model.labels import parse_label

FORMAT: Final = "epicvc.merge/1"
_SIDES: Final = ("base", "ours", "theirs")
_WAYS: Final = ("take", "pieces", "value")


class InvalidAnswers(InvalidData):
    """An answer file has a form or a value that is not allowed."""

    kind = "invalid_answers"

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}", hint="fill in what `epicvc resolve --json` prints")
        self.source, self.reason = source, reason


def side_named(dispute: Dispute, name: str) -> How:
    """Return the choice that a word stands for.

    Raises:
        UsageError: the word is neither a side nor ``base`` nor ``both``.
    """
    words = {"ours": How.OURS, "theirs": How.THEIRS, "base": How.BASE, "both": How.BOTH}
    words |= {dispute.ours: How.OURS, dispute.theirs: How.THEIRS}
    if name not in words:
        raise UsageError(f"{name!r} is none of {dispute.ours}, {dispute.theirs}, base and both")
    return words[name]


class Answers:
    """The answers of a script.

    Attributes:
        chosen: the conflicts with their answers.
        stale: the conflicts whose values changed since the script saw them; they stay open.
    """

    def __init__(self) -> None:
        self.chosen: list[tuple[Conflict, Chosen]] = []
        self.stale: list[Conflict] = []


def read_answers(data: bytes, source: str, dispute: Dispute, conflicts: Sequence[Conflict]) -> Answers:
    """Read answers for open conflicts.

    Args:
        data: the bytes of the JSON.
        source: the name of its file, for messages.
        dispute: names the sides.
        conflicts: the open ones.

    Raises:
        InvalidJSON: the bytes are no JSON.
        InvalidAnswers: the JSON has another form, or answers that contradict each other.
        NotFound: an answer names no open conflict.
    """
    reader = _Reader(source, dispute, {str(conflict.label): conflict for conflict in conflicts})
    return reader.read(parse(data, source=source))


class _Reader:
    def __init__(self, source: str, dispute: Dispute, conflicts: dict[str, Conflict]) -> None:
        self._source = source
        self._dispute = dispute
        self._conflicts = conflicts
        self._answers = Answers()

    def read(self, value: JSON) -> Answers:
        if not isinstance(value, dict) or not isinstance(value.get("conflicts"), list):
            raise self._invalid('an object with a list "conflicts" is expected')
        if value.get("format", FORMAT) != FORMAT:
            raise self._invalid(f'"format" is not {FORMAT}')
        entries = value["conflicts"]
        assert isinstance(entries, list)  # checked above
        seen: set[str] = set()
        for number, entry in enumerate(entries):
            if not isinstance(entry, dict) or not isinstance(entry.get("label"), str):
                raise self._invalid(f'conflict {number + 1} has no "label"')
            label = str(parse_label(str(entry["label"])))
            if label in seen:
                raise self._invalid(f"{label} stands there twice")
            seen.add(label)
            self._entry(label, entry)
        otherwise = value.get("otherwise")
        if otherwise is not None:
            how = self._side(otherwise, "otherwise")
            told = {conflict.label for conflict, _ in self._answers.chosen}
            told.update(conflict.label for conflict in self._answers.stale)
            left = [found for found in self._conflicts.values() if found.label not in told]
            self._answers.chosen += [(found, take(found, how)) for found in left]
        return self._answers

    def _entry(self, label: str, entry: dict[str, JSON]) -> None:
        ways = [name for name in _WAYS if name in entry]
        if not ways:
            return
        if len(ways) > 1:
            raise self._invalid(f"{label} has both {ways[0]} and {ways[1]}")
        conflict = self._conflicts.get(label)
        if conflict is None:
            raise NotFound(f"{label} is no conflict", hint="see `epicvc resolve --json`")
        if not self._still(conflict, entry):
            self._answers.stale.append(conflict)
            return
        choose: dict[str, Callable[[], Chosen]] = {
            "take": lambda: take(conflict, self._side(entry["take"], label)),
            "pieces": lambda: take_pieces(conflict, self._pieces(entry["pieces"], label)),
            "value": lambda: Chosen(ABSENT if entry["value"] is None else entry["value"]),
        }
        self._answers.chosen.append((conflict, choose[ways[0]]()))

    def _still(self, conflict: Conflict, entry: dict[str, JSON]) -> bool:
        """Return whether the values that the script saw are the current ones.

        Values that it does not repeat do not count.
        """
        names = {"ours": ("ours", self._dispute.ours), "theirs": ("theirs", self._dispute.theirs), "base": ("base",)}
        for side in _SIDES:
            now = getattr(conflict, side)
            for name in names[side]:
                if name in entry and not (
                    equal(entry[name], plain(now)) or (now is not ABSENT and equal(entry[name], now))
                ):
                    return False
        return True

    def _pieces(self, value: JSON, label: str) -> list[How]:
        if not isinstance(value, list):
            raise self._invalid(f'{label}: "pieces" is not a list')
        return [self._side(item, label) for item in value]

    def _side(self, value: JSON, label: str) -> How:
        if not isinstance(value, str):
            raise self._invalid(f"{label}: a side is a text")
        return side_named(self._dispute, value)

    def _invalid(self, reason: str) -> InvalidAnswers:
        return InvalidAnswers(self._source, reason)
