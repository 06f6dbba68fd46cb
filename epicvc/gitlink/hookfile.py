"""Writes a hook of git that checks staged epics, beside a hook of somebody else where there is one."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from epicvc.base.fileio import atomic_write, fsync_directory, read_file, remove_file, reporting
from epicvc.errors import Refused
from epicvc.gitlink.part import INSTALLED, MISSING, OTHER, SIGNATURE, STALE, PartState

HOOKS: Final = ("pre-commit", "pre-merge-commit")
"""The hooks that check.

git runs ``pre-merge-commit``, and not ``pre-commit``, before the commit of a merge without conflicts.
"""

_SET_ASIDE: Final = ".before-epicvc"
_MODE: Final = 0o755


def script(hook: str, command: Sequence[str], *, chained: bool) -> str:
    """Return the text of a hook.

    Args:
        hook: the name of the hook.
        command: the words that start epicvc.
        chained: first run the hook that was there before.
    """
    words = shlex.join(command)
    gone = f"epicvc: it is no longer at {command[0]}; install it again, or remove this hook: {hook}"
    lines = [
        "#!/bin/sh",
        f"# {SIGNATURE}; `epicvc git uninstall` takes it back.",
        *([f'[ ! -x "$0{_SET_ASIDE}" ] || "$0{_SET_ASIDE}" "$@" || exit'] if chained else []),
        f"[ -x {shlex.quote(command[0])} ] || {{ echo {shlex.quote(gone)} >&2; exit 1; }}",
        f"exec {words} hook {hook}",
    ]
    return "\n".join(lines) + "\n"


class HookFile:
    """The file of one hook.

    Args:
        directory: the directory in which git looks for hooks.
        hook: the name of the hook.
        command: the words that start epicvc.
        chain: set a hook of somebody else aside, and run it first.
        shared: ``core.hooksPath`` leads to the directory, so that its hooks may be those of other repositories too.
    """

    name = "hook"

    def __init__(self, directory: Path, hook: str, command: Sequence[str], *, chain: bool, shared: bool) -> None:
        self._hook, self._command, self._chain, self._shared = hook, command, chain, shared
        self._path = directory / hook
        self._aside = directory / f"{hook}{_SET_ASIDE}"
        self.place = str(self._path)

    def state(self) -> PartState:
        """Tell whether git runs our check.

        A hook of somebody else that calls ours by name counts as installed.
        """
        text = self._text()
        if text is None:
            return PartState(MISSING)
        if self._is_ours(text):
            sound = text == self._script() and os.access(self._path, os.X_OK)
            return PartState(INSTALLED) if sound else PartState(STALE, "written by another version, or moved since")
        if "epicvc" in text and f"hook {self._hook}" in text:
            return PartState(INSTALLED, "in a hook of somebody else")
        return PartState(OTHER, "a hook of somebody else")

    def check(self) -> None:
        """Refuse to install, before anything is written, where the hook's place is somebody else's.

        Raises:
            Refused: with the line that the other hook needs.
        """
        state = self.state()
        line = f"{shlex.join(self._command)} hook {self._hook} || exit"
        if self._shared and state.name != INSTALLED:
            text = f"core.hooksPath leads to {self._path.parent}, which other repositories may use too"
            raise Refused(text, hint=f"add this line to {self._path} and go on with --no-hook: {line}")
        if state.name == OTHER and (not self._chain or self._path.is_symlink()):
            hint = f"--chain runs it first; or add this line to it, or go on with --no-hook: {line}"
            raise Refused(f"{self._path} is a hook of somebody else", hint=hint)

    def install(self) -> None:
        """Write the hook, and set one of somebody else aside."""
        with reporting(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self.state().name == OTHER:
                os.link(self._path, self._aside)  # a link and no move, so that there is a hook at every moment
        atomic_write(self._path, self._script().encode(), mode=_MODE)

    def remove(self, *, dry_run: bool = False) -> PartState:
        """Take the hook back, and restore the one that was set aside."""
        text = self._text()
        if text is None or not self._is_ours(text):
            return self.state()
        if self._aside.exists():
            if not dry_run:
                with reporting(self._path):
                    self._aside.replace(self._path)
                fsync_directory(self._path.parent)
            return PartState(MISSING, "the hook that was there before comes back")
        if not dry_run:
            remove_file(self._path)
        return PartState(MISSING)

    def _text(self) -> str | None:
        """Return the text of the file; ``None`` where there is none.

        A symlink is never ours, so it is not followed, and reads as an empty text.
        """
        if self._path.is_symlink():
            return ""
        return read_file(self._path).decode(errors="replace") if self._path.exists() else None

    def _script(self) -> str:
        return script(self._hook, self._command, chained=self._aside.exists())

    @staticmethod
    def _is_ours(text: str) -> bool:
        return SIGNATURE in text
