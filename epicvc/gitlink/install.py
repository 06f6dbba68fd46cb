"""Installs, removes and examines all parts of an installation, for ``git install``, ``git uninstall``, ``git doctor``.

Nothing in a repository can name a command to run. So the commands stand in ``.git``, in its configuration and its
hooks, which only the user writes, by ``git install``. The shared file, ``.gitattributes``, only says which files are
epics.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from epicvc.base.fileio import read_file
from epicvc.errors import NotFound, Refused
from epicvc.gitlink.attributes import Attributes
from epicvc.gitlink.git import Git
from epicvc.gitlink.gitconfig import ConfigSection, configured_command, wanted
from epicvc.gitlink.hookfile import HOOKS, HookFile
from epicvc.gitlink.part import INSTALLED, MISSING, STALE, Part, PartState
from epicvc.repo.config.tomlfile import CONFIG, parse_toml
from epicvc.repo.config.trackedfiles import read_files
from epicvc.repo.home.place import PRIVATE
from epicvc.repo.home.trust import is_tracked

WRITTEN: Final = "written"
UNCHANGED: Final = "unchanged"
REMOVED: Final = "removed"
KEPT: Final = "kept"
_PATIENCE_S: Final = 30


class Line(NamedTuple):
    """The report of one part.

    Attributes:
        part: the kind of part.
        place: the place where it is.
        state: the state, or what was done, in one word.
        detail: further words about the state; mostly none.
    """

    part: str
    place: str
    state: str
    detail: str = ""


class InstallPlace:
    """The files of an epic repo in a git repository, for which the parts are installed.

    Args:
        start: a directory in the epic repo.

    Raises:
        NotFound: the directory lies in no epic repo, or not in a git repository.
        Refused: the files lie in another git repository than the configuration.
    """

    def __init__(self, start: Path) -> None:
        root = next((above for above in (start, *start.parents) if (above / CONFIG).is_file()), None)
        if root is None:
            raise NotFound(f"{start} is in no epic repo: there is no {CONFIG}", hint="make one with `epicvc init`")
        tracked = read_files(parse_toml(read_file(root / CONFIG), CONFIG))
        files = root / tracked.directory
        self.git = Git(root)
        top = Path(self.git.line("rev-parse", "--show-toplevel"))
        if not files.is_dir():
            raise NotFound(f"{files} does not exist", hint=f"correct [files] dir in {root / CONFIG}")
        if Path(Git(files).line("rev-parse", "--show-toplevel")) != top:
            raise Refused(f"{files} is a git repository of its own", hint="install where the files are")
        self.root, self.top, self.files = root, top, files
        self.patterns = tracked.include, tracked.exclude
        self.shown = Path(os.path.realpath(files)).relative_to(top).as_posix()
        if self.shown == ".":
            self.shown = ""

    def hooks(self, command: Sequence[str], *, chain: bool) -> list[HookFile]:
        """Return the hooks, in the directory where git looks for them."""
        shared = bool(self.git.line("config", "--get", "core.hooksPath", expect=(0, 1)))
        directory = Path(self.git.directory or "", self.git.line("rev-parse", "--git-path", "hooks"))
        return [HookFile(directory, hook, command, chain=chain, shared=shared) for hook in HOOKS]

    def others(self, command: Sequence[str]) -> list[Part]:
        """Return all parts but the hooks."""
        sections = (ConfigSection(self.git, section, values) for section, values in wanted(command).items())
        return [*sections, Attributes(self.git, self.top, self.shown, *self.patterns)]


def own_command() -> list[str]:
    """Return the words that start this very epicvc, from any directory."""
    script = Path(sys.argv[0]).absolute()
    if script.name == "epicvc" and os.access(script, os.X_OK) and script.is_file():
        return [str(script)]
    return [sys.executable, "-m", "epicvc"]


def install(place: InstallPlace, command: Sequence[str], *, chain: bool, hook: bool, dry_run: bool) -> list[Line]:
    """Put every part in place that is not, or not as it has to be.

    Args:
        place: the place of the installation.
        command: the words that start epicvc.
        chain: run a hook of somebody else before ours, where there is one.
        hook: install the hooks too.
        dry_run: write nothing, and only return what would be done.

    Raises:
        Refused: the place of a hook is taken; then nothing is written.
    """
    hooks = place.hooks(command, chain=chain) if hook else []
    for part in hooks:
        part.check()
    lines = []
    for found in [*place.others(command), *hooks]:
        state = found.state()
        if state.name != INSTALLED and not dry_run:
            found.install()
        lines.append(Line(found.name, found.place, UNCHANGED if state.name == INSTALLED else WRITTEN, state.detail))
    return lines


def uninstall(place: InstallPlace, *, dry_run: bool) -> list[Line]:
    """Take back what :func:`install` wrote, and nothing else."""
    command = configured_command(place.git) or own_command()
    lines = []
    for part in [*place.hooks(command, chain=True), *place.others(command)]:
        before, after = part.state(), part.remove(dry_run=dry_run)
        word = KEPT if after.name != MISSING else MISSING if before.name == MISSING else REMOVED
        lines.append(Line(part.name, part.place, word, after.detail))
    return lines


def doctor(place: InstallPlace) -> list[Line]:
    """Return the state of each part.

    Two more things are examined: whether the epicvc that git would start does start, and whether git tracks the store.
    """
    configured = configured_command(place.git)
    command = configured or own_command()
    parts: list[Part] = [*place.others(command), *place.hooks(command, chain=True)]
    lines = [Line(part.name, part.place, *part.state()) for part in parts]
    if configured:
        lines.insert(0, Line("command", " ".join(configured), *_starts(configured)))
    if is_tracked(place.root):
        lines.append(Line("store", PRIVATE, STALE, f"git tracks it: run `git rm -r -q --cached {PRIVATE}`, and commit"))
    return lines


def _starts(command: Sequence[str]) -> PartState:
    """Tell whether a command is an epicvc that runs.

    The command comes from the user's own configuration, from which git takes it too.
    """
    try:
        done = subprocess.run(  # noqa: S603  # what git would run
            [*command, "--version"], capture_output=True, check=False, timeout=_PATIENCE_S, text=True
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return PartState(STALE, f"does not run: {error}")
    if done.returncode or not done.stdout.startswith("epicvc "):
        return PartState(STALE, f"does not run: exit code {done.returncode}")
    return PartState(INSTALLED, done.stdout.strip())
