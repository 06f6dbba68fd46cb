"""``migrate`` in an epic repo: history, undo, checkout across migrations, and what `diff` says of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support.guard import ROOT
from support.killing import run_killed
from support.repos import EpicRepo

OWNER = "ALTER TABLE framework_epics ADD COLUMN owner TEXT DEFAULT 'nobody';\n"
NO_OWNER = "ALTER TABLE framework_epics DROP COLUMN owner;\n"
NOTES = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT);\nINSERT INTO notes VALUES (1, 'first');\n"
BACKFILL = "UPDATE framework_epics SET points_earned = 7;\n"


def write(repo: EpicRepo, **files: str) -> None:
    """Write migration files: ``_001_a`` stands for ``001_a.sql``."""
    place = repo.root / "migrations"
    place.mkdir(exist_ok=True)
    for name, text in files.items():
        (place / f"{name[1:]}.sql").write_text(text, encoding="utf-8")


@pytest.fixture
def adopted(made: EpicRepo) -> EpicRepo:
    """A repo whose database was there before its migrations."""
    write(
        made,
        _001_owner=OWNER,
        _001_rollback=NO_OWNER,
        _002_notes=NOTES,
        _002_rollback="DROP TABLE notes;",
        _003_backfill=BACKFILL,
        _003_rollback="UPDATE framework_epics SET points_earned = 0;",
    )
    made.ok("migrate", "baseline", "none")
    return made


def sides(repo: EpicRepo) -> tuple[dict[str, bytes], list[str]]:
    return repo.files(), [line for line in repo.dump() if "journal_mode" not in line]


def versions(repo: EpicRepo) -> list[str]:
    return [row["version"] for row in repo.json("migrate", "status")["applied"]]


def test_a_populated_database_is_refused_until_it_is_adopted(repo: EpicRepo) -> None:
    message = repo.refused(5, "migrate", "up", naming="no history of migrations")
    assert "baseline" not in message  # that is the hint
    assert "epicvc migrate baseline" in repo.run("migrate", "up").err
    assert repo.json("migrate", "status")["adopted"] is False


def test_baseline_of_the_real_schema(repo: EpicRepo) -> None:
    if repo.facts.name == "made":  # it has neither projects nor work sessions
        repo.refused(5, "migrate", "baseline", naming="table framework_projects is not there")
        return
    looked = repo.json("migrate", "baseline", "--dry-run")
    assert (looked["to"], looked["dry_run"], looked["commit"]) == ("002", True, None)
    assert repo.json("migrate", "status")["adopted"] is False
    assert repo.json("migrate", "baseline")["to"] == "002"
    assert [step["version"] for step in repo.json("migrate", "up")["steps"]] == ["003"]
    repo.refused(5, "migrate", "down", "001", naming="was adopted")
    repo.ok("undo")
    assert versions(repo) == ["000", "001", "002"]
    assert repo.json("status")["clean"]


def test_a_run_is_one_operation_with_a_commit_for_each_migration(adopted: EpicRepo) -> None:
    repo = adopted
    repo.sql("UPDATE framework_epics SET name = 'Not committed' WHERE epic_key = ?", repo.facts.epic)
    before = sides(repo)
    report = repo.json("migrate", "up")
    assert (report["from"], report["to"], len(report["steps"])) == (None, "003", 3)
    assert repo.json("status")["clean"]
    log = [commit["message"] for commit in repo.json("log")["commits"]][:4]
    assert log == ["migrate up 003 backfill", "migrate up 002 notes", "migrate up 001 owner", log[3]]
    assert log[3] == f"checkpoint {report['checkpoint']}"
    last, checkpoint, *_ = repo.json("op", "log")["operations"]
    assert (last["description"], checkpoint["command"]) == ("migrate up from none to 003", "checkpoint")
    after = sides(repo)
    repo.ok("undo")
    assert sides(repo) == before
    assert versions(repo) == []
    repo.ok("redo")
    assert sides(repo) == after
    assert versions(repo) == ["001", "002", "003"]
    repo.ok("fsck", "--full")


def test_undo_stops_where_somebody_has_used_what_a_migration_made(adopted: EpicRepo) -> None:
    adopted.ok("migrate", "up")
    adopted.sql("UPDATE framework_epics SET owner = 'me' WHERE epic_key = ?", adopted.facts.epic)
    adopted.refused(5, "undo", naming="changed since")


def test_nothing_to_do_leaves_no_trace(adopted: EpicRepo) -> None:
    adopted.ok("migrate", "up")
    with adopted.unchanged():
        assert adopted.json("migrate", "up")["steps"] == []
        assert adopted.json("migrate", "down", "003")["steps"] == []
        assert len(adopted.json("migrate", "down", "none", "--dry-run")["steps"]) == 3
        assert adopted.json("migrate", "verify")["errors"] == []
        adopted.ok("migrate", "status")


def test_checkout_across_migrations_brings_schema_and_rows(adopted: EpicRepo) -> None:
    repo = adopted
    repo.ok("commit", "-m", "before", "--allow-empty")
    start, old = repo.head(), sides(repo)
    repo.ok("migrate", "up")
    repo.sql("UPDATE framework_epics SET owner = 'me' WHERE epic_key = ?", repo.facts.epic)
    repo.sql("INSERT INTO notes VALUES (2, 'second')")
    repo.ok("commit", "-m", "used")
    new = sides(repo)
    repo.ok("checkout", start)
    assert sides(repo) == old
    assert versions(repo) == []
    repo.ok("switch", "main")
    assert sides(repo) == new
    assert versions(repo) == ["001", "002", "003"]
    repo.ok("rollback", start)
    assert sides(repo) == old
    assert len(repo.json("migrate", "up")["steps"]) == 3


def by_migration(changes: list[dict[str, Any]]) -> dict[str | None, set[str]]:
    found: dict[str | None, set[str]] = {}
    for change in changes:
        found.setdefault(change["migration"], set()).add(change["label"])
    return found


def test_diff_tells_migrations_from_people(adopted: EpicRepo) -> None:
    repo, (epic, other) = adopted, (adopted.facts.epic, adopted.facts.other)
    repo.ok("commit", "-m", "before", "--allow-empty")
    start = repo.head()
    repo.sql("UPDATE framework_epics SET name = 'By hand' WHERE epic_key = ?", epic)
    repo.ok("migrate", "up")
    repo.sql("UPDATE framework_epics SET owner = 'me', points_earned = 9 WHERE epic_key = ?", other)
    repo.sql("INSERT INTO notes VALUES (2, 'second')")
    found = by_migration(repo.json("diff", start)["changes"])
    assert found[None] == {f"{epic}:name", f"{other}:owner", f"{other}:points_earned", "@notes/2"}
    assert f"{epic}:owner" in found["001"]
    assert found["002"] == {"@notes/1", "@~4/table notes", "@schema_migrations/002"}
    assert f"{epic}:points_earned" in found["003"]
    assert by_migration(repo.json("show", "HEAD~1")["changes"]).keys() == {"002"}
    head = repo.head()
    back = by_migration(repo.json("diff", head, start)["changes"])
    assert back[None] == {f"{epic}:name"}
    shown = repo.ok("diff", start).out
    assert "migration 002" in shown
    assert "+ table notes" in shown
    # run by other means, no commit has it alone
    repo.ok("commit", "-m", "all")
    shutil.copy(repo.database, repo.root / "other.db")
    repo.ok("--db", "other.db", "migrate", "down", "--count", "2")
    shutil.copy(repo.root / "other.db", repo.database)
    repo.sql("UPDATE framework_epics SET name = 'By hand again' WHERE epic_key = ?", epic)
    found = by_migration(repo.json("diff")["changes"])
    assert f"{epic}:name" in found[None]
    assert found["002, 003"] == {
        *("@notes/1", "@notes/2", "@~4/table notes", "@schema_migrations/002", "@schema_migrations/003")
    }


def test_another_database_leaves_the_history_alone(adopted: EpicRepo) -> None:
    with adopted.unchanged():
        report = adopted.json("migrate", "up", "--db", "beside.db", "--dir", str(ROOT / "migrations"))
    assert (report["to"], report["checkpoint"]) == ("003", None)


def test_a_database_that_the_environment_names_is_the_repos(adopted: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    adopted.database.rename(adopted.root / "moved.db")
    monkeypatch.setenv("EPICVC_DATABASE_URL", "moved.db")
    assert adopted.json("migrate", "up")["checkpoint"]
    adopted.ok("undo")
    assert versions(adopted) == []


def test_a_failure_keeps_the_steps_before_and_says_where(adopted: EpicRepo) -> None:
    write(adopted, _002_notes="CREATE TABLE notes (x);\nINSERT INTO notes\n  VALUES (1, 2);\n")
    said = adopted.run("migrate", "up")
    assert said.code == 4
    first, hint = said.err.splitlines()
    assert first.startswith("epicvc: migrations/002_notes.sql:2: statement 2 of 2 failed: table notes has 1 column")
    assert hint == "  hint: it was rolled back; the database stays at version 001"
    assert versions(adopted) == ["001"]
    assert adopted.json("status")["clean"]
    adopted.ok("undo")
    assert versions(adopted) == []


def test_problems_of_the_set(adopted: EpicRepo) -> None:
    write(adopted, _005_x="-- depends: 009\nSELECT 1;")
    adopted.refused(4, "migrate", "up", naming="migrations/005_x.sql: depends on 009, which does not exist")
    status = adopted.run("migrate", "status", "--json")
    assert status.code == 4
    assert status.value["notes"] == [
        "there is no 004 between 003 and 005",
        "migrations/005_x.sql has no rollback; write 005_rollback.sql beside it",
    ]
    write(adopted, _005_x="SELECT 1;")
    adopted.ok("migrate", "up", "001")
    write(adopted, _001_owner=OWNER.replace("nobody", "somebody"))
    adopted.refused(4, "migrate", "up", naming="migrations/001_owner.sql: was edited after it was applied")
    write(adopted, _001_owner=OWNER.replace("\n", "\r\n"))
    adopted.ok("migrate", "up")


def test_a_way_back_that_is_none_is_found_on_a_copy(adopted: EpicRepo) -> None:
    write(adopted, _002_rollback="ALTER TABLE notes RENAME TO old_notes;", _001_rollback="SELECT 1;")
    with adopted.unchanged():
        answer = adopted.json("migrate", "verify", code=4)
    assert answer["errors"] == [
        "migrations/001_rollback.sql: does not bring back the schema as it was: table framework_epics is different",
        "migrations/001_owner.sql:1: statement 1 of 1 failed: duplicate column name: owner: " + OWNER.strip(),
    ]


def test_links_are_not_followed(adopted: EpicRepo, tmp_path: Path) -> None:
    (adopted.root / "migrations").rename(tmp_path / "elsewhere")
    (adopted.root / "migrations").symlink_to(tmp_path / "elsewhere")
    adopted.refused(4, "migrate", "up", naming="is a symbolic link")


def test_new_makes_what_up_takes(made: EpicRepo) -> None:
    shutil.rmtree(made.root / "migrations", ignore_errors=True)
    with made.unchanged():
        looked = made.json("migrate", "new", "Açúcar; DROP TABLE x --", "--dry-run")
    assert not (made.root / "migrations").exists()
    answer = made.json("migrate", "new", "Açúcar; DROP TABLE x --")
    assert answer["files"] == looked["files"]
    assert [Path(name).name for name in answer["files"]] == ["004_acucar_drop_table_x.sql", "004_rollback.sql"]
    assert len(answer["copied"]) == 8
    assert "holds no statement" in made.run("migrate", "up").err  # it waits for its author
    made.refused(2, "migrate", "new", "…", naming="gives no name")


@pytest.mark.parametrize("command", [("migrate", "up"), ("migrate", "down", "none")])
def test_killed_at_any_step_each_version_is_there_whole_or_not_at_all(
    adopted: EpicRepo, tmp_path: Path, command: tuple[str, ...]
) -> None:
    if "down" in command:
        adopted.ok("migrate", "up")
    whole = adopted.copy_to(tmp_path / "whole")
    steps = run_killed(whole.root, 0, *command)
    assert steps is not None
    samples = 10
    seen = set()
    for at in sorted({1 + round(number * (steps - 1) / samples) for number in range(samples + 1)}):
        repo = adopted.copy_to(tmp_path / f"killed-{at}")
        # Whether caches are written at the end depends on the clock, so that the last step may not be reached.
        assert run_killed(repo.root, at, *command) is None or at > steps * 9 // 10, at
        repo.run("doctor", "--repair")
        there = versions(repo)
        seen.add(len(there))
        tables = {name for (name,) in repo.sql("SELECT name FROM sqlite_master WHERE type = 'table'")}
        columns = {row[1] for row in repo.sql("PRAGMA table_info(framework_epics)")}
        assert ("owner" in columns, "notes" in tables) == ("001" in there, "002" in there), (at, there)
        repo.ok("fsck", "--full")
        repo.ok(*command)
        assert versions(repo) == versions(whole), at
        last = repo.json("op", "log")["operations"][0]
        assert last["command"] in ("migrate", "checkpoint")
    assert len(seen) > 1


ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r;"


def test_a_statement_that_never_ends_can_be_interrupted(adopted: EpicRepo) -> None:
    write(adopted, _004_endless=f"CREATE TABLE left_over (x);\n{ENDLESS}")
    adopted.ok("migrate", "up", "003")
    before = sides(adopted)
    process = subprocess.Popen(
        [sys.executable, "-m", "epicvc", "migrate", "up"],
        cwd=adopted.root,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    with process:
        for _ in range(1000):  # until it has begun
            time.sleep(0.02)
            with adopted.store() as store:
                pending = store.pending()
            if pending is not None and pending.command == "migrate":
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "epicvc: interrupted; nothing is half done\n")
    assert sides(adopted) == before
    assert versions(adopted) == ["001", "002", "003"]


def run_together(number: int, directory: Path, *arguments: str) -> list[tuple[int, str]]:
    """Start a command so many times at once, and wait for all."""
    with contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "epicvc", *arguments],
                    cwd=directory,
                    env={**os.environ, "PYTHONPATH": str(ROOT)},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(number)
        ]
        ended = [process.communicate(timeout=240) for process in running]
        return [(process.returncode, out + err) for process, (out, err) in zip(running, ended, strict=True)]


@pytest.mark.parametrize("with_repo", [False, True])
def test_twenty_at_once_apply_each_version_once(adopted: EpicRepo, tmp_path: Path, with_repo: bool) -> None:
    """Each table of the set would fail to be made twice, and each insert would be there twice."""
    place = tmp_path / "plain"
    if with_repo:
        place = adopted.root
    else:
        place.mkdir()
        (place / "migrations").mkdir()
    names = [f"{number:03}" for number in range(10, 15)]
    for name in names:
        text = f"CREATE TABLE t{name} (x);\nINSERT INTO t{name} VALUES (1);\n"
        (place / "migrations" / f"{name}_t.sql").write_text(text)
    ended = run_together(20, place, "migrate", "up", "--json")
    assert [code for code, _ in ended] == [0] * 20, ended
    repo = EpicRepo(place, adopted.facts)
    applied = [row["version"] for row in repo.json("migrate", "status")["applied"]]
    assert applied == [*(["001", "002", "003"] if with_repo else []), *names]
    assert [repo.one(f"SELECT count(*) FROM t{name}") for name in names] == [1] * 5


def _verified(repo: EpicRepo, code: int = 0) -> Any:
    with repo.unchanged():
        return repo.json("migrate", "verify", code=code)


def test_pending_migrations_meet_the_rows(garden: EpicRepo) -> None:
    garden.ok("migrate", "new", "unique_status")
    write(
        garden,
        _004_unique_status="CREATE UNIQUE INDEX one_status ON framework_tasks(status);\n",
        _004_rollback="DROP INDEX one_status;\n",
    )
    answer = _verified(garden, code=4)
    assert answer["proven"] == ["000", "001", "002", "003"]
    (problem,) = answer["errors"]
    assert "UNIQUE constraint failed: framework_tasks.status" in problem


def test_a_rollback_meets_the_rows(garden: EpicRepo) -> None:
    garden.ok("migrate", "new", "wide")
    write(
        garden,
        _004_wide="ALTER TABLE framework_tasks ADD COLUMN wide TEXT;\nUPDATE framework_tasks SET title = 'same';\n",
        _004_rollback="ALTER TABLE framework_tasks DROP COLUMN wide;\n"
        "CREATE UNIQUE INDEX one_title ON framework_tasks(title);\nDROP INDEX one_title;\n",
    )
    assert "UNIQUE constraint failed" in _verified(garden, code=4)["errors"][0]  # pending
    garden.ok("migrate", "up")
    assert "UNIQUE constraint failed" in _verified(garden, code=4)["errors"][0]  # applied


def test_what_the_application_has_beside_the_migrations(garden: EpicRepo) -> None:
    garden.sql("CREATE TABLE notes(id INTEGER PRIMARY KEY, epic INT REFERENCES framework_epics(id))")
    garden.sql("CREATE TABLE deeper(note INT REFERENCES NOTES(id))")
    garden.sql("INSERT INTO notes VALUES(1, 1)")
    garden.sql("CREATE INDEX by_title ON framework_tasks(title)")
    assert _verified(garden)["proven"] == ["000", "001", "002", "003"]


def test_a_migration_that_alters_a_table_of_the_application(garden: EpicRepo) -> None:
    garden.sql("CREATE TABLE notes(id INTEGER PRIMARY KEY, epic INT REFERENCES framework_epics(id))")
    garden.sql("INSERT INTO notes VALUES(1, 1)")
    garden.ok("migrate", "new", "said")
    write(
        garden,
        _004_said="ALTER TABLE notes ADD COLUMN said TEXT;\nCREATE TABLE places(note INT REFERENCES notes(id));\n",
        _004_rollback="DROP TABLE places;\nALTER TABLE notes DROP COLUMN said;\n",
    )
    assert _verified(garden)["proven"][-1] == "004"
    garden.ok("migrate", "up")
    assert _verified(garden)["proven"] == ["000", "001", "002", "003", "004"]


def test_triggers_and_views_that_the_application_has_over_both(garden: EpicRepo) -> None:
    garden.sql("CREATE TABLE notes(id INTEGER PRIMARY KEY, epic INT REFERENCES framework_epics(id))")
    garden.sql("CREATE TRIGGER noted AFTER UPDATE ON framework_epics BEGIN INSERT INTO notes(epic) VALUES(new.id); END")
    garden.sql("CREATE VIEW noted_epics AS SELECT e.name FROM notes n JOIN framework_epics e ON e.id = n.epic")
    garden.ok("migrate", "new", "owner")
    write(garden, _004_owner=OWNER + BACKFILL, _004_rollback=NO_OWNER)
    assert _verified(garden)["proven"][-1] == "004"
    garden.ok("migrate", "up")
    assert _verified(garden)["proven"] == ["000", "001", "002", "003", "004"]


def test_views_and_triggers_go_with_the_tables_that_they_name(garden: EpicRepo) -> None:
    garden.ok("migrate", "new", "owner")
    write(
        garden,
        _004_owner=OWNER + "CREATE TRIGGER owned AFTER UPDATE OF owner ON framework_epics WHEN 0 "
        "BEGIN SELECT new.id AS beds; END;\n",
        _004_rollback="DROP TRIGGER owned;\n" + NO_OWNER,
        _005_beds="CREATE TABLE beds(size INT);\n",
        _005_rollback="DROP TABLE beds;\n",
    )
    garden.ok("migrate", "up")
    garden.sql("CREATE TABLE notes(id INTEGER PRIMARY KEY)")
    garden.sql("CREATE TRIGGER noted AFTER INSERT ON notes BEGIN INSERT INTO BEDS VALUES(1); END")
    garden.sql('CREATE VIEW large AS SELECT * FROM "beds" WHERE size > 1')
    garden.sql("CREATE VIEW larger AS SELECT * FROM large WHERE size > 2")
    assert _verified(garden)["proven"] == ["000", "001", "002", "003", "004", "005"]


def test_references_between_tables_of_migrations_may_not_break(garden: EpicRepo) -> None:
    garden.sql("CREATE TABLE notes(id INTEGER PRIMARY KEY)")
    garden.ok("migrate", "new", "places")
    write(
        garden,
        _004_places="ALTER TABLE notes ADD COLUMN said TEXT;\n",
        _004_rollback="ALTER TABLE notes DROP COLUMN said;\n",
        _005_beds="CREATE TABLE beds(id INTEGER PRIMARY KEY);\n"
        "CREATE TABLE plants(bed INT REFERENCES beds(id));\n"
        "INSERT INTO beds VALUES(1);\nINSERT INTO plants VALUES(1);\n",
        _005_rollback="DROP TABLE beds;\n",
    )
    garden.ok("migrate", "up")
    (problem,) = _verified(garden, code=4)["errors"]
    assert "plants with a foreign key to beds" in problem


def test_a_migration_that_drops_an_index_of_the_application(garden: EpicRepo) -> None:
    garden.sql("CREATE INDEX by_title ON framework_tasks(title)")
    garden.ok("migrate", "new", "no_index")
    write(
        garden,
        _004_no_index="DROP INDEX by_title;\n",
        _004_rollback="CREATE INDEX by_title ON framework_tasks(title);\n",
    )
    assert _verified(garden)["proven"][-1] == "004"
    garden.ok("migrate", "up")
    assert _verified(garden)["proven"][-1] == "004"


def test_an_applied_migration_whose_way_back_is_none(garden: EpicRepo) -> None:
    garden.ok("migrate", "new", "owner")
    write(garden, _004_owner=OWNER, _004_rollback="UPDATE framework_epics SET owner = NULL;\n")
    garden.ok("migrate", "up")
    (problem,) = _verified(garden, code=4)["errors"]
    assert "duplicate column name: owner" in problem
