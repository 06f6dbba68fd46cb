"""The memory of resolutions: a conflict that is met again is settled as before.

A conflict is the same if the shape of its label (the label without its epic and task), its base, its ours and its
theirs are the same; ours and theirs may have changed places. A resolution is void while no ref reaches its commit: it
was undone, and may be redone. Each resolution has a file of its own, so that no two commands write the same file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from msgspec import Struct

from epicvc.actions.shared import privatefile
from epicvc.actions.shared.privatefile import pack, unpack
from epicvc.base.fileio import remove_file
from epicvc.base.jsonio import JSON, dumps_canonical
from epicvc.errors import EpicvcError
from epicvc.merge.threeway import Chosen, Conflict, Decide
from epicvc.model.labels import Label, parse_label
from epicvc.model.mapping import Mapping
from epicvc.repo.history.objects import format_time
from epicvc.repo.history.revisions import SYMBOLIC
from epicvc.repo.repository import Repo
from epicvc.store.objects import ObjectId

DIRECTORY: Final = "resolutions"
VERSION: Final = 1

_NAME: Final = re.compile("[0-9a-f]{64}")
"""The file name of a resolution."""


class Remembered(Struct, frozen=True):
    """A resolution of a conflict.

    Attributes:
        label: the place of the conflict.
        chosen: the chosen value.
        author: the author of the resolution.
        time: its time, UTC.
        commit: the commit that settled the conflict; ``None`` if it made no commit of its own.
    """

    label: Label
    chosen: Chosen
    author: str
    time: datetime
    commit: ObjectId | None

    @property
    def reason(self) -> str:
        """The author, place and day of the resolution, for reports."""
        return f"as {self.author} settled it at {self.label}, {self.time:%Y-%m-%d}; resolve --forget forgets that"


class Replayed(Chosen, frozen=True):
    """A remembered decision of the same conflict."""


def shape(label: Label) -> str:
    """Return a label without the names that tell one document, task or row from another."""
    if label.table:
        return str(Label(label.root, ("*", *label.path[1:]), table=True))
    task = label.path[:1] == (Mapping.TASKS,) and len(label.path) > 1
    path = (Mapping.TASKS, "*", *label.path[2:]) if task else label.path
    return str(Label("*", path))


def _key(conflict: Conflict, *, swapped: bool = False) -> str:
    sides = (conflict.theirs, conflict.ours) if swapped else (conflict.ours, conflict.theirs)
    parts: list[JSON] = [shape(conflict.label), pack(conflict.base), *map(pack, sides)]
    return hashlib.sha256(dumps_canonical(parts)).hexdigest()


class Memory:
    """The remembered resolutions of one repo."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._directory: Path = repo.config.private / DIRECTORY
        self._reached: set[ObjectId] | None = None

    def recall(self, conflict: Conflict) -> Remembered | None:
        """Return the standing resolution of the same conflict, or ``None`` if there is none or it was undone."""
        if not self._is_there():
            return None
        for swapped in (False, True):
            found = _read(privatefile.load(self._directory / _key(conflict, swapped=swapped)))
            if found is not None and self._stands(found.commit):
                return found
        return None

    def remember(self, settled: Iterable[tuple[Conflict, Chosen]], commit: ObjectId | None) -> None:
        """Remember the resolutions of conflicts.

        Raises:
            FileUnavailable: a resolution could not be written. The conflicts stay settled.
        """
        for conflict, chosen in settled:
            entry: JSON = {
                "version": VERSION,
                "label": str(conflict.label),
                "value": pack(chosen.value),
                "author": self._repo.author,
                "time": format_time(self._repo.now()),
                "commit": commit.hex() if commit else None,
            }
            privatefile.save(self._directory / _key(conflict), entry, self._repo.config.private)

    def forget(self, labels: Sequence[Label] = (), *, dry_run: bool = False) -> list[Label]:
        """Forget all resolutions, or those at or below some labels. Return their places."""
        forgotten = []
        for path in self._entries():
            found = _read(privatefile.load(path))
            if not labels or (found and any(label.covers(found.label) for label in labels)):
                if not dry_run:
                    remove_file(path)
                forgotten += [found.label] if found else []
        return sorted(forgotten)

    def _is_there(self) -> bool:
        """Return whether there may be resolutions. A directory behind a symlink is not ours, and is not read."""
        return self._directory.is_dir() and not self._directory.is_symlink()

    def _entries(self) -> list[Path]:
        """Return the files that are resolutions by their names. No other file there is read or removed."""
        if not self._is_there():
            return []
        return sorted(path for path in self._directory.iterdir() if _NAME.fullmatch(path.name))

    def deciding(self, otherwise: Decide, never: Callable[[Label], bool] = lambda _: False) -> Decide:
        """Return a function that settles conflicts by a policy, and from memory those that the policy leaves open.

        Args:
            otherwise: the policy.
            never: returns whether only a person settles a place.
        """

        def decide(conflict: Conflict) -> Chosen | None:
            chosen = otherwise(conflict)
            if chosen is not None or never(conflict.label):
                return chosen
            found = self.recall(conflict)
            return Replayed(found.chosen.value, found.reason) if found is not None else None

        return decide

    def _stands(self, commit: ObjectId | None) -> bool:
        if commit is None:
            return True
        if self._reached is None:
            values = self._repo.store.refs().values()
            starts = [bytes.fromhex(value) for value in values if not value.startswith(SYMBOLIC)]
            self._reached = {found.id for found in self._repo.revisions.history(starts)}
        return commit in self._reached


def _read(entry: JSON) -> Remembered | None:
    if not isinstance(entry, dict) or entry.get("version") != VERSION:
        return None
    commit = entry.get("commit")
    try:
        label = parse_label(str(entry.get("label")))
        chosen = Chosen(unpack(entry.get("value")))
        time = datetime.fromisoformat(str(entry.get("time")))
        oid = bytes.fromhex(commit) if isinstance(commit, str) else None
    except (ValueError, EpicvcError):
        return None
    return Remembered(label, chosen, str(entry.get("author")), time, oid)
