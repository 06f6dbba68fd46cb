"""Talks to the fork server: builds the interposing library, runs commands with a fault, reads the log of calls."""

from __future__ import annotations

import errno
import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Self

from support.guard import ROOT, foreign

from epicvc.repo.home import stores

SOURCE = Path(__file__).with_name("interpose.c")
_RECORD = struct.Struct("=IIIIQq")


class Mode(IntEnum):
    """What happens at the chosen call; the numbers stand in ``interpose.c`` too."""

    COUNT = 0
    KILL = 1
    TORN = 2
    FAIL_ONCE = 3
    FAIL_ON = 4
    DISK_FULL = 5


class Kind(IntEnum):
    """What a call does; the numbers stand in ``interpose.c`` too."""

    CREATE = 1
    WRITE = 2
    TRUNCATE = 3
    SYNC = 4
    SYNC_DIRECTORY = 5
    RENAME = 6
    UNLINK = 7
    LINK = 8
    MKDIR = 9
    RMDIR = 10
    EXCHANGE = 11


@dataclass(frozen=True)
class Fault:
    """What to inject.

    Attributes:
        mode: how.
        at: at which call, from 1.
        error: the error number of a failing call.
        cut: of a torn write, how many eighths reach the disk.
    """

    mode: Mode = Mode.COUNT
    at: int = 0
    error: int = errno.EIO
    cut: int = 4

    def __str__(self) -> str:
        extra = {
            Mode.TORN: f" {self.cut}/8",
            Mode.FAIL_ONCE: f" {errno.errorcode[self.error]}",
            Mode.FAIL_ON: f" {errno.errorcode[self.error]}",
        }
        return f"{self.mode.name}{extra.get(self.mode, '')} at {self.at}"


@dataclass(frozen=True)
class Call:
    """A call that changed the disk, as the library noted it.

    Attributes:
        point: its number among the fault points.
        path: the path as the process sees it; for calls with two paths the first.
        inode: the file's inode; 0 where the path alone matters.
        offset: where a ``WRITE`` went, or the size after a ``TRUNCATE``.
        data: what was written; for calls with two paths the second.
    """

    kind: Kind
    point: int
    path: str
    inode: int
    offset: int
    data: bytes


@dataclass(frozen=True)
class Answer:
    """How a child ended.

    Attributes:
        signal: the signal that killed it; 0 for none.
        code: the command's exit code.
        value: what a called function returned.
        points: how many fault points it passed.
    """

    signal: int
    code: int | None
    out: str
    err: str
    points: int
    value: Any = None


def missing_tool() -> str | None:
    """Why the library cannot be built here; ``None`` if it can."""
    if not sys.platform.startswith("linux"):
        return "the interposing library needs Linux"
    if compiler() is None:
        return "there is no C compiler (cc, gcc or clang), so no fault can be injected"
    return None


def compiler() -> str | None:
    """A C compiler."""
    return next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)


def build(directory: Path) -> Path:
    """Build the library."""
    target = directory / "interpose.so"
    tool = compiler()
    assert tool is not None
    flags = ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([tool, *flags, "-o", str(target), str(SOURCE)], check=True, timeout=120)
    return target


class Server:
    """A running fork server."""

    def __init__(self, library: Path) -> None:
        gone = {*foreign(os.environ), "LD_PRELOAD"}
        environment = {name: value for name, value in os.environ.items() if name not in gone}
        paths = [str(ROOT), str(ROOT / "tests"), environment.get("PYTHONPATH", "")]
        environment |= {"PYTHONPATH": os.pathsep.join(paths), "LD_PRELOAD": str(library), "EPICVC_AUTHOR": "tester"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.forkserver", str(library)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
            encoding="utf-8",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=60)

    def run(
        self,
        root: Path,
        command: tuple[str, ...] = (),
        fault: Fault | None = None,
        *,
        log: Path | None = None,
        preparation: str | None = None,
    ) -> Answer:
        """Run a command in a repo.

        Args:
            root: the directory that is watched; the repo is ``root/repo``, temporary files go to ``root/tmp``.
            command: the arguments of ``epicvc``.
            fault: what to inject.
            log: where the library notes the calls.
            preparation: ``module:function`` called in the child first, unwatched.
        """
        return self._ask(
            root,
            command=command,
            fault=None if fault is None else asdict(fault),
            log=None if log is None else str(log),
            preparation=preparation,
        )

    def call(
        self, root: Path, function: str, fault: Fault | None = None, *, preparation: str | None = None, **arguments: Any
    ) -> Answer:
        """Call ``module:function`` in a child; the others as in :meth:`run`."""
        return self._ask(
            root,
            call=function,
            arguments=arguments,
            fault=None if fault is None else asdict(fault),
            log=None,
            preparation=preparation,
        )

    def _ask(self, root: Path, **request: Any) -> Answer:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        filled = {
            "root": os.path.realpath(root),
            "directory": str(root / "repo"),
            "temporary": str(root / "tmp"),
            "state": stores.directory(os.environ),
            "command": (),
            "call": None,
            "arguments": {},
            "preparation": None,
            **request,
        }
        self._process.stdin.write(json.dumps(filled) + "\n")
        self._process.stdin.flush()
        return Answer(**json.loads(self._process.stdout.readline()))


def read_log(path: Path) -> list[Call]:
    """The calls of a run, in order."""
    return list(_records(path.read_bytes()))


def _records(data: bytes) -> Iterator[Call]:
    at = 0
    while at < len(data):
        kind, named, length, point, inode, offset = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        path = os.fsdecode(data[at : at + named])
        at += named
        yield Call(Kind(kind), point, path, inode, offset, data[at : at + length])
        at += length
