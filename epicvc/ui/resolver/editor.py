"""Edits one value in the user's editor: ``$VISUAL``, else ``$EDITOR``, from the environment and nowhere else.

A text is edited as it is, any other value as JSON. The editor is run without a shell. Its file is in a directory that
only its owner can enter, and that is removed afterwards.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from epicvc.actions.shared.questions import Spec
from epicvc.base.jsonio import JSON, dumps_text, parse
from epicvc.errors import InvalidJSON
from epicvc.merge.threeway import ABSENT, Chosen, Conflict, Value
from epicvc.model.mapping import Kind

FALLBACK: Final = "vi"
"""The editor that POSIX has, for users who name none."""


class EditFailed(Exception):
    """Raised where editing gave no new value.

    Attributes:
        reason: the reason, in one line.
        text: the text that the editor left, if editing can go on with it.
    """

    def __init__(self, reason: str, text: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.text = reason, text


class Draft(Struct, frozen=True):
    """A text to be edited: the value itself, or its JSON."""

    text: str
    plain: bool

    @classmethod
    def of(cls, conflict: Conflict, spec: Spec, start: Value) -> Draft:
        """Return the draft with which the editing of a conflict begins."""
        values = [value for value in (conflict.base, conflict.ours, conflict.theirs) if value is not ABSENT]
        plain = spec.kind in (Kind.TEXT, Kind.DATE) or (
            spec.kind is None and bool(values) and all(isinstance(value, str) for value in values)
        )
        if plain and (start is ABSENT or isinstance(start, str)):
            return cls("" if start is ABSENT else start, True)
        return cls("null" if start is ABSENT else dumps_text(start, indent="  "), False)

    def read(self, text: str) -> Chosen:
        """Return the value that an edited text stands for. JSON's null removes the field.

        Raises:
            EditFailed: the text is no JSON where JSON is needed.
        """
        if self.plain:
            return Chosen(text)
        try:
            value: JSON = parse(text.encode())
        except InvalidJSON as error:
            reason = f"line {error.line}, column {error.column}: {error.reason}; e goes on editing"
            raise EditFailed(reason, text) from error
        return Chosen(ABSENT if value is None else value)


def editor_command(environment: Mapping[str, str]) -> list[str]:
    """Return the command line of the editor that the environment names.

    Raises:
        EditFailed: the value of the variable is no command line.
    """
    for name in ("VISUAL", "EDITOR"):
        # A terminal without a cursor has no use for a visual editor.
        if environment.get(name, "").strip() and not (name == "VISUAL" and environment.get("TERM") == "dumb"):
            try:
                return shlex.split(environment[name])
            except ValueError as error:
                raise EditFailed(f"{name} is no command line: {error}") from error
    return [FALLBACK]


def edit(text: str, name: str, environment: Mapping[str, str], *, plain: bool) -> str:
    """Let the user edit a text, and return the edited text.

    Args:
        text: the text that the file holds at first.
        name: the label that the file is named after, for people.
        environment: names the editor.
        plain: whether the value is a text and no JSON.

    Raises:
        EditFailed: the editor cannot be run, failed, or left the text as it was.
    """
    command = editor_command(environment)
    safe = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.")[:60] or "value"
    with tempfile.TemporaryDirectory(prefix="epicvc-") as directory:  # made with mode 0700
        path = Path(directory, f"{safe}{'.txt' if plain else '.json'}")
        path.write_bytes(text.encode() + b"\n")
        path.chmod(0o600)
        try:
            done = subprocess.run([*command, str(path)], check=False)  # noqa: S603  # the user's own editor, no shell
        except OSError as error:
            raise EditFailed(f"cannot run {command[0]}: {error.strerror}; set EDITOR") from error
        if done.returncode:
            raise EditFailed(f"{command[0]} ended with {done.returncode}; nothing was taken")
        try:
            found = path.read_bytes().decode()
        except (OSError, UnicodeDecodeError) as error:
            raise EditFailed("the file that the editor left is gone, or no text") from error
    found = found.removesuffix("\n")  # editors end every file with a line end, and so did we
    if found == text:
        raise EditFailed("nothing was changed in the editor; nothing was taken")
    return found
