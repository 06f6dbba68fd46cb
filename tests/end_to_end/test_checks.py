"""What is checked after merging: every kind of fault, made by a synchronisation and by a merge, and one of old."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from support.branches import commit, set_task
from support.repos import EpicRepo

Edit = Callable[[EpicRepo], None]


def add_task(epic: str, key: str, title: str = "new") -> Edit:
    return lambda repo: repo.rewrite(epic, lambda body: body["tasks"].append({"id": key, "title": title}))


def drop_task(epic: str, key: str) -> Edit:
    def drop(body: dict[str, list[dict[str, str]]]) -> None:
        body["tasks"] = [task for task in body["tasks"] if task["id"] != key]

    return lambda repo: repo.rewrite(epic, drop)


def depend(epic: str, key: str, *others: str) -> Edit:
    return lambda repo: repo.rewrite(epic, set_task(key, dependencies=list(others)))


def name(epic: str, text: str) -> Edit:
    return lambda repo: repo.rewrite(epic, lambda body: body.update(name=text))


def sql(statement: str) -> Edit:
    def run(repo: EpicRepo) -> None:
        repo.sql(statement)

    return run


def row_depends(key: str, other: str) -> Edit:
    statement = "INSERT INTO task_dependencies (task_id, depends_on_task_key) SELECT id, '{}' FROM framework_tasks"
    return sql(f"{statement.format(other)} WHERE task_key = '{key}'")


def both(*edits: Edit) -> Edit:
    def run(repo: EpicRepo) -> None:
        for edit in edits:
            edit(repo)

    return run


def nothing(repo: EpicRepo) -> None:
    """No edit."""


UNIQUE_NAMES = sql("CREATE UNIQUE INDEX names ON framework_epics(name)")


def user_field(repo: EpicRepo) -> None:
    """A field of tasks whose column refers to another table, and a user to refer to."""
    with (repo.root / "epicvc.toml").open("a") as file:
        file.write('\n[mapping.tasks.fields]\nwho = {column = "assigned_to", kind = "number"}\n')
    repo.sql("INSERT INTO framework_users (id, username) VALUES (7, 'seven')")


@dataclass(frozen=True)
class Case:
    """Two edits, each right by itself.

    Attributes:
        one: an edit of the files, or of the branch that is merged.
        other: one of the database, or of the current branch.
        places: what the message names: of the first edit, and of the second.
        before: what both have.
        commands: which commands would make the fault.
        kind: the error's word for scripts.
    """

    one: Edit
    other: Edit
    places: tuple[str, str]
    before: Edit = nothing
    commands: tuple[str, ...] = ("sync", "pull", "push")
    kind: str = "broken_graph"


SYNC = {
    "circle": Case(
        depend("1", "a.2", "a.1"), row_depends("a.1", "a.2"), ("1:tasks/a.2/dependencies", "1:tasks/a.1/dependencies")
    ),
    "circle through two epics": Case(
        depend("1", "a.1", "b.1"), row_depends("b.1", "a.1"), ("1:tasks/a.1/dependencies", "2:tasks/b.1/dependencies")
    ),
    "dangling": Case(drop_task("1", "a.2"), row_depends("b.1", "a.2"), ("1:tasks/a.2", "2:tasks/b.1/dependencies")),
    "dangling, the other way round": Case(
        depend("2", "b.1", "a.2"),
        sql("UPDATE framework_tasks SET status = 'deleted', deleted_at = '2025-01-01' WHERE task_key = 'a.2'"),
        ("2:tasks/b.1/dependencies", "1:tasks/a.2"),
    ),
    "unique": Case(
        name("1", "Same"),
        sql("UPDATE framework_epics SET name = 'Same' WHERE epic_key = '2'"),
        ("1:name", "2:name"),
        UNIQUE_NAMES,
        ("sync", "push"),
        "constraint",
    ),
    "foreign key": Case(
        lambda repo: repo.rewrite("1", set_task("a.1", who=7)),
        sql("DELETE FROM framework_users WHERE id = 7"),
        ("1:tasks/a.1", "@framework_users/7"),
        user_field,
        ("sync", "push"),
        "constraint",
    ),
}
MERGE = {
    "circle": Case(
        depend("1", "a.2", "a.1"), depend("1", "a.1", "a.2"), ("1:tasks/a.2/dependencies", "1:tasks/a.1/dependencies")
    ),
    "circle through two epics": Case(
        depend("1", "a.1", "b.1"), depend("2", "b.1", "a.1"), ("1:tasks/a.1/dependencies", "2:tasks/b.1/dependencies")
    ),
    "dangling": Case(drop_task("1", "a.2"), depend("2", "b.1", "a.2"), ("1:tasks/a.2", "2:tasks/b.1/dependencies")),
    "unique": Case(name("1", "Same"), name("2", "Same"), ("1:name", "2:name"), UNIQUE_NAMES, kind="constraint"),
    "unique in another table": Case(
        sql("INSERT INTO framework_users (id, username) VALUES (800, 'same')"),
        sql("INSERT INTO framework_users (id, username) VALUES (801, 'same')"),
        ("@framework_users/800/username", "@framework_users/801/username"),
        kind="constraint",
    ),
    "foreign key": Case(
        sql("DELETE FROM audit_sessions WHERE session_id = 's-2'"),
        sql("INSERT INTO audit_results (session_id, file_path) VALUES ('s-2', 'x')"),
        ("@audit_sessions/s-2", "@audit_results/4/session_id"),
        kind="constraint",
    ),
    "foreign key, the other way round": Case(
        sql("INSERT INTO audit_results (session_id, file_path) VALUES ('s-2', 'x')"),
        sql("DELETE FROM audit_sessions WHERE session_id = 's-2'"),
        ("@audit_results/4/session_id", "@audit_sessions/s-2"),
        kind="constraint",
    ),
}


@pytest.fixture
def checked(made: EpicRepo) -> EpicRepo:
    """A repo with three tasks that nothing depends on."""
    for epic, key in (("1", "a.1"), ("1", "a.2"), ("2", "b.1")):
        add_task(epic, key)(made)
    commit(made, "before")
    return made


def blocked(repo: EpicRepo, case: Case, command: tuple[str, ...], origins: tuple[str, str]) -> None:
    """Refused in text and in JSON with both places, each with its edit, and nothing written."""
    said = repo.refused(4, *command)
    assert repo.json(*command, code=4)["error"] == case.kind
    for place, origin in zip(case.places, origins, strict=True):
        _, found, after = said.partition(f"{place} (")
        assert found, (place, said)
        assert after.split(")")[0].removeprefix("not in ").startswith(origin), (place, origin, said)
    with repo.unchanged():
        assert repo.run(*command, "--dry-run").code in (0, 4)


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize(
    ("kind", "command"), [(kind, command) for kind, case in SYNC.items() for command in case.commands]
)
def test_between_files_and_database(checked: EpicRepo, kind: str, command: str, committed: bool) -> None:
    repo, case = checked, SYNC[kind]
    case.before(repo)
    repo.ok("commit", "-m", "before")
    whence = []
    for edit in (case.one, case.other):
        edit(repo)
        if committed:
            repo.ok("commit", "-m", "an edit")
        author = repo.json("log", "-n", "1")["commits"][0]["author"]
        whence.append(f"since commit {repo.head()[:12]} by {author}" if committed else "uncommitted")
    blocked(repo, case, (command,), (f"files, {whence[0]}", f"database, {whence[1]}"))
    assert "epicvc sync" in repo.ok("status").out


@pytest.mark.parametrize("kind", MERGE)
def test_between_branches(checked: EpicRepo, kind: str) -> None:
    repo, case = checked, MERGE[kind]
    case.before(repo)
    repo.ok("commit", "-m", "before")
    repo.ok("switch", "-c", "theirs")
    case.one(repo)
    theirs = commit(repo, "theirs")
    repo.ok("switch", "main")
    case.other(repo)
    ours = commit(repo, "ours")
    blocked(
        repo,
        case,
        ("merge", "theirs"),
        (f"theirs, since commit {theirs[:12]} by", f"ours, since commit {ours[:12]} by"),
    )
    assert repo.json("status")["clean"]


@pytest.mark.parametrize("kind", ["circle", "dangling", "unique in another table", "foreign key"])
def test_what_a_revert_would_make(checked: EpicRepo, kind: str) -> None:
    """The commit that is taken back hid the one half of the fault, a later one brought the other."""
    first: dict[str, tuple[Edit, Edit]] = {
        "circle": (depend("1", "a.2", "a.1"), depend("1", "a.2")),
        "dangling": (drop_task("1", "a.2"), add_task("1", "a.2")),
        "unique in another table": (MERGE[kind].one, sql("DELETE FROM framework_users WHERE id = 800")),
        "foreign key": (
            MERGE[kind].one,
            sql("INSERT INTO audit_sessions (session_id, start_time) VALUES ('s-2', 't')"),
        ),
    }
    repo, case = checked, MERGE[kind]
    for edit in first[kind]:
        edit(repo)
        hiding = commit(repo)
    case.other(repo)
    later = commit(repo, "later")
    blocked(
        repo,
        case,
        ("revert", hiding),
        (f"theirs, without commit {hiding[:12]} by", f"ours, since commit {later[:12]} by"),
    )


OLD: dict[str, tuple[Edit, Edit, str]] = {
    "circle": (both(depend("1", "a.2", "a.1"), depend("1", "a.1", "a.2")), row_depends("b.1", "a.2"), "in a circle"),
    "dangling": (both(depend("1", "a.1", "a.2"), drop_task("1", "a.2")), row_depends("b.1", "a.1"), "which is gone"),
}


@pytest.mark.parametrize("kind", OLD)
def test_what_one_side_had_is_a_warning(checked: EpicRepo, kind: str) -> None:
    repo = checked
    one, other, words = OLD[kind]
    one(repo)
    other(repo)
    (warning,) = repo.json("sync", "--dry-run")["warnings"]
    assert words in warning and "files" in warning
    assert words in repo.ok("sync").out
    assert repo.json("status")["in_sync"]


@pytest.mark.parametrize("kind", OLD)
def test_what_one_branch_had_is_a_warning(checked: EpicRepo, kind: str) -> None:
    repo = checked
    one, _, words = OLD[kind]
    repo.ok("switch", "-c", "theirs")
    one(repo)
    commit(repo, "theirs")
    repo.ok("switch", "main")
    depend("2", "b.1", "a.2" if kind == "circle" else "a.1")(repo)
    commit(repo, "ours")
    (warning,) = repo.json("merge", "theirs", "--dry-run")["warnings"]
    assert words in warning and "theirs" in warning
    assert words in repo.ok("merge", "theirs").out
    assert repo.json("status")["clean"]


@pytest.mark.parametrize("command", ["sync", "pull", "push"])
def test_orphans_of_old_block_nothing(checked: EpicRepo, command: str) -> None:
    repo = checked
    assert repo.sql("PRAGMA foreign_key_check")
    name("1", "Edited")(repo)
    repo.sql("UPDATE framework_epics SET name = 'Edited, too' WHERE epic_key = '2'")
    repo.ok(command)
    assert "orphans" in [finding["kind"] for finding in repo.json("doctor")["findings"]]


def test_a_part_of_a_synchronisation_is_checked_as_the_whole(checked: EpicRepo) -> None:
    """What the other epics wait for counts too."""
    repo = checked
    depend("1", "a.1", "b.1")(repo)
    row_depends("b.1", "a.1")(repo)
    for label in ("1", "2", "1:tasks/a.1/dependencies"):
        assert "2:tasks/b.1/dependencies (database" in repo.refused(4, "sync", label)


def findings(repo: EpicRepo, kind: str) -> list[str]:
    return [found["message"] for found in repo.json("doctor")["findings"] if found["kind"] == kind]


def test_doctor_tells_of_circles(checked: EpicRepo) -> None:
    repo = checked
    depend("1", "a.1", "b.1")(repo)
    depend("2", "b.1", "a.1")(repo)
    circle = "tasks depend on each other in a circle: 1:tasks/a.1 -> 2:tasks/b.1"
    assert findings(repo, "dependency_cycle") == [f"{circle} (files)"]
    repo.ok("sync")
    assert findings(repo, "dependency_cycle") == [f"{circle} (files and database)"]


def test_doctor_tells_of_ids_that_the_database_wants_once(checked: EpicRepo) -> None:
    repo = checked
    both(add_task("1", "n.1"), add_task("2", "n.1"))(repo)
    (message,) = findings(repo, "duplicate_task")
    assert "1:tasks/n.1, 2:tasks/n.1 (files)" in message
    said = repo.refused(4, "sync", naming="1:tasks/n.1 (files, uncommitted)")
    assert "2:tasks/n.1 (files, uncommitted)" in said
    for name in ("framework_tasks_key", "idx_tasks_key_unique"):
        repo.sql(f"DROP INDEX IF EXISTS {name}")
    assert findings(repo, "duplicate_task") == []
    repo.ok("sync")


@pytest.mark.parametrize("commands", [("sync",), ("pull", "push"), ("push", "pull")])
@pytest.mark.parametrize("answer", ["files", "db"])
def test_one_new_epic_on_both_sides_loses_nothing(checked: EpicRepo, commands: tuple[str, ...], answer: str) -> None:
    repo = checked
    tasks = '[{"id": "x.1", "title": "of the files"}, {"id": "x.3", "title": "files"}]'
    repo.directory.joinpath("n.json").write_text(f'{{"epic": {{"id": "N", "name": "files", "tasks": {tasks}}}}}')
    repo.sql("INSERT INTO framework_epics (epic_key, name) VALUES ('N', 'db')")
    for key in ("x.2", "x.3"):
        repo.sql(
            "INSERT INTO framework_tasks (task_key, epic_id, title) VALUES (?, ?, 'db')", key, repo.epic_row("N")["id"]
        )
    for command in commands:
        found = repo.json(command, code=1)["conflicts"]
        assert [conflict["label"] for conflict in found] == ["N:name", "N:tasks/x.3/title"]
    repo.ok("resolve", "--prefer", answer)
    assert repo.body("N")["name"] == repo.epic_row("N")["name"] == answer
    assert [task["id"] for task in repo.body("N")["tasks"]] == repo.task_order("N")
    assert {task["id"]: task["title"] for task in repo.body("N")["tasks"]} == {
        "x.1": "of the files",
        "x.2": "db",
        "x.3": answer,
    }
    assert repo.json("status")["in_sync"]
