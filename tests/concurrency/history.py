"""What the clients of a concurrent run did and were told, as each of them wrote it down.

A client writes one line for each operation, after the operation has answered; so a line is an acknowledgement, and
what was acknowledged must not be lost. Times are of the monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Event:
    """One answered operation.

    Attributes:
        client: who did it.
        action: ``epicvc`` (a command), ``application`` (a transaction) or ``author`` (an edit of a file).
        what: the command's words, or the name of the place that was written.
        repo: the repo, by name; empty for the application.
        code: the exit code; ``None`` for a process that was killed.
        value: the token that was written, or what the command said on stdout.
        said: what it said on stderr.
        began: nanoseconds.
        ended: nanoseconds.
    """

    client: str
    action: str
    what: str
    repo: str = ""
    code: int | None = 0
    value: str = ""
    said: str = ""
    began: int = 0
    ended: int = 0


@dataclass(frozen=True)
class History:
    """All events of a run."""

    events: tuple[Event, ...] = field(default_factory=tuple)

    @classmethod
    def read(cls, directory: Path) -> History:
        """Read what all clients wrote down."""
        lines = (line for path in sorted(directory.glob("*.jsonl")) for line in path.read_text().splitlines())
        return cls(tuple(sorted((Event(**json.loads(line)) for line in lines), key=lambda event: event.ended)))

    def commands(self) -> Iterator[Event]:
        """What was asked of epicvc."""
        return (event for event in self.events if event.action == "epicvc")

    def tokens(self) -> Iterator[Event]:
        """What was written, by the application and by authors."""
        return (event for event in self.events if event.action in ("application", "author"))

    def answers(self, *commands: str) -> Iterator[tuple[Event, Any]]:
        """What successful commands answered to ``--json``."""
        for event in self.commands():
            if event.what.split()[0] in commands and event.code in (0, 1):
                yield event, json.loads(event.value)


class Recorder:
    """Writes a client's events down, line by line."""

    def __init__(self, directory: Path, client: str) -> None:
        self._file = (directory / f"{client}.jsonl").open("a", encoding="utf-8", buffering=1)

    def write(self, event: Event) -> None:
        """Write one."""
        self._file.write(json.dumps(asdict(event)) + "\n")
