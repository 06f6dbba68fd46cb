"""What hangs on a table of epicvc's own is refused by name, by every command that would write to the database."""

from __future__ import annotations

import pytest
from support.repos import EpicRepo

ON_OURS = (
    "CREATE TRIGGER greedy AFTER INSERT ON _epicvc_state BEGIN DELETE FROM framework_tasks; END",
    "CREATE TRIGGER later AFTER UPDATE ON _epicvc_state BEGIN DELETE FROM framework_tasks; END",
)
NAMED_AS_OURS = (
    "CREATE TRIGGER _epicvc_greedy AFTER UPDATE ON framework_epics BEGIN DELETE FROM framework_tasks; END",
)
CASCADING = (
    "CREATE TABLE greedy (repo TEXT REFERENCES _epicvc_state (repo_id) ON DELETE CASCADE)",
    "INSERT INTO greedy SELECT repo_id FROM _epicvc_state",
)
IN_ITS_PLACE = (
    "DROP TABLE _epicvc_state",
    "CREATE VIEW _epicvc_state AS SELECT 'greedy' AS repo_id, '' AS operation_id, '' AS snapshot",
)
COMMANDS = (
    "undo",
    "rollback HEAD~1",
    "checkout HEAD~1",
    "switch side",
    "merge side",
    "restore --source HEAD~1 1",
    "restore --source HEAD~1 @framework_epics",
    "migrate down",
    "clean db",
)


@pytest.fixture
def ready(garden: EpicRepo) -> EpicRepo:
    """A repo in which every command would write to the database."""
    garden.sql("INSERT INTO framework_tasks (id, epic_id, task_key, title) VALUES (9001, 9999, 'lost.1', 'lost')")
    garden.ok("commit", "-m", "a lost task")
    garden.ok("switch", "-c", "side")
    garden.edit("2", '"Shed"', '"Barn"')
    garden.ok("sync")
    garden.ok("switch", "main")
    garden.edit("1", '"Garden"', '"Orchard"')
    garden.ok("sync")
    return garden


def test_every_command_that_writes_refuses(ready: EpicRepo) -> None:
    for statement in ON_OURS:
        ready.sql(statement)
    for command in COMMANDS:
        ready.refused(4, *command.split(), naming="trigger greedy")
    ready.edit("2", '"Shed"', '"Hut"')
    for command in ("sync", "push", "sync 2"):
        ready.refused(4, *command.split(), naming="trigger greedy")
    assert "DROP TRIGGER" in ready.run("sync").err
    ready.sql("DROP TRIGGER greedy")
    ready.refused(4, "sync", naming="trigger later")
    ready.sql("DROP TRIGGER later")
    ready.ok("sync")
    assert ready.epic_row("2")["name"] == "Hut"
    assert ready.one("SELECT count(*) FROM framework_tasks") == 3


@pytest.mark.parametrize(
    ("script", "named"),
    [(NAMED_AS_OURS, "_epicvc_greedy"), (CASCADING, "@greedy"), (IN_ITS_PLACE, "view _epicvc_state")],
    ids=["named as ours", "cascading", "in its place"],
)
def test_what_else_is_in_the_way(ready: EpicRepo, script: tuple[str, ...], named: str) -> None:
    for statement in script:
        ready.sql(statement)
    ready.refused(4, "rollback", "HEAD~1", naming=named)
    ready.edit("2", '"Shed"', '"Hut"')
    ready.refused(4, "sync", naming=named)
    found = [finding for finding in ready.json("doctor", code=4)["findings"] if finding["kind"] == "reserved_name"]
    assert [named in finding["message"] for finding in found] == [True]


def test_doctor_names_each(ready: EpicRepo) -> None:
    assert not any(finding["kind"] == "reserved_name" for finding in ready.json("doctor")["findings"])
    for statement in ON_OURS:
        ready.sql(statement)
    found = [finding for finding in ready.json("doctor", code=4)["findings"] if finding["kind"] == "reserved_name"]
    assert [finding["level"] for finding in found] == ["error", "error"]
    assert ["greedy" in found[0]["message"], "later" in found[1]["message"]] == [True, True]


def test_what_only_reads_the_database_goes_on(ready: EpicRepo) -> None:
    for statement in ON_OURS:
        ready.sql(statement)
    ready.sql("UPDATE framework_epics SET name = 'Cabin' WHERE epic_key = '2'")
    ready.ok("sync")
    assert ready.body("2")["name"] == "Cabin"
    ready.ok("log")
    ready.ok("status")


def test_a_migration_cannot_bring_one(ready: EpicRepo) -> None:
    ready.ok("migrate", "new", "greedy")
    directory = ready.root / "migrations"
    (path,) = directory.glob("*_greedy.sql")
    path.write_text(f"{ON_OURS[0]};\n")
    (directory / path.name.replace("greedy", "rollback")).write_text("DROP TRIGGER greedy;\n")
    before = ready.dump()
    said = ready.run("migrate", "up")
    assert (said.code, "trigger greedy" in said.err) == (4, True)
    assert ready.dump() == before
