"""The fixtures that keep tests inside their directory: what they stop, and what they let through."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from support.guard import GUARD, Trespass, foreign


def test_git_sees_no_configuration_of_the_user(home: Path) -> None:
    assert os.environ["GIT_CONFIG_GLOBAL"] == str(home / ".gitconfig")
    assert os.environ["GIT_CONFIG_NOSYSTEM"] == "1"


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("elsewhere")
    (directory / "file").write_text("kept")
    (directory / "directory").mkdir()
    return directory


WRITES: dict[str, Callable[[Path], object]] = {
    "open": lambda there: (there / "new").write_text("x"),
    "append": lambda there: (there / "file").open("a"),
    "update": lambda there: (there / "file").open("r+"),
    "os.open": lambda there: os.open(there / "new", os.O_CREAT | os.O_WRONLY),
    "mkdir": lambda there: (there / "new").mkdir(),
    "remove": lambda there: (there / "file").unlink(),
    "rmdir": lambda there: (there / "directory").rmdir(),
    "rmtree": lambda there: shutil.rmtree(there / "directory"),
    "rename away": lambda there: (there / "file").rename("mine"),
    "rename into": lambda there: _made("mine").rename(there / "new"),
    "symlink": lambda there: (there / "new").symlink_to("file"),
    "hard link": lambda there: (there / "new").hardlink_to(_made("mine")),
    "chmod": lambda there: (there / "file").chmod(0o600),
    "utime": lambda there: os.utime(there / "file"),
    "truncate": lambda there: os.truncate(there / "file", 0),
    "copy": lambda there: shutil.copyfile(_made("mine"), there / "new"),
    "database": lambda there: sqlite3.connect(there / "new"),
    "database by URI": lambda there: sqlite3.connect(f"file:{there}/new?mode=rwc", uri=True),
    "through a symlink": lambda there: _link_to(there).joinpath("new").write_text("x"),
    "relative": lambda there: Path(os.path.relpath(there / "new")).write_text("x"),
}


def _made(name: str) -> Path:
    path = Path(name)
    path.write_text("x")
    return path


def _link_to(directory: Path) -> Path:
    link = Path("link")
    link.symlink_to(directory)
    return link


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_writing_elsewhere_is_stopped(write: Callable[[Path], object], elsewhere: Path) -> None:
    with pytest.raises(Trespass, match="outside the test's directory"):
        write(elsewhere)
    assert sorted(path.name for path in elsewhere.iterdir()) == ["directory", "file"]
    assert (elsewhere / "file").read_text() == "kept"


def test_no_handler_of_errors_hides_a_trespass(elsewhere: Path) -> None:
    with pytest.raises(Trespass):
        try:
            (elsewhere / "new").write_text("x")
        except Exception:  # noqa: BLE001  # what the product's edge does
            pytest.fail("it was taken for an error of the product")


def test_reading_elsewhere_is_allowed(elsewhere: Path) -> None:
    assert (elsewhere / "file").read_text() == "kept"
    assert Path(__file__).read_bytes()


def test_writing_at_home_is_allowed(tmp_path: Path, home: Path) -> None:
    for directory in (tmp_path, home, Path(), Path.home(), Path(tempfile.gettempdir())):
        (directory / "file").write_text("x")
        sqlite3.connect(directory / "database").close()
    with tempfile.TemporaryDirectory() as name:
        assert Path(name).is_relative_to(home)
    Path("/dev/null").write_text("x")


def test_home_and_current_directory_are_the_tests_own(tmp_path: Path, home: Path) -> None:
    assert Path.cwd() == tmp_path
    assert list(tmp_path.iterdir()) == []
    assert Path.home() == home
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "TMPDIR"):
        assert Path(os.environ[name]).is_relative_to(home)
        assert Path(os.environ[name]).is_dir()


def test_the_developers_own_settings_are_gone() -> None:
    assert not set(foreign(os.environ)) - {"GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"}
    assert foreign({"EPICVC_DATABASE_URL": "", "GIT_DIR": "", "NO_COLOR": "1", "PATH": ""}) == [
        "EPICVC_DATABASE_URL",
        "GIT_DIR",
        "NO_COLOR",
    ]


@pytest.mark.parametrize("moment", ["left", "looked for"])
def test_what_a_test_sets_in_the_environment_is_gone_after_it(moment: str) -> None:
    assert "EPICVC_LEFT" not in os.environ
    if moment == "left":
        os.environ["EPICVC_LEFT"] = "by a test"


@pytest.fixture(scope="module")
def state_of_the_module() -> Path:
    """Where a fixture of a module would keep its state."""
    return Path(os.environ["XDG_STATE_HOME"])


def test_a_fixture_of_a_module_is_private_too(state_of_the_module: Path, tmp_path: Path) -> None:
    assert state_of_the_module.is_relative_to(tmp_path.parent)


def test_a_child_process_has_the_same_home(home: Path) -> None:
    script = "import pathlib; print(pathlib.Path.home(), pathlib.Path.cwd())"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.split() == [str(home), str(Path.cwd())]


@pytest.mark.parametrize("address", [("192.0.2.1", 9), ("example.org", 80), ("2001:db8::1", 80)])
def test_connecting_beyond_this_machine_is_stopped(address: tuple[str, int]) -> None:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as client, pytest.raises(Trespass, match="beyond this machine"):
        client.connect(address)
    with socket.socket(family) as client, pytest.raises(Trespass):
        client.connect_ex(address)
    with pytest.raises(Trespass):
        socket.create_connection(address)


def test_libraries_are_stopped_too() -> None:
    with pytest.raises(Trespass):
        urllib.request.urlopen("http://example.org/")


def test_loopback_is_allowed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1])).close()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        server.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect("socket")


def test_watching_ends_where_it_began(tmp_path: Path) -> None:
    roots = GUARD.roots
    with GUARD.watching(tmp_path / "inner"), pytest.raises(Trespass):
        Path("file").write_text("x")
    assert GUARD.roots == roots
    Path("file").write_text("x")
