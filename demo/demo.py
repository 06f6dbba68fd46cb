"""The main job of epicvc, shown on three small epics and checked while it is shown.

Runs the installed ``epicvc`` command on a temporary copy of ``demo/epics``. After every step the files and the
database are looked at directly; the first fact that does not hold ends the demo with exit code 1.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
WIDTH = 78


class Unexpected(Exception):
    """Something did not come out as the demo tells it."""


class Stage:
    """The temporary copy and the words around it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.database = directory / "plans.db"
        self.color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        hidden = ("EPICVC_", "GIT_AUTHOR_")
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
        self.environment["EPICVC_AUTHOR"] = "planner"
        self.environment["EPICVC_STATE_DIR"] = str(directory / ".state")  # not the list of whoever runs this
        self._steps = 0
        self._listing = False

    # Telling

    def step(self, title: str, text: str) -> None:
        """Begin a step."""
        self._steps += 1
        gap = "\n" if self._listing else ""
        self._listing = False
        self._write(gap + self._styled("1", f"{self._steps}. {title}") + "\n")
        self._write(textwrap.fill(text, WIDTH) + "\n\n")

    def tell(self, text: str) -> None:
        """Say what is done without epicvc, or what has been checked."""
        self._write(textwrap.fill(text, WIDTH, initial_indent="  * ", subsequent_indent="    ") + "\n")
        self._listing = True

    def check(self, fact: str, holds: bool) -> None:
        """Say a fact that has just been looked at.

        Raises:
            Unexpected: it does not hold.
        """
        if not holds:
            raise Unexpected(fact)
        mark = self._styled("32", "ok")
        lines = textwrap.fill(fact, WIDTH, initial_indent="  ok  ", subsequent_indent="      ")
        self._write(lines.replace("ok", mark, 1) + "\n")
        self._listing = True

    def _styled(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color else text

    @staticmethod
    def _write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    # Doing

    def epicvc(self, *arguments: str, exit_code: int = 0) -> str:
        """Run a command in the temporary copy and show it with its output.

        Raises:
            Unexpected: it ends with another exit code.
        """
        shown = " ".join(repr(part) if " " in part else part for part in arguments)
        gap = "\n" if self._listing else ""
        self._listing = False
        self._write(gap + self._styled("36", f"  $ epicvc {shown}") + "\n")
        done = self._run(["--color", "always" if self.color else "never", *arguments])
        output = (done.stdout + done.stderr).rstrip()
        self._write(textwrap.indent(output, "    ") + "\n\n")
        if done.returncode != exit_code:
            raise Unexpected(f"epicvc {shown} ended with exit code {done.returncode}, not {exit_code}")
        return output

    def asked(self, *arguments: str) -> Any:
        """What a command answers with ``--json``."""
        return json.loads(self._run([*arguments, "--json"]).stdout)

    def _run(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        installed = Path(sys.executable).parent / "epicvc"
        command = [str(installed)] if installed.exists() else [sys.executable, "-m", "epicvc"]
        return subprocess.run(  # noqa: S603  # the demo's own words, no shell
            [*command, *arguments],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def edit(self, name: str, old: str, new: str) -> None:
        """Edit a file as an author does, and say so.

        Raises:
            Unexpected: the text to replace is not there.
        """
        path = self.directory / "epics" / name
        text = path.read_text(encoding="utf-8")
        if old not in text:
            raise Unexpected(f"{name} should contain {old}")
        path.write_text(text.replace(old, new), encoding="utf-8")
        self.tell(f"in epics/{name}: {old} becomes {new}")

    def sql(self, statement: str) -> None:
        """Change the database as an application does, and say so."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.execute(statement)
        self.tell(f"in the database: {statement}")

    # Looking

    def value(self, query: str) -> Any:
        """One value of the database."""
        with closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(query).fetchone()[0]

    def dump(self) -> list[str]:
        """Everything that the database holds, epicvc's own bookkeeping left out."""
        with closing(sqlite3.connect(self.database)) as connection:
            return [line for line in connection.iterdump() if "_epicvc_" not in line]

    def bytes(self) -> dict[str, bytes]:
        """All epics, byte for byte."""
        return {path.name: path.read_bytes() for path in sorted((self.directory / "epics").iterdir())}

    def in_sync(self) -> bool:
        """Whether files and database agree."""
        return bool(self.asked("status")["in_sync"])


def play(stage: Stage) -> None:
    """Show the main job."""
    begin(stage)
    both_sides(stage)
    conflict(stage)
    damage(stage)
    history(stage)


def begin(stage: Stage) -> None:
    """From files alone to files and a database in sync."""
    written = stage.bytes()
    stage.step(
        "Begin",
        "A library keeps three plans as JSON files, each formatted as its author likes. There is no database "
        "yet: naming one makes it, with the built-in schema. The first sync fills it.",
    )
    stage.epicvc("init", "--db", "plans.db")
    stage.epicvc("sync")
    stage.check("three epics are in the database now", stage.value("SELECT count(*) FROM framework_epics") == 3)
    stage.check("no file changed by a byte", stage.bytes() == written)
    stage.check("both sides are in sync", stage.in_sync())


def both_sides(stage: Stage) -> None:
    """Different fields change on both sides; one sync brings both over."""
    stage.step(
        "Both sides change",
        "An author edits a file while the application changes rows: two fields of one epic, and a field of "
        "another. Every field has one side that changed it, so nothing conflicts.",
    )
    stage.edit("search.json", '"Results in under a second"', '"Results in half a second"')
    stage.sql("UPDATE framework_tasks SET estimate_minutes = 300 WHERE task_key = '1.1'")
    stage.sql("UPDATE framework_epics SET name = 'Signs to the café' WHERE epic_key = '3'")
    before = stage.bytes()
    stage.tell("what each side changed, before anything is written:")
    stage.epicvc("diff")
    stage.epicvc("sync")
    goals = stage.value("SELECT goals FROM framework_epics WHERE epic_key = '1'")
    stage.check("the database has the author's goal", "half a second" in goals)
    after = stage.bytes()
    stage.check(
        "search.json has the new estimate, and no other byte changed",
        after["search.json"] == before["search.json"].replace(b": 240", b": 300"),
    )
    stage.check(
        "signage.json has the new name in its own spelling, \\u00e9, and no other byte changed",
        after["signage.json"] == before["signage.json"].replace(rb"Caf\u00e9 signage", rb"Signs to the caf\u00e9"),
    )


def conflict(stage: Stage) -> None:
    """The same field changes differently on both sides."""
    stage.step(
        "A conflict",
        "Now both sides rename the same epic, and the file also gets a new estimate. The estimate goes over; "
        "for the name sync ends with exit code 1, and each side keeps its own value.",
    )
    stage.edit("loans.json", '"Loans between branches"', '"Inter-branch loans"')
    stage.edit("loans.json", '"estimate_minutes": 90', '"estimate_minutes": 120')
    stage.sql("UPDATE framework_epics SET name = 'Loans everywhere' WHERE epic_key = '2'")
    stage.epicvc("sync", exit_code=1)
    stage.check(
        "the estimate went over",
        stage.value("SELECT estimate_minutes FROM framework_tasks WHERE task_key = '2.1'") == 120,
    )
    stage.check("the file keeps its name", b'"Inter-branch loans"' in stage.bytes()["loans.json"])
    stage.check("no conflict marker is in any file", not any(b"<<<<" in data for data in stage.bytes().values()))
    stage.tell("the team decides for the name in the database:")
    stage.epicvc("resolve", "2:name", "--prefer", "db")
    stage.check("the file has that name now", b'"Loans everywhere"' in stage.bytes()["loans.json"])
    stage.check("both sides are in sync", stage.in_sync())


def damage(stage: Stage) -> None:
    """A checkpoint, damage on both sides, the way back, and the way back from that."""
    stage.step(
        "A checkpoint, damage, a rollback",
        "A checkpoint records both sides under a name. Then a careless script deletes tasks, empties every "
        "summary and removes a file. The rollback brings both back: every byte and every row, ids and timestamps "
        "included.",
    )
    stage.epicvc("checkpoint", "before-cleanup")
    files, rows = stage.bytes(), stage.dump()
    stage.sql("DELETE FROM framework_tasks WHERE estimate_minutes < 100")
    stage.sql("UPDATE framework_epics SET summary = NULL")
    (stage.directory / "epics" / "search.json").unlink()
    stage.tell("epics/search.json is deleted")
    damaged_files, damaged_rows = stage.bytes(), stage.dump()
    stage.epicvc("status")
    stage.epicvc("rollback", "before-cleanup")
    stage.check("the files are as they were, byte for byte", stage.bytes() == files)
    stage.check("the database is as it was, row for row", stage.dump() == rows)
    stage.epicvc("fsck")
    stage.step(
        "Undo, redo",
        "A rollback loses nothing either: undo brings back even what no commit had recorded, here the damage. "
        "Redo takes it away again.",
    )
    stage.epicvc("undo")
    stage.check("the damage is back, exactly", (stage.bytes(), stage.dump()) == (damaged_files, damaged_rows))
    stage.epicvc("redo")
    stage.check("and gone again, exactly", (stage.bytes(), stage.dump()) == (files, rows))


def history(stage: Stage) -> None:
    """What is left: a history of both sides."""
    stage.step("History", "Every sync, checkpoint and rollback is a commit of files and database together.")
    stage.epicvc("log", "--oneline")
    kinds = [commit["kind"] for commit in stage.asked("log")["commits"]]
    stage.check("seven commits, newest first", kinds == ["commit", "checkpoint", *["sync"] * 4, "commit"])


def main() -> int:
    """Run the demo.

    Returns:
        0 when everything came out as told, 1 otherwise.
    """
    with tempfile.TemporaryDirectory(prefix="epicvc-demo-") as name:
        stage = Stage(Path(name))
        shutil.copytree(HERE / "epics", stage.directory / "epics")
        try:
            play(stage)
        except Unexpected as problem:
            sys.stdout.write(f"\n  NOT SO: {problem}\n")
            return 1
    sys.stdout.write("\nEverything came out as told. The temporary copy is gone.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
