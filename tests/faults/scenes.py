"""What is interrupted: for each command a repo to run it in, and what is right before and after.

Repos are small, since every fault point of every command is visited in a copy of its own, and have a database in
both journal modes, since SQLite's way to the disk is another in each.
"""

from __future__ import annotations

import hashlib
import pickle
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from support.database import make_database
from support.epics import MADE, write_epics
from support.repos import EpicRepo, Facts

from faults.client import Server
from faults.state import Commit, Sides, commits, observe

FACTS = Facts("made", "1", "epico_1.json", ("1.1", "1.2"), "2", "epico_2.json", ("OWN_1", "OWN_2"), "OWN_T2")
REMEMBERED = (
    *("config.cache", "database.cache", "database.mark", "documents.cache", "files.cache", "clock"),
    *("runs.db", "runs.db-journal"),
)
FILES = {path: MADE[path] for path in ("epico_1.json", "epico_2.json", "later/plan for six.json")}
FILE_OF = {"1": "epico_1.json", "2": "epico_2.json", "N": "later/new.json"}
"""What a batch is made of: edits on both sides, a task that goes, an epic that comes."""


@dataclass(frozen=True)
class Scene:
    """A command to interrupt.

    Attributes:
        command: its arguments.
        prepare: makes the state before it, in a repo that is clean and in sync (bare: where nothing is yet).
        again: exit codes of the same command where it is done already.
        bare: starts before ``init``.
        keeps_log: commits that only the operation log leads to stay.
        form: ``module:function`` that has the command do with little what it does with much, or in another way.
    """

    command: tuple[str, ...]
    prepare: Callable[[EpicRepo], None]
    again: tuple[int, ...] = (0,)
    bare: bool = False
    keeps_log: bool = True
    form: str | None = None


@dataclass(frozen=True)
class Expected:
    """What the oracle knows of a scene.

    Attributes:
        old: both sides before the command.
        new: both sides after it.
        acknowledged: commits that were there before, with all that is in them.
        operations: how long the operation log was; ``None`` where there was no repo.
        operations_after: how long it is then.
        statuses: what ``status`` answers in the old and in the new state.
        paths: every file that may be there, relative to the repo.
        wal: the database is in WAL mode.
    """

    command: tuple[str, ...]
    again: tuple[int, ...]
    keeps_log: bool
    old: Sides
    new: Sides
    acknowledged: dict[str, Commit]
    operations: int | None
    operations_after: int
    statuses: tuple[dict[str, object] | None, dict[str, object]]
    paths: frozenset[str]
    wal: bool


def _nothing(repo: EpicRepo) -> None:
    pass


def _edit_files(repo: EpicRepo) -> None:
    repo.rewrite("1", lambda body: body.update(name="Renamed in the file", goals=["one", "two"]))
    repo.rewrite("2", lambda body: body["tasks"].pop())
    (repo.directory / "later/new.json").write_text('{"id": "N", "name": "New", "tasks": [{"id": "N.1", "title": "t"}]}')


def _edit_database(repo: EpicRepo) -> None:
    repo.sql("UPDATE framework_epics SET summary = 'Changed in the database' WHERE epic_key = '1'")
    repo.sql("UPDATE framework_epics SET name = 'Changed there' WHERE epic_key = '2'")
    repo.sql("UPDATE framework_epics SET deleted_at = '2025-08-19', status = 'deleted' WHERE epic_key = '6'")
    repo.sql("INSERT INTO framework_epics (epic_key, name) VALUES ('APP', 'From the application')")


def edit_both(repo: EpicRepo) -> None:
    """Edit both sides of several epics, so that a sync writes files, removes one, and writes rows."""
    _edit_files(repo)
    _edit_database(repo)


def _sync_an_edit(repo: EpicRepo) -> None:
    repo.ok("tag", "then")
    edit_both(repo)
    repo.ok("sync")


def many_at_once() -> None:
    """Have a few rows wait in a file before the database is locked, in the child that calls this."""
    from epicvc.repo.rows import dbside

    dbside.KEPT_BYTES = 0  # type: ignore[misc]


def as_a_batch() -> None:
    """Have a program's ``batch_operation`` do what ``sync`` with labels does, in the child that calls this."""
    from epicvc import BidirectionalSync
    from epicvc.cli import edge

    def run(arguments: Sequence[str], *, as_json: bool) -> int:
        with BidirectionalSync().batch_operation() as batch:
            for epic in arguments[1:]:
                batch.sync_epic(FILE_OF[epic])
        return 0

    edge._run = run


def _checkpoint_and_damage(repo: EpicRepo) -> None:
    repo.ok("checkpoint", "good")
    _edit_database(repo)
    repo.path("2").unlink()
    repo.path("1").write_bytes(b"{")
    repo.sql("DELETE FROM task_dependencies")
    repo.sql("DROP VIEW busy_epics")


def _checkpoint_and_drop(repo: EpicRepo) -> None:
    repo.ok("checkpoint", "good")
    for path in repo.root.glob("framework.db*"):
        path.unlink()


