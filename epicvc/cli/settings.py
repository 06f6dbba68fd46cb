"""The flags that every command has, and what they amount to."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import typer
from typer.core import TyperOption

from epicvc.cli.edge import Interrupted, write_json
from epicvc.cli.help import COMMON, LaidCommand, LaidGroup
from epicvc.errors import UsageError

if TYPE_CHECKING:
    from epicvc.repo.repository import Repo
    from epicvc.ui.progress import ProgressBar
    from epicvc.ui.terminal import Console

_COLORS = ("auto", "always", "never")


class Settings:
    """What the common flags say.

    Attributes:
        directory: where the command runs (``-C``).
        database: the database to use instead of the configured one (``--db``).
        json: machine output.
        quiet: no messages.
        verbose: more detail.
        color: ``auto``, ``always`` or ``never``.
        bars: progress that is being drawn; it goes before anything else is.
    """

    def __init__(self) -> None:
        self.directory = Path()
        self.database: str | None = None
        self.json = False
        self.quiet = False
        self.verbose = False
        self.color = "auto"
        self.bars: list[ProgressBar] = []

    def with_flags(self, flags: dict[str, Any]) -> Settings:
        """The same with some flags set."""
        found = Settings()
        vars(found).update({**vars(self), **flags})
        return found

    def repo(self) -> Repo:
        """The repo that the command is about."""
        from epicvc.repo.repository import Repo

        return Repo.open(self.start(), database=self.located_database())

    def start(self) -> Path:
        """The directory in which the command runs."""
        from epicvc.errors import NotFound

        try:
            found = self.directory.resolve(strict=True)
        except (OSError, ValueError):
            found = Path()
        if not found.is_absolute() or not found.is_dir():
            raise NotFound(f"{self.directory} is no directory", hint="correct -C")
        return found

    def located_database(self) -> str | None:
        """``--db`` with a relative path made absolute, since it is meant from where the user stands."""
        if self.database is None or ":" in self.database.split("/", 1)[0]:
            return self.database
        return str(self.start() / self.database)

    def console(self, *, stderr: bool = False) -> Console:
        """Where to draw."""
        from epicvc.ui.terminal import make_console

        if not stderr:
            self._end_progress()
        return make_console(self.color, stderr=stderr)

    def _end_progress(self) -> None:
        while self.bars:
            self.bars.pop().close()

    def say(self, message: str) -> None:
        """A message for the person at the terminal."""
        from epicvc.ui.text import printable

        if not self.quiet and not self.json:
            self._end_progress()
            sys.stderr.write(printable(message) + "\n")

    def ask(self, question: str) -> bool:
        """Ask the person at the terminal; without one the answer is no."""
        if self.quiet or self.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        self._end_progress()
        sys.stderr.write(f"{question} [Y/n] ")
        sys.stderr.flush()
        answer = sys.stdin.readline()
        return answer.strip().lower() in ("", "y", "yes") and answer != ""

    def emit(self, value: dict[str, Any]) -> None:
        """Machine output: one JSON value on stdout."""
        write_json(value)


def common_options() -> list[TyperOption]:
    """The flags of :class:`Settings`, fresh for one command."""
    return [
        TyperOption(
            param_decls=["-C", "directory"],
            metavar="DIR",
            help="Run as if started in DIR.",
            rich_help_panel=COMMON,
        ),
        TyperOption(
            param_decls=["--db", "database"],
            metavar="URL",
            help="Use this database instead of the configured one.",
            rich_help_panel=COMMON,
        ),
        TyperOption(
            param_decls=["--json"],
            is_flag=True,
            default=False,
            help="Machine output on stdout.",
            rich_help_panel=COMMON,
        ),
        TyperOption(
            param_decls=["--quiet", "-q"],
            is_flag=True,
            default=False,
            help="No messages.",
            rich_help_panel=COMMON,
        ),
        TyperOption(
            param_decls=["--verbose", "-v"],
            is_flag=True,
            default=False,
            help="More detail.",
            rich_help_panel=COMMON,
        ),
        TyperOption(
            param_decls=["--color"],
            metavar="auto|always|never",
            help="Colour the output (NO_COLOR is obeyed).",
            rich_help_panel=COMMON,
        ),
    ]


_NAMES = ("directory", "database", "json", "quiet", "verbose", "color")


def _merge(settings: Settings, params: dict[str, Any]) -> Settings:
    """Take the common flags out of a command's parameters, on top of those before the command."""
    given = {name: params.pop(name) for name in _NAMES if name in params}
    color = given.get("color")
    if color is not None and color not in _COLORS:
        raise UsageError(f"--color takes {', '.join(_COLORS)}, not {color!r}")
    changes: dict[str, Any] = {name: value for name, value in given.items() if value}
    if "directory" in changes:
        changes["directory"] = settings.directory / changes["directory"]
    return settings.with_flags(changes)


class Command(LaidCommand):
    """A command that also takes the common flags."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(cast("list[Any]", common_options()))

    def invoke(self, ctx: Any) -> Any:
        """Run it with the flags merged."""
        ctx.obj = _merge(ctx.obj or Settings(), ctx.params)
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Interrupted from error


class Group(LaidGroup):
    """A group that also takes the common flags, before the command."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(cast("list[Any]", common_options()))

    def invoke(self, ctx: Any) -> Any:
        """Run it with the flags merged."""
        ctx.obj = _merge(ctx.obj or Settings(), ctx.params)
        return super().invoke(ctx)


def settings_of(context: typer.Context) -> Settings:
    """The settings of the running command."""
    return cast("Settings", context.obj)


def repo_of(context: typer.Context) -> Repo:
    """The repo of the running command, closed when the command ends."""
    settings = settings_of(context)
    repo = settings.repo()
    context.call_on_close(repo.close)
    if sys.stderr.isatty() and not settings.quiet and not settings.json:
        from epicvc.ui.progress import ProgressBar

        bar = ProgressBar(lambda: settings.console(stderr=True).rich)
        settings.bars.append(bar)
        context.call_on_close(bar.close)
        repo.progress = bar
    return repo


def complete_refs(incomplete: str) -> list[str]:
    """Branches, tags and checkpoints, for shell completion."""

    def names() -> list[str]:
        repo = Settings().repo()
        return ["HEAD", *(name.split("/", 2)[2] for name in repo.store.refs("refs/"))]

    return _completions(names, incomplete)


def complete_epics(incomplete: str) -> list[str]:
    """Epics, for shell completion."""

    def names() -> list[str]:
        repo = Settings().repo()
        return sorted(repo.scan_files(repo.staging(writable=False)).by_epic)

    return _completions(names, incomplete)


def _completions(names: Callable[[], list[str]], incomplete: str) -> list[str]:
    from epicvc.errors import EpicvcError

    try:
        return [name for name in names() if name.startswith(incomplete)]
    except EpicvcError:
        return []  # completion outside a repo has nothing to offer


def environment() -> dict[str, str]:
    """The process's environment."""
    return dict(os.environ)
