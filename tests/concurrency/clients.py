"""The clients of a concurrent run: who runs commands, the application, an author who locks, an editor who does not.

Each is a process of its own. A command of epicvc runs in a process that is forked for it and ends with it, as if it had
been typed; only the import of the program is done once.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from concurrency.history import Event, Recorder
from concurrency.places import FILE_PLACES, ROW_PLACES, Document

PATIENCE = 60.0
"""Seconds that the application and authors wait for a lock: they have to get through, to be looked for later."""

FORWARD = {
    "sync --json": 12,
    "sync --json 1 2": 2,
    "push --json": 4,
    "pull --json": 4,
    "commit --json -m {token}": 3,
    "checkpoint --json {token}": 2,
    "tag --json {token}": 1,
    "branch --json {token}": 1,
    "status --json": 2,
    "status --porcelain": 1,
    "diff --json": 1,
    "log --json": 1,
    "show --json": 1,
    "op log --json": 1,
    "sync --dry-run --json": 1,
    "fsck --json": 1,
    "gc --json": 1,
    "doctor --json": 1,
}
"""Commands that only add, with how often each is used."""

COMMANDS = {"forward": FORWARD, "pulling": {"sync --json": 1}}


def run_forked(
    root: Path,
    words: list[str],
    meddle: Callable[[int], None] = lambda _: None,
    prepare: Callable[[], None] = lambda: None,
) -> tuple[int | None, str, str]:
    """Run a command in a forked process.

    Args:
        root: where.
        words: the command line.
        meddle: called with the process's id while it runs.
        prepare: called in the process before it runs.

    Returns:
        The exit code (``None`` when it was killed), stdout, stderr.
    """
    outputs = [os.memfd_create(name) for name in ("out", "err")]
    child = os.fork()
    if not child:
        code = 99
        try:
            prepare()
            os.chdir(root)
            for number, output in enumerate(outputs, 1):
                os.dup2(output, number)
            sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8") for number in (1, 2))
            from epicvc.__main__ import main

            sys.argv = ["epicvc", *words]
            code = main()
            sys.stdout.flush()
            sys.stderr.flush()
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 0
        except BaseException as error:  # noqa: BLE001  # whatever it is, it must be seen and must not go on in the client
            os.write(2, f"\nTraceback: {error!r}".encode())
        finally:
            os._exit(code)
    meddle(child)
    _, status = os.waitpid(child, 0)
    texts = []
    for output in outputs:
        with os.fdopen(output, "rb") as file:
            file.seek(0)
            texts.append(file.read().decode())
    return (os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else None), texts[0], texts[1]


class Client:
    """What all clients have.

    Args:
        name: its name.
        spec: what it is to do, from the run's specification.
        run: the run's directory.
    """

    def __init__(self, name: str, spec: Document, run: Path) -> None:
        self.name = name
        self.spec = spec
        self.root = Path(spec["root"])
        self.random = random.Random(f"{name} {spec['seed']}")
        self.record = Recorder(run / "history", name).write
        self._over = run / "over"
        self._count = 0

    def token(self) -> str:
        """A word that nobody else writes."""
        self._count += 1
        return f"{self.name}.{self._count}"

    def rounds(self) -> Iterator[int]:
        """As many rounds as wanted, with a pause after each; without a number until the run is over."""
        done = 0
        while done < self.spec["operations"] if "operations" in self.spec else not self._over.exists():
            yield done
            done += 1
            time.sleep(self.random.random() * 2 * self.spec.get("pause", 0.0))


class Commander(Client):
    """Runs commands; now and then one of them is stopped for a while, or killed."""

    def work(self) -> None:
        """Run all commands."""
        commands = COMMANDS[self.spec.get("commands", "forward")]
        for _ in self.rounds():
            (words,) = self.random.choices(list(commands), list(commands.values()))
            words = words.format(token=self.token())
            began = time.monotonic_ns()
            code, out, err = run_forked(self.root, words.split(), self._meddle)
            self.record(Event(self.name, "epicvc", words, self.root.name, code, out, err, began, time.monotonic_ns()))

    def _meddle(self, child: int) -> None:
        chance = self.random.random()
        if chance < self.spec.get("kill", 0.0):
            time.sleep(self.random.random() * 0.3)
            os.kill(child, signal.SIGKILL)
        elif chance < self.spec.get("kill", 0.0) + self.spec.get("stop", 0.0):
            time.sleep(self.random.random() * 0.3)
            os.kill(child, signal.SIGSTOP)
            time.sleep(self.random.random())
            os.kill(child, signal.SIGCONT)


class Application(Client):
    """Reads, changes and writes rows in transactions."""

    def work(self) -> None:
        """Run transactions."""
        connection = sqlite3.connect(self.spec["database"], timeout=PATIENCE, isolation_level=None)
        connection.execute("PRAGMA foreign_keys=ON")
        for _ in self.rounds():
            place, token = self.random.choice(sorted(self.spec.get("places", ROW_PLACES))), self.token()
            began = time.monotonic_ns()
            connection.execute("BEGIN IMMEDIATE")
            ROW_PLACES[place].write(connection, token)
            connection.execute("COMMIT")
            event = Event(self.name, "application", place, "", 0, token, "", began, time.monotonic_ns())
            self.record(event)
        connection.close()


def read_epics(directory: Path) -> dict[str, tuple[Path, Document]]:
    """Every epic's file with its parsed value, by the epic's id."""
    found = {}
    for path in sorted(directory.rglob("*.json")):
        if not path.name.startswith("."):
            value = json.loads(path.read_bytes())
            found[str(value.get("epic", value)["id"])] = (path, value)
    return found


def replace(path: Path, value: Document) -> None:
    """Save a file as editors do that save safely."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.saving")
    beside.write_text(json.dumps(value, indent=2, ensure_ascii=False), encoding="utf-8")
    beside.replace(path)


@contextmanager
def repo_lock(root: Path) -> Iterator[None]:
    """The repo's lock, as ``flock .epicvc/lock COMMAND`` takes it."""
    with (root / ".epicvc" / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Author(Client):
    """Edits files while holding the repo's lock: what it read is what it replaces."""

    def work(self) -> None:
        """Edit files."""
        for _ in self.rounds():
            place, token = self.random.choice(sorted(self.spec.get("places", FILE_PLACES))), self.token()
            began = time.monotonic_ns()
            with repo_lock(self.root):
                path, value = read_epics(self.root / "epics")[FILE_PLACES[place].epic]
                FILE_PLACES[place].write(value.get("epic", value), token)
                replace(path, value)
            self.record(Event(self.name, "author", place, self.root.name, 0, token, "", began, time.monotonic_ns()))


class Editor(Client):
    """Saves one file again and again without a lock, as a person's editor does, and expects its own words back."""

    def work(self) -> None:
        """Save the file."""
        path = self.root / "epics" / self.spec["path"]
        mine = None
        for _ in self.rounds():
            token = self.token()
            began = time.monotonic_ns()
            value: Any = json.loads(path.read_bytes())
            found = value["epic"]["summary"]
            said = "" if mine in (None, found) else f"saved {mine}, found {found}"
            value["epic"]["summary"] = mine = token
            replace(path, value)
            self.record(
                Event(self.name, "editor", path.name, self.root.name, 0, token, said, began, time.monotonic_ns())
            )


KINDS: dict[str, type[Commander | Application | Author | Editor]] = {
    "commander": Commander,
    "application": Application,
    "author": Author,
    "editor": Editor,
}
