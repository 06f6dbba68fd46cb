"""The state machine: edits and commands at random, and after each command the oracle.

The oracle knows only :mod:`stateful.model`. What a command must have done is computed from what could be seen before
it; what it has done is read from files and rows.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule
from support.repos import EpicRepo

from stateful.edits import NUMBERS, Edits
from stateful.model import (
    Agreed,
    Commit,
    Document,
    Files,
    Operation,
    Order,
    Outcome,
    Refs,
    Side,
    State,
    agreed,
    edited,
    merge,
    transplant,
)
from stateful.world import FACTS, TRIGGERED, World, documents_of, file_epics, file_labels, file_order, own_of

Documents = dict[str, Document]


class Machine(Edits):
    """Edits and commands.

    Args:
        template: a synchronised repo.
        directory: where copies of it go.
        counted: told the name of each step.
    """

    numbers = itertools.count()

    def __init__(self, template: EpicRepo, directory: Path, counted: Callable[[str], None]) -> None:
        super().__init__()
        self.counted = counted
        root = directory / f"run{next(self.numbers)}"
        self.repo = template.copy_to(root)
        self.world = World(EpicRepo(root, FACTS))
        self.base: Documents = documents_of(self.repo.files())
        self.orders: dict[str, Order] = self.world.orders("files")
        self.commits: dict[str, Commit] = {}
        head = self.repo.head()
        self.refs = Refs({"main": head}, "main")
        self._record(head, None)
        self.names = {"start": head}
        self.done: list[Operation] = []
        self.undone: list[Operation] = []
        self._read()

    def teardown(self) -> None:
        """The history is sound at the end of every run."""
        self.repo.ok("fsck", "--full")
        shutil.rmtree(self.repo.root)

    # Before and after a command

    def _read(self) -> None:
        self.state = self.world.state()
        self.files = documents_of(self.state.files)
        self.db = self.world.db_documents()
        self.own = {"files": own_of(self.state.files), "db": self.world.db_own()}
        self.order = {side: self.world.orders(side) for side in ("files", "db")}

    def _begin(self, name: str) -> None:
        self.counted(name)
        self._read()

    def _record(self, commit: str, parent: str | None) -> None:
        state = self.world.state()
        self.commits[commit] = Commit(
            state,
            Agreed(self.base, self.orders),
            Side(documents_of(state.files), own_of(state.files)),
            Side(self.world.db_documents(), self.world.db_own()),
            parent,
        )

    def _line(self) -> Iterator[Commit]:
        """The commits from HEAD back."""
        at: str | None = self.refs.commit
        while at is not None:
            yield self.commits[at]
            at = self.commits[at].parent

    def _agree_as(self, commit: str) -> None:
        """What was agreed is what was agreed at a commit."""
        self.base, self.orders = dict(self.commits[commit].agreed.base), dict(self.commits[commit].agreed.orders)

    def _log(self, refs: Refs) -> None:
        """An operation has led from what was seen before to what is there now."""
        self.done.append(Operation((self.state, self.refs), (self.world.state(), refs)))
        self.undone.clear()
        self.refs = refs

    def _head_at(self, commit: str) -> Refs:
        if self.refs.head in self.refs.branches:
            return Refs({**self.refs.branches, self.refs.head: commit}, self.refs.head)
        return Refs(self.refs.branches, commit)

    def _committed(self, commit: str) -> None:
        assert commit not in self.commits
        self._record(commit, self.refs.commit)
        self._log(self._head_at(commit))

    def _nothing_changed(self) -> None:
        assert self.world.state() == self.state

    def _check_status(self) -> None:
        """``status`` says what can be seen."""
        said = self.repo.json("status")
        state, files, db = self.world.state(), documents_of(self.world.repo.files()), self.world.db_documents()
        assert said["head"] == self.refs.commit
        assert said["branch"] == (self.refs.head if self.refs.head in self.refs.branches else None)
        assert said["clean"] == (state == self.commits[self.refs.commit].state)
        both = [epic for epic in files if epic in db]
        orders = all(file_order(state.files, epic) == self.world.db_order(epic) for epic in both)
        # The model knows no order of labels; one that a side has changed is to be synchronised as well.
        if all(file_labels(state.files, epic) == self.world.db_labels(epic) for epic in both):
            assert said["in_sync"] == (files == db and orders), said
        else:
            assert files == db or not said["in_sync"], said

    # Synchronising

    def _outcomes(self) -> dict[str, Outcome]:
        """What becomes of every epic."""
        return {
            epic: merge(
                self.base.get(epic),
                self.files.get(epic),
                self.db.get(epic),
                lambda task, epic=epic: self._edited(epic, task),  # type: ignore[misc]
            )
            for epic in {*self.files, *self.db, *self.base}
        }

    def _edited(self, epic: str, task: str | None) -> bool:
        """Whether the side that still has an epic, or a task, edited something of its own there."""
        has = "files" if _at(self.files.get(epic), f"tasks/{task}" if task else "") is not None else "db"
        places = [task] if task else [None, *self.base[epic]["tasks"]]
        return edited(self._line(), "db" if has == "files" else "files", epic, places, self.own[has].get(epic, {}))

    def _reordered(self, epic: str) -> bool:
        """Whether the side that still has an epic has it in another order than was agreed."""
        has = "files" if epic in self.files else "db"
        return self.order[has][epic] != self.orders.get(epic)

    @rule(command=st.sampled_from(["sync", "sync", "pull", "push"]))
    def synchronise(self, command: str) -> None:
        self._begin(command)
        outcomes = self._outcomes()
        for epic, outcome in outcomes.items():
            if command == "pull":
                outcome.db = self.db.get(epic)
            elif command == "push":
                outcome.files = self.files.get(epic)
        done = self.repo.run(command, "--json")
        assert done.code in (0, 1), done
        said = {conflict["label"].removesuffix(":") for conflict in done.value["conflicts"]}
        for epic in said & outcomes.keys():
            # The model knows no order of labels and tasks, and an epic whose order changed is edited: not just gone.
            gone = not outcomes[epic].conflicts and (epic in self.files) != (epic in self.db)
            if gone and self._reordered(epic):
                outcomes[epic] = Outcome(self.files.get(epic), self.db.get(epic), {""})
        self._compare(outcomes, said)
        assert done.code == bool(said)
        if done.value["commit"]:
            self._committed(done.value["commit"])
        else:
            self._nothing_changed()
        self._check_status()

    def _compare(self, outcomes: dict[str, Outcome], said: set[str]) -> None:
        """Both sides are as the model has them; what it leaves open is as it may be."""
        state, db = self.world.state(), self.world.db_documents()
        files = documents_of(state.files)
        conflicts = {
            f"{epic}:{label}".removesuffix(":") for epic, found in outcomes.items() for label in found.conflicts
        }
        for epic, outcome in outcomes.items():
            for name in outcome.open:
                self._check_open(epic, name, files[epic], db[epic], said)
                for document, real in ((outcome.files, files[epic]), (outcome.db, db[epic])):
                    assert document is not None
                    document.pop(name, None)
                    if name in real:
                        document[name] = real[name]
            assert files.get(epic) == outcome.files, (epic, files.get(epic), outcome.files)
            assert db.get(epic) == outcome.db, (epic, db.get(epic), outcome.db)
        extra = said - conflicts
        assert conflicts <= said, (conflicts, said)
        for label in extra:  # lists that both changed, and orders that cross
            epic, _, place = label.partition(":")
            assert place == "tasks" or place in outcomes[epic].open, (label, conflicts)
        self._check_untouched(state, outcomes)
        self._check_own(outcomes)
        self._agree_on_orders()
        base = {epic: agreed(self.base.get(epic), files.get(epic), db.get(epic)) for epic in outcomes}
        self.base = {epic: document for epic, document in base.items() if document is not None}

    def _check_open(self, epic: str, name: str, files: Document, db: Document, said: set[str]) -> None:
        """A list that both sides changed: a conflict leaves both, a merge loses nothing that somebody added."""
        before, old, rows = (side.get(epic, {}).get(name, ()) for side in (self.base, self.files, self.db))
        if f"{epic}:{name}" in said:
            assert (files.get(name, ()), db.get(name, ())) == (old, rows)
            return
        merged = {
            side for side, now, was in (("f", files.get(name, ()), old), ("d", db.get(name, ()), rows)) if now != was
        }
        for side in merged:
            now = files.get(name, ()) if side == "f" else db.get(name, ())
            assert {*old, *rows} - {*before} <= {*now}

    def _check_untouched(self, state: State, outcomes: dict[str, Outcome]) -> None:
        """What no document is about, and documents that do not change, stay to the byte."""
        for table in ("audit_notes", "settings", "audit_sessions", "audit_results"):
            assert _table(state, table) == _table(self.state, table)
        for path, data in self.state.files.items():
            epic = next(iter(documents_of({path: data})))
            same = outcomes[epic].files == self.files[epic]
            if same and file_order(self.state.files, epic) == file_order(state.files, epic):
                assert state.files[path] == data, path

    def _check_own(self, outcomes: dict[str, Outcome]) -> None:
        """What a side has for itself is as it was, wherever it still has the place."""
        now = {"files": own_of(self.repo.files()), "db": self.world.db_own()}
        for side, before in self.own.items():
            for epic, places in now[side].items():
                for place, members in places.items():
                    kept = before.get(epic, {}).get(place, members)
                    assert {**members, TRIGGERED: 0} == {**kept, TRIGGERED: 0}, (side, epic, place, outcomes[epic])

    def _agree_on_orders(self) -> None:
        files, db = self.world.orders("files"), self.world.orders("db")
        self.orders |= {epic: order for epic, order in files.items() if order == db.get(epic)}

    @rule(side=st.sampled_from(["files", "db"]))
    def resolve(self, side: str) -> None:
        self._begin("resolve")
        outcomes = self._outcomes()
        done = self.repo.run("resolve", "--prefer", side, "--json")
        if done.code == 4:
            assert done.value["error"] == "broken_graph", done
            assert self._left_alone(outcomes["OWN_1"], side), done
            self._nothing_changed()
            return
        assert done.code == 0, done
        assert done.value["conflicts"] == [], done
        files, db = documents_of(self.repo.files()), self.world.db_documents()
        for epic, outcome in outcomes.items():
            for label in outcome.conflicts:
                wanted = (self.files if side == "files" else self.db).get(epic)
                for real in (files.get(epic), db.get(epic)):
                    assert _at(real, label) == _at(wanted, label), (epic, label)
        base = {epic: agreed(self.base.get(epic), files.get(epic), db.get(epic)) for epic in outcomes}
        touched = {epic for epic, outcome in outcomes.items() if outcome.conflicts or outcome.open}
        untouched = self.base
        self.base = {epic: document for epic, document in base.items() if document is not None and epic in touched}
        self.base |= {epic: document for epic, document in untouched.items() if epic not in touched}
        self._agree_on_orders()
        if done.value.get("commit"):
            self._committed(done.value["commit"])
        self._check_status()

    def _left_alone(self, outcome: Outcome, side: str) -> bool:
        """Whether a task is kept that depends on one which only the other side has removed: the only link there is."""
        task, needed = "OWN_T2", "OWN_T1"
        sides = [self.files.get("OWN_1"), self.db.get("OWN_1")]
        preferred, found = sides[side == "db"], outcome.files
        kept = preferred if outcome.conflicts & {"", f"tasks/{task}"} else found
        there = [_at(document, f"tasks/{needed}") is not None for document in sides]
        return _at(kept, f"tasks/{task}") is not None and there[0] != there[1]

    # Recording

    @rule()
    def commit(self) -> None:
        self._begin("commit")
        commit = self.repo.json("commit", "-m", "at random")["commit"]
        head = self.commits[self.refs.commit]
        assert (commit is not None) == (self.state != head.state)
        self._nothing_changed()
        if commit:
            self._committed(commit)

    @rule()
    def checkpoint(self) -> None:
        self._begin("checkpoint")
        name = self.fresh()
        commit = self.repo.json("checkpoint", name)["commit"]
        self._nothing_changed()
        self._committed(commit)
        self.names[name] = commit
        self._check_status()

    @rule()
    def make_branch(self) -> None:
        self._begin("switch --create")
        name = self.fresh()
        self.repo.ok("switch", "--create", name)
        self._nothing_changed()
        self._log(Refs({**self.refs.branches, name: self.refs.commit}, name))

    # Going somewhere

    def _known(self, number: int) -> str:
        names = sorted(self.commits, key=list(self.commits).index)
        return names[-1 - number % len(names)]

    @rule(number=NUMBERS)
    def rollback(self, number: int) -> None:
        self._begin("rollback")
        commit = self._known(number)
        target, head = self.commits[commit], self.refs.commit
        self.repo.ok("rollback", commit)
        assert self.world.state() == target.state
        now = self.repo.head()
        if now != head:
            self._agree_as(commit)
            self._committed(now)
        else:
            self._nothing_changed()
        self._check_status()

    @rule(number=NUMBERS, discard=st.booleans(), by_branch=st.booleans())
    def checkout(self, number: int, discard: bool, by_branch: bool) -> None:
        self._begin("checkout")
        branches = sorted(self.refs.branches)
        name = branches[number % len(branches)] if by_branch else self._known(number)
        commit = self.refs.branches.get(name, name)
        target, head = self.commits[commit].state, self.commits[self.refs.commit].state
        lost = self.state.files not in (head.files, target.files) or self.state.rows not in (head.rows, target.rows)
        done = self.repo.run("checkout", name, *(["--discard-changes"] if discard else []))
        if lost and not discard:
            assert done.code == 5, done
            self._nothing_changed()
            return
        assert done.code == 0, done
        assert self.world.state() == target
        self._agree_as(commit)
        self._log(Refs(self.refs.branches, name))
        self._check_status()

    @rule(number=NUMBERS, which=NUMBERS)
    def restore(self, number: int, which: int) -> None:
        self._begin("restore")
        commit = self._known(number)
        then = self.commits[commit]
        epics = sorted({*then.files.documents} & {*then.db.documents} & {*self.files} & {*self.db})
        if not epics:
            return
        epic = epics[which % len(epics)]
        done = self.repo.run("restore", "--source", commit, epic)
        if self._given_away(then.state, epic):
            assert done.code == 5, done
            self._nothing_changed()
            return
        assert done.code == 0, done
        files, db = documents_of(self.repo.files()), self.world.db_documents()
        assert files == {**self.files, epic: then.files.documents[epic]}
        assert db == {**self.db, epic: then.db.documents[epic]}
        if self.world.state() != self.state:
            self._log(self.refs)
        self._check_status()

    def _given_away(self, then: State, epic: str) -> bool:
        """Whether a row that an epic had then is something else's by now, and not its own."""
        old, new = _places(then), _places(self.state)
        return any(
            place[0] == epic and row in new and new[row][0] != epic and (place[1] is None or new[row][1] != place[1])
            for row, place in old.items()
        )

    # Taking back

    @rule()
    def undo(self) -> None:
        self._begin("undo")
        if not self.done:
            return  # what made the template is no part of the model
        self._take("undo", self.done, self.undone)

    @rule()
    def redo(self) -> None:
        self._begin("redo")
        self._take("redo", self.undone, self.done)

    def _take(self, command: str, stack: list[Operation], other: list[Operation]) -> None:
        done = self.repo.run(command)
        if not stack:
            assert done.code == 3, done
            self._nothing_changed()
            return
        (before, before_refs), (after, after_refs) = stack[-1].before, stack[-1].after
        source, target = (after, before) if command == "undo" else (before, after)
        wanted = before_refs if command == "undo" else after_refs
        files = transplant(self.state.files, source.files, target.files)
        rows = transplant(self.state.counted(), source.counted(), target.counted())
        if files is None or rows is None or _epic_in_two(files):
            assert done.code == 5, done
            self._nothing_changed()
            return
        assert done.code == 0, done
        state = self.world.state()
        assert state.files == files
        assert state.counted() == rows
        other.append(stack.pop())
        self.refs = wanted
        self._agree_as(wanted.commit)
        self._check_status()

    # Care

    @rule()
    def collect_garbage(self) -> None:
        self._begin("gc")
        self.repo.ok("gc")
        self._nothing_changed()
        self.repo.ok("fsck")

    @rule()
    def status(self) -> None:
        self._begin("status")
        self._check_status()
        self._nothing_changed()


def _epic_in_two(files: Files) -> bool:
    """Whether an epic has two files: one that comes back, and the one to which it was renamed since."""
    epics = file_epics(files)
    return len(epics) > len({*epics})


def _table(state: State, name: str) -> dict[Any, Any]:
    return {key: row for key, row in state.rows.items() if key[0] == name}


def _places(state: State) -> dict[Any, tuple[str, str | None]]:
    """The epic, and the task, that each row of an epic stands for."""
    epics = {number: key for number, key, *_ in _table(state, "framework_epics").values()}
    places: dict[Any, tuple[str, str | None]] = {
        row: (key, None) for row, (_, key, *_) in _table(state, "framework_epics").items()
    }
    for row, (_, key, parent, *_) in _table(state, "framework_tasks").items():
        places[row] = (epics.get(parent, ""), key)
    return places


def _at(document: Document | None, label: str) -> Any:
    value: Any = document
    for name in label.split("/") if label else ():
        value = None if value is None else value.get(name)
    return value
