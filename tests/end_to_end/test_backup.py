"""``backup``: what was backed up comes back whole, nothing is lost by forgetting, nothing hostile gets in."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support.repos import EpicRepo, Files

from epicvc.actions.backup.catalog import stored_backups
from epicvc.actions.backup.create import create_backup
from epicvc.repo.history.fresh import Fresh
from epicvc.repo.reach import Reach
from epicvc.repo.repository import Repo
from epicvc.store.store import Store

State = tuple[Files, list[str]]


def state(repo: EpicRepo) -> State:
    """Every byte of every file, and every row, as they are."""
    return repo.files(), without_mode(repo.dump())


def without_mode(dump: list[str]) -> list[str]:
    """A dump without the journal mode, which is a matter of the file and not of the state."""
    return [line for line in dump if not line.startswith("journal_mode")]


def backups(repo: EpicRepo, *where: str) -> list[dict[str, Any]]:
    return list(repo.json("backup", "list", *where)["backups"])


def create(repo: EpicRepo, *flags: str) -> str:
    return str(repo.json("backup", "create", *flags)["id"])


def lose_everything(repo: EpicRepo) -> None:
    for path in (repo.root / ".epicvc", repo.directory):
        shutil.rmtree(path)
    repo.database.unlink()
    (repo.root / "epicvc.toml").unlink()


EDITS: list[Callable[[EpicRepo, random.Random], object]] = [
    lambda repo, chance: repo.rewrite(repo.facts.other, lambda epic: epic.update(name=f"name {chance.random()}")),
    lambda repo, chance: (repo.directory / "notes" / "no epic.json").parent.mkdir(exist_ok=True),
    lambda repo, chance: (repo.directory / f"new {chance.randrange(5)}.json").write_text(
        json.dumps({"id": f"N{chance.randrange(9)}", "name": "é\u0301" * chance.randrange(9)})
    ),
    lambda repo, chance: (repo.directory / "broken.json").write_bytes(b'{"id": ' + chance.randbytes(9)),
    lambda repo, chance: (repo.directory / "broken.json").unlink(missing_ok=True),
    lambda repo, chance: repo.sql("UPDATE framework_epics SET summary = ?", str(chance.random())),
    lambda repo, chance: repo.sql("UPDATE framework_tasks SET description = ?", chance.randbytes(20_000).hex()),
    lambda repo, chance: repo.sql("DELETE FROM framework_tasks WHERE id % 7 = ?", chance.randrange(7)),
    lambda repo, chance: repo.sql(
        "INSERT OR IGNORE INTO task_dependencies (task_id, depends_on_task_key) VALUES (9999, 'x')"
    ),
    lambda repo, chance: repo.sql(f"CREATE TABLE IF NOT EXISTS t{chance.randrange(3)} (a, b TEXT PRIMARY KEY)"),
    lambda repo, chance: repo.sql(f"PRAGMA user_version = {chance.randrange(99)}"),
]


def history(repo: EpicRepo, number: int, chance: random.Random) -> dict[str, State]:
    """Backups with random edits between them, full and incremental ones, and what was there at each."""
    found: dict[str, State] = {}
    for at in range(number):
        for edit in chance.choices(EDITS, k=3):
            edit(repo, chance)
        since = ["--since", chance.choice(["latest", *found])] if at and chance.random() < 0.7 else []
        found[create(repo, "--to", "elsewhere", *since)] = state(repo)
    return found


def restored_equal(repo: EpicRepo, number: int, seed: int) -> None:
    made = history(repo, number, random.Random(seed))
    lose_everything(repo)
    assert [one["id"] for one in backups(repo, "--from", "elsewhere")] == list(made)
    for name, wanted in made.items():
        repo.ok("backup", "restore", name, "--from", "elsewhere", "--to", f"back/{name}")
        back = EpicRepo(repo.root / "back" / name, repo.facts)
        assert state(back) == wanted
        assert back.json("fsck")["problems"] == []
        assert back.json("log")["commits"][0]["message"].startswith("sync")


def test_every_backup_comes_back_after_all_is_gone(repo: EpicRepo) -> None:
    restored_equal(repo, 5, 1)


@pytest.mark.slow
def test_fifty_backups_come_back_after_all_is_gone(made: EpicRepo) -> None:
    restored_equal(made, 50, 2)


def test_a_backup_moves_nothing(repo: EpicRepo) -> None:
    before, log = repo.everything(), repo.json("log")
    made = repo.json("backup", "create")
    after = repo.everything()
    assert set(after.refs.items()) - set(before.refs.items()) == {(f"refs/backups/{made['name']}", made["id"])}
    assert (after.files, after.times, after.dump) == (before.files, before.times, before.dump)
    assert repo.json("log") == log
    assert repo.json("show", made["id"])["kind"] == "backup"
    with repo.unchanged():
        assert repo.json("backup", "create", "--dry-run")["id"] is None
        repo.json("backup", "verify")
        repo.json("backup", "restore", "latest", "--dry-run")
        repo.json("backup", "create", "--to", "elsewhere", "--dry-run")
    assert not (repo.root / "elsewhere").exists()


def test_an_incremental_one_holds_what_is_new(made: EpicRepo) -> None:
    create(made, "--to", "elsewhere")
    made.sql("UPDATE framework_epics SET summary = 'new' WHERE epic_key = '1'")
    one = made.json("backup", "create", "--since", "latest", "--to", "elsewhere")
    full, incremental = backups(made, "--from", "elsewhere")
    assert one["bundle_size"] == incremental["size"] < full["size"] / 2
    assert (incremental["kind"], incremental["since"]) == ("incremental", full["id"])


def test_in_place_and_back(repo: EpicRepo) -> None:
    wanted = state(repo)
    name = create(repo)
    repo.sql("DELETE FROM framework_tasks")
    repo.path(repo.facts.other).unlink()
    there = state(repo)
    result = repo.json("backup", "restore", name)
    assert state(repo) == wanted
    assert (result["id"], result["files"]) == (name, len(wanted[0]))
    assert repo.head() == result["commit"]
    repo.ok("undo")
    assert state(repo) == there
    repo.ok("rollback", result["checkpoint"])
    assert state(repo) == there


def test_in_place_where_files_and_database_are_gone(repo: EpicRepo) -> None:
    wanted = state(repo)
    name = create(repo)
    shutil.rmtree(repo.directory)
    repo.database.unlink()
    repo.ok("backup", "restore", name)
    assert state(repo) == wanted


def test_in_place_from_elsewhere(made: EpicRepo) -> None:
    wanted = state(made)
    name = create(made, "--to", "elsewhere")
    made.sql("DELETE FROM framework_tasks")
    create(made)
    made.ok("backup", "forget", name)
    made.ok("gc")
    made.ok("backup", "restore", name, "--from", "elsewhere")
    assert state(made) == wanted
    assert name in [one["id"] for one in backups(made)]


def test_in_place_where_the_whole_repo_is_gone(made: EpicRepo) -> None:
    wanted, log = state(made), made.json("log")
    name = create(made, "--to", "elsewhere")
    lose_everything(made)
    made.ok("backup", "restore", name, "--from", "elsewhere")
    assert state(made) == wanted
    assert [one["id"] for one in made.json("log")["commits"]] == [one["id"] for one in log["commits"]]
    made.refused(5, "backup", "restore", name, "--from", "elsewhere", "--to", ".", naming="is there already")


def test_the_last_one_before_a_time(made: EpicRepo) -> None:
    create(made)
    first = backups(made)[0]
    wanted = state(made)
    made.sql("DELETE FROM framework_tasks")
    create(made)
    made.refused(3, "backup", "restore", "--at", "2001-01-01", naming="no backup at or before")
    made.ok("backup", "restore", "--at", first["time"])
    assert state(made) == wanted


def test_faults_that_were_there_come_back_and_no_more(made: EpicRepo) -> None:
    made.sql("INSERT INTO task_dependencies (task_id, depends_on_task_key) VALUES (9999, 'x')")
    name = create(made)
    wanted = state(made)
    made.sql("DELETE FROM task_dependencies")
    made.ok("backup", "restore", name)
    assert state(made) == wanted


def test_a_directory_of_json(made: EpicRepo) -> None:
    aside = made.root / "aside"
    (aside / "deep").mkdir(parents=True)
    (aside / "a.json").write_text("[1]")
    (aside / "deep" / "b.json").write_text("no json")
    name = create(made, "--files", "aside", "--to", "elsewhere")
    (aside / "a.json").write_text("[2]")
    (aside / "c.json").write_text("{}")
    (aside / "d.txt").write_text("d")
    done = made.json("backup", "restore", name)
    assert {p.name: p.read_text() for p in aside.rglob("*.*")} == {"a.json": "[1]", "b.json": "no json", "d.txt": "d"}
    made.ok("backup", "restore", done["checkpoint"])
    assert (aside / "c.json").exists()
    shutil.rmtree(aside)
    made.ok("backup", "restore", name, "--from", "elsewhere", "--to", "new")
    assert (made.root / "new" / "aside" / "deep" / "b.json").read_text() == "no json"


def test_a_bundle_does_not_say_where_on_this_machine_files_go(made: EpicRepo, tmp_path: Path) -> None:
    aside = tmp_path / "aside"
    aside.mkdir()
    (aside / "a.json").write_text("[1]")
    other = made.copy_to(tmp_path / "other")
    name = create(other, "--files", str(aside), "--to", str(tmp_path / "shared"))
    (aside / "a.json").write_text("[2]")
    restore = ("backup", "restore", name, "--from", str(tmp_path / "shared"))
    made.refused(5, *restore, naming=f"is of {aside}, as only its bundle says")
    made.ok(*restore, "--to", "new")
    assert (made.root / "new" / "aside" / "a.json").read_text() == "[1]"
    other.ok(*restore)
    assert (aside / "a.json").read_text() == "[1]"


@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 20))])
def test_what_is_new_is_neither_too_little_nor_from_elsewhere(made: EpicRepo, seed: int) -> None:
    """Of any two backups, with commits, branches and merges between them."""
    chance, names = random.Random(seed), list[str]()
    for at in range(6):
        for edit in chance.choices(EDITS, k=2):
            edit(made, chance)
        made.run(
            *chance.choice([("commit", "-m", "x"), ("sync",), ("switch", "-c", f"b{at}"), ("merge", f"b{at - 1}")])
        )
        names += history(made, 1, chance)
    with made.store() as store:
        for earlier, later in pairwise(names):
            fresh = Fresh(store)
            fresh.commits(bytes.fromhex(earlier), bytes.fromhex(later))
            before, after = (reached(store, name) for name in (earlier, later))
            assert after - before <= fresh.kinds.keys() <= after
            kinds = {oid: kind for oid, kind, _ in store.objects() if oid in fresh.kinds}
            assert kinds == fresh.kinds


def test_faults_of_an_incremental_backup_are_those_that_a_full_one_finds(made: EpicRepo) -> None:
    faults = [
        "INSERT INTO task_dependencies (task_id, depends_on_task_key) VALUES (9999, 'x')",
        "INSERT INTO framework_tasks (epic_id, task_key, title) VALUES (888, 'lost', 'T')",
        "DELETE FROM framework_tasks WHERE task_key = 'lost'",
        "DELETE FROM framework_epics WHERE epic_key = '1'",
        "CREATE TABLE child (id INTEGER PRIMARY KEY, epic REFERENCES framework_epics (id))",
        "INSERT INTO child VALUES (1, 777)",
        "UPDATE framework_epics SET summary = 'nothing of keys'",
        "DELETE FROM task_dependencies WHERE task_id = 9999",
    ]
    create(made)
    for statement in faults:
        made.sql(statement)
        create(made, "--since", "latest")
        create(made)
        with made.store() as store:
            incremental, full = stored_backups(store)[-2:]
        assert incremental.record.faults == full.record.faults, statement


# Forgetting


def reached(store: Store, name: str) -> set[bytes]:
    reach = Reach(store)
    reach.commits([bytes.fromhex(name)])
    assert not reach.problems
    return reach.seen


def ids_of(repo: EpicRepo, name: str) -> set[bytes]:
    with repo.store() as store:
        return reached(store, name)


def test_gc_drops_what_only_a_forgotten_backup_had(made: EpicRepo) -> None:
    made.sql("UPDATE framework_tasks SET description = hex(randomblob(20000))")
    name = create(made)
    only = ids_of(made, name)
    made.sql("UPDATE framework_tasks SET description = NULL")
    kept = create(made)
    made.ok("gc")
    assert made.json("backup", "verify", name)["backups"][0]["valid"]
    made.ok("backup", "forget", name)
    freed = made.json("gc")
    assert freed["bytes"] > 20_000
    with made.store() as store:
        assert not store.has(bytes.fromhex(name))
        assert store.present(only) == only & ids_of(made, kept)
    assert made.json("fsck")["problems"] == []
    assert made.json("backup", "verify", kept)["backups"][0]["valid"]


@pytest.mark.parametrize("seed", [0, 1, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 20))])
def test_forgetting_takes_nothing_that_a_kept_one_needs(made: EpicRepo, seed: int) -> None:
    chance = random.Random(seed)
    states = history(made, 5, chance)
    wanted = dict(zip(states, (ids_of(made, name) for name in states), strict=True))
    gone = chance.sample(list(states)[:-1], 3)
    made.ok("backup", "forget", *gone)
    made.ok("gc")
    kept = [one["id"] for one in backups(made)]
    assert set(kept) == set(states) - set(gone)
    for name in kept:
        assert ids_of(made, name) == wanted[name]
        made.ok("backup", "verify", name)
    # Of bundles those stay from which a kept one goes on.
    made.ok("backup", "forget", "--from", "elsewhere", "--keep-last", "2")
    for one in backups(made, "--from", "elsewhere"):
        made.ok("backup", "verify", one["id"], "--from", "elsewhere")
        made.ok("backup", "restore", one["id"], "--from", "elsewhere", "--to", one["id"])
        assert state(EpicRepo(made.root / one["id"], made.facts)) == states[one["id"]]


def back_up_at(repo: EpicRepo, time: datetime) -> str:
    opened = Repo.open(repo.root)
    opened.now = lambda: time
    try:
        made = create_backup(opened)
    finally:
        opened.close()
    assert made.backup is not None
    return made.backup.id.hex()


def test_a_policy_with_reasons(made: EpicRepo) -> None:
    now = datetime.now(UTC)
    future = back_up_at(made, now + timedelta(days=400))
    first, second, third = (create(made) for _ in range(3))
    made.ok("tag", "release", first)
    with made.unchanged():
        said = made.json("backup", "forget", "--keep-last", "1", "--dry-run")
    assert [(one["id"], one["reasons"]) for one in said["kept"]] == [
        (first, ["tag release"]),
        (third, ["newest", "last"]),
        (future, ["dated in the future"]),
    ]
    assert [one["id"] for one in said["forgotten"]] == [second]
    made.refused(5, "backup", "forget", first, naming="has the tag release")
    made.refused(5, "backup", "forget", third, naming="the newest")
    made.refused(2, "backup", "forget", naming="nothing is said")
    made.refused(2, "backup", "forget", second, "--keep-last", "1", naming="not both")
    made.refused(3, "backup", "forget", "--keep-tag", "nothing", naming="no tag nothing")
    made.refused(3, "backup", "forget", "0" * 40, naming="no backup")
    made.ok("backup", "forget", future)
    made.ok("backup", "forget", "--keep-last", "1")
    assert [one["id"] for one in backups(made)] == [first, third]
    assert "keep" in made.ok("backup", "forget", "--keep-tag", "release", "--dry-run").out


def test_undo_passes_backups_over(made: EpicRepo) -> None:
    before = state(made)
    made.sql("UPDATE framework_epics SET name = 'Other' WHERE epic_key = '1'")
    made.ok("sync")
    after = made.json("op", "log")["operations"][0]["id"]
    names = [create(made), create(made)]
    made.ok("backup", "forget", names[0])
    made.ok("undo")
    assert repo_name(made) != "Other"
    made.ok("gc")
    assert [one["id"] for one in backups(made)] == names[1:]
    assert made.json("fsck")["problems"] == []
    made.ok("redo")
    made.ok("op", "restore", after)
    assert [one["id"] for one in backups(made)] == names[1:]
    assert before[0] != made.files()


def repo_name(repo: EpicRepo) -> object:
    return repo.body("1")["name"]


# What is not as it should be


def test_a_damaged_store_restores_nothing(made: EpicRepo) -> None:
    create(made)
    made.sql("DELETE FROM framework_tasks")
    there = state(made)
    with made.store() as store:
        store._db.run("UPDATE object SET data = zeroblob(length(data)) WHERE type = 1")
    with made.unchanged():
        assert not made.json("backup", "verify", code=4)["backups"][0]["valid"]
        said = made.run("backup", "restore", "latest")
    assert (said.code, "damaged" in said.err) == (5, True)
    assert state(made) == there


def test_a_sample_reads_a_part(made: EpicRepo) -> None:
    create(made)
    (found,) = made.json("backup", "verify", "--sample", "10%")["backups"]
    assert 0 < found["read"] <= found["objects"] / 10 + 1
    for wrong in ("0%", "101%", "x", "-1", "1.5%"):
        assert made.run("backup", "verify", f"--sample={wrong}").code == 2


@pytest.mark.parametrize("seed", range(25))
def test_a_mutated_bundle_is_refused(made: EpicRepo, seed: int) -> None:
    create(made, "--to", "elsewhere")
    (path,) = (made.root / "elsewhere").iterdir()
    chance = random.Random(seed)
    data = bytearray(path.read_bytes())
    at = chance.randrange(len(data))
    match chance.randrange(3):
        case 0:
            data[at] ^= chance.randrange(1, 256)
        case 1:
            del data[at:]
        case _:
            data[at : at + 9] = chance.randbytes(chance.randrange(20))
    if bytes(data) == path.read_bytes():
        data += b"x"
    path.write_bytes(bytes(data))
    for command in (["restore", "latest", "--to", "back"], ["verify", "latest"]):
        with made.unchanged():
            said = made.run("backup", *command, "--from", "elsewhere")
        assert said.code == 4, said
        assert "Traceback" not in said.err and "internal" not in said.err
    assert not (made.root / "back").exists()


def test_a_bundle_that_others_go_on_from_is_missing(made: EpicRepo) -> None:
    first = create(made, "--to", "elsewhere")
    made.sql("UPDATE framework_epics SET summary = 'new'")
    create(made, "--to", "elsewhere", "--since", "latest")
    next((made.root / "elsewhere").glob(f"*{first[:12]}*")).unlink()
    made.refused(3, "backup", "restore", "latest", "--from", "elsewhere", "--to", "back", naming="lacks a bundle")
    made.refused(3, "backup", "create", "--to", "elsewhere", "--since", first, naming="no bundle")
    made.refused(3, "backup", "create", "--to", "new", "--since", "latest", naming="no bundle")
    assert len(backups(made)) == 2


def test_a_second_place_that_cannot_be_written(made: EpicRepo) -> None:
    (made.root / "elsewhere").write_text("a file")
    result = made.run("backup", "create", "--to", "elsewhere")
    assert result.code == 6, result
    assert backups(made) == []


def test_what_is_meant_is_said(made: EpicRepo) -> None:
    create(made)
    made.refused(2, "backup", "restore", naming="which backup")
    made.refused(2, "backup", "restore", "latest", "--at", "2025-01-01", naming="which backup")
    made.refused(3, "backup", "list", "--from", "nowhere", naming="no directory")
    made.refused(3, "backup", "verify", "abcdef", naming="no backup abcdef")
    made.refused(2, "backup", "create", "--files", "epics", "--since", "latest", naming="of its own")
    made.refused(6, "backup", "create", "--files", "nowhere", naming="no such directory")
    made.refused(5, "backup", "restore", "latest", "--to", ".", naming="is there already")
