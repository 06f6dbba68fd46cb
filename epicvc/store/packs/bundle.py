"""Reads and writes bundles: packs and one log entry in one file, written once and never changed.

A bundle is read like a remote with a single entry. Its contents are not trusted: see
:mod:`epicvc.store.packs.quarantine`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from struct import Struct
from typing import IO, Any, Final, TypeVar

import msgspec

from epicvc.base.depth import decode
from epicvc.base.fileio import fsync_directory, publish, reporting, temporary_of
from epicvc.errors import DamagedBundle, FileUnavailable, InvalidData, NewerFormat, NotFound
from epicvc.store.objects import is_id
from epicvc.store.packs.pack import DIGEST_SIZE, LARGEST, pack_id
from epicvc.store.refs import check_name, check_value

MAGIC: Final = b"EPVCbdl\x01"
"""The first bytes of a bundle; the last of them is the version of its layout."""

VERSION: Final = 1
"""The version of the format and of log entries."""

LONGEST_ENTRY: Final = 1 << 20
"""The most bytes of a log entry."""

LONGEST_FORMAT: Final = 1 << 16
"""The most bytes of the format."""

_SECTION: Final = Struct(">cQ")
_FORMAT, _PACK, _ENTRY = b"F", b"P", b"L"
_CHUNK: Final = 1 << 20
T = TypeVar("T")

_encode = msgspec.json.Encoder(order="sorted").encode


class Format(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The kind of a remote.

    Attributes:
        version: the version of the format.
        remote: 32 hexadecimal digits that tell the remote from others.
        digest: the hash that names packs and entries.
        append_only: nothing is ever dropped from the remote.
        encrypted: packs and entries are encrypted.
    """

    version: int
    remote: str
    digest: str = "sha256"
    append_only: bool = False
    encrypted: bool = False


class BundleBase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The commit that an incremental bundle builds on.

    Attributes:
        commit: the commit whose objects its reader must have.
        entry: SHA-256 of the log entry of the bundle that has them.
    """

    commit: str
    entry: str


class LogEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of a log: the refs that moved, and the packs.

    Attributes:
        version: the version of the format.
        remote: as in the format.
        seq: its number; that of a bundle is 1.
        parent: SHA-256 of the entry before; ``None``: there is none.
        time: the time of writing, UTC.
        writer: the user who wrote it.
        nonce: 32 hexadecimal digits, by which a writer knows its own entry.
        refs: the refs that moved, each with its old and its new value.
        packs: names of the packs that were added.
        drop: names of the packs that are of no use any more.
        full: refs and packs are complete.
        base: the commit that the reader must have already.
    """

    version: int
    remote: str
    seq: int
    parent: str | None
    time: str
    writer: str
    nonce: str
    refs: dict[str, tuple[str | None, str | None]]
    packs: list[str]
    drop: list[str]
    full: bool
    base: BundleBase | None = None


class Written(msgspec.Struct, frozen=True):
    """A bundle that was written: its file and its size in bytes."""

    path: Path
    size: int


def write_bundle(
    path: Path,
    packs: Iterable[bytes],
    *,
    refs: Mapping[str, str],
    time: str,
    writer: str,
    base: BundleBase | None = None,
) -> Written:
    """Write a bundle, whole or not at all.

    Args:
        path: the file to write, in an existing directory; an existing file is refused.
        packs: its packs, in an order in which their objects can be read.
        refs: its refs.
        time: the time of writing, UTC, ISO 8601.
        writer: the user who writes it.
        base: the commit that its reader must have already.

    Raises:
        InvalidData: there is a file already.
        FileUnavailable: it cannot be written; nothing is left behind.
    """
    if os.path.lexists(path):
        raise InvalidData(f"{path} is there already", hint="a bundle is never written over; name another directory")
    remote, nonce = os.urandom(16).hex(), os.urandom(16).hex()
    staged = temporary_of(path, nonce)

    def sections() -> Iterator[tuple[bytes, bytes]]:
        yield _FORMAT, _encode(Format(VERSION, remote))
        names: list[str] = []
        for data in packs:
            names.append(pack_id(data))
            yield _PACK, data
        moves: dict[str, tuple[str | None, str | None]] = {name: (None, value) for name, value in refs.items()}
        entry = LogEntry(
            VERSION,
            remote,
            1,
            parent=None,
            time=time,
            writer=writer,
            nonce=nonce,
            refs=moves,
            packs=names,
            drop=[],
            full=True,
            base=base,
        )
        yield _ENTRY, _encode(entry)

    with reporting(path):
        try:
            size = _write(staged, sections())
        except BaseException:
            staged.unlink(missing_ok=True)
            raise
    publish(staged, path)
    fsync_directory(path.parent)
    return Written(path, size)


