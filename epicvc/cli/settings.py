"""The settings of a command, made of the common flags, and the run of a command."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from epicvc.cli.edge import write_json
from epicvc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from epicvc.actions.report.recording import Recording
    from epicvc.files.scan.early import EarlyLook
    from epicvc.repo.files.tracked import Unreadable
    from epicvc.repo.repository import Repo
    from epicvc.repo.runs import Counts
    from epicvc.ui.progress import ProgressBar
    from epicvc.ui.terminal import Console

LEVEL = "EPICVC_LOG"
"""The variable that asks for a log on stderr."""

_COLORS = ("auto", "always", "never")
_NO_RUN = ("dry_run", "porcelain")
"""The parameters of calls that are not recorded: they only try something, or are made at every prompt."""


class CommandSettings:
    """The settings of a command, from the common flags.

    Attributes:
        directory: the directory that the command runs in (``-C``).
        database: the database to use instead of the configured one (``--db``).
        json: whether the output is for machines.
        quiet: whether messages are left out.
        verbose: whether there is more detail, and a log on stderr.
        debug: whether the log has all details, values included.
        log_file: the file that gets the log.
        color: ``auto``, ``always`` or ``never``.
        bars: the progress bars on the screen. They are removed before anything else is drawn.
    """

    def __init__(self) -> None:
        self.directory = Path()
        self.database: str | None = None
        self.json = False
        self.quiet = False
        self.verbose = False
        self.debug = False
        self.log_file: str | None = None
        self.color = "auto"
        self.bars: list[ProgressBar] = []

    def with_flags(self, flags: Mapping[str, Any]) -> CommandSettings:
        """Return these settings with the flags of a command or group added. Later flags win.

        Raises:
            UsageError: a flag has a value that it does not take.
        """
        color = flags.get("color")
        if color is not None and color not in _COLORS:
            raise UsageError(f"--color takes {', '.join(_COLORS)}, not {color!r}")
        for name, flag in (("database", "--db"), ("directory", "-C"), ("log_file", "--log-file")):
            if flags.get(name) == "":
                raise UsageError(f"{flag} needs a value", hint=f"leave {flag} out to do without")
        changes = {name: value for name, value in flags.items() if value}
        if "directory" in changes:
            changes["directory"] = self.directory / changes["directory"]
        if changes.get("debug"):
            changes["verbose"] = True
        found = CommandSettings()
        vars(found).update({**vars(self), **changes})
        return found

    def repo(self, *, history: bool = False) -> Repo:
        """Open the repo that the command is about.

        Args:
            history: as for :meth:`epicvc.repo.repository.Repo.open`.
        """
        from epicvc.repo.repository import Repo

        repo = Repo.open(self.start(), database=self.located_database(), history=history)
        if repo.notice is not None:
            self.say(repo.notice)
        return repo

    def start(self) -> Path:
        """Return the directory in which the command runs."""
        from epicvc.errors import NotFound

        try:
            found = self.directory.resolve(strict=True)
        except (OSError, ValueError):
            found = Path()
        if not found.is_absolute() or not found.is_dir():
            raise NotFound(f"{self.directory} is no directory", hint="correct -C")
        return found

    def located_database(self) -> str | None:
        """Return ``--db``, with a path made absolute from the directory in which the command runs.

        Raises:
            UsageError: the path is that of a directory.
        """
        return None if self.database is None else self.located(self.database, "--db")

    def located(self, database: str, flag: str) -> str:
        """Return the value of any flag that names a database, as :meth:`located_database` does."""
        if ":" in database.split("/", 1)[0]:
            return database
        path = self.start() / database
        if os.path.isdir(path):  # noqa: PTH112  # Path.is_dir raises where a name is too long
            raise UsageError(f"{flag}: {database} is a directory, and no database", hint="name the file in it")
        return str(path)

    def console(self, *, stderr: bool = False) -> Console:
        """Make the console to draw on."""
        from epicvc.ui.terminal import make_console

        if not stderr:
            self._end_progress()
        return make_console(self.color, stderr=stderr)

    def _end_progress(self) -> None:
        while self.bars:
            self.bars.pop().close()

    def say(self, message: str) -> None:
        """Write a message for the person at the terminal."""
        from epicvc.ui.text import printable

        if not self.quiet and not self.json:
            self._end_progress()
            sys.stderr.write(printable(message) + "\n")

    def ask(self, question: str, *, default: bool = True) -> bool:
        """Ask the person at the terminal.

        Where there is none, the answer is no. An empty answer is the default.
        """
        from epicvc.ui.text import printable

        if self.quiet or self.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        self._end_progress()
        sys.stderr.write(f"{printable(question)} {'[Y/n]' if default else '[y/N]'} ")
        sys.stderr.flush()
        answer = sys.stdin.readline()
        return answer.strip().lower() in ("y", "yes", *([""] if default else [])) and answer != ""

    def emit(self, value: dict[str, Any]) -> None:
        """Write machine output: one JSON value on stdout."""
        write_json(value)

    def tell_errors(self, errors: Sequence[Unreadable]) -> int:
        """Draw what cannot be read, if anything, on stderr; return the exit code for it.

        Machine output has the errors in it already.
        """
        if not errors:
            return 0
        from epicvc.errors import InvalidData

        if not self.json:
            from epicvc.ui.unreadable import draw_errors

            draw_errors(self.console(stderr=True), errors, verbose=self.verbose)
        return InvalidData.exit_code


class Context:
    """One run of a command: its settings, and the things to close when it ends.

    Args:
        settings: the settings from the common flags.
        early_look: a look at the files that was begun before.
        name: the command's words, such as ``backup create``.

    Attributes:
        recording: the record of the run for ``epicvc stats``; ``None`` where the run is not recorded.
    """

    def __init__(self, settings: CommandSettings, early_look: EarlyLook | None = None, name: str = "") -> None:
        self.settings = settings
        self.early_look = early_look
        self.recording: Recording | None = None
        self._name = name
        self._ending = ExitStack()

    def run(self, command: Callable[..., int], values: Mapping[str, Any]) -> int:
        """Run the command, and return its exit code.

        Args:
            command: the command's function.
            values: the values of its own parameters.
        """
        if any(values.get(name) for name in _NO_RUN):
            self._name = ""
        code = command(self, **values)
        if self.recording is not None:
            self.recording.exit = code
        return code

    def record(self, private: Path | None) -> None:
        """Have the run recorded, if it is one of :data:`epicvc.cli.line.table.RECORDED`.

        Args:
            private: the private directory of the repo that the run is about; ``None`` where it is about none.
        """
        from epicvc.cli.line.table import RECORDED

        if self._name in RECORDED and private is not None:
            from epicvc.actions.report.recording import recorded

            self.recording = self._ending.enter_context(recorded(private, self._name))

    def counted(self, counts: Callable[[], Counts]) -> None:
        """Note the counts of the run, if it is recorded."""
        if self.recording is not None:
            self.recording.counts = counts()

    def call_on_close(self, close: Callable[[], None]) -> None:
        """Call a function when the command ends, also by an error. The last function is called first."""
        self._ending.callback(close)

    def __enter__(self) -> Self:
        settings = self.settings
        if settings.verbose or settings.log_file or LEVEL in os.environ:
            from epicvc.cli.log import logged  # imported here, since it imports logging

            self._ending.enter_context(logged(self._name, settings))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.__exit__(kind, error, trace)


def settings_of(context: Context) -> CommandSettings:
    """Return the settings of the running command."""
    return context.settings


def repo_of(context: Context, *, history: bool = False, recorded: bool = True) -> Repo:
    """Open the repo of the running command. It is closed when the command ends.

    Args:
        context: the running command.
        history: whether the command reads nothing but history.
        recorded: whether this call of the command is one that is recorded.
    """
    settings = settings_of(context)
    repo = settings.repo(history=history)
    repo.early_look = context.early_look
    context.call_on_close(repo.close)
    if recorded and repo.is_adopted:
        context.record(repo.config.private)
    logs = settings.verbose or LEVEL in os.environ  # a line of the log would tear the bar
    if sys.stderr.isatty() and not settings.quiet and not settings.json and not logs:
        from epicvc.ui.progress import ProgressBar

        bar = ProgressBar(lambda: settings.console(stderr=True).rich)
        settings.bars.append(bar)
        context.call_on_close(bar.close)
        repo.progress = bar
    return repo


def complete_refs(incomplete: str) -> list[str]:
    """Return branches, tags and checkpoints, for shell completion."""

    def names() -> list[str]:
        repo = CommandSettings().repo()
        return ["HEAD", *(name.split("/", 2)[2] for name in repo.store.refs("refs/"))]

    return _completions(names, incomplete)


def complete_epics(incomplete: str) -> list[str]:
    """Return epics, for shell completion."""

    def names() -> list[str]:
        repo = CommandSettings().repo()
        return sorted(repo.scan_files(repo.staging(writable=False)).by_epic)

    return _completions(names, incomplete)


def _completions(names: Callable[[], list[str]], incomplete: str) -> list[str]:
    from epicvc.errors import EpicvcError

    try:
        return [name for name in names() if name.startswith(incomplete)]
    except EpicvcError:
        return []  # completion outside a repo has nothing to offer


def environment() -> dict[str, str]:
    """Return the process's environment."""
    return dict(os.environ)
