"""The small repo that inputs are mutated in, and one try of one input."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import random
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from fuzz.running import Done, run
from fuzz.targets import TARGETS

EPIC = {
    "epic": {
        "id": "1",
        "name": "one",
        "summary": "A text.\nOf two lines.",
        "duration": "2 dias",
        "goals": ["g1", "g2"],
        "labels": ["a", "b"],
        "quality_gates": {"coverage": {"min": 90}},
        "notes": "old",
        "performance_constraints": {"ms": 12.5},
        "tasks": [
            {"id": "1.1", "title": "T", "estimate_minutes": 5, "shelf": "old", "test_specs": ["x"]},
            {"id": "1.2", "title": "U", "dependencies": ["1.1"], "tdd_phase": "red"},
            {"id": "1.3", "title": "V", "dependencies": ["1.1", "1.2"]},
        ],
    },
    "_metadata": {"who": "me"},
}

_WARMING = (
    "status --json", "diff", "sync --json", "resolve --prefer files", "commit -m x", "merge x", "undo", "rollback cp",
    "doctor --json", "fsck --full", "gc", "enrich", "plan", "backup verify", "migrate status", "clean db -n", "blame 1",
    "clean files -n", "check epics/a.json", "show HEAD --json", "log --json",
)  # fmt: skip


class Scene:
    """A repo with everything in it that can be mutated: branches, a conflict, drafts, caches, a bundle.

    Args:
        place: an empty directory; each try has the repo at the same path in it.
    """

    def __init__(self, place: Path) -> None:
        self.place, self.root, self._sound = place, place / "repo", place / "sound"
        (self.root / "epics").mkdir(parents=True)
        (place / "state").mkdir()
        self._write("a.json", EPIC)
        self._write("b.json", {"id": "2", "name": "two", "tasks": [{"id": "2.1", "title": "W"}]})
        self._ok("init -q --db p.db", "sync -q", "enrich -q", "plan -q", "checkpoint cp", "branch x")
        self._edit("one", "uno")
        self._ok("sync -q", "switch -q x")
        self._edit("g1", "g3")
        self._ok("sync -q", "switch -q main", "backup create -q --to backups", "migrate new more -q")
        (self.root / "migrations" / "0005_more.sql").write_text("CREATE TABLE more(a INTEGER PRIMARY KEY, b TEXT);\n")
        self._disagree()
        self._ok("status --porcelain", "status --porcelain")
        (self.root / ".epicvc" / "config").write_text('[database]\nurl = "p.db"\n')
        place.joinpath("state").rename(place / "sound-state")
        self.root.rename(self._sound)
        self._warm_up()

    def attempt(self, name: str, seed: int) -> list[str]:
        """Mutate an input of one kind and run some of the commands that read it.

        Returns:
            What is wrong.
        """
        target = TARGETS[name]
        chance = random.Random(f"{name} {seed}")
        self._lay_out()

        def prepare() -> None:
            os.environ["EPICVC_STATE_DIR"] = str(self.place / "state")
            os.environ["EPICVC_DEBUG"] = "1"
            target.damage(self.root, chance)

        count = min(len(target.commands), 3)
        picked = random.Random(f"commands {name} {seed}").sample(target.commands, count)
        return run(self.root, [words.split() for words in picked], prepare).problems

    def _lay_out(self) -> None:
        """Put the sound repo where it is to be mutated."""
        for directory, sound in ((self.root, self._sound), (self.place / "state", self.place / "sound-state")):
            shutil.rmtree(directory, ignore_errors=True)
            shutil.copytree(sound, directory, symlinks=True)

    def _warm_up(self) -> None:
        """Have the children find imported what they need: most of a command's time on a repo as small as this."""
        from epicvc.cli.edge import run_application

        silent = io.StringIO()
        with (
            contextlib.redirect_stdout(silent),
            contextlib.redirect_stderr(silent),
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setenv("EPICVC_STATE_DIR", str(self.place / "state"))
            self._lay_out()
            with contextlib.chdir(self.root):
                for words in _WARMING:
                    run_application(words.split())
        gc.collect()
        gc.freeze()

    def undamaged(self, *commands: str) -> Done:
        """Run commands on the sound repo."""
        self._lay_out()
        return run(self.root, [words.split() for words in commands], self._environment)

    def _ok(self, *commands: str) -> None:
        for words in commands:
            done = run(self.root, [words.split()], self._environment)
            assert not done.problems and done.codes == [0], (words, done)

    def _environment(self) -> None:
        os.environ["EPICVC_STATE_DIR"] = str(self.place / "state")
        os.environ["EPICVC_DEBUG"] = "1"

    def _write(self, name: str, value: Mapping[str, object]) -> None:
        (self.root / "epics" / name).write_text(json.dumps(value, indent=2))

    def _edit(self, old: str, new: str) -> None:
        path = self.root / "epics" / "a.json"
        path.write_text(path.read_text().replace(f'"{old}"', f'"{new}"'))

    def _disagree(self) -> None:
        """Two conflicts; one of them was settled before, and answers to both lie there in every form."""
        self._change("One", "Uno")
        done = run(self.root, [["sync", "-q"], ["resolve", "-q", "--prefer", "files"]], self._environment)
        assert done.codes == [1, 0], done
        self._change("uno", "uno")
        self._ok("sync -q")
        self._change("One", "Uno")
        self._edit("g2", "g4")
        with closing(sqlite3.connect(self.root / "p.db")) as connection, connection:
            connection.execute("UPDATE framework_epics SET goals = '[\"g1\", \"g5\"]' WHERE epic_key = '1'")
        sides = {"base": "uno", "ours": "One", "theirs": "Uno"}
        answers = [{"label": "1:name", **sides, "take": "files"}, {"label": "1:goals", "value": ["g1"]}]
        (self.root / "answers.json").write_text(json.dumps({"format": "epicvc.merge/1", "conflicts": answers}))
        draft = {name: [value] for name, value in sides.items()} | {"how": "ours", "value": ["One"]}
        drafts = {"version": 1, "answers": {"1:name": draft}}
        (self.root / ".epicvc" / "resolve.json").write_text(json.dumps(drafts))

    def _change(self, files: str, database: str) -> None:
        path = self.root / "epics" / "a.json"
        value = json.loads(path.read_text())
        value["epic"]["name"] = files
        path.write_text(json.dumps(value, indent=2))
        with closing(sqlite3.connect(self.root / "p.db")) as connection, connection:
            connection.execute("UPDATE framework_epics SET name = ? WHERE epic_key = '1'", (database,))
