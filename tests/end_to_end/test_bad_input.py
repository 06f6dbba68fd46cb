"""What must be refused: the right exit code, one clear message that names the place, and nothing written."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.repos import EpicRepo

import epicvc.database.sqlite.backend as sqlite_backend
from epicvc.database.sqlite import connection as opening

SYNCING = ("sync", "push", "pull")


def _write(repo: EpicRepo, data: bytes) -> None:
    repo.path(repo.facts.epic).write_bytes(data)


def _replaced(repo: EpicRepo, pattern: str, new: str) -> bytes:
    text, count = re.subn(pattern, lambda _: new, repo.path(repo.facts.epic).read_bytes().decode(), count=1)
    assert count == 1, pattern
    return text.encode()


BAD_JSON: dict[str, tuple[Callable[[EpicRepo], bytes], str]] = {
    "cut off": (lambda repo: repo.path(repo.facts.epic).read_bytes()[:200], ""),
    "empty": (lambda _: b"", ""),
    "duplicate key": (lambda repo: _replaced(repo, '"name":', '"name": "twice", "name":'), "duplicate key"),
    "NaN": (lambda repo: _replaced(repo, r'"estimate_minutes": \d+', '"estimate_minutes": NaN'), "NaN"),
    "Infinity": (lambda repo: _replaced(repo, '"name":', '"x": -Infinity, "name":'), "Infinity"),
    "comment": (lambda repo: _replaced(repo, '"name":', '// no\n"name":'), ""),
    "trailing comma": (lambda _: b'{"id": "x", "name": "y",}', ""),
    "two values": (lambda _: b'{"id": "x"} {"id": "y"}', ""),
    "not UTF-8": (lambda repo: _replaced(repo, '"name": "', '"name": "@').replace(b"@", b"\xff"), "UTF-8"),
    "lone surrogate": (lambda repo: _replaced(repo, '"name": "', '"name": "\\ud800'), "surrogate"),
    "too deep": (lambda repo: _replaced(repo, '"name":', '"x": ' + "[" * 300 + "]" * 300 + ', "name":'), "deep"),
    "conflict markers": (lambda repo: b"<<<<<<< ours\n" + repo.path(repo.facts.epic).read_bytes(), ""),
}


@pytest.mark.parametrize("kind", BAD_JSON)
def test_invalid_json(repo: EpicRepo, kind: str) -> None:
    make, reason = BAD_JSON[kind]
    _write(repo, make(repo))
    for command in ("sync",) if repo.facts.name == "real" else SYNCING:
        with repo.unchanged():
            message = repo.held_up(*command.split(), naming=repo.facts.path)
        assert re.match(rf"epics/{repo.facts.path}:\d+:\d+: ", message), message
        assert reason.lower() in message.lower()
    (error,) = repo.json("status")["errors"]
    assert (error["path"], error["message"]) == (repo.facts.path, message)
    assert message.startswith(f"epics/{error['path']}:{error['line']}:{error['column']}: ")


BAD_EPICS: dict[str, tuple[Callable[[Any], object], str]] = {
    "400-digit integer": (
        lambda body: body["tasks"][0].update(estimate_minutes=int("9" * 400)),
        "{epic}:tasks/{task}/estimate_minutes",
    ),
    "65-bit integer": (lambda body: body["tasks"][0].update(story_points=2**64), "{epic}:tasks/{task}/story_points"),
    "text for a number": (
        lambda body: body["tasks"][0].update(estimate_minutes="ten"),
        "{epic}:tasks/{task}/estimate_minutes",
    ),
    "bool for a number": (
        lambda body: body["tasks"][0].update(estimate_minutes=True),
        "{epic}:tasks/{task}/estimate_minutes",
    ),
    "number for a text": (lambda body: body.update(name=12), "{epic}:name"),
    "list for a text": (lambda body: body.update(summary=["a"]), "{epic}:summary"),
    "number for a bool": (lambda body: body.update(tdd_enabled=1), "{epic}:tdd_enabled"),
    "text for a bool": (lambda body: body.update(tdd_enabled="yes"), "{epic}:tdd_enabled"),
    "object for a title": (lambda body: body["tasks"][0].update(title={}), "{epic}:tasks/{task}/title"),
    "text for dependencies": (
        lambda body: body["tasks"][0].update(dependencies="1.1"),
        "{epic}:tasks/{task}/dependencies",
    ),
    "object in dependencies": (
        lambda body: body["tasks"][0].update(dependencies=[{}]),
        "{epic}:tasks/{task}/dependencies",
    ),
    "duplicate task": (lambda body: body["tasks"].append(body["tasks"][0]), "{epic}:tasks/{task}"),
    "task without an id": (lambda body: body["tasks"][0].pop("id"), "{epic}:tasks"),
    "task that is a text": (lambda body: body["tasks"].append("x"), "{epic}:tasks"),
    "tasks that are no list": (lambda body: body.update(tasks={}), "{epic}:tasks"),
    "no id": (lambda body: body.pop("id"), "id"),
    "null for the id": (lambda body: body.update(id=None), "id"),
    "fraction for the id": (lambda body: body.update(id=1.5), "id"),
}


@pytest.mark.parametrize("kind", BAD_EPICS)
def test_invalid_epics(repo: EpicRepo, kind: str) -> None:
    facts = repo.facts
    change, label = BAD_EPICS[kind]
    repo.rewrite(facts.epic, change)
    with repo.unchanged():
        message = repo.held_up("sync", naming=label.format(epic=facts.epic, task=facts.tasks[0]))
    assert facts.path in message
    (epic,) = repo.json("status")["epics"]
    assert (epic["id"], epic["path"], epic["state"]) == (facts.epic, facts.path, "invalid")


@pytest.mark.parametrize("data_bytes", [b"[]", b"null", b'"text"', b"12", b'{"epic": []}'])
def test_files_that_hold_no_epic(repo: EpicRepo, data_bytes: bytes) -> None:
    _write(repo, data_bytes)
    with repo.unchanged():
        repo.held_up("sync", naming=repo.facts.path)


def test_two_files_with_one_epic(repo: EpicRepo) -> None:
    shutil.copy(repo.path(repo.facts.epic), repo.directory / "zz copy.json")
    with repo.unchanged():
        message = repo.held_up("sync", naming="zz copy.json")
    assert repo.facts.path in message
    (error,) = repo.json("status")["errors"]
    assert (error["label"], error["path"]) == (repo.facts.epic, "zz copy.json")


@pytest.mark.parametrize("name", ["aux.json", "a:b.json", "a\\b.json", "a\nb.json", "EPICO_{epic}.json"])
def test_names_that_other_systems_refuse(repo: EpicRepo, name: str) -> None:
    (repo.directory / name.format(epic=repo.facts.epic)).write_text('{"id": "odd"}')
    message = repo.refused(4, "sync", naming="unsafe name")
    assert "\n" not in message


def test_a_directory_outside_the_repo(repo: EpicRepo) -> None:
    config = repo.root / "epicvc.toml"
    text = config.read_text()
    (repo.root.parent / "x").mkdir()
    for directory in ("../x", "/tmp", "epics/../../x", ".epicvc", ""):
        config.write_text(text.replace('dir = "epics"', f'dir = "{directory}"'))
        repo.refused(4, "sync", naming="epicvc.toml")


def test_a_directory_that_is_a_symlink_to_the_outside(repo: EpicRepo) -> None:
    shutil.move(repo.directory, repo.root.parent / "outside")
    repo.directory.symlink_to("../outside")
    repo.refused(4, "sync", naming="epicvc.toml")


def test_a_file_that_became_a_symlink_is_no_deleted_epic(repo: EpicRepo) -> None:
    facts = repo.facts
    outside = repo.root.parent / "outside.json"
    shutil.move(repo.path(facts.epic), outside)
    (repo.directory / facts.path).symlink_to(outside)
    repo.run("sync")
    assert repo.epic_row(facts.epic)["deleted_at"] is None


def test_a_new_symlink_is_not_followed(repo: EpicRepo) -> None:
    outside = repo.root.parent / "outside.json"
    outside.write_text('{"id": "outside", "name": "Outside"}')
    (repo.directory / "link.json").symlink_to(outside)
    with repo.unchanged():
        repo.ok("sync")
    (finding,) = [found for found in repo.json("doctor")["findings"] if found["kind"] == "not_tracked"]
    assert "link.json" in finding["message"]
    assert "symlink" in finding["message"]


def test_a_file_too_large_to_read_is_refused_by_its_size(garden: EpicRepo) -> None:
    repo = garden
    giant = repo.directory / "giant.json"
    giant.touch()
    os.truncate(giant, 3_000_000_000)
    for command in ("status", "sync", "diff", "plan", "doctor", "clean files --repair", f"textconv {giant}"):
        said = repo.run(*command.split())  # what is there is not compared: that would read the file
        assert (said.code, said.out) == (4, ""), said
        assert "giant.json" in said.err and "3,000,000,000 bytes" in said.err


# The configuration


def test_a_configuration_too_large_to_parse_is_refused(repo: EpicRepo) -> None:
    config = repo.root / "epicvc.toml"
    text = config.read_bytes()
    config.write_bytes(text.ljust(100_000, b"\n"))
    repo.ok("status")
    config.write_bytes(text.ljust(100_001, b"\n"))
    repo.refused(4, "status", naming="100,001 bytes")


@pytest.mark.parametrize(
    ("line", "naming"),
    [
        ('url = "postgresql://user:hunter2@host/name"', "password"),
        ('url = "postgresql://host/name?password=hunter2"', "password"),
        ('url = "../elsewhere.db"', "leaves the repo"),
        ('url = "/tmp/elsewhere.db"', "leaves the repo"),
        ('url = ".epicvc/store.db"', "leaves the repo"),
        ("url = 12", "url"),
        ('url = "framework.db"\nother = 1', "other"),
        ('url = "framework.db"\n[sync]\npolicy = "mine"', "epicvc.toml"),
        ("url = ", "epicvc.toml"),
    ],
)
def test_configurations_that_cannot_be(repo: EpicRepo, line: str, naming: str) -> None:
    config = repo.root / "epicvc.toml"
    text = config.read_text().replace('[sync]\npolicy = "manual"\ncalculated = "enriched"\n', "")
    config.write_text(text.replace('url = "framework.db"', line))
    message = repo.refused(4, "sync", naming="epicvc.toml")
    assert naming in message
    assert "hunter2" not in message
    assert repo.run("status").code == 4


def test_a_password_is_never_shown(repo: EpicRepo) -> None:
    for arguments in (("--db", "postgresql://user:hunter2@127.0.0.1:1/name"), ("--db", "mysql://u:hunter2@h/n")):
        said = repo.run("status", *arguments)
        assert said.code not in (0, 70), said
        assert "hunter2" not in said.out + said.err


# The database


@contextmanager
def _held(repo: EpicRepo, how: str) -> Iterator[None]:
    connection = sqlite3.connect(repo.database, isolation_level=None)
    try:
        connection.execute(f"BEGIN {how}")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait seconds for a lock that nobody gives up."""
    original = sqlite_backend.SQLiteBackend.__init__

    def patched(self: Any, path: Path, **options: Any) -> None:
        original(self, path, **{**options, "timeout": 0.05})

    monkeypatch.setattr(sqlite_backend.SQLiteBackend, "__init__", patched)


