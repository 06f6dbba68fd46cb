"""Runs a command that is killed at its n-th step towards the disk, as a power cut or ``kill -9`` would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.guard import ROOT

AT_THE_END = 12
"""The steps that a run may spend at its end on writing what it remembers."""

CHILD = """
import os, signal, sqlite3, sys

limit, steps = int(sys.argv[1]), 0
exec(sys.argv[2])

def step():
    global steps
    steps += 1
    if steps == limit:
        os.kill(os.getpid(), signal.SIGKILL)

def counted(name):
    real = getattr(os, name)
    def call(*arguments, **options):
        step()
        result = real(*arguments, **options)
        step()
        return result
    setattr(os, name, call)

for name in ("fsync", "rename", "replace", "unlink", "write"):
    counted(name)

class Counted:
    def execute(self, sql, *arguments):
        writes = sql.lstrip()[:6].upper() in ("BEGIN ", "COMMIT", "INSERT", "UPDATE", "DELETE", "DROP T", "CREATE")
        if writes:
            step()
        result = super().execute(sql, *arguments)
        if writes:
            step()
        return result

connect = sqlite3.connect

def counting(*arguments, **options):
    factory = options.pop("factory", sqlite3.Connection)
    return connect(*arguments, **options, factory=type("Connection", (Counted, factory), {}))

sqlite3.connect = counting

from epicvc.cli.edge import run_application

code = run_application(sys.argv[3:])
sys.stderr.write(f"\\nsteps={steps}")
sys.exit(code)
"""


def run_killed(root: Path, at: int, *arguments: str, setup: str = "") -> int | None:
    """Run a command in a process of its own that dies at step ``at``.

    Args:
        root: the repo.
        at: the step, from 1; 0 for a run that is not killed.
        arguments: the command.
        setup: Python that the process runs first.

    Returns:
        The steps of a run that was not killed; ``None`` for a killed one.
    """
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(at), setup, *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
    )
    if done.returncode < 0:
        return None
    assert done.returncode == 0, done
    return int(done.stderr.rsplit("steps=", 1)[1])


def kill_points(steps: int, count: int) -> list[int]:
    """Return steps that are spread over a run of so many, without the last ones.

    At its end a run may write what it remembers or not, as the files are old or new. So another run may have fewer
    steps.
    """
    last = steps - AT_THE_END
    return sorted({1 + round(number * (last - 1) / count) for number in range(count + 1)})
