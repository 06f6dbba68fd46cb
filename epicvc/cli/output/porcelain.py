"""``status --porcelain``: one short line per epic or table, stable across versions.

An epic is ``XYZ ID PATH``. X is the change of the files since HEAD, and Y that of the database: ``M`` modified, ``A``
added, ``D`` deleted, ``.`` unchanged. Z is the state of the sides: ``=`` synced, ``>`` files ahead, ``<`` db ahead,
``*`` diverged, ``!`` conflict, ``?`` cannot be read. A table is ``@NAME ADDED MODIFIED DELETED``, and a changed
definition of the database's schema ``#X KIND NAME``.
"""

from __future__ import annotations

import os
import sys

from epicvc.repo.shortcuts import lastanswer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from epicvc.actions.history.status import Status

_SINCE = {"unchanged": ".", "modified": "M", "added": "A", "deleted": "D"}
_OP = {"add": "A", "replace": "M", "remove": "D"}
_STATE = {"synced": "=", "files_ahead": ">", "db_ahead": "<", "diverged": "*", "conflict": "!", "invalid": "?"}


def porcelain_lines(found: Status) -> Iterator[str]:
    """Yield the lines of a status."""
    from epicvc.ui.text import printable

    for epic in found.epics:
        marks = f"{_SINCE[epic.files]}{_SINCE[epic.db]}{_STATE[epic.state]}"
        yield f"{marks} {printable(epic.id)} {printable(epic.path or '-')}"
    for bad in found.errors:
        if bad.epic is None and bad.path is None:
            from epicvc.repo.held import label_of

            yield f"..? {printable(label_of(bad) or '-')} -"
    for table in found.tables:
        yield f"@{printable(table.name)} {table.added} {table.modified} {table.deleted}"
    for change in found.schema:
        yield f"#{_OP[change.op]} {change.kind} {printable(change.name)}".rstrip()


def porcelain_status() -> int:
    """Answer ``status --porcelain`` for the repo in the current directory.

    The answer is remembered, and given again while it is still right.
    """
    answer = lastanswer.recall(os.environ)
    sys.stdout.write(_read_answer() if answer is None else answer)
    sys.stdout.flush()  # flushed here, where a reader that went away is no failure
    return 0


def _read_answer() -> str:
    from pathlib import Path
    from time import time_ns

    from epicvc.actions.history.status import read_status
    from epicvc.files.scan.cache import clock_ns
    from epicvc.repo.repository import Repo, find_root

    root = find_root(Path().absolute())
    asked_ns = min(clock_ns(root / lastanswer.PRIVATE), time_ns())
    repo = Repo.open(root)
    if repo.notice is not None:
        from epicvc.ui.text import printable

        sys.stderr.write(printable(repo.notice) + "\n")
    observation = lastanswer.observe(repo.config, os.environ, asked_ns)
    answer = "".join(line + "\n" for line in porcelain_lines(read_status(repo)))
    if observation is not None:
        lastanswer.remember(observation, answer)
    return answer