def _pushable(repo: EpicRepo) -> None:
    repo.rewrite(repo.facts.epic, lambda body: body.update(name="pushed"))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("how", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_locked_database(repo: EpicRepo, how: str) -> None:
    _pushable(repo)
    before = repo.everything()
    with _held(repo, how):
        said = repo.run("push")
        answer = repo.run("sync", "--json")
    assert said.code == 6
    assert "is locked by another client" in said.err
    assert "framework.db" in said.err
    assert (answer.code, answer.value["error"]) == (6, "locked")
    assert repo.everything() == before
    repo.ok("push")
    assert repo.epic_row(repo.facts.epic)["name"] == "pushed"


@pytest.mark.usefixtures("impatient")
def test_a_database_that_is_locked_for_reading(repo: EpicRepo) -> None:
    repo.sql("PRAGMA journal_mode=DELETE")
    repo.ok("commit", "-m", "journal", "--allow-empty")
    _pushable(repo)
    before = repo.everything()
    with _held(repo, "EXCLUSIVE"):
        for command in ("status", "sync", "rollback HEAD~1", "undo"):
            assert repo.run(*command.split()).code == 6, command
    assert repo.everything() == before


def test_a_database_that_cannot_be_written(repo: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the file would be on a read-only file system: root may write to any file."""
    _pushable(repo)
    connect = opening._connect
    monkeypatch.setattr(
        opening, "_connect", lambda path, mode, timeout: connect(path, mode.replace("mode=rw", "mode=ro"), timeout)
    )
    repo.refused(6, "push", naming="framework.db")
    repo.refused(6, "checkout", "HEAD~1", "--discard-changes", naming="framework.db")
    repo.refused(6, "undo", naming="framework.db")
    repo.ok("status")


def test_files_that_cannot_be_written(repo: EpicRepo) -> None:
    """A process without the right to pass by permissions, as users are."""
    setpriv = shutil.which("setpriv")
    if os.geteuid() == 0 and setpriv is None:
        pytest.skip("root writes to every file, and setpriv is not here to give that up")
    repo.sql("UPDATE framework_epics SET name = 'pulled' WHERE epic_key = ?", repo.facts.epic)
    before = repo.everything()
    repo.directory.chmod(0o555)
    try:
        said = _unprivileged(repo, setpriv, "pull")
    finally:
        repo.directory.chmod(0o755)
    assert said[0] == 6, said
    assert repo.facts.path in said[1]
    assert repo.everything() == before
    repo.ok("pull")


def _unprivileged(repo: EpicRepo, setpriv: str | None, *arguments: str) -> tuple[int, str]:
    import subprocess
    import sys

    less = "-dac_override,-dac_read_search,-fowner"
    prefix = [setpriv, f"--bounding-set={less}", f"--inh-caps={less}"] if os.geteuid() == 0 and setpriv else []
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "epicvc", *arguments], cwd=repo.root, capture_output=True, text=True
    )
    return done.returncode, done.stderr


def test_a_file_that_is_no_database(repo: EpicRepo) -> None:
    for path in repo.root.glob("framework.db-*"):
        path.unlink()
    repo.database.write_bytes(b"This is a text, and a long enough one to be looked at as a database. " * 20)
    for command in ("sync", "push", "status", "commit -m x"):
        repo.refused(4, *command.split(), naming="framework.db is not a database")


def test_a_damaged_database(repo: EpicRepo) -> None:
    repo.sql("PRAGMA journal_mode=DELETE")
    data = bytearray(repo.database.read_bytes())
    data[4096 : len(data) // 2] = b"\xaa" * (len(data) // 2 - 4096)
    repo.database.write_bytes(data)
    said = repo.run("sync")
    assert (said.code, "framework.db" in said.err, said.err.count("\n") <= 2) == (4, True, True), said
    assert repo.database.read_bytes() == data


def test_a_database_without_a_mapped_table(repo: EpicRepo) -> None:
    repo.sql("DROP TABLE framework_tasks")
    for command in ("sync", "push", "pull"):
        repo.refused(4, command, naming="framework.db has no table framework_tasks")
    repo.ok("rollback", "HEAD")
    assert repo.json("sync")["conflicts"] == []


def test_a_database_without_a_mapped_column(made: EpicRepo) -> None:
    made.sql("ALTER TABLE framework_tasks DROP COLUMN mitigation")
    message = made.refused(4, "sync", naming="framework_tasks")
    assert "mitigation" in message


def test_init_on_a_database_without_a_mapped_table(fresh: EpicRepo) -> None:
    fresh.database.unlink()
    fresh.sql("CREATE TABLE x (y)")
    fresh.refused(4, "init", naming="framework_epics")
    assert not (fresh.root / ".epicvc").exists()
    assert not (fresh.root / "epicvc.toml").exists()


def test_a_database_that_is_not_there(repo: EpicRepo) -> None:
    for path in repo.root.glob("framework.db*"):
        path.unlink()
    for command in ("sync", "push", "pull"):
        repo.refused(6, command, naming="framework.db")
    assert not repo.database.exists()
    repo.ok("rollback", "HEAD")
    assert repo.json("status")["in_sync"] is True


def test_a_refused_checkout_makes_no_database(repo: EpicRepo) -> None:
    for path in repo.root.glob("framework.db*"):
        path.unlink()
    path = repo.path(repo.facts.epic)
    path.write_bytes(path.read_bytes() + b" ")
    repo.refused(5, "checkout", "HEAD~1", naming="files")
    assert not repo.database.exists()


CONSTRAINTS: dict[str, tuple[Callable[[EpicRepo, Any], object], str, str]] = {
    "CHECK": (lambda _, body: body["tasks"][0].update(tdd_phase="purple"), "{epic}:tasks/{task}", "CHECK"),
    "NOT NULL of a task": (lambda _, body: body["tasks"][0].pop("title"), "{epic}:tasks/{task}/title", "NOT NULL"),
    "NOT NULL of an epic": (lambda _, body: body.pop("name"), "{epic}:name", "NOT NULL"),
    "NOT NULL of a new task": (
        lambda _, body: body["tasks"].append({"id": "t.new"}),
        "{epic}:tasks/t.new/title",
        "NOT NULL",
    ),
    "UNIQUE across epics": (
        lambda repo, body: body["tasks"].append({"id": repo.body(repo.facts.other)["tasks"][0]["id"], "title": "x"}),
        "{epic}:tasks/{other}",
        "UNIQUE",
    ),
}


@pytest.mark.parametrize("kind", CONSTRAINTS)
def test_constraints_that_a_push_would_break(repo: EpicRepo, kind: str) -> None:
    facts = repo.facts
    change, label, words = CONSTRAINTS[kind]
    other = repo.body(facts.other)["tasks"][0]["id"]
    repo.rewrite(facts.epic, lambda body: change(repo, body))
    # Another epic's valid change must not be half of what is done.
    repo.rewrite(facts.other, lambda body: body.update(name="valid"))
    message = repo.refused(4, "sync", naming=label.format(epic=facts.epic, task=facts.tasks[0], other=other))
    assert words in message
    assert repo.epic_row(facts.other)["name"] != "valid"


def test_a_value_that_the_column_changes(repo: EpicRepo) -> None:
    """The certificate: a trigger of the application makes another value of what is pushed."""
    epic = repo.facts.epic
    repo.sql(
        "CREATE TRIGGER shout AFTER UPDATE OF name ON framework_epics WHEN NEW.name != upper(NEW.name) "
        "BEGIN UPDATE framework_epics SET name = upper(NEW.name) WHERE id = NEW.id; END"
    )
    repo.rewrite(epic, lambda body: body.update(name="quiet"))
    message = repo.refused(4, "push", naming=f"{epic}:name")
    assert "QUIET" in message


# The store


def _flip(repo: EpicRepo, oid: bytes) -> None:
    connection = sqlite3.connect(repo.root / ".epicvc" / "store.db")
    try:
        ((data,),) = connection.execute("SELECT data FROM object WHERE id = ?", (oid,)).fetchall()
        changed = bytearray(data)
        changed[len(changed) // 2] ^= 0x10
        with connection:
            connection.execute("UPDATE object SET data = ? WHERE id = ?", (bytes(changed), oid))
    finally:
        connection.close()


def test_a_damaged_object(repo: EpicRepo) -> None:
    from epicvc.repo.repository import Repo

    opened = Repo.open(repo.root)
    commit = opened.revisions.resolve("HEAD~1")
    snapshot = opened.snapshot_of(commit)
    opened.close()
    assert snapshot.database is not None
    repo.ok("status")  # what it remembers is of HEAD now
    _flip(repo, snapshot.database.tables)
    answer = repo.run("fsck", "--json")
    assert answer.code == 4
    assert [problem["object"] for problem in answer.value["problems"]] == [snapshot.database.tables.hex()]
    said = repo.run("fsck")
    assert said.code == 4
    assert snapshot.database.tables.hex()[:12] in said.out + said.err
    message = repo.refused(4, "rollback", "HEAD~1", naming=snapshot.database.tables.hex()[:12])
    assert "damaged" in message
    repo.refused(4, "diff", "HEAD~1", "HEAD", naming="damaged")
    repo.refused(5, "gc", naming="damaged")
    repo.ok("status")  # reads none of it


def test_a_damaged_commit(repo: EpicRepo) -> None:
    _flip(repo, bytes.fromhex(repo.head()))
    for command in ("status", "sync", "log", "show"):
        assert repo.run(*command.split()).code == 4, command
    assert repo.run("fsck").code == 4


def test_a_store_that_is_none(repo: EpicRepo) -> None:
    (repo.root / ".epicvc/store.db").write_bytes(b"no store " * 1000)
    before = repo.files(), repo.dump()
    for command in ("status", "sync", "fsck"):
        said = repo.run(*command.split())
        assert (said.code, "store.db" in said.err) == (4, True), said
    assert (repo.files(), repo.dump()) == before


def test_caches_are_only_caches(repo: EpicRepo) -> None:
    """Damaged or gone, they are made again."""
    before = repo.json("status")
    for data in (b"", b"garbage\n{}", b"\xff" * 100, None):
        for path in (repo.root / ".epicvc").glob("*.cache"):
            if data is None:
                path.unlink()
            else:
                path.write_bytes(data)
        assert repo.json("status") == before
        assert repo.json("sync")["commit"] is None


# The command line


def test_unknown_revisions(repo: EpicRepo) -> None:
    for command in ("show", "checkout", "rollback", "log", "tag new", "branch new", "restore 5 --source"):
        repo.refused(3, *command.split(), "no-such-revision", naming="no-such-revision")


def test_outside_a_repo(fresh: EpicRepo) -> None:
    for command in ("status", "sync", "log", "undo", "fsck", "commit -m x"):
        fresh.refused(3, *command.split(), naming="is in no epic repo")
    fresh.refused(3, "status", "-C", "nowhere", naming="nowhere")
    assert not (fresh.root / ".epicvc").exists()


def test_init_without_epics(fresh: EpicRepo) -> None:
    shutil.move(fresh.directory, fresh.root / "other")
    fresh.directory.mkdir()
    fresh.directory.rmdir()
    said = fresh.run("init")
    assert (said.code, said.err.startswith("epicvc: no directory of epics found")) == (2, True)
    said = fresh.run("init", "--files", "../x")
    assert (said.code, "../x is outside" in said.err) == (2, True)
    assert not (fresh.root / ".epicvc").exists()


def test_init_names_invalid_files_and_takes_them_as_they_are(made: EpicRepo, tmp_path: Path) -> None:
    fresh = EpicRepo(tmp_path / "fresh", made.facts)
    shutil.copytree(made.directory, fresh.directory)
    (fresh.directory / "schema.json").write_text('{"type": "object"}')
    (fresh.directory / "issues.jsonl").write_text('{"id": 1}')
    (fresh.directory / "more").mkdir()
    (fresh.directory / "more" / "plan.yaml").write_text("id: 1")
    said = fresh.ok("init", "--db", "new.db")
    assert "not looked at: 2 files" in said.out
    assert "(issues.jsonl, more/plan.yaml)" in said.out
    assert 'epicvc: epics/schema.json: the epic has no "id"' in said.err
    assert '[files] exclude = ["schema.json"] in epicvc.toml' in said.err
    assert (fresh.run("sync").code, fresh.json("show")["kind"]) == (4, "sync")
    config = fresh.root / "epicvc.toml"
    config.write_text(config.read_text().replace('dir = "epics"', 'dir = "epics"\nexclude = ["schema.json"]'))
    (fresh.directory / "schema.json").write_text("{}")
    assert fresh.json("status")["errors"] == []


def test_a_directory_above_the_repo_is_not_in_it(repo: EpicRepo) -> None:
    (repo.root.parent / "beside").mkdir()
    assert repo.run("-C", "..", "status").code == 3
    assert repo.run("-C", "../beside", "status").code == 3


def test_bad_flags(made: EpicRepo) -> None:
    for arguments in (
        ("sync", "--no-such-flag"),
        ("no-such-command",),
        ("commit",),
        ("log", "-n", "many"),
        ("log", "-n", "-1"),
        ("checkout",),
        ("tag", "a", "b", "c"),
        ("op", "no-such-command"),
    ):
        made.misused(*arguments)
    made.refused(2, "sync", "--policy", "mine", naming="mine")
    made.refused(2, "sync", "--color", "pink", naming="pink")
    made.refused(2, "sync", "5:", naming="5:")


def test_a_hostile_text_does_not_reach_the_terminal(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    repo.rewrite(epic, lambda body: body.update(name="\x1b]0;title\x07[bold red]x[/]\u202e\x9b31m"))
    for command in ("status -v", "diff", "sync", "show", "log"):
        said = repo.run(*command.split(), "--color", "never")
        assert said.code == 0
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", said.out + said.err), command
    assert "[bold red]x[/]" in repo.ok("show").out


def test_debugging_shows_the_traceback_of_a_bug(made: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("epicvc.actions.history.status.read_status", broken)
    said = made.run("status")
    assert (said.code, "internal error: RuntimeError: a bug" in said.err, "Traceback" in said.err) == (70, True, False)
    monkeypatch.setenv("EPICVC_DEBUG", "1")
    assert "Traceback" in made.run("status").err


def test_an_interrupt(made: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("epicvc.actions.sync.plans.plan_epic", interrupted)
    made.rewrite("1", lambda body: body.update(name="x"))
    with made.unchanged():
        assert made.run("sync").code == 130


def test_rows_that_do_not_come_in_the_order_of_their_keys(garden: EpicRepo, tmp_path: Path) -> None:
    """SQLite reads such a page without a word."""
    garden.sql("CREATE TABLE notes (id INTEGER PRIMARY KEY, text)")
    for number in (1, 2, 3):
        garden.sql("INSERT INTO notes VALUES (?, 'x')", number)
    garden.ok("commit", "-m", "notes")
    garden.sql("UPDATE notes SET text = 'y' WHERE id = 3")
    [(page,)] = garden.sql("SELECT rootpage FROM sqlite_schema WHERE name = 'notes'")
    [(size,)] = garden.sql("PRAGMA page_size")
    data = bytearray(garden.database.read_bytes())
    cells = (page - 1) * size + 8  # the places of the rows of a leaf, two bytes each, in the order of their keys
    data[cells : cells + 4] = data[cells + 2 : cells + 4] + data[cells : cells + 2]
    garden.database.write_bytes(data)

    for command in (*SYNCING, "status", "doctor", "commit -m x", "checkpoint x"):
        assert garden.refused(4, *command.split()).startswith("@notes: its rows do not come in the order")
    garden.ok("restore", "--at", "2100-01-01", "--to", str(tmp_path / "then"))
    then = sqlite3.connect(tmp_path / "then" / garden.database.name)
    assert then.execute("SELECT id, text FROM notes ORDER BY id").fetchall() == [(1, "x"), (2, "x"), (3, "x")]
    then.close()
