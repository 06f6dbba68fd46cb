"""``clean``: what goes, what stays, and that ``undo`` brings everything back."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support.repos import EpicRepo

_SESSIONS = (
    "CREATE TABLE IF NOT EXISTS work_sessions "
    "(id INTEGER PRIMARY KEY, task_id INTEGER REFERENCES framework_tasks(id), start_time TEXT)"
)


@pytest.fixture
def orphaned(repo: EpicRepo) -> EpicRepo:
    """A repo whose database has lost an epic, a task and what they owned."""
    repo.sql("INSERT INTO framework_tasks (id, epic_id, task_key, title) VALUES (9001, 9999, 'lost.1', 'lost')")
    repo.sql("INSERT INTO task_dependencies (task_id, depends_on_task_key) VALUES (9001, 'x'), (9002, 'y')")
    repo.sql(_SESSIONS)
    repo.sql("INSERT INTO work_sessions (task_id, start_time) VALUES (9003, '2025-01-01')")
    repo.ok("commit", "-m", "as it is")
    return repo


def test_orphans_go_and_come_back(orphaned: EpicRepo) -> None:
    before = orphaned.dump()
    wanted = orphaned.json("clean", "db", "--dry-run")
    assert wanted["dry_run"] and not wanted["checkpoints"]
    assert orphaned.dump() == before
    places = [item["place"] for item in wanted["done"]]
    assert "@framework_tasks/9001" in places
    assert sum(place.startswith("@task_dependencies/") for place in places) >= 2
    done = orphaned.json("clean", "db")
    assert [item["place"] for item in done["done"]] == places
    assert orphaned.one("SELECT count(*) FROM framework_tasks WHERE epic_id = 9999") == 0
    assert orphaned.one("SELECT count(*) FROM work_sessions WHERE task_id = 9003") == 0
    broken = {row[2] for row in orphaned.sql("PRAGMA foreign_key_check")}
    assert not broken & {"framework_epics", "framework_tasks"}
    assert all(name in orphaned.ok("tag").out or name in orphaned.ok("log").out for name in done["checkpoints"])
    orphaned.ok("undo")
    if len(done["checkpoints"]) == 2:
        orphaned.ok("op", "log")
        orphaned.ok("rollback", done["checkpoints"][0])
    assert orphaned.dump() == before
    assert orphaned.json("clean", "db", "--dry-run")["done"] == wanted["done"]


def test_old_rows_are_archived_whole_or_not_at_all(repo: EpicRepo) -> None:
    epic, key = repo.facts.epic, repo.facts.tasks[0]
    task = repo.task_row(key)["id"]
    repo.sql("UPDATE framework_tasks SET status = 'completed', completed_at = '2020-01-01' WHERE id = ?", task)
    repo.sql(_SESSIONS)
    repo.sql("INSERT INTO work_sessions (task_id, start_time) VALUES (?, '2020-01-01')", task)
    repo.ok("commit", "-m", "done long ago")
    before = repo.dump()
    done = repo.json("clean", "db", "--archive", "90")
    places = [item["place"] for item in done["done"]]
    assert f"@framework_tasks/{task}" in places, (epic, done)
    assert repo.one("SELECT count(*) FROM framework_tasks_archive WHERE task_key = ?", key) == 1
    assert repo.one("SELECT count(*) FROM framework_tasks WHERE id = ?", task) == 0
    assert not done["kept"]
    repo.ok("undo")
    assert repo.dump() == before
    # what another table refers to stays, with all that belongs to it
    repo.sql("CREATE TABLE notes (id INTEGER PRIMARY KEY, task INTEGER REFERENCES framework_tasks(id))")
    repo.sql("INSERT INTO notes VALUES (1, ?)", task)
    kept = repo.json("clean", "db", "--archive", "90")
    assert f"@framework_tasks/{task}" in [item["place"] for item in kept["kept"]]
    assert repo.one("SELECT count(*) FROM work_sessions WHERE task_id = ?", task) == 1


def test_vacuum_changes_no_row(repo: EpicRepo) -> None:
    repo.sql("CREATE TABLE big (x)")
    repo.sql("INSERT INTO big SELECT hex(randomblob(5000)) FROM framework_tasks")
    repo.sql("DELETE FROM big")
    before = repo.dump()
    assert repo.json("clean", "db", "--vacuum", "--dry-run")["freed"] == 0
    assert repo.json("clean", "db", "--vacuum")["freed"] > 0
    assert repo.dump() == before


def test_files_are_mended_and_copies_removed(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    path = repo.path(epic)
    whole = path.read_bytes()
    path.write_bytes(b"\xef\xbb\xbf" + whole)
    copy = path.with_name("zz-copy.json")
    copy.write_bytes(whole)
    repo.held_up("sync", naming=repo.facts.path)
    before = repo.files()
    wanted = repo.json("clean", "files", "--dry-run")
    assert repo.files() == before
    assert any("byte order mark" in item["what"] for item in wanted["done"])
    done = repo.json("clean", "files")
    assert path.read_bytes() == whole
    assert not copy.exists()
    assert {item["place"] for item in done["done"]} >= {path.name, copy.name}
    assert repo.json("status")["in_sync"]
    repo.ok("rollback", done["checkpoints"][0])
    assert repo.files() == before


def test_another_version_of_an_epic_is_only_reported(repo: EpicRepo) -> None:
    path = repo.path(repo.facts.epic)
    other = path.with_name("zz-other.json")
    other.write_bytes(path.read_bytes().replace(b'"name": "', b'"name": "Other ', 1))
    found = repo.json("clean", "files", "--duplicates")
    assert not found["done"]
    assert [item["place"] for item in found["kept"]] == [other.name]
    assert other.exists() and path.exists()


def test_caches_are_made_again(repo: EpicRepo) -> None:
    left = repo.root / ".epicvc" / ".x.1234.epicvc-tmp"
    left.write_bytes(b"half")
    done = repo.json("clean", "cache")
    assert not left.exists()
    places = {item["place"] for item in done["done"]}
    assert places >= {".epicvc/config.cache", ".epicvc/files.cache"}
    assert not any((repo.root / place).exists() for place in places)
    assert repo.json("status")["clean"]
    repo.ok("fsck", "--full")


def test_python_does_the_same(orphaned: EpicRepo) -> None:
    before = orphaned.dump()
    script = (
        "from epicvc import CacheCleanup, DatabaseCleanup, JSONCleanup\n"
        "cleanup = DatabaseCleanup(db_path='framework.db')\n"
        "assert cleanup.remove_orphaned_tasks(dry_run=True)['count'] >= 3\n"
        "done = cleanup.remove_orphaned_tasks()\n"
        "assert done['count'] >= 3 and done['checkpoint'], done\n"
        "assert cleanup.remove_orphaned_timer_sessions()['count'] == 1\n"
        "assert cleanup.archive_old_records(days_old=90)['kept'] == []\n"
        "assert cleanup.vacuum_database()['freed'] >= 0\n"
        "files = JSONCleanup(json_dir='epics')\n"
        "assert files.validate_all_json_files()['valid']\n"
        "assert files.remove_duplicates()['count'] == 0 and files.fix_common_issues(dry_run=True)['dry_run']\n"
        "assert CacheCleanup().reset_checksums()['count'] and not CacheCleanup().clear_temp_files()['count']\n"
    )
    if not (orphaned.root / "epics").is_dir():
        pytest.skip("the files of this data set are somewhere else")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script], cwd=orphaned.root, check=True, env=environment)
    assert orphaned.json("op", "log")
    assert orphaned.dump() != before


def test_all_clean_ups_of_the_database_are_one_operation(orphaned: EpicRepo) -> None:
    dump, operations = orphaned.dump(), len(orphaned.everything().operations)
    report = orphaned.json("clean", "db", "--orphaned-tasks", "--orphaned-sessions", "--archive", "90")
    tables = {item["place"].split("/")[0] for item in report["done"]}
    assert tables >= {"@framework_tasks", "@task_dependencies", "@work_sessions"}
    assert len(report["checkpoints"]) == 1
    assert len(orphaned.everything().operations) == operations + 2  # the checkpoint, and the clean-up
    orphaned.ok("undo")
    assert orphaned.dump() == dump


def test_a_clean_up_that_fails_halfway_leaves_everything(made: EpicRepo) -> None:
    made.sql("DELETE FROM framework_epics WHERE epic_key = ?", made.facts.own[0])
    made.sql("CREATE TABLE framework_tasks_archive(other)")
    made.sql("UPDATE framework_tasks SET status = 'completed', updated_at = '2020-01-01'")
    dump = made.dump()
    assert made.run("clean", "db", "--orphaned-tasks", "--archive", "90").code == 4
    assert made.dump() == dump


def test_all_clean_ups_of_files_are_one_operation(made: EpicRepo) -> None:
    original = made.path("1").read_bytes()
    (made.directory / "copy.json").write_bytes(b"\xef\xbb\xbf" + original)
    files = made.files()
    report = made.json("clean", "files")
    whats = {item["place"]: item["what"] for item in report["done"]}
    assert "copy.json" in whats  # mended first, so that it then says what the other file says
    assert whats["epico_1.json"] == "the same as copy.json"
    assert len(report["checkpoints"]) == 1
    assert len(made.files()) == len(files) - 1
    made.ok("undo")
    assert made.files() == files
