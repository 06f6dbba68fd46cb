"""Begins to look at the files of a large repo before its configuration is read, for commands that only read.

The configuration can be read only after most imports. So a large repo leaves a note of its files directory and
patterns. The note is trusted just far enough to begin: the result of an early look is used only where the configuration
asks for the same. The module imports next to nothing: the earlier the look begins, the less of it is waited for.
"""

from __future__ import annotations

import os
import time

from epicvc.repo.home.place import PRIVATE, STORE, oddity, root_above, without_waiting
from epicvc.repo.home.stores import is_listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from epicvc.files.scan.early import EarlyLook
    from epicvc.files.scan.scan import FoundFiles
    from epicvc.repo.config.config import Config

FILE = "look.cache"
MANY = 5000
"""The number of files from which a process is worth it.

Fewer are looked at in the time that forking one and reading its answer takes.
"""

_LOAD = "/proc/loadavg"
_PAUSES_S = (0, 0.0005, 0.0005)
"""The pauses in seconds between looks at the load, while all processors are taken."""

_FORMAT = "epicvc.early-look/1"
_END = "\0"


def begin(directory: str) -> EarlyLook | None:
    """Begin to look at the files of a large repo, for a command that only reads.

    Commands that write must not call this: they look after they have taken the lock, when no other command may write.

    Args:
        directory: the directory that the command runs in.

    Returns:
        ``None`` where nothing is to be gained, or anything is doubtful.
    """
    try:
        root = root_above(os.path.realpath(directory))
        if oddity(root) or not is_listed(os.environ, root):
            return None
        with open(f"{root}/{PRIVATE}/{FILE}", "rb", opener=without_waiting) as file:
            form, files, count, *patterns = file.read().decode().split(_END)
        number = int(count)
        if not _is_processor_idle():
            return None
    except (OSError, ValueError):
        return None
    if form != _FORMAT or files.startswith("/") or ".." in files.split("/"):
        return None
    from epicvc.files.scan.early import EarlyLook

    question = _below(root, files), tuple(patterns[:number]), tuple(patterns[number:])
    return EarlyLook.begin(question, f"{root}/{PRIVATE}/{STORE}")


def remember(config: Config, found: FoundFiles) -> None:
    """Leave the note where it is worth it, and remove it elsewhere. A failure to do so is ignored.

    Args:
        config: the repo's configuration.
        found: the tracked files.
    """
    from contextlib import suppress

    from epicvc.base.fileio import atomic_write, read_file, remove_file
    from epicvc.errors import FileUnavailable

    path = config.private / FILE
    files = config.files.relative_to(config.root).as_posix()
    fields = [_FORMAT, files, str(len(config.include)), *config.include, *config.exclude]
    note = _END.join(fields).encode() if len(found) >= MANY else None
    try:
        known: bytes | None = read_file(path)
    except FileUnavailable:
        known = None
    if known == note:
        return
    if note is not None and _are_scattered(found.paths):
        note = None
    with suppress(FileUnavailable):
        if note is not None:
            atomic_write(path, note, mode=0o600, durable=False)
        else:
            remove_file(path)


def _are_scattered(paths: Sequence[str]) -> bool:
    from epicvc.files.scan.looking import MOST_DIRECTORIES

    return len({path.rpartition("/")[0] for path in paths}) > MOST_DIRECTORIES


def _is_processor_idle() -> bool:
    """Return whether a second process would run beside this one.

    If it ran in turns with this one, it would cost more than it saves.
    """
    try:
        processors = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        processors = os.cpu_count() or 1
    return any(running < processors for running in _running())


def _running() -> Iterator[int]:
    """Yield a few times how many processes run, this one included.

    The process that started this one may still be busy for a moment, so one look is not enough.
    """
    for pause_s in _PAUSES_S:
        time.sleep(pause_s)
        try:
            with open(_LOAD, "rb", buffering=0) as file:
                yield int(file.read().split()[3].partition(b"/")[0])
        except (OSError, ValueError, IndexError):
            yield 1


def _below(root: str, files: str) -> str:
    """Join two paths as :mod:`pathlib` does."""
    return root if files == "." else f"{root.rstrip('/')}/{files}"
