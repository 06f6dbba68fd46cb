"""Where the measuring takes place: repos made from a load, the edits in them, and the commands to measure."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.benchmarks.load import path_of
from tests.benchmarks.measure import Command, Sample, interleave

REFERENCES = Path(__file__).parent / "references"
SMALL = 10
"""Epics in the small repo."""

_SETTLED_S = 0.3
"""How long to wait after writing: a person's next command does not come within a tick of the file system's clock, and
neither git nor epicvc trusts what is younger."""


def settle() -> None:
    """Let the clock of the file system move on."""
    time.sleep(_SETTLED_S)


def size_of(path: Path) -> int:
    """Bytes in a file, or in all files below a directory."""
    if path.is_file():
        return path.stat().st_size
    return sum(entry.stat().st_size for entry in path.rglob("*") if entry.is_file())


def _edit_task(path: Path, task: int, edit: Callable[[dict[str, Any]], None]) -> None:
    """Change a task in a file."""
    text = path.read_text("utf-8")
    end = "\n" if text.endswith("\n") else ""
    whole = json.loads(text)
    edit(whole["epic"]["tasks"][task])
    path.write_text(json.dumps(whole, ensure_ascii=False, indent=2) + end, encoding="utf-8")


class Scene:
    """One load and what is made of it.

    Args:
        scratch: an empty directory for everything.
        load: the directory of epics to copy.
        count: how many epics it has.
        script: the ``epicvc`` to measure; by default that of this environment.
        alone: no other program is measured beside it.
    """

    def __init__(
        self, scratch: Path, load: Path, count: int, script: Path | None = None, *, alone: bool = False
    ) -> None:
        self.script = script or Path(sys.executable).with_name("epicvc")
        self.alone = alone
        self.scratch = scratch
        self.load = load
        self.count = count
        home = scratch / "home"
        home.mkdir()
        # From nothing: no setting of the person who measures may matter, PYTHONDONTWRITEBYTECODE least of all.
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "TMPDIR": str(scratch),
            "EPICVC_AUTHOR": "bench",
            "GIT_CONFIG_NOSYSTEM": "1",
            "RESTIC_PASSWORD": "bench",
            "RESTIC_REPOSITORY": str(scratch / "restic"),
            "RESTIC_CACHE_DIR": str(scratch / "restic-cache"),
        }
        # Its housekeeping would go on in the background while something else is measured.
        (home / ".gitconfig").write_text(
            "[user]\nname = bench\nemail = bench@localhost\n[gc]\nauto = 0\n[maintenance]\nauto = false\n",
            encoding="utf-8",
        )
        self._edits = 0

    # Commands

    def command(self, words: Sequence[str], directory: Path | None = None) -> Command:
        """A command to measure."""
        return Command(words, directory or self.scratch, self.environment)

    def python(self, *arguments: str, directory: Path | None = None) -> Command:
        """The interpreter that epicvc runs on."""
        return self.command((str(self.script.with_name("python")), *arguments), directory)

    def epicvc(self, *arguments: str, repo: Path | None = None) -> Command:
        """epicvc as a user starts it."""
        return self.command((str(self.script), *arguments), repo)

    def shell(self, line: str, directory: Path | None = None) -> Command:
        """A line for the shell."""
        return self.command(("sh", "-e", "-c", line), directory)

    def interleave(
        self, runs: int, ours: Callable[[], Sample], reference: Callable[[], Sample]
    ) -> tuple[list[Sample], list[Sample]]:
        """Run epicvc and its reference in turn; epicvc by itself where nothing else is measured."""
        return interleave(runs, ours, None if self.alone else reference)

    @cached_property
    def restic(self) -> bool:
        """Whether restic is installed, and measured; it has a repository then."""
        if self.alone or shutil.which("restic") is None:
            return False
        self.shell("restic init --quiet").run()
        return True

    # Repos

    @cached_property
    def small(self) -> Path:
        """A repo with a few epics, synced."""
        repo = self.scratch / "small"
        for number in range(min(SMALL, self.count)):
            target = repo / "epics" / path_of(number)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.load / path_of(number), target)
        self._initialise(repo)
        self.epicvc("sync", repo=repo).run()
        self.epicvc("status", repo=repo).run()
        settle()
        self.epicvc("status", repo=repo).run()
        return repo

    def under_git(self, name: str, *, staged: bool) -> Path:
        """A copy of the small repo's files under git, committed; with one epic edited and staged, or another file."""
        repo = self.scratch / name
        shutil.rmtree(repo, ignore_errors=True)
        shutil.copytree(self.small / "epics", repo / "epics")
        shutil.copyfile(self.small / "epicvc.toml", repo / "epicvc.toml")
        self.shell("git init -q && git add . && git commit -q -m load && date > notes", repo).run()
        if staged:
            _edit_task(repo / "epics" / path_of(1), 0, lambda task: task.update(title="staged"))
        self.shell("git add .", repo).run()
        settle()
        return repo

    def three_versions(self) -> tuple[Path, Path, Path]:
        """An epic as it was, with a task's title edited, and with that of another."""
        versions = tuple(self.scratch / f"{name}.json" for name in ("base", "ours", "theirs"))
        for number, path in enumerate(versions):
            shutil.copyfile(self.load / path_of(1), path)
            if number:
                _edit_task(path, number, lambda task: task.update(title="edited"))
        base, ours, theirs = versions
        return base, ours, theirs

    @cached_property
    def files(self) -> Path:
        """A repo's directory with a copy of the load; nothing else is there yet."""
        return self._copied("both")

    def fresh(self) -> Path:
        """:attr:`files` with a repo just made, and an empty database."""
        for left in (".epicvc", "epicvc.toml", "framework.db"):
            path = self.files / left
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        self._initialise(self.files)
        settle()
        return self.files

    @cached_property
    def synced(self) -> Path:
        """A repo of the whole load after its first sync; the work of each day is measured here."""
        if not (self.files / ".epicvc").exists():
            self.epicvc("sync", repo=self.fresh()).run()
        settle()
        return self.files

    @cached_property
    def still(self) -> Path:
        """A copy of both sides that nobody edits, with the files alone under git and no epic repo yet."""
        database = self.synced / "framework.db"
        directory = self._copied("still")
        shutil.copyfile(database, directory / "framework.db")
        self._git(directory)
        self.shell("git add epics && git commit -q -m load", directory).run()
        settle()
        return directory

    def without_history(self, *names: str) -> Path:
        """:attr:`still` without an epic repo or without git's, so that either can be made once more."""
        for name in names:
            path = self.still / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        if ".git" in names:
            self._git(self.still)
        return self.still

    def _git(self, directory: Path) -> None:
        self.shell("git init -q", directory).run()
        (directory / ".git" / "info" / "exclude").write_text(".epicvc\nepicvc.toml\nframework.db\n", encoding="utf-8")

    def _copied(self, name: str) -> Path:
        directory = self.scratch / name
        directory.mkdir()
        # By another process: copying here would count its memory to each child that is measured.
        subprocess.run(["cp", "-R", str(self.load), str(directory / "epics")], check=True)
        return directory

    def _initialise(self, repo: Path) -> None:
        self.epicvc("init", "--files", "epics", "--db", "framework.db", repo=repo).run()

    # Edits

    def _spread(self, count: int, offset: int) -> list[int]:
        """``count`` different epics all over the load, others each time."""
        step = self.count / count
        return [int(index * step + (offset * 7919) % max(1, int(step))) % self.count for index in range(count)]

    def edit_files(self, count: int) -> None:
        """Change the first task's title in ``count`` files."""
        self._edits += 1
        for number in self._spread(count, self._edits):
            self._rewrite(number, lambda task: task.update(title=f"edited {self._edits}"))

    def _rewrite(self, number: int, edit: Callable[[dict[str, Any]], None]) -> None:
        """Change the first task in an epic's file."""
        _edit_task(self.synced / "epics" / path_of(number), 0, edit)

    def edit_database(self, count: int, path: Path | None = None) -> None:
        """Change the third task's title in ``count`` epics of the database."""
        self._edits += 1
        rows = [(f"changed {self._edits}", f"{number}.3") for number in self._spread(count, self._edits)]
        database = sqlite3.connect(path or self.synced / "framework.db")
        database.executemany("UPDATE framework_tasks SET title = ? WHERE task_key = ?", rows)
        database.commit()
        database.close()

    def edit_tasks(self, numbers: Sequence[int], field: str) -> None:
        """Change a field of the first task of these epics, half of them in files and half in the database."""
        self._edits += 1
        half = len(numbers) // 2
        text = f"{field} {self._edits}"
        for number in numbers[:half]:
            self._rewrite(number, lambda task: task.update({field: text}))
        database = sqlite3.connect(self.synced / "framework.db")
        rows = [(text, f"{number}.1") for number in numbers[half:]]
        database.executemany(f"UPDATE framework_tasks SET {field} = ? WHERE task_key = ?", rows)
        database.commit()
        database.close()

    def two_branches(self, changes: int) -> str:
        """Change epics on the current branch and on a new one, half of them on both and there in another field.

        Returns:
            The new branch; both are synced.
        """
        common = changes // 2
        numbers = self._spread(2 * changes - common, self._edits + 1)
        name = f"b{self._edits}"
        self.run_in(self.synced, "switch", "-c", name)
        self.edit_tasks(numbers[changes - common :], "title")
        self.run_in(self.synced, "sync")
        self.run_in(self.synced, "switch", "-")
        self.edit_tasks(numbers[:changes], "description")
        self.run_in(self.synced, "sync")
        self.run_in(self.synced, "status")
        return name

    @cached_property
    def changed_copy(self) -> Path:
        """The database of :attr:`still`, with ten rows changed."""
        copy = self.scratch / "changed.db"
        shutil.copyfile(self.still / "framework.db", copy)
        self.edit_database(10, copy)
        return copy

    def run_in(self, repo: Path, *arguments: str) -> Sample:
        """Run epicvc in a repo, a moment after whatever was written last."""
        settle()
        return self.epicvc(*arguments, repo=repo).run()
