"""Lines go out as they are where no style shows, and through rich where one does; both say the same."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from epicvc.ui.terminal import Console, line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(color: str, file: io.StringIO) -> str:
    console = Console(color, file)
    mixed = line("plain ", ("added", "added"), " [b]no markup[/b] :smile: ", ("dim" * 100, "dim"))
    mixed.append(" more", "label")
    console.print(mixed)
    console.print()
    console.print("text")
    return file.getvalue()


PLAIN = f"plain added [b]no markup[/b] :smile: {'dim' * 100} more\n\ntext\n"


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")


@pytest.mark.parametrize(("color", "file"), [("auto", io.StringIO), ("never", io.StringIO), ("never", Terminal)])
def test_without_styles(color: str, file: type[io.StringIO]) -> None:
    assert drawn(color, file()) == PLAIN


def test_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert drawn("auto", Terminal()) == PLAIN


@pytest.mark.parametrize(("color", "file"), [("auto", Terminal), ("always", io.StringIO)])
def test_with_styles(color: str, file: type[io.StringIO]) -> None:
    assert "\x1b[32madded\x1b[0m [b]no markup[/b] :smile: \x1b[2mdim" in drawn(color, file())


def test_colours_that_the_environment_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[32madded" in drawn("auto", io.StringIO())


def test_what_only_rich_can_draw() -> None:
    from rich.table import Table

    out = io.StringIO()
    table = Table("left", "right")
    table.add_row("1", "2")
    Console("auto", out).print(table)
    assert "left" in out.getvalue()


def test_plain_lines_do_not_import_rich() -> None:
    code = (
        "import sys; from epicvc.ui.terminal import make_console, line\n"
        "make_console('auto').print(line('a', ('b', 'added'))); print('rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "ab\nFalse\n"
