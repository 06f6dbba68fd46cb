"""A model of a disk that loses power: what was not synced may be there, or not, or in pieces.

Replays the calls of a run. What is certain to survive is what POSIX promises and no more: the bytes of a file up to its
last ``fsync``, the names in a directory up to the last ``fsync`` of that directory. Of everything since, a random part
survives, each change of names or none of it, each write in pieces of 512 bytes, in any order: harsher than most
file systems, which keep an order of their own.
"""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from faults.client import Call, Kind

SECTOR = 512


@dataclass(frozen=True)
class Write:
    """Bytes on their way to a file; no data: the file gets this size."""

    offset: int
    data: bytes | None


@dataclass
class File:
    """A file: the bytes that are safe, and what came after."""

    safe: bytes = b""
    pending: list[Write] = field(default_factory=list)

    def sync(self) -> None:
        """Make everything safe."""
        self.safe = self.content(None, 1.0)
        self.pending.clear()

    def content(self, rng: random.Random | None, chance: float) -> bytes:
        """The bytes, if each pending write survives with this chance, whole or in pieces."""
        content = bytearray(self.safe)
        for write in self.pending:
            if write.data is None:
                if rng is None or rng.random() < chance:
                    del content[write.offset :]
                    content.extend(bytes(write.offset - len(content)))
                continue
            torn = rng is not None and rng.random() < 0.3
            if rng is not None and not torn and rng.random() >= chance:
                continue
            for start, piece in _sectors(write):
                if rng is None or not torn or rng.random() < chance:
                    content.extend(bytes(max(0, start - len(content))))
                    content[start : start + len(piece)] = piece
        return bytes(content)


def _sectors(write: Write) -> Iterable[tuple[int, bytes]]:
    assert write.data is not None
    start, end = write.offset, write.offset + len(write.data)
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        yield start, write.data[start - write.offset : stop - write.offset]
        start = stop


@dataclass
class Directory:
    """A directory: the names that are safe, and those that are there now."""

    safe: dict[str, File | Directory] = field(default_factory=dict)
    now: dict[str, File | Directory] = field(default_factory=dict)


#: Names that come, change or go together: ``None`` for a name that goes.
Change = list[tuple[Directory, str, "File | Directory | None"]]


class Disk:
    """The disk below one directory.

    Args:
        root: the directory, as it was before the run, with nothing pending.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.path.realpath(root)
        self._inodes: dict[int, File] = {}
        self._changes: list[Change] = []
        self.top = self._load(self._root)

    def _load(self, path: str) -> Directory:
        names: dict[str, File | Directory] = {}
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    names[entry.name] = self._load(entry.path)
                    continue
                with open(entry.path, "rb") as reader:
                    names[entry.name] = self._inodes[entry.inode()] = File(reader.read())
        return Directory(names, dict(names))

    def apply(self, call: Call) -> None:
        """One more call of the run."""
        match call.kind:
            case Kind.WRITE:
                self._pend(call.inode, Write(call.offset, call.data))
            case Kind.TRUNCATE:
                self._pend(call.inode, Write(call.offset, None))
            case Kind.SYNC:
                if call.inode in self._inodes:
                    self._inodes[call.inode].sync()
            case Kind.SYNC_DIRECTORY:
                self._sync_names(self._directory(call.path))
            case _:
                self._rename(call)

    def _pend(self, inode: int, write: Write) -> None:
        if inode in self._inodes:  # others have no name, so that nothing of them can be found again
            self._inodes[inode].pending.append(write)

    def _rename(self, call: Call) -> None:
        directory, name = self._place(call.path)
        match call.kind:
            case Kind.CREATE:
                self._inodes[call.inode] = made = File()
                self._change([(directory, name, made)])
            case Kind.MKDIR:
                self._change([(directory, name, Directory())])
            case Kind.UNLINK | Kind.RMDIR:
                self._change([(directory, name, None)])
            case Kind.RENAME:
                target, new = self._place(os.fsdecode(call.data))
                self._change([(target, new, directory.now[name]), (directory, name, None)])
            case Kind.EXCHANGE:
                other, new = self._place(os.fsdecode(call.data))
                self._change([(other, new, directory.now[name]), (directory, name, other.now[new])])
            case Kind.LINK:
                target, new = self._place(os.fsdecode(call.data))
                self._change([(target, new, directory.now[name])])
            case _:
                raise AssertionError(call)

    def _change(self, change: Change) -> None:
        for directory, name, entry in change:
            _enter(directory.now, name, entry)
        self._changes.append(change)

    def _sync_names(self, directory: Directory) -> None:
        rest: list[Change] = []
        for change in self._changes:
            if any(place is directory for place, _, _ in change):
                for place, name, entry in change:
                    _enter(place.safe, name, entry)
            else:
                rest.append(change)
        self._changes = rest

    def _place(self, path: str) -> tuple[Directory, str]:
        parent, _, name = path.rpartition("/")
        return self._directory(parent), name

    def _directory(self, path: str) -> Directory:
        here = self.top
        for name in os.path.relpath(path, self._root).split("/"):
            if name != ".":
                found = here.now[name]
                assert isinstance(found, Directory), path
                here = found
        return here

    @property
    def pending(self) -> int:
        """How many changes of names and bytes may be lost now."""
        return len(self._changes) + sum(len(file.pending) for file in self._inodes.values())

    def after_power_loss(self, rng: random.Random) -> dict[str, bytes | None]:
        """One state in which the disk may be found: path to bytes, ``None`` for a directory."""
        names_chance, bytes_chance = (rng.choice((0.0, 0.1, 0.5, 0.9, 1.0)) for _ in range(2))
        names: dict[int, dict[str, File | Directory]] = {}
        for change in self._changes:
            if rng.random() < names_chance:
                for directory, name, entry in change:
                    _enter(names.setdefault(id(directory), dict(directory.safe)), name, entry)
        found: dict[str, bytes | None] = {}
        contents: dict[int, bytes] = {}

        def walk(directory: Directory, prefix: str) -> None:
            for name, entry in names.get(id(directory), directory.safe).items():
                if isinstance(entry, Directory):
                    found[prefix + name] = None
                    walk(entry, f"{prefix}{name}/")
                elif not name.endswith("-shm"):  # shared memory, which SQLite makes again
                    found[prefix + name] = contents.setdefault(id(entry), entry.content(rng, bytes_chance))

        walk(self.top, "")
        return found


def _enter(names: dict[str, File | Directory], name: str, entry: File | Directory | None) -> None:
    if entry is None:
        names.pop(name, None)
    else:
        names[name] = entry


def digest(state: dict[str, bytes | None]) -> bytes:
    """What tells a state from another."""
    hashed = hashlib.sha256()
    for path, data in sorted(state.items()):
        hashed.update(f"{path}\0{-1 if data is None else len(data)}\0".encode())
        hashed.update(data or b"")
    return hashed.digest()


def write_state(state: dict[str, bytes | None], root: Path) -> None:
    """Put a state into a directory, which is made."""
    os.mkdir(root, 0o700)
    for path, data in state.items():  # directories come before what is in them
        if data is None:
            os.mkdir(root / path, 0o700)
            continue
        descriptor = os.open(root / path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, data)
        finally:
            os.close(descriptor)
