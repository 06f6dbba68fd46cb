"""The block in ``.gitattributes`` that gives epics to the drivers. Removing the block leaves no byte of it behind.

The block stands at the top of the repository. A folder's own file is not seen in a sparse checkout without that folder,
by ``merge.renormalize``, by libraries that read the top alone, or where the folder had another name in a commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from epicvc.base.fileio import atomic_write, read_file, remove_file
from epicvc.errors import Unavailable
from epicvc.files.scan.patterns import DEFAULT_INCLUDE, tracking
from epicvc.gitlink.git import Git
from epicvc.gitlink.gitconfig import DRIVER
from epicvc.gitlink.part import INSTALLED, MISSING, SIGNATURE, STALE, PartState

NAME: Final = ".gitattributes"
_BEGIN: Final = f"# {SIGNATURE}"
_END: Final = "# End of what `epicvc git install` wrote"
_ASKED: Final = 200
"""The number of tracked epics that git is asked about, at most."""

_OURS: Final = DRIVER.encode()
_NEW_FILE: Final = ", with this file"
_NO_LINE_END: Final = ", after a line without an end"
"""The notes in the first line of the block, so that taking the block out leaves the file as it was."""


def block_lines(include: Sequence[str], below: str = "") -> list[str]:
    """Return the lines that give tracked files to the drivers, for the file at the top of the repository.

    Args:
        include: patterns of tracked files, relative to the files directory.
        below: the path of the files directory from the top; empty where it is the top.
    """
    if not below and tuple(include) == DEFAULT_INCLUDE:
        return [f"*.json diff={DRIVER} merge={DRIVER}"]
    return [f"{_pattern(pattern, below)} diff={DRIVER} merge={DRIVER}" for pattern in include]


def _pattern(pattern: str, below: str) -> str:
    """Return a pattern of ours in git's language: anchored, with escapes for what only git gives a meaning to."""
    directory = below.replace("\\", "\\\\").replace("[", "\\[").replace("*", "\\*").replace("?", "\\?")
    text = (f"/{directory}/" if below else "/") + pattern.replace("\\", "\\\\").replace("[", "\\[")
    if not any(char.isspace() or char == '"' for char in text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t") + '"'


def with_block(text: str | None, lines: Sequence[str], below: str = "") -> str:
    """Return a file's text with the block: in the place where it is already, else at the end.

    Args:
        text: the text of the file; ``None`` where there is no file.
        lines: the lines of the block.
        below: the files directory that the block is for; a repository may have several.
    """
    parts = _split(text or "", below)
    if parts is not None:
        before, begin, _, after = parts
        return before + "\n".join([begin, *lines, _END]) + "\n" + after
    note = _NEW_FILE if text is None else "" if not text or text.endswith("\n") else _NO_LINE_END
    block = "\n".join([_begin(below) + note, *lines, _END]) + "\n"
    return (text or "") + ("\n" if note == _NO_LINE_END else "") + block


def without_block(text: str, below: str = "") -> str | None:
    """Return a file's text without the block, as it was before.

    Returns ``None`` where there was no file before.
    """
    parts = _split(text, below)
    if parts is None:
        return text
    before, begin, _, after = parts
    rest = (before.removesuffix("\n") if begin.endswith(_NO_LINE_END) and not after else before) + after
    return None if begin.endswith(_NEW_FILE) and not rest else rest


def _begin(below: str) -> str:
    """Return the first line of a directory's block, without its note."""
    return f"{_BEGIN} for {_pattern('', below)}" if below else _BEGIN


def _split(text: str, below: str) -> tuple[str, str, list[str], str] | None:
    """Split a text into what is before the block, the block's first line, the lines inside, and what is after it.

    Returns ``None`` where there is no block.
    """
    lines = text.splitlines(keepends=True)
    bare = [line.rstrip("\r\n") for line in lines]
    first = {_begin(below) + note for note in ("", _NEW_FILE, _NO_LINE_END)}
    begin = next((at for at, line in enumerate(bare) if line in first), None)
    if begin is None or _END not in bare[begin:]:
        return None
    end = bare.index(_END, begin)
    return "".join(lines[:begin]), bare[begin], bare[begin + 1 : end], "".join(lines[end + 1 :])


class Attributes:
    """The block in the ``.gitattributes`` at the top of the repository.

    Args:
        git: git, in the repository.
        top: the top of its work tree.
        shown: the path of the files directory from the top; empty where it is the top.
        include: patterns of tracked files, relative to the files directory.
        exclude: patterns of files that are not tracked.
    """

    name = "attributes"
    place = NAME

    def __init__(self, git: Git, top: Path, shown: str, include: Sequence[str], exclude: Sequence[str]) -> None:
        self._git, self._git_above, self._below = git, Git(top), shown
        self._include, self._exclude = include, exclude
        self._lines = block_lines(include, shown)
        self._path = top / NAME
        self._former = top / shown / NAME if shown else None  # where the block once stood

    def state(self) -> PartState:
        """Tell whether git gives epics to the drivers.

        git itself is asked, for some of the epics.
        """
        parts = _split(_text(self._path) or "", self._below)
        if self._former is not None and _split(_text(self._former) or "", "") is not None:
            return PartState(
                STALE, f"{self._below}/{NAME} has it, where not every git sees it; `git install` moves it here"
            )
        asked = self._asked()
        untold = self._untold(asked)
        if parts is None:
            return PartState(INSTALLED, "by other lines") if asked and untold is None else PartState(MISSING)
        if parts[2] != self._lines:
            return PartState(STALE, "the patterns of tracked files are others now")
        if untold is not None:
            return PartState(STALE, f"other lines, or .git/info/attributes, say otherwise of {untold}")
        return PartState(INSTALLED)

    def install(self) -> None:
        """Write the block, and take it from the place where it once stood."""
        text = _text(self._path)
        wanted = with_block(text, self._lines, self._below)
        if wanted != text:
            atomic_write(self._path, wanted.encode(errors="surrogateescape"))
        if self._former is not None:
            _take_out(self._former, "")

    def remove(self, *, dry_run: bool = False) -> PartState:
        """Take the block out.

        A committed block stays: it is everybody's, and harmless where nothing is installed.
        """
        places = [(self._path, NAME, self._below)]
        if self._former is not None:
            places.append((self._former, f"{self._below}/{NAME}", ""))
        for path, place, below in places:
            if _split(_text(path) or "", below) is None:
                continue
            if self._is_committed(place, below):
                return PartState(INSTALLED, "it is committed, and stays; without a driver git takes no notice of it")
            if not dry_run:
                _take_out(path, below)
        return PartState(MISSING)

    def _is_committed(self, place: str, below: str) -> bool:
        try:
            committed = self._git.run("cat-file", "blob", f"HEAD:{place}")
        except Unavailable:
            return False  # there is no commit, or the file is not in it
        return _split(committed.decode(errors="replace"), below) is not None

    def _asked(self) -> list[str]:
        """Return the epics that git is asked about: those that it tracks, and an ordinary one."""
        start = f"{self._below}/" if self._below else ""
        known = self._git_above.run("ls-files", "-z", "--", f":(literal){self._below or '.'}")
        names = [name for name in known.decode(errors="surrogateescape").split("\0") if name.startswith(start)]
        tracked = tracking(self._include, self._exclude)
        found = [name for name in names if name and tracked(name.removeprefix(start))][:_ASKED]
        return [*found, f"{start}epic.json"] if tuple(self._include) == DEFAULT_INCLUDE else found

    def _untold(self, names: Sequence[str]) -> str | None:
        """Return the first of these names that git does not give to both drivers; ``None`` where there is none."""
        if not names:
            return None
        told = self._git_above.run("check-attr", "-z", "diff", "merge", "--", *names).split(b"\0")
        drivers = zip(told[2::6], told[5::6], strict=True)
        return next((name for name, both in zip(names, drivers, strict=True) if both != (_OURS, _OURS)), None)


def _text(path: Path) -> str | None:
    return read_file(path).decode(errors="surrogateescape") if path.exists() else None


def _take_out(path: Path, below: str) -> None:
    """Write a file without the block. A file that came with the block goes with it."""
    text = _text(path)
    rest = without_block(text, below) if text is not None else None
    if rest == text:
        return
    if rest is None:
        remove_file(path)
    else:
        atomic_write(path, rest.encode(errors="surrogateescape"))
