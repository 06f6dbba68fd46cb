"""``blame``: who changed each field last, on which side, told from history, merges and the working copies."""

from __future__ import annotations

from typing import Any

from support.repos import EpicRepo


def _blame(repo: EpicRepo, label: str) -> dict[str, dict[str, Any]]:
    found = repo.json("blame", label)
    assert (found["format"], found["label"]) == ("epicvc.blame/1", label)
    return {field["label"]: field for field in found["fields"]}


def _commit(repo: EpicRepo) -> str:
    return str(repo.json("log", "-n", "1")["commits"][0]["id"])


def test_every_field_has_an_origin(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    found = _blame(repo, epic)
    commits = {commit["id"]: commit for commit in repo.json("log")["commits"]}
    for field in found.values():
        commit = commits[field["commit"]]
        assert (field["author"], field["time"]) == (commit["author"], commit["time"])
    body = repo.body(epic)
    expected = {f"{epic}:{name}" for name, value in body.items() if name not in ("id", "tasks") and value is not None}
    expected |= {
        f"{epic}:tasks/{task['id']}/{name}"
        for task in body["tasks"]
        for name, value in task.items()
        if name != "id" and value is not None
    }
    assert {label for label in found if ":@" not in label} >= expected
    # The epic was in the files first; the first sync only carried it over.
    assert found[f"{epic}:name"]["side"] == "files"


def test_the_side_that_began_and_not_the_sync_that_carried_it(repo: EpicRepo) -> None:
    epic, task = repo.facts.epic, repo.facts.tasks[0]
    repo.sql("UPDATE framework_epics SET name = 'by the application' WHERE epic_key = ?", epic)
    repo.sql("UPDATE framework_tasks SET title = 'title of the db' WHERE task_key = ?", task)
    repo.ok("commit", "-m", "from the application")
    application = _commit(repo)
    repo.rewrite(epic, lambda body: body.update(summary="by the author"))
    repo.ok("sync")
    found = _blame(repo, epic)
    assert (found[f"{epic}:name"]["commit"], found[f"{epic}:name"]["side"]) == (application, "db")
    title = found[f"{epic}:tasks/{task}/title"]
    assert (title["commit"], title["side"]) == (application, "db")
    # Both sides became another in the commit of the sync; what it found says who began.
    summary = found[f"{epic}:summary"]
    assert (summary["commit"], summary["side"]) == (_commit(repo), "files")


def test_what_is_not_committed(repo: EpicRepo) -> None:
    epic, task = repo.facts.epic, repo.facts.tasks[1]
    repo.sql("UPDATE framework_tasks SET title = 'fresh' WHERE task_key = ?", task)
    repo.rewrite(epic, lambda body: body.update(summary="fresh"))
    found = _blame(repo, epic)
    title, summary = found[f"{epic}:tasks/{task}/title"], found[f"{epic}:summary"]
    assert (title["commit"], title["author"], title["time"], title["side"]) == (None, None, None, "db")
    assert (summary["commit"], summary["side"]) == (None, "files")
    assert summary["time"] is not None  # when the file was written
    shown = repo.ok("blame", f"{epic}:summary").out
    assert shown.startswith("uncommitted")
    assert "fresh" in shown


def test_one_task_one_field_and_fields_of_the_database(repo: EpicRepo) -> None:
    epic, task = repo.facts.epic, repo.facts.tasks[0]
    assert all(label.startswith(f"{epic}:tasks/{task}/") for label in _blame(repo, f"{epic}:tasks/{task}"))
    assert list(_blame(repo, f"{epic}:tasks/{task}/title")) == [f"{epic}:tasks/{task}/title"]
    repo.sql("UPDATE framework_epics SET status = 'paused' WHERE epic_key = ?", epic)
    repo.ok("commit", "-m", "paused")
    assert _blame(repo, f"{epic}:status")[f"{epic}:status"]["commit"] == _commit(repo)


def test_a_renamed_file_keeps_its_history(repo: EpicRepo) -> None:
    epic = repo.facts.epic
    before = _blame(repo, epic)
    path = repo.path(epic)
    path.rename(path.with_name("another name.json"))
    repo.ok("commit", "-m", "renamed")
    assert _blame(repo, epic) == before


def test_a_row_of_another_table(repo: EpicRepo) -> None:
    facts = repo.facts
    repo.sql(f"UPDATE {facts.table} SET {facts.column} = 'elsewhere' WHERE id = ?", facts.row)
    repo.ok("commit", "-m", "moved")
    label = f"@{facts.table}/{facts.row}/{facts.column}"
    assert _blame(repo, label)[label]["commit"] == _commit(repo)


def test_what_never_was_is_not_found(repo: EpicRepo) -> None:
    repo.refused(3, "blame", f"{repo.facts.epic}:no_such_field", naming="no_such_field")
    repo.refused(3, "blame", "no-such-epic", naming="no-such-epic")
    repo.refused(3, "blame", f"{repo.facts.epic}:name/inner", naming="inner")
    repo.misused("blame")
