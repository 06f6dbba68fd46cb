"""A dry run ends as the command would: the same exit code, the same places, and nothing written."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing

import pytest
from support.repos import EpicRepo

from epicvc.actions.sync import newepics


def _work(repo: EpicRepo, statements: Iterable[str]) -> None:
    for statement in statements:
        repo.sql(statement)
    repo.ok("commit", "--allow-empty", "-m", "work")


def _split(repo: EpicRepo, base: Iterable[str], ours: Iterable[str], theirs: Iterable[str]) -> None:
    _work(repo, base)
    repo.ok("switch", "-c", "theirs")
    _work(repo, theirs)
    repo.ok("switch", "main")
    _work(repo, ours)


def _agree(repo: EpicRepo, code: int, *command: str, naming: str = "") -> None:
    """Both refuse, in the same words."""
    said = repo.refused(code, *command, "--dry-run", naming=naming)
    assert repo.refused(code, *command) == said


PARENTS = (
    "CREATE TABLE p(id INTEGER PRIMARY KEY)",
    "CREATE TABLE c(id INTEGER PRIMARY KEY, pid INT REFERENCES p(id))",
    "INSERT INTO p VALUES(1), (2)",
)


def _orphans(repo: EpicRepo) -> tuple[str, ...]:
    _split(repo, PARENTS, ("DELETE FROM p WHERE id = 2",), ("INSERT INTO c VALUES(7, 2)",))
    return "merge", "theirs"


def _reverted_orphans(repo: EpicRepo) -> tuple[str, ...]:
    _work(repo, (*PARENTS, "INSERT INTO c VALUES(7, 2)"))
    _work(repo, ("DELETE FROM c",))
    _work(repo, ("DELETE FROM p WHERE id = 2",))
    return "revert", "HEAD~1"


def _checks(repo: EpicRepo) -> tuple[str, ...]:
    span = "CREATE TABLE span(id INTEGER PRIMARY KEY, a INT, b INT, CHECK (a <= b))"
    _split(repo, (span, "INSERT INTO span VALUES(1, 1, 10)"), ("UPDATE span SET a = 8",), ("UPDATE span SET b = 5",))
    return "merge", "theirs"


def _restored_orphan(repo: EpicRepo) -> tuple[str, ...]:
    _work(repo, (*PARENTS, "INSERT INTO c VALUES(7, 2)"))
    _work(repo, ("DELETE FROM c", "DELETE FROM p WHERE id = 2"))
    return "restore", "--source", "HEAD~1", "@c/7"


def _an_untracked_file(repo: EpicRepo) -> tuple[str, ...]:
    repo.ok("sync")
    path = repo.path("1")
    text = path.read_text()
    path.unlink()
    repo.ok("commit", "-m", "gone")
    config = repo.root / "epicvc.toml"
    config.write_text(config.read_text().replace("[files]", f'[files]\nexclude = ["{path.name}"]'))
    path.write_text(text + " ")
    return "rollback", "HEAD~1"


def _a_constraint(repo: EpicRepo) -> tuple[str, ...]:
    repo.sql("CREATE TRIGGER no BEFORE UPDATE ON framework_epics BEGIN SELECT RAISE(ABORT, 'not this one'); END")
    repo.rewrite("1", lambda body: body.update(summary="another"))
    return ("sync",)


def _a_lossy_field(repo: EpicRepo) -> tuple[str, ...]:
    repo.sql(
        "CREATE TRIGGER upper AFTER UPDATE OF name ON framework_epics "
        "BEGIN UPDATE framework_epics SET name = upper(new.name) WHERE id = new.id; END"
    )
    repo.rewrite("1", lambda body: body.update(name="quiet"))
    return ("push",)


def _a_new_epic(repo: EpicRepo) -> tuple[str, ...]:
    repo.sql("CREATE UNIQUE INDEX one_name ON framework_epics(name)")
    for number in ("8", "9"):
        (repo.directory / f"{number}.json").write_text(f'{{"id": "{number}", "name": "the same"}}')
    return ("sync",)


def _an_unfinished_merge(repo: EpicRepo) -> tuple[str, ...]:
    repo.ok("sync")
    repo.ok("commit", "--allow-empty", "-m", "base")
    repo.ok("switch", "-c", "theirs")
    for branch, name in (("theirs", "one"), ("main", "other")):
        repo.ok("switch", branch)
        repo.rewrite("1", lambda body, name=name: body.update(name=name))
        repo.ok("sync")
    assert repo.run("merge", "theirs").code == 1
    return ("sync",)


REFUSALS: dict[Callable[[EpicRepo], tuple[str, ...]], tuple[int, str]] = {
    _orphans: (4, "@c/7"),
    _reverted_orphans: (4, "@c/7"),
    _checks: (4, "@span/1/"),
    _restored_orphan: (4, "@c/7"),
    _an_untracked_file: (5, "in the way"),
    _a_constraint: (4, "not this one"),
    _a_lossy_field: (4, "1:name"),
    _a_new_epic: (4, "8"),
    _an_unfinished_merge: (5, "is not finished"),
}


@pytest.mark.parametrize("scene", REFUSALS, ids=lambda scene: scene.__name__.strip("_"))
def test_what_is_refused(garden: EpicRepo, scene: Callable[[EpicRepo], tuple[str, ...]]) -> None:
    code, naming = REFUSALS[scene]
    _agree(garden, code, *scene(garden), naming=naming)


def test_a_deferred_foreign_key(garden: EpicRepo) -> None:
    garden.ok("sync")
    definition = garden.one("SELECT sql FROM sqlite_master WHERE name = 'framework_tasks'").rstrip().removesuffix(")")
    bound = "FOREIGN KEY (title) REFERENCES titles(title) DEFERRABLE INITIALLY DEFERRED)"
    garden.sql("CREATE TABLE titles(title TEXT PRIMARY KEY)")
    garden.sql("INSERT INTO titles SELECT DISTINCT title FROM framework_tasks")
    garden.sql(f"{definition.replace('framework_tasks', 'rebuilt', 1)}, {bound}")
    garden.sql("INSERT INTO rebuilt SELECT * FROM framework_tasks")
    garden.sql("DROP TABLE framework_tasks")
    garden.sql("ALTER TABLE rebuilt RENAME TO framework_tasks")
    garden.ok("sync")
    garden.rewrite("1", lambda body: body["tasks"][0].update(title="of no list"))
    _agree(garden, 4, "sync")


@pytest.mark.parametrize("rows", [2, 15_000])
def test_many_new_epics(garden: EpicRepo, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(newepics, "PORTION", rows)
    garden.ok("sync")
    for number in range(20, 40):
        (garden.directory / f"{number}.json").write_text(
            f'{{"id": "{number}", "name": "n", "tasks": [{{"id": "a", "title": "t{number}"}}]}}'
        )
    with garden.unchanged():
        assert garden.json("sync", "--dry-run")["to_db"] == 20
    garden.sql(
        "CREATE TRIGGER no BEFORE INSERT ON framework_tasks WHEN new.title = 't38' "
        "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
    )
    said = garden.refused(4, "sync", "--dry-run", naming="not this one")
    answer = garden.json("sync", code=4)  # what some portions had done is taken back, which the log tells
    assert answer["message"] == said


def test_the_application_goes_on_writing(garden: EpicRepo) -> None:
    """A dry run does not wait for a lock of the application's, nor take one."""
    garden.ok("sync")
    garden.rewrite("1", lambda body: body.update(name="another"))
    with closing(sqlite3.connect(garden.database, isolation_level=None)) as application:
        application.execute("BEGIN IMMEDIATE")
        assert garden.json("sync", "--dry-run")["to_db"] == 1


