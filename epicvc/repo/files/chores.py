"""The work of :mod:`epicvc.repo.files.workers`: reads epic files and tells the parent what it needs of them.

A chore leaves every file to the parent that is not perfectly ordinary.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from epicvc.base.fileio import read_below
from epicvc.base.jsonio import JSON, parse
from epicvc.database.batches import weighed
from epicvc.database.documents.changes import EpicRowsChange, new_epic
from epicvc.errors import EpicvcError
from epicvc.model.document import FileEpic, core_bytes, read_file_epic
from epicvc.model.mapping import Mapping
from epicvc.model.ordinarycores import OrdinaryCores
from epicvc.model.templates import is_template
from epicvc.repo.files.filestree import blob_id, has_calculated
from epicvc.repo.files.workers import receive, send
from epicvc.store.objects import ObjectType, object_id

Chore: TypeAlias = Callable[[list[Any]], Any]
"""Takes a portion of items and returns the answer."""


def _value(root: Path, path: str, most: int | None) -> tuple[bytes, JSON]:
    data = read_below(root, path, most)
    return data, parse(data, source=path)


def _core(epic: FileEpic) -> tuple[str, bytes]:
    return epic.id, core_bytes(epic.id, epic.core)


def _each(do: Callable[[Any], Any]) -> Chore:
    """Make a chore that answers each item by itself, with ``None`` for an item that is left to the parent."""

    def tried(item: Any) -> Any:
        try:
            return do(item)
        except EpicvcError:
            return None  # the parent meets the error again and reports it

    return lambda portion: list(map(tried, portion))


def identify(setup: dict[str, Any]) -> Chore:
    """Make the chore that identifies files: path -> blob, epic, core, whether the epic has calculated fields."""
    root, mapping = Path(setup["root"]), Mapping.from_json(setup["mapping"])
    ordinary = OrdinaryCores(mapping)

    def do(path: str) -> Any:
        data, value = _value(root, path, setup["file_size"])
        if is_template(value):
            return None
        epic, core = ordinary.read(value) or _core(read_file_epic(value, mapping, path))
        calculated = has_calculated(cast("dict[str, JSON]", value), mapping)
        return blob_id(data), epic, object_id(ObjectType.CORE, core), calculated

    return _each(do)


def encode(setup: dict[str, Any]) -> Chore:
    """Make the chore that encodes files as rows: (path, blob) -> the change that adds the epic to a database."""
    root, mapping = Path(setup["root"]), Mapping.from_json(setup["mapping"])

    def do(item: tuple[str, bytes]) -> Any:
        path, wanted = item
        data, value = _value(root, path, setup["file_size"])
        if is_template(value) or blob_id(data) != wanted:
            return None
        epic = read_file_epic(value, mapping, path)
        return new_epic(mapping, epic.id, epic.core)

    return _each(do)


def pack(setup: dict[str, Any]) -> Chore:
    """Make the chore that packs files into parcels: (path, blob)s -> the changes that add the epics, and an image."""
    from epicvc.database.documents.parcels import Packer

    encoded, most = encode(setup), setup["rows"]
    packer = Packer(Mapping.from_json(setup["mapping"]))

    def parcels(portion: list[Any]) -> Iterator[tuple[Sequence[EpicRowsChange], bytes]]:
        found = (change for change in encoded(portion) if change is not None)
        for changes in weighed(found, lambda change: change.inserted, most):
            parcel = packer.pack(changes)
            if parcel is not None:
                yield parcel.changes, parcel.image

    return lambda portion: list(parcels(portion))


CHORES: Final[dict[str, Callable[[dict[str, Any]], Chore]]] = {"identify": identify, "encode": encode, "pack": pack}


def main() -> None:
    """Answer portions from standard input until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    source, target = sys.stdin.buffer, sys.stdout.buffer
    chore, setup = receive(source)
    do = CHORES[chore](setup)

    while (portion := receive(source)) is not None:
        send(target, do(portion))
