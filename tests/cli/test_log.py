"""The log: who hears what, how it looks, and that nobody pays for it who does not listen."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from epicvc.base.logs import DEBUG, INFO, Log
from epicvc.cli.log import logged
from epicvc.cli.settings import CommandSettings
from epicvc.errors import FileUnavailable, LinkInTheWay, NotFound, UsageError

HOSTILE = "\x1b[31mred\n2025-08-17 INFO epicvc.sync forged \u202e \udcff %s %(x)s"
ESCAPED = r"\e[31mred\n2025-08-17 INFO epicvc.sync forged \u202e \udcff %s %(x)s"


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("EPICVC_LOG", raising=False)
    root = logging.getLogger("epicvc")
    level, handlers = root.level, list(root.handlers)
    yield
    assert (root.level, [one for one in root.handlers if not isinstance(one, logging.NullHandler)]) == (
        level,
        [one for one in handlers if not isinstance(one, logging.NullHandler)],
    )


def test_records_carry_their_facts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "epicvc")
    Log("sync").info("to %s", "files", label="7:name", operation="abc", seconds=0.0125)
    Log("sync").debug("nobody hears")
    Log("sync").warning("look at it")
    first, second = caplog.records
    assert (first.name, first.levelno, first.getMessage()) == (
        "epicvc.sync",
        logging.INFO,
        "to files: 7:name (operation abc, 0.013 s)",
    )
    facts = [[record.__dict__[name] for name in ("label", "operation", "seconds")] for record in caplog.records]
    assert facts == [["7:name", "abc", 0.0125], [None, None, None]]
    assert second.levelno == logging.WARNING
    assert first.filename == "test_log.py"  # where it happened, not where it is passed on
    assert (Log("sync").wants(INFO), Log("sync").wants(DEBUG)) == (True, False)


def test_hostile_values_are_escaped_for_every_handler(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "epicvc")
    Log("sync").debug("it says %s", HOSTILE, label=HOSTILE)
    (record,) = caplog.records
    assert record.getMessage() == f"it says {ESCAPED}: {ESCAPED}"
    assert record.__dict__["label"] == ESCAPED


def test_the_library_is_silent_and_imports_no_logging() -> None:
    """Whatever it has to tell; with `logging` imported and not configured too, where Python would write warnings."""
    tell = "from epicvc.base.logs import Log; Log('sync').warning('a'); Log('sync').info('b')"
    for before in ("", "import logging; "):
        probe = f"import sys; {before}{tell}; print('logging' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60)
        assert (done.stdout.strip(), done.stderr) == (str(bool(before)), "")


def settings(**values: object) -> CommandSettings:
    return CommandSettings().with_flags(values)


def told(capsys: pytest.CaptureFixture[str], wanted: CommandSettings | None) -> str:
    with logged("sync", wanted):
        Log("sync").info("an info %s", HOSTILE)
        Log("sync").debug("a detail")
    out, err = capsys.readouterr()
    assert out == ""
    return err


@pytest.mark.parametrize(
    ("flags", "level", "heard"),
    [
        ({}, None, ()),
        ({"verbose": True}, None, ("an info",)),
        ({"debug": True}, None, ("an info", "a detail")),
        ({}, "debug", ("an info", "a detail")),
        ({}, "INFO", ("an info",)),
        ({}, "warning", ()),
        ({}, "", ()),
        ({"verbose": True}, "debug", ("an info", "a detail")),
        ({"debug": True}, "info", ("an info", "a detail")),
    ],
)
def test_what_is_written_to_stderr(
    flags: dict[str, bool],
    level: str | None,
    heard: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if level is not None:
        monkeypatch.setenv("EPICVC_LOG", level)
    lines = [line for line in told(capsys, settings(**flags)).splitlines() if " epicvc.sync " in line]
    assert [line.split("epicvc.sync ")[1].split(" \\e")[0] for line in lines] == list(heard)
    pattern = rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z {os.getpid()} (INFO|DEBUG) epicvc\.sync .+"
    assert all(re.fullmatch(pattern, line) for line in lines)
    assert not heard or f"an info {ESCAPED}" in lines[0]


def test_a_level_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPICVC_LOG", "loud")
    with pytest.raises(UsageError, match="EPICVC_LOG takes debug, info, warning, not 'loud'"), logged("sync"):
        pass


def test_how_a_command_ends(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NotFound), logged("log", settings(debug=True)):
        raise NotFound(f"no epic {HOSTILE}")
    *_, short, detail = capsys.readouterr().err.splitlines()
    assert re.search(r"INFO epicvc\.command log ends with an error, not_found \(\d+\.\d{3} s\)$", short)
    assert detail.endswith(f"DEBUG epicvc.command no epic {ESCAPED}")


def test_a_file_gets_no_details_by_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EPICVC_LOG", "debug")  # is for stderr
    assert "a detail" in told(capsys, settings(log_file="a.log"))
    text = Path("a.log").read_text()
    assert "an info" in text
    assert "a detail" not in text
    assert Path("a.log").stat().st_mode & 0o777 == 0o600
    told(capsys, settings(log_file="a.log", debug=True))
    more = Path("a.log").read_text()
    assert more.startswith(text)  # it goes on
    assert "a detail" in more


def test_a_file_lies_where_the_command_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, settings(directory=str(tmp_path), log_file="a.log"))
    assert (tmp_path / "a.log").exists()


def test_links_and_devices_are_no_log(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("")
    (tmp_path / "link").symlink_to("there")
    os.mkfifo(tmp_path / "fifo")
    for name, reason in (
        ("link", "not followed"),
        ("fifo", "fifo: "),
        (".", "directory"),
        ("no/where", "No such file"),
    ):
        with (
            pytest.raises((FileUnavailable, LinkInTheWay), match=reason),
            logged("sync", settings(log_file=str(tmp_path / name))),
        ):
            pass
    assert (tmp_path / "there").read_text() == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no disk that is always full")
def test_a_full_disk_is_said_once_and_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("epicvc.cli.log._opened", lambda path: os.open("/dev/full", os.O_WRONLY))
    said = told(capsys, settings(log_file=str(tmp_path / "a.log")))
    assert said == f"epicvc: {tmp_path / 'a.log'}: the log cannot be written: No space left on device\n"
