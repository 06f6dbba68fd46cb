"""Names of tracked files: checks that they are safe on every operating system, and makes those of new epics."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from epicvc.errors import UnsafeName

_MAX_SEGMENT: Final = 255  # bytes
_SUFFIX: Final = ".json"
_DEFAULT_PATTERN: Final = ("epic_", "")
_RESERVED: Final = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"{device}{digit}" for device in ("com", "lpt") for digit in "0123456789¹²³"]
)
_PRIVATE: Final = frozenset([".git", ".epicvc", "git~1", "epicvc~1"])  # and the short names of these on Windows
_FORBIDDEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\\:]")
_TO_ENCODE: Final = frozenset('<>:"/\\|?*%')


def check_name(relative_path: str) -> None:
    """Refuse a path that leaves its directory or cannot exist everywhere.

    Args:
        relative_path: segments separated by ``/``, relative to the files directory.

    Raises:
        UnsafeName: with the reason.
    """
    for segment in relative_path.split("/"):
        reason = _fault(segment)
        if reason:
            raise UnsafeName(relative_path, reason)


class NameCollision(NamedTuple):
    """Two paths that some system takes for one.

    Attributes:
        path: the later one in the order of names.
        other: the earlier one.
        how: the text that says what they share, with a place for the name of one of them.
    """

    path: str
    other: str
    how: str

    def reason(self, other: str) -> str:
        """Return the reason why the path cannot stand beside the other one."""
        return self.how.format(repr(other))


_SAME_FILE: Final = "the same file as {} on some operating systems"
_SAME_DIRECTORY: Final = "its directory is the same as that of {} on some operating systems"
_BOTH: Final = "both a file and a directory, as {} shows"


def check_collisions(paths: Iterable[str]) -> None:
    """Refuse paths that some system takes for one: equal but for case or Unicode form, or file and directory.

    Args:
        paths: all tracked paths; each has passed :func:`check_name`.

    Raises:
        UnsafeName: naming the second of the two.
    """
    for found in collisions(paths):
        raise UnsafeName(found.path, found.reason(found.other))


def collisions(paths: Iterable[str]) -> Iterator[NameCollision]:
    """Yield the paths that some system takes for one; see :func:`check_collisions`."""
    files: dict[str, str] = {}
    directories: dict[str, tuple[str, str]] = {}
    for path in sorted(set(paths)):
        other = files.setdefault(fold(path), path)
        if other != path:
            yield NameCollision(path, other, _SAME_FILE)
        slash = path.rfind("/")
        while slash > 0:
            directory = path[:slash]
            known = directories.get(folded := fold(directory))
            if known is not None and known[0] == directory:
                break  # and so are those above it
            if known is not None:
                yield NameCollision(path, known[1], _SAME_DIRECTORY)
                break
            directories[folded] = directory, path
            slash = path.rfind("/", 0, slash)
    for folded in directories.keys() & files.keys():
        yield NameCollision(files[folded], directories[folded][1], _BOTH)


def fold(path: str) -> str:
    """Return the form of a path that two of them share if a file system ignores case or Unicode form."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


class Namer:
    """Names files for new epics by the prevailing pattern, ``<directory>/<prefix><id><suffix>.json``.

    The directory is the one that holds all files, else the root. Without a pattern that half of the files
    follow, the name is ``epic_<id>.json``.

    Args:
        existing: path -> epic id of the tracked files.
    """

    def __init__(self, existing: Mapping[str, str]) -> None:
        self._taken = {fold(path) for path in existing}
        directories = {path.rpartition("/")[0] for path in existing}
        self._directory = directories.pop() + "/" if len(directories) == 1 else ""
        self._directory = self._directory.removeprefix("/")
        votes = Counter(pattern for path, epic_id in existing.items() for pattern in _patterns(path, epic_id))
        ranked = votes.most_common(1)
        prevails = bool(ranked) and ranked[0][1] * 2 >= len(existing)
        self._prefix, self._suffix = ranked[0][0] if prevails else _DEFAULT_PATTERN

    def name(self, epic_id: str) -> str:
        """Return a safe path for an epic that no other file has. It counts as taken from then on."""
        encoded = _encode(epic_id)
        digest = hashlib.sha256(epic_id.encode()).hexdigest()
        candidates = [encoded] + [f"{encoded}-{digest[:length]}" for length in range(8, 65, 8)]
        for candidate in candidates:
            name = self._fit(candidate, digest)
            path = self._directory + name
            if fold(path) not in self._taken and not _fault(name):
                self._taken.add(fold(path))
                return path
        raise UnsafeName(epic_id, "no file name can be made of this id")

    def _fit(self, stem: str, digest: str) -> str:
        name = f"{self._prefix}{stem}{self._suffix}{_SUFFIX}"
        excess = len(name.encode()) - _MAX_SEGMENT
        if excess <= 0:
            return name
        ending = "-" + digest[:16]
        kept = stem.encode()[: -(excess + len(ending))].decode(errors="ignore")
        return f"{self._prefix}{kept}{ending}{self._suffix}{_SUFFIX}"


def _fault(segment: str) -> str | None:
    if segment in ("", ".", ".."):
        return "an absolute path or an empty, '.' or '..' segment"
    if _FORBIDDEN.search(segment):
        return "a backslash, colon or control character"
    try:
        size = len(segment.encode())
    except UnicodeEncodeError:
        return "not UTF-8"
    if size > _MAX_SEGMENT:
        return f"a segment of more than {_MAX_SEGMENT} bytes"
    if segment.endswith((".", " ")):
        return "a segment that ends with a dot or a space"
    # Some file systems skip invisible characters, so that '.g\u200cit' is '.git' there.
    plain = fold("".join(c for c in segment if c.isascii() or unicodedata.category(c) != "Cf"))
    if plain in _PRIVATE:
        return "reserved for a repo's own data"
    if plain.startswith("."):
        return "hidden files are not tracked"
    return "a reserved name on Windows" if plain.partition(".")[0].rstrip(" ") in _RESERVED else None


def _patterns(path: str, epic_id: str) -> set[tuple[str, str]]:
    """Return the patterns that a file's name may follow. An id such as 1 may occur in the name more than once."""
    name = path.rpartition("/")[2]
    part = _encode(epic_id)
    if not name.endswith(_SUFFIX) or not part:
        return set()
    stem = name.removesuffix(_SUFFIX)
    starts = [i for i in range(len(stem)) if stem.startswith(part, i)]
    return {(stem[:i], stem[i + len(part) :]) for i in starts}


def _encode(epic_id: str) -> str:
    """Return the id with percent-encoding for characters that are unsafe in a name."""
    text = unicodedata.normalize("NFC", epic_id)
    edges = {0, len(text) - 1}
    return "".join(
        "".join(f"%{byte:02X}" for byte in character.encode(errors="surrogatepass"))
        if character in _TO_ENCODE or not character.isprintable() or (index in edges and character in ". ")
        else character
        for index, character in enumerate(text)
    )