def _conflict(repo: EpicRepo) -> None:
    for epic in ("1", "2"):
        repo.rewrite(epic, lambda body: body.update(name="Of the files", summary="Of the files"))
        repo.sql("UPDATE framework_epics SET name = 'Of the db', duration_description = '2' WHERE epic_key = ?", epic)
    assert repo.run("sync").code == 1


def _litter(repo: EpicRepo) -> None:
    """Objects that nothing leads to, and room for VACUUM to give back."""
    repo.ok("branch", "aside")
    repo.ok("switch", "aside")
    for number in range(3):
        text = "".join(hashlib.sha256(f"{number} {part}".encode()).hexdigest() for part in range(600))
        repo.rewrite("1", lambda body, text=text: body.update(summary=text))
        repo.ok("commit", "-m", str(number))
    repo.ok("switch", "main", "--discard-changes")
    repo.ok("branch", "--delete", "aside", "--force")


SCENES: dict[str, Scene] = {
    # `init` a second time finds a repo and says so.
    "init": Scene(("init",), _nothing, again=(5,), bare=True),
    "init a database": Scene(("init", "--db", "fresh.db"), lambda repo: repo.database.unlink(), again=(5,), bare=True),
    "sync": Scene(("sync",), edit_both),
    "batch": Scene(("sync", *FILE_OF), edit_both, form="faults.scenes:as_a_batch"),
    "pull": Scene(("pull",), _edit_database),
    "push": Scene(("push",), _edit_files),
    "commit": Scene(("commit", "-m", "both sides"), edit_both),
    "checkout": Scene(("checkout", "then"), _sync_an_edit),
    "rollback": Scene(("rollback", "good"), _checkpoint_and_damage),
    "rollback a database": Scene(("rollback", "good"), _checkpoint_and_drop),
    "restore": Scene(("restore", "--source", "then", "1", "6"), _sync_an_edit),
    "undo": Scene(("undo",), _sync_an_edit),
    "undo of many rows": Scene(("undo",), _sync_an_edit, form="faults.scenes:many_at_once"),
    "resolve": Scene(("resolve", "--prefer", "files"), _conflict),
    "gc": Scene(("gc", "--keep-operations", "0"), _litter, keeps_log=False),
}


def make(scene: Scene, root: Path, *, wal: bool) -> EpicRepo:
    """The state before a scene's command, in ``root/repo``."""
    (root / "tmp").mkdir(parents=True)
    write_epics(root / "repo/epics", FILES)
    make_database(root / "repo/framework.db")
    repo = EpicRepo(root / "repo", FACTS)
    if not wal:
        connection = sqlite3.connect(repo.database)
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.close()
    if not scene.bare:
        repo.ok("init")
        repo.ok("sync")
    scene.prepare(repo)
    return repo


def expect(server: Server, scene: Scene, root: Path, scratch: Path, *, wal: bool) -> Path:
    """Find out what is right before and after a scene's command, and keep it for the oracle.

    Args:
        server: runs the command.
        scene: the scene.
        root: what :func:`make` made.
        scratch: where a copy may be made.
        wal: whether the database is in WAL mode.

    Returns:
        The file that the oracle reads.
    """
    from faults.work import copy

    old, before, acknowledged, status = _look(root / "repo", of_operations=scene.keeps_log)
    copy(root, scratch)
    done = server.run(scratch, scene.command, preparation=scene.form)
    assert done.code == 0, done
    paths = {
        path.relative_to(here).as_posix() for here in (root / "repo", scratch / "repo") for path in here.rglob("*")
    }
    new, after, _, new_status = _look(scratch / "repo", of_operations=scene.keeps_log)
    assert new_status is not None
    expected = Expected(
        scene.command,
        scene.again,
        scene.keeps_log,
        old,
        new,
        acknowledged,
        before,
        after or 0,
        (status, new_status),
        frozenset({*paths, *(f".epicvc/{name}" for name in REMEMBERED)}),
        wal,
    )
    target = root.parent / f"{root.name}.expected"
    target.write_bytes(pickle.dumps(expected))
    return target


def _look(repo: Path, *, of_operations: bool) -> tuple[Sides, int | None, dict[str, Commit], dict[str, object] | None]:
    status = None
    operations = None
    acknowledged: dict[str, Commit] = {}
    if (repo / ".epicvc/store.db").exists():
        driver = EpicRepo(repo, FACTS)
        said = driver.run("status", "--json")
        status = said.value if said.code == 0 else None  # a scene may begin with a file that is no JSON
        with driver.store() as store:
            operations = sum(1 for _ in store.operations())
            acknowledged = commits(store, of_operations=of_operations)
    return observe(repo), operations, acknowledged, summary(status)


def summary(status: dict[str, object] | None) -> dict[str, object] | None:
    """What of a status does not depend on ids and times."""
    if status is None:
        return None
    return {name: value for name, value in status.items() if name not in ("head", "branch")}
