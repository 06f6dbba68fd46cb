"""A repo in which random schemas and edits are merged, and every command is held against the law."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from support.repos import NO_FACTS, EpicRepo, Result

from schemas import tables
from schemas.agreeing import Agreement
from schemas.clashing import clash
from schemas.inventing import Inventor
from schemas.law import Broken, Law
from schemas.refusing import as_rows, groundless
from schemas.seeing import TASKS, Names, Seen, see
from schemas.steps import Step

PHASES = ("base", "theirs", "ours")
Script = dict[str, list[Step]]
CLASHING = 0.5
"""The share of histories that begin with two edits which meet."""


def make(root: Path) -> EpicRepo:
    """A synchronised repo with the built-in tables: four epics with tasks."""
    (root / "epics").mkdir(parents=True)
    for epic in "1234":
        tasks = [
            {
                "id": f"{epic}.{task}",
                "title": f"task {epic}.{task}",
                "estimate_minutes": 30,
                "risk": "low",
                "private": "x",
            }
            for task in "12"
        ]
        body = {
            "id": epic,
            "name": f"epic {epic}",
            "summary": "first",
            "goals": ["a", "b"],
            "labels": ["c"],
            "quality_gates": {"a": "x", "b": {"c": 1}},
            "private": "x",
            "deep": {"er": [1]},
            "tasks": tasks,
        }
        text = json.dumps({"epic": body, "_metadata": {"by": 1}}, indent=2)
        (root / "epics" / f"{epic}.json").write_text(text, encoding="utf-8")
    repo = EpicRepo(root, NO_FACTS)
    repo.ok("init", "--db", "framework.db")
    repo.ok("sync")
    return repo


DRY = 4
"""One history of so many tries each of its commands out before."""


@dataclass
class Play:
    """One history: made up from a seed, or what is left of one.

    Attributes:
        template: what it begins with.
        root: where it takes place.
        seed: of everything that chance decides.
        features: what schema and edits may have.
        script: the steps, where they are given.
        counts: told what was done.
    """

    template: EpicRepo
    root: Path
    seed: int
    features: frozenset[str]
    script: Script | None = None
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.done: Script = {phase: [] for phase in PHASES}
        self.names: Names = {}
        self.repo = EpicRepo(self.root, NO_FACTS)

    def run(self) -> None:
        """Play it.

        Raises:
            Broken: the law does not hold.
        """
        self.repo = self.template.copy_to(self.root)
        try:
            self._play()
        finally:
            shutil.rmtree(self.root)

    def _play(self) -> None:
        # Decisions have a source of chance of their own, so that leaving steps out leaves them as they are.
        decide = Random(self.seed)
        self._edit("base", 12)
        self._commit("base")
        base = self.at_base = self.see()
        self.repo.ok("switch", "-c", "theirs")
        self._edit("theirs", decide.randrange(1, 6))
        self._leave("theirs", sync=decide.random() < 0.5)
        theirs = self.see()
        self.repo.ok("switch", "main")
        self._edit("ours", decide.randrange(1, 6))
        self._leave("ours", sync=decide.random() < 0.5)
        ours = self.see()
        merged = self._merge(("merge", "theirs"), base, ours, theirs, decide)
        if merged:
            self._turn_back(ours, theirs, decide)
            self._restore_row(decide)
        checked = self.repo.run("fsck")
        if checked.code:
            raise Broken(f"fsck: {checked}")

    # Edits

    def _edit(self, phase: str, count: int) -> None:
        for step in self._steps(phase, count):
            if step.do(self.root):
                self.done[phase].append(step)
                if step.renamed:
                    kind, old, new = step.renamed
                    self.names[kind, new] = self._original(kind, old)

    def _original(self, kind: str, name: str) -> str:
        known = self.names.get((kind, name), name)
        return known.rpartition(".")[2] if kind == "column" else known

    def _steps(self, phase: str, count: int) -> Iterator[Step]:
        if self.script is not None:
            yield from self.script[phase]
            return
        chance = Random(f"{self.seed} {phase}")
        if phase == "base":
            yield from tables.schema(chance, self.features)
        inventor = Inventor(chance, self.root, self.features)
        clashing = Random(f"{self.seed} clash")
        if phase != "base" and clashing.random() < CLASHING and (met := clash(inventor, clashing, phase)):
            yield met
        inventor = Inventor(chance, self.root, self.features, "" if phase == "base" else f"{self.seed} common")
        for _ in range(count):
            step = inventor.row(phase) if phase == "base" else inventor.step(phase)
            if step is not None:
                yield step

    # Commands

    def see(self) -> Seen:
        """Both sides as they are."""
        return see(self.root, self.names)

    def _readings(self) -> Iterator[Names]:
        """What a name can be taken for, beside the name that something had before.

        An epic or task with another id is the same one, and it is another one: merging follows it where it can tell.
        One that each branch gave another id is both.
        """
        twice = {name for name, count in Counter((key[0], old) for key, old in self.names.items()).items() if count > 1}
        epics = {key: old for key, old in self.names.items() if key[0] != "epic" or ("epic", old) not in twice}
        once = {key: old for key, old in epics.items() if key[0] == "column" or (key[0], old) not in twice}
        columns = {key: old for key, old in self.names.items() if key[0] == "column"}
        yield from (names for names in (epics, once, columns) if names != self.names)

    def _commit(self, message: str) -> None:
        self._accepted(self.repo.run("commit", "-m", message, "--json"), "commit")

    def _leave(self, branch: str, *, sync: bool) -> None:
        """Commit what a branch has; in some histories its sides are brought together first."""
        if sync:
            self._sync()
        self._commit(branch)

    def _sync(self) -> None:
        before = self.see()
        with self._all_or_nothing("sync", ("sync",)) as answer:
            pass
        if answer.value is None:
            self._require_reason(answer, self.at_base, before)
        else:
            labels = [conflict["label"] for conflict in answer.value["conflicts"]]
            Agreement(self.at_base, before, self.see(), labels).hold()

    def _merge(self, words: tuple[str, ...], base: Seen, ours: Seen, theirs: Seen, decide: Random) -> bool:
        """Merge, and demand the law. Says whether it was merged in the end."""
        with self._all_or_nothing(words[0], words) as answer:
            pass
        if answer.value is None:
            self._require_reason(answer, base, ours, theirs)
            return False
        labels = [conflict["label"] for conflict in answer.value["conflicts"]]
        states = [base, ours, theirs, self.see()]
        law = Law(*states, labels)
        try:
            law.hold()
        except Broken as broken:
            if not any(self._holds([state.under(names) for state in states], labels) for names in self._readings()):
                raise Broken(f"{' '.join(words)}: conflicts {labels}\n{broken}") from None
        self.counts.update(law.edits)
        if not labels:
            return True
        return self._settle(words[0], ours, theirs.faults, decide)

    def _holds(self, states: list[Seen], labels: list[str]) -> bool:
        try:
            Law(*states, labels).hold()
        except Broken:
            return False
        return True

    def _settle(self, command: str, before: Seen, brought: set[str], decide: Random) -> bool:
        if decide.random() < 0.5:
            done = self.repo.run(command, "--abort", "--json")
            self._accepted(done, f"{command} --abort")
            after = self.see()
            if (after.cells, after.tables, after.schema) != (before.cells, before.tables, before.schema):
                raise Broken(f"{command} --abort: it is not as before")
            return False
        with self._all_or_nothing("resolve", ("resolve", "--prefer", decide.choice(("ours", "theirs")))) as answer:
            pass
        if answer.value and not answer.value["conflicts"]:
            with self._all_or_nothing("continue", (command, "--continue")):
                pass
            if new := self.see().faults - before.faults - brought:
                raise Broken(f"{command} --continue: {new}")
        return False

    def _turn_back(self, ours: Seen, theirs: Seen, decide: Random) -> None:
        """Take one branch's work back: the state without it is merged into the one with it."""
        merged, parent = self.see(), decide.choice((1, 2))
        if len(self.repo.json("log", "-n", "1")["commits"][0]["parents"]) == 2:
            words = ("revert", "--mainline", str(parent), "HEAD")
            self._merge(words, merged, merged, ours if parent == 1 else theirs, decide)

    def _restore_row(self, decide: Random) -> None:
        """One row as it was at the merge base; nothing else changes but what goes with it."""
        rows = [
            (name, key) for name in ("p", "q", "c") if (table := self.at_base.tables.get(name)) for key in table.rows
        ]
        if not rows or self.repo.run("status", "--json").value["conflicts"]:
            return
        name, key = decide.choice(sorted(rows, key=repr))
        before = self.see()
        label = f"@{name}/" + ",".join(str(part[-1] if isinstance(part, tuple) else part) for part in key)
        with self._all_or_nothing("restore", ("restore", "--source", "theirs", label)) as answer:
            pass
        after = self.see()
        if after.faults - before.faults:
            raise Broken(f"restore {label}: {after.faults - before.faults}")
        if answer.value is None:
            return
        for table, seen in before.tables.items():
            for other, row in seen.rows.items():
                if (table, other) != (name, key) and after.tables[table].rows.get(other) != row:
                    raise Broken(
                        f"restore {label}: {table} {other} was {row}, is {after.tables[table].rows.get(other)}"
                    )

    # Answers

    @contextmanager
    def _all_or_nothing(self, name: str, words: tuple[str, ...]) -> Iterator[Answer]:
        before = self.repo.everything()
        tried = self.repo.run(*words, "--dry-run", "--json") if self.seed % DRY == 0 else None
        done = self.repo.run(*words, "--json")
        if tried is not None and _verdict(tried) != _verdict(done):
            raise Broken(f"{' '.join(words)}: {_verdict(done)}, and as a dry run {_verdict(tried)}")
        answer = Answer(done, done.value if done.code in (0, 1) and done.out else None)
        yield answer
        if answer.value is not None:
            self.counts[f"{name} with conflicts" if done.code else name] += 1
            return
        self.counts[f"{name} refused"] += 1
        self._accepted(done, " ".join(words), refused=True)
        if self.repo.everything() != before:
            raise Broken(f"{' '.join(words)}: refused, and something was written: {done}")

    def _require_reason(self, answer: Answer, base: Seen, ours: Seen, theirs: Seen | None = None) -> None:
        """A refusal for a unique value has a reason, whatever a name is taken for. Without theirs it is a sync."""
        message = answer.done.value["message"]
        epics = Counter(old for (kind, _), old in self.names.items() if kind == "epic")
        if f"UNIQUE constraint failed: {TASKS}." in message and max(epics.values(), default=0) > 1:
            return  # an epic that each branch gave another id is two epics, which have its tasks twice
        for names in (self.names, *self._readings()):
            before, here = base.under(names), ours.under(names)
            there = as_rows(before, here) if theirs is None else theirs.under(names)
            if not groundless(message, (before, here, there), names):
                return
        raise Broken(f"refused: without a reason: {message}")

    def _accepted(self, done: Result, what: str, *, refused: bool = False) -> None:
        """A command did its work, or said in one or two lines why not."""
        if done.code == 0 and not refused:
            return
        if not 1 <= done.code <= 6 or (refused and not 1 <= len(done.value["message"].splitlines()) <= 2):
            raise Broken(f"{what}: {done}")
        if not refused:
            raise Broken(f"{what}: {done}")


def _verdict(done: Result) -> tuple[int, object]:
    """The exit code, and what a refusal says."""
    return done.code, None if done.code in (0, 1) else done.value["message"]


@dataclass
class Answer:
    """What a command answered; no value where it was refused."""

    done: Result
    value: Any
