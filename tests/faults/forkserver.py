"""The fork server: imports epicvc once, then runs each request in a child that the interposing library may kill.

Started by :mod:`faults.client` with the library preloaded. Requests and answers are JSON lines on stdin and stdout.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import io
import json
import os
import resource
import signal
import sys
import tempfile
from typing import Any

TIME_LIMIT = 120
"""Seconds after which a child counts as hanging."""

_WARMING = (
    "init --db w.db",
    "status",
    "status --json",
    "sync",
    "commit --allow-empty -m warm",
    "checkout HEAD --discard-changes",
    "resolve --prefer files",
    "undo",
    "doctor --repair",
    "fsck --full",
    "fsck --json",
    "gc",
)


def main() -> None:
    """Serve until stdin ends."""
    library = ctypes.CDLL(sys.argv[1])
    library.faults_points.restype = ctypes.c_long
    library.faults_arm.argtypes = [
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_long,
        ctypes.c_int,
        ctypes.c_long,
    ]
    _warm_up()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_serve(json.loads(line), library)) + "\n")
        sys.stdout.flush()


def _warm_up() -> None:
    """Have the children find imported what they need: most of a command's time on a repo as small as these."""
    from epicvc.cli.edge import run_application

    importlib.import_module("faults.oracle")
    with tempfile.TemporaryDirectory() as directory, contextlib.chdir(directory):
        os.mkdir("epics")
        with open("epics/epic.json", "w") as file:
            file.write('{"id": "1", "name": "Warm", "tasks": [{"id": "1.1", "title": "t"}]}')
        silent = io.StringIO()
        for command in _WARMING:
            with contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent):
                code = run_application(command.split())
            if code:
                raise RuntimeError(f"{command}: {silent.getvalue()}")


def _serve(request: dict[str, Any], library: ctypes.CDLL) -> dict[str, Any]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        code = 99
        try:
            signal.alarm(TIME_LIMIT)
            answer = _run(request, library)
            with open(writer, "w") as pipe:
                json.dump(answer, pipe)
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with open(reader) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return {"signal": os.WTERMSIG(status), "code": None, "out": "", "err": "", "value": None, "points": 0}
    return {"signal": 0, **json.loads(said or '{"code": 99, "out": "", "err": "the child died", "points": 0}')}


def _run(request: dict[str, Any], library: ctypes.CDLL) -> dict[str, Any]:
    os.chdir(request["directory"])
    os.environ["TMPDIR"] = os.environ["SQLITE_TMPDIR"] = request["temporary"]
    os.environ["EPICVC_STATE_DIR"] = request["state"]
    out, err = io.StringIO(), io.StringIO()
    value: Any = None
    code: int | None = None
    if request["preparation"]:
        _call(request["preparation"], {})
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        fault = request["fault"]
        if fault is not None:
            log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if request["log"] else -1
            library.faults_arm(
                os.fsencode(request["root"]), log, fault["mode"], fault["at"], fault["error"], fault["cut"]
            )
        if request["call"]:
            value = _call(request["call"], request["arguments"])
        else:
            from epicvc.cli.edge import run_application

            code = run_application(request["command"])
        library.faults_disarm()
    return {
        "code": code,
        "value": value,
        "out": out.getvalue(),
        "err": err.getvalue(),
        "points": library.faults_points(),
    }


def _call(name: str, arguments: dict[str, Any]) -> Any:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)(**arguments)


if __name__ == "__main__":
    main()
