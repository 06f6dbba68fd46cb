"""Stops a test that writes outside its temporary directory or opens a connection beyond loopback.

It works by one audit hook. Python calls the hook for every opened file, renamed path, started program and connected
socket, those of C modules included. Child processes and libraries that make system calls of their own are not seen. A
socket resolves a name before the hook is called, so ``connect`` is replaced as well.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
ROOT = Path(__file__).resolve().parents[2]
"""The directory of the checkout."""

_LOCAL_NAMES = frozenset({"", "localhost", "ip6-localhost"})

#: Events of calls that change a path: the positions of the paths in their arguments.
_CHANGING = {
    "os.chmod": (0,),
    "os.chown": (0,),
    "os.link": (1,),
    "os.mkdir": (0,),
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.rmdir": (0,),
    "os.symlink": (1,),
    "os.truncate": (0,),
    "os.utime": (0,),
    "shutil.rmtree": (0,),
}
_STARTING = frozenset({"subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.spawn"})
#: Where the interpreter, the test runner and the devices write on their own.
_TOOLS = frozenset({"__pycache__", ".pytest_cache", ".hypothesis"})
_MEMORY = "/dev/shm/"  # a file system like any other


class Trespass(BaseException):
    """The step of a test beyond its temporary directory or this machine. No ``except Exception`` hides it."""


class Guard:
    """The watch over what the running test may touch.

    Attributes:
        roots: the directories below which the test may write; ``None`` where nothing is watched.
        programs: the programs that the test may start, without any connection. ``None`` allows all programs, and
            connections to this machine.
        trespasses: what was stopped, even where the test caught the exception.
    """

    def __init__(self) -> None:
        self.roots: tuple[str, ...] | None = None
        self.programs: frozenset[str] | None = None
        self.trespasses: list[str] = []
        self._installed = False

    @contextmanager
    def watching(self, *roots: Path, programs: Collection[str] | None = None) -> Iterator[None]:
        """Allow writing below ``roots`` and nowhere else.

        With ``programs`` only these may be started, and no connection may be opened.
        """
        if not self._installed:
            sys.addaudithook(self._hear)
            self._installed = True
        before = self.roots, self.programs
        self.roots = tuple(os.path.realpath(root) for root in roots)
        self.programs = None if programs is None else frozenset(programs)
        try:
            yield
        finally:
            self.roots, self.programs = before

    def _stop(self, what: str) -> NoReturn:
        self.trespasses.append(what)
        raise Trespass(what)

    def connect(self, client: socket.socket, address: object) -> None:
        """Connect a socket in place of ``socket.socket.connect``, if it stays on this machine."""
        self.require_local(client, address)
        super(socket.socket, client).connect(address)  # type: ignore[arg-type]

    def connect_ex(self, client: socket.socket, address: object) -> int:
        """Connect a socket in place of ``socket.socket.connect_ex``, if it stays on this machine."""
        self.require_local(client, address)
        return super(socket.socket, client).connect_ex(address)  # type: ignore[arg-type]

    def require_local(self, client: socket.socket, address: object) -> None:
        """Stop the test where a socket is about to leave this machine."""
        if self.roots is not None and (client.family != socket.AF_UNIX or self.programs is not None):
            self._require_loopback("socket.connect", address)

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.roots is None:
            return
        if event == "open":
            path, mode, flags = arguments
            if _writes(mode, flags):
                self._require_inside(event, path)
        elif event in _CHANGING:
            for position in _CHANGING[event]:
                self._require_inside(event, arguments[position])
        elif event == "sqlite3.connect":
            self._require_database_inside(arguments[0])
        elif event == "socket.connect":
            self._require_loopback(event, arguments[1])
        elif event == "socket.getaddrinfo":
            self._require_loopback(event, (arguments[0], arguments[1]))
        elif event in _STARTING and self.programs is not None:
            self._require_program(event, arguments[0])

    def _require_program(self, event: str, program: object) -> None:
        assert self.programs is not None
        name = os.path.basename(os.fsdecode(program)) if isinstance(program, str | bytes | os.PathLike) else "?"
        if name not in self.programs:
            self._stop(f"{event}: {name}")

    def _require_loopback(self, event: str, address: object) -> None:
        if self.programs is not None:
            self._stop(f"{event}: {address!r}")
        if not _is_loopback(address):
            self._stop(f"{event} beyond this machine: {address!r}")

    def _require_inside(self, event: str, path: object) -> None:
        if isinstance(path, int) or not isinstance(path, str | bytes | os.PathLike):
            return  # a descriptor: it was checked when it was opened
        text = os.fsdecode(path)
        if not os.path.isabs(text) and event != "open" and not os.path.lexists(text):
            return  # relative to a directory's descriptor, which was opened below a root
        # The call changes the last name itself, so only the directories above it are resolved.
        target = os.path.join(os.path.realpath(os.path.dirname(os.path.abspath(text))), os.path.basename(text))
        device = target.startswith(("/dev/", "/proc/")) and not target.startswith(_MEMORY)
        if device or _TOOLS.intersection(Path(target).parts):
            return
        assert self.roots is not None
        if not any(target == root or target.startswith(root + os.sep) for root in self.roots):
            self._stop(f"{event} outside the test's directory: {target}")

    def _require_database_inside(self, database: object) -> None:
        text = os.fsdecode(database) if isinstance(database, str | bytes | os.PathLike) else ""
        if text in ("", ":memory:"):
            return
        if text.startswith("file:"):
            path, _, query = text.removeprefix("file:").partition("?")
            if "mode=ro" in query or "mode=memory" in query or path == ":memory:":
                return
            text = unquote("/" + path.lstrip("/") if path.startswith("/") else path)
        self._require_inside("sqlite3.connect", text)


GUARD = Guard()


def _writes(mode: object, flags: object) -> bool:
    if isinstance(mode, str):
        return bool(set(mode) & set("wax+"))
    return isinstance(flags, int) and bool(flags & _WRITING)


def _is_loopback(address: object) -> bool:
    if isinstance(address, str | bytes):
        return True  # a socket in the file system
    host = address[0] if isinstance(address, tuple) and address else None
    if host is None:
        return True
    name = host.decode() if isinstance(host, bytes) else str(host)
    if name in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(name.split("%")[0]).is_loopback
    except ValueError:
        return False


def private_environment(home: Path) -> tuple[dict[str, str], list[str]]:
    """Return the variables that keep programs inside ``home``, and the names of those that must go."""
    directories = {
        "HOME": home,
        "XDG_CONFIG_HOME": home / ".config",
        "XDG_DATA_HOME": home / ".local/share",
        "XDG_STATE_HOME": home / ".local/state",
        "XDG_CACHE_HOME": home / ".cache",
        "XDG_RUNTIME_DIR": home / ".run",
        "TMPDIR": home / "tmp",
    }
    for directory in directories.values():
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    variables = {name: str(path) for name, path in directories.items()}
    variables["GIT_CONFIG_GLOBAL"] = str(home / ".gitconfig")
    variables["GIT_CONFIG_NOSYSTEM"] = "1"
    # Child processes find the product from any current directory, however the tests were started.
    known = [os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    variables["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([str(ROOT), *known]))
    return variables, foreign(os.environ)


def foreign(environment: Mapping[str, str]) -> list[str]:
    """Return the names of the variables that belong to a developer's own repos or terminal."""
    terminal = {"NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "EDITOR", "VISUAL", "PAGER", "COLUMNS"}
    return [name for name in environment if name.startswith(("EPICVC_", "GIT_")) or name in terminal]
