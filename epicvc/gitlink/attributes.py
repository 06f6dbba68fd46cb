"""The lines of ``.gitattributes`` that give epics to the drivers: a block that leaves no byte behind when it goes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from epicvc.errors import Unavailable
from epicvc.fileio import atomic_write, read_file, remove_file
from epicvc.files.patterns import DEFAULT_INCLUDE
from epicvc.gitlink.git import Git
from epicvc.gitlink.gitconfig import DRIVER
from epicvc.gitlink.part import INSTALLED, MISSING, SIGNATURE, STALE, State

NAME: Final = ".gitattributes"
_BEGIN: Final = f"# {SIGNATURE}"
_END: Final = "# End of what `epicvc git install` wrote"
_NEW_FILE: Final = ", with this file"
_NO_LINE_END: Final = ", after a line without an end"
"""What the first line of the block remembers, so that taking it out leaves the file as it was."""


def block_lines(include: Sequence[str]) -> list[str]:
    """The lines that give tracked files to the drivers, for a file in the files directory.

    Args:
        include: patterns of tracked files, relative to it.
    """
    patterns = ["*.json"] if tuple(include) == DEFAULT_INCLUDE else [_pattern(pattern) for pattern in include]
    return [f"{pattern} diff={DRIVER} merge={DRIVER}" for pattern in patterns]


def _pattern(pattern: str) -> str:
    """A pattern of ours in git's language: anchored, with escapes for what only git gives a meaning to."""
    text = "/" + pattern.replace("\\", "\\\\").replace("[", "\\[")
    if not any(char.isspace() or char == '"' for char in text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t") + '"'


def with_block(text: str | None, lines: Sequence[str]) -> str:
    """A file with the block: where it is already, else at the end.

    Args:
        text: the file; ``None`` where there is none.
        lines: what the block says.
    """
    parts = _split(text or "")
    if parts is not None:
        before, begin, _, after = parts
        return before + "\n".join([begin, *lines, _END]) + "\n" + after
    note = _NEW_FILE if text is None else "" if not text or text.endswith("\n") else _NO_LINE_END
    block = "\n".join([_BEGIN + note, *lines, _END]) + "\n"
    return (text or "") + ("\n" if note == _NO_LINE_END else "") + block


def without_block(text: str) -> str | None:
    """A file without the block, as it was before; ``None`` where there was none."""
    parts = _split(text)
    if parts is None:
        return text
    before, begin, _, after = parts
    rest = (before.removesuffix("\n") if begin.endswith(_NO_LINE_END) and not after else before) + after
    return None if begin.endswith(_NEW_FILE) and not rest else rest


def _split(text: str) -> tuple[str, str, list[str], str] | None:
    """What is before the block, its first line, the lines inside, what is after it."""
    lines = text.splitlines(keepends=True)
    bare = [line.rstrip("\r\n") for line in lines]
    begin = next((at for at, line in enumerate(bare) if line.startswith(_BEGIN)), None)
    if begin is None or _END not in bare[begin:]:
        return None
    end = bare.index(_END, begin)
    return "".join(lines[:begin]), bare[begin], bare[begin + 1 : end], "".join(lines[end + 1 :])


class Attributes:
    """The block in the files directory's ``.gitattributes``.

    Args:
        git: git, in the repository.
        directory: the files directory.
        shown: its path from the top of the work tree.
        include: patterns of tracked files, relative to it.
    """

    name = "attributes"

    def __init__(self, git: Git, directory: Path, shown: str, include: Sequence[str]) -> None:
        self._git, self._path, self._lines = git, directory / NAME, block_lines(include)
        self.place = f"{shown}/{NAME}" if shown else NAME

    def state(self) -> State:
        """Whether git gives epics to the drivers."""
        parts = _split(self._text() or "")
        if parts is None:
            by_hand = self._lines == block_lines(DEFAULT_INCLUDE) and self._takes_effect()
            return State(INSTALLED, "by other lines") if by_hand else State(MISSING)
        if parts[2] != self._lines:
            return State(STALE, "the patterns of tracked files are others now")
        if self._lines == block_lines(DEFAULT_INCLUDE) and not self._takes_effect():
            return State(STALE, "other lines, or .git/info/attributes, say otherwise")
        return State(INSTALLED)

    def install(self) -> None:
        """Write the block."""
        text = self._text()
        wanted = with_block(text, self._lines)
        if wanted != text:
            atomic_write(self._path, wanted.encode(errors="surrogateescape"))

    def remove(self, *, dry_run: bool = False) -> State:
        """Take the block out. A committed one stays: it is everybody's, and harmless where nothing is installed."""
        text = self._text()
        if text is None or _split(text) is None:
            return State(MISSING)
        if self._is_committed():
            return State(INSTALLED, "it is committed, and stays; without a driver git takes no notice of it")
        rest = without_block(text)
        if dry_run:
            return State(MISSING)
        if rest is None:
            remove_file(self._path)
        else:
            atomic_write(self._path, rest.encode(errors="surrogateescape"))
        return State(MISSING)

    def _text(self) -> str | None:
        return read_file(self._path).decode(errors="surrogateescape") if self._path.exists() else None

    def _is_committed(self) -> bool:
        try:
            committed = self._git.run("cat-file", "blob", f"HEAD:{self.place}")
        except Unavailable:
            return False  # no commit, or not in it
        return _split(committed.decode(errors="replace")) is not None

    def _takes_effect(self) -> bool:
        """Whether git gives an ordinary epic to both drivers."""
        git = Git(self._path.parent)
        answer = git.run("check-attr", "-z", "diff", "merge", "--", "epic.json").split(b"\0")
        return answer[2::3] == [DRIVER.encode()] * 2
