"""Gives every test a home and a current directory of its own. Keeps it from writing elsewhere and from the network."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from support import counts
from support.guard import GUARD, private_environment

settings.register_profile("any machine", deadline=None)  # how long an example may take is no property of the code
settings.load_profile("any machine")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell ignores it for what it starts in the background, and every program of the tests would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide the developer's own settings from fixtures of a module or of the whole run."""
    variables, foreign = private_environment(tmp_path_factory.mktemp("home"))
    with pytest.MonkeyPatch.context() as patch:
        for name in foreign:
            patch.delenv(name)
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home directory of the running test. It lies beside ``tmp_path``, which stays empty."""
    name = hashlib.sha256(tmp_path.name.encode()).hexdigest()[:16]
    directory = tmp_path.parent / f"home-{name}"
    directory.mkdir(exist_ok=True)
    return directory


@pytest.fixture(autouse=True)
def guarded(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Point everything into the temporary directory, and stop a test that leaves it or this machine."""
    before = dict(os.environ)
    variables, foreign = private_environment(home)
    for name in foreign:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(tempfile, "tempdir", variables["TMPDIR"])
    monkeypatch.setattr(socket.socket, "connect", lambda client, address: GUARD.connect(client, address))
    monkeypatch.setattr(socket.socket, "connect_ex", lambda client, address: GUARD.connect_ex(client, address))
    monkeypatch.chdir(tmp_path)
    with GUARD.watching(tmp_path, home):
        yield
    # A variable that a test sets by itself would choose the database of every later test of this process.
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> counts.Tally:
    """A function that takes what a long test counted."""
    return lambda counted: record_property(counts.PROPERTY, dict(counted))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what long tests counted."""
    # Only the reports of the teardown have all that was counted, by the test's fixtures too.
    reports = [*terminalreporter.getreports(""), *terminalreporter.getreports("error")]
    if found := counts.lines(report for report in reports if report.when == "teardown"):
        terminalreporter.section("counts")
        for line in found:
            terminalreporter.line(line)