def _write(staged: Path, sections: Iterable[tuple[bytes, bytes]]) -> int:
    digest = sha256()
    with open(os.open(staged, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:  # noqa: PTH123  # a descriptor

        def put(data: bytes) -> None:
            digest.update(data)
            file.write(data)

        put(MAGIC)
        for kind, data in sections:
            put(_SECTION.pack(kind, len(data)))
            put(data)
        file.write(digest.digest())
        size = file.tell()
        file.flush()
        os.fsync(file.fileno())
    return size


class Bundle:
    """A bundle of which the outline was read: the order of its sections, its format and its entry, but no pack yet.

    Attributes:
        path: the file.
        size: its size in bytes.
        format: its format section.
        entry: its log entry.
        entry_id: SHA-256 of the entry, by which other bundles name it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as file, reporting(path):
            self.size = os.fstat(file.fileno()).st_size
            if file.read(len(MAGIC)) != MAGIC:
                raise self._damaged("it is no bundle of this format")
            sections = list(self._sections(file))
            kinds = b"".join(kind for kind, _, _ in sections)
            if kinds != _FORMAT + _PACK * (len(sections) - 2) + _ENTRY:
                raise self._damaged("its parts are not in the order of a bundle")
            self.format = self._decode(self._section(file, sections[0], LONGEST_FORMAT), Format)
            entry = self._section(file, sections[-1], LONGEST_ENTRY)
        self._packs = sections[1:-1]
        self.entry_id = sha256(entry).hexdigest()
        self.entry = self._decode(entry, LogEntry)
        self._check()

    def _damaged(self, reason: str) -> DamagedBundle:
        return DamagedBundle(str(self.path), reason)

    def _open(self) -> IO[bytes]:
        try:
            return self.path.open("rb")
        except FileNotFoundError as error:
            raise NotFound(f"there is no bundle {self.path}", hint="`epicvc backup list --from DIR`") from error
        except OSError as error:
            raise FileUnavailable(str(self.path), error.strerror or str(error)) from error

    def _sections(self, file: IO[bytes]) -> Iterator[tuple[bytes, int, int]]:
        """Yield kind, place and length of each section up to the checksum."""
        at, end = len(MAGIC), self.size - DIGEST_SIZE
        while at < end:
            file.seek(at)
            head = file.read(_SECTION.size)
            if len(head) < _SECTION.size:
                raise self._damaged("it ends early")
            kind, length = _SECTION.unpack(head)
            at += _SECTION.size
            if length > end - at:
                raise self._damaged("it ends early")
            yield kind, at, length
            at += length
        if at != end:
            raise self._damaged("it ends early")

    def _section(self, file: IO[bytes], section: tuple[bytes, int, int], longest: int) -> bytes:
        _, at, length = section
        if length > longest:
            raise self._damaged(f"a part of it has {length} bytes, more than {longest}")
        file.seek(at)
        return file.read(length)

    def _decode(self, data: bytes, kind: type[T]) -> T:
        try:
            version = decode(data, dict[str, Any]).get("version")
            if isinstance(version, int) and version > VERSION:
                raise NewerFormat(f"the bundle {self.path}", version, VERSION)
            return decode(data, kind)
        except ValueError as error:
            raise self._damaged(f"a part of it is malformed: {error}") from error

    def _check(self) -> None:
        """Refuse an entry that does not fit the bundle, or that has impossible ids, packs or refs."""
        found, entry = self.format, self.entry
        if found.digest != "sha256" or found.encrypted or found.remote != entry.remote:
            raise self._damaged("its format and its entry do not fit each other, or need what this epicvc has not")
        ids = [*entry.packs, *([entry.base.commit, entry.base.entry] if entry.base else [])]
        if (entry.seq, entry.parent, entry.drop, entry.full) != (1, None, [], True) or not all(map(is_id, ids)):
            raise self._damaged("its entry is none of a bundle")
        if len(entry.packs) != len(self._packs) or len(set(entry.packs)) != len(entry.packs):
            raise self._damaged("its entry names other packs than it has")
        for name, (old, new) in entry.refs.items():
            if old is not None or new is None or not is_id(new):
                raise self._damaged(f"the ref {name[:80]!r} has no value that it could have")
            check_name(name)
            check_value(name, new)

    @property
    def refs(self) -> dict[str, str]:
        """The bundle's refs, by name."""
        return {name: new for name, (_, new) in self.entry.refs.items() if new is not None}

    def packs(self) -> Iterator[bytes]:
        """Yield the packs in order, each checked against its name.

        Raises:
            DamagedBundle: a pack does not match its name.
        """
        with self._open() as file, reporting(self.path):
            for name, section in zip(self.entry.packs, self._packs, strict=True):
                data = self._section(file, section, LARGEST)
                if pack_id(data) != name:
                    raise self._damaged("a pack does not match its name")
                yield data

    def check_digest(self) -> None:
        """Compare the whole file with its checksum.

        Raises:
            DamagedBundle: they differ.
        """
        digest, left = sha256(), self.size - DIGEST_SIZE
        with self._open() as file, reporting(self.path):
            while left > 0 and (chunk := file.read(min(left, _CHUNK))):
                digest.update(chunk)
                left -= len(chunk)
            if left or file.read() != digest.digest():
                raise self._damaged("its checksum is wrong")