def test_resolving(garden: EpicRepo) -> None:
    """Answers to a merge, and to what two sides disagree on."""
    span = "CREATE TABLE span(id INTEGER PRIMARY KEY, note TEXT, a INT, b INT, CHECK (note <> 'low' OR b < 7))"
    _split(
        garden,
        (span, "INSERT INTO span VALUES(1, 'old', 1, 1)"),
        ("UPDATE span SET note = 'low', b = 5",),
        ("UPDATE span SET note = 'high', b = 9",),
    )
    garden.run("merge", "theirs")
    _agree(garden, 4, "resolve", "@span/1/b", "--prefer", "theirs", naming="CHECK constraint failed")
    garden.ok("resolve", "--prefer", "theirs", "--dry-run")
    garden.ok("merge", "--abort", "--dry-run")
    garden.ok("merge", "--abort")
    garden.ok("sync")
    garden.rewrite("1", lambda body: body.update(name="of the file"))
    garden.sql("UPDATE framework_epics SET name = 'of the database'")
    garden.sql("CREATE TRIGGER no BEFORE UPDATE ON framework_epics BEGIN SELECT RAISE(ABORT, 'not this one'); END")
    _agree(garden, 4, "resolve", "--prefer", "files", naming="not this one")


def test_dates_that_a_trigger_refuses(garden: EpicRepo) -> None:
    garden.rewrite("1", lambda body: body.update(duration="3 dias"))
    garden.ok("sync")
    garden.sql(
        "CREATE TRIGGER no BEFORE UPDATE OF planned_start_date ON framework_epics "
        "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
    )
    _agree(garden, 4, "plan", "--from", "2026-03-02", naming="not this one")


def test_rows_that_the_database_does_not_let_go(garden: EpicRepo) -> None:
    garden.sql("INSERT INTO task_dependencies(task_id, depends_on_task_key) VALUES(77, 'x'), (78, 'y')")
    garden.sql(
        "CREATE TRIGGER no BEFORE DELETE ON task_dependencies WHEN old.task_id = 77 "
        "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
    )
    with garden.unchanged():
        would = garden.json("clean", "db", "--dry-run")
    done = garden.json("clean", "db")
    assert would["done"] == done["done"] != []
    assert would["kept"] == done["kept"] != []


def test_ways_back(garden: EpicRepo) -> None:
    """What would go through says so, and leaves all as it is."""
    garden.ok("sync")
    garden.ok("checkpoint", "then")
    garden.sql("UPDATE framework_epics SET name = 'another'")
    garden.ok("sync")
    first = garden.json("op", "log")["operations"][-1]["id"]
    ways = (
        ("rollback", "then"),
        ("checkout", "then"),
        ("undo",),
        ("op", "restore", first),
        ("restore", "--source", "then", "1"),
    )
    for command in ways:
        with garden.unchanged():
            garden.ok(*command, "--dry-run")
