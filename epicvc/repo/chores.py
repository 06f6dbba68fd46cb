"""What worker processes do, see :mod:`epicvc.repo.workers`: read epic files, and say what the parent needs of them.

A chore answers every item of a portion, with ``None`` for what it leaves to the parent: whatever is not perfectly
ordinary.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

from epicvc.database.fingerprint import expected_fingerprint
from epicvc.database.rowwrites import inserted_values
from epicvc.errors import EpicvcError
from epicvc.fileio import read_file
from epicvc.jsonio import parse
from epicvc.model.document import FileEpic, read_file_epic, tasks_of
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping
from epicvc.repo.base import core_id
from epicvc.repo.filesside import blob_id, has_calculated, is_template
from epicvc.repo.workers import receive, send

Chore: TypeAlias = Callable[[Any], Any]


def _epic(root: Path, mapping: Mapping, path: str) -> tuple[bytes, FileEpic] | None:
    data = read_file(root / path, root=root)
    value = parse(data, source=path)
    return None if is_template(value) else (blob_id(data), read_file_epic(value, mapping, path))


def identify(setup: dict[str, Any]) -> Chore:
    """Files to their ids: path -> blob, epic, core, whether it has calculated fields."""
    root, mapping = Path(setup["root"]), Mapping.from_json(setup["mapping"])

    def do(path: str) -> Any:
        found = _epic(root, mapping, path)
        if found is None:
            return None
        blob, epic = found
        return blob, epic.id, core_id(epic.id, epic.core), has_calculated(epic, mapping)

    return do


def encode(setup: dict[str, Any]) -> Chore:
    """Files to rows: (path, blob) -> core, the epic's column values, its tasks' column values, their fingerprint."""
    root, mapping = Path(setup["root"]), Mapping.from_json(setup["mapping"])
    links = mapping.links.field if mapping.links else None

    def do(item: tuple[str, bytes]) -> Any:
        path, wanted = item
        found = _epic(root, mapping, path)
        if found is None or found[0] != wanted:
            return None
        epic = found[1]
        tasks = [inserted_values(mapping.tasks, task, Label("")) for task in tasks_of(epic.core)]
        values = inserted_values(mapping.epics, epic.core, Label(""))
        proof = expected_fingerprint(setup["epics"], setup["tasks"], links, epic.core, values, tasks)
        return epic.core, values, tasks, proof

    return do


CHORES: Final[dict[str, Callable[[dict[str, Any]], Chore]]] = {"identify": identify, "encode": encode}


def main() -> None:
    """Answer portions from standard input until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    source, target = sys.stdin.buffer, sys.stdout.buffer
    chore, setup = receive(source)
    do = CHORES[chore](setup)

    def tried(item: Any) -> Any:
        try:
            return do(item)
        except EpicvcError:
            return None  # the parent meets it again, and reports it

    while (portion := receive(source)) is not None:
        send(target, [tried(item) for item in portion])
