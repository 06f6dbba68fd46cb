"""What is no regular file where a file is opened, and an environment that cannot be: answered, never waited for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.repos import EpicRepo

PRIVATE = ("clock", "config", "config.cache", "files.cache", "documents.cache", "status.cache", "plans.json", "lock")
BESIDE = (".epicvc/store.db-journal", ".epicvc/store.db-wal", "framework.db-journal", "framework.db-wal")
COMMANDS = (("status",), ("status", "--porcelain"), ("sync",), ("plan",), ("fsck",), ("undo",), ("doctor",))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("place", [*(f".epicvc/{name}" for name in PRIVATE), *BESIDE, "epicvc.toml"])
def test_a_fifo_in_place_of_a_file(garden: EpicRepo, place: str, command: tuple[str, ...]) -> None:
    path = garden.root / place
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    said = garden.process(*command)  # with its own limit of time
    assert said.code in (0, 4, 5, 6), said
    assert "Traceback" not in said.err
    path.unlink()


@pytest.mark.parametrize("command", ["textconv", "merge-file"])
def test_a_fifo_on_the_command_line(garden: EpicRepo, command: str) -> None:
    os.mkfifo(garden.root / "fifo")
    names = ["fifo"] * (3 if command == "merge-file" else 1)
    said = garden.process(command, *names)
    assert said.code == 6
    assert "not a regular file" in said.err


def test_a_device_in_place_of_the_configuration(garden: EpicRepo) -> None:
    (garden.root / ".epicvc" / "config").symlink_to("/dev/zero")
    garden.refused(5, "status", naming="is a symbolic link, a pipe or a device")


def test_an_author_that_is_no_text(garden: EpicRepo) -> None:
    said = garden.process("commit", "--allow-empty", "-m", "x", EPICVC_AUTHOR=os.fsdecode(b"a\xff"))
    assert said.code == 0
    assert garden.json("log")["commits"][0]["author"] == "a\\xff"


@pytest.mark.parametrize("command", [("log",), ("plan",), ("blame", "1")], ids=" ".join)
def test_a_time_zone_that_cannot_be(garden: EpicRepo, command: tuple[str, ...]) -> None:
    assert garden.process(*command, TZ="UTC+25:61").code == 0


@pytest.mark.parametrize(
    "text",
    [
        f'[files]\ndir = "{"a" * 300}"\n',
        f'[files]\ndir = "{"a/" * 3000}"\n',
        f"x = {'9' * 5000}\n",
        "x = " + "[" * 9999,
    ],
    ids=["a long name", "a long path", "a long number", "deep"],
)
def test_a_configuration_that_cannot_be(garden: EpicRepo, text: str) -> None:
    (garden.root / "epicvc.toml").write_text(text)
    for command in COMMANDS[:3]:
        said = garden.process(*command)
        assert said.code == 4
        assert said.err.startswith("epicvc: epicvc.toml: ")


def test_records_that_are_nested_too_deep(garden: EpicRepo) -> None:
    Path(garden.root / ".epicvc" / "plans.json").write_text("[" * 100_000)
    assert garden.process("plan").code == 0
