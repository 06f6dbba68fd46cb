"""The demo tells the truth, and fits a terminal."""

from __future__ import annotations

import subprocess
import sys

from tests.docs.conftest import ROOT
from tests.docs.console import Shell


def test_demo_comes_out_as_told(shell: Shell) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "demo" / "demo.py")],
        env={**shell.environment, "EPICVC_DATABASE_URL": "elsewhere.db"},
        cwd=shell.home,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
