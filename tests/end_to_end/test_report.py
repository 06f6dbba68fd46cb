"""``epicvc report``: one page of everything, into a file that was one before or was none."""

from __future__ import annotations

import json
import os
import stat

import pytest
from support.repos import EpicRepo

from epicvc.repo.runs import FILE


@pytest.fixture
def worked(made: EpicRepo) -> EpicRepo:
    """A repo with a conflict, something out of sync, a failed run and planned dates."""
    (made.root / ".epicvc" / FILE).unlink()
    made.ok("plan", "--from", "2025-08-13")
    made.ok("checkpoint", "before")
    made.sql("UPDATE framework_epics SET name = 'By the application' WHERE epic_key = '1'")
    made.ok("commit", "-m", "the application's | name")
    made.rewrite("1", lambda body: body.update(name="<b>By *the* author</b>\x1b[31m"))
    made.rewrite("2", lambda body: body.update(summary="New"))
    made.sql("UPDATE framework_epics SET planned_end_date = '2031-01-01' WHERE epic_key = '3'")
    assert made.run("sync", "nowhere").code == 3
    return made


def section(page: str, title: str) -> list[str]:
    return page.split(f"## {title}\n\n", 1)[1].split("\n## ", 1)[0].splitlines()


def test_the_page(worked: EpicRepo) -> None:
    with worked.unchanged():
        page = worked.ok("report").out
    lines = page.splitlines()
    assert lines[0] == "# Sync report"
    assert "- epics: 9, 2 out of sync" in lines
    assert "- conflicts: 1" in lines
    assert any(line.startswith("| 2 | epico\\_2.json | modified | unchanged | files\\_ahead |") for line in lines)
    files, database, agreed = section(page, "Conflicts")[2:5]
    assert files.startswith("| 1:name | files | ")
    assert "&lt;b&gt;By \\*the\\* author&lt;/b&gt;" in files
    assert files.endswith("| uncommitted |")
    assert database.startswith('|  | db | "By the application" | since commit ')
    assert " by " in database
    assert agreed.startswith("|  | agreed | ")
    assert any("3:planned\\_end\\_date" in line for line in section(page, "Quality of the data"))
    history = section(page, "History")
    assert "the application's \\| name" in history[2]
    assert any("| before |" in line for line in history)
    assert any(line.startswith("| sync | not\\_found | 3 | 1 |") for line in section(page, "Runs"))
    assert any(line.startswith("| 1 |") for line in section(page, "Schedule"))
    assert "\x1b" not in page
    tables = [line for line in lines if line.startswith("|")]
    heads = [number for number, line in enumerate(tables) if set(line) == {"|", "-"}]
    assert len(heads) >= 6
    for number, end in zip(heads, [*heads[1:], len(tables) + 1], strict=True):  # each row has a cell for each head
        widths = {line.replace("\\|", "").count("|") for line in tables[number - 1 : end - 1]}
        assert len(widths) == 1
    assert worked.ok("report", "--markdown").out.splitlines()[3:] == lines[3:]


def test_for_programs(worked: EpicRepo) -> None:
    with worked.unchanged():
        found = worked.json("report", "--since", "2020-01-01")
    assert (found["format"], found["epics"], found["since"]) == ("epicvc.report/1", 9, "2020-01-01T00:00:00.000000Z")
    assert found["status"] == worked.json("status")
    assert found["commits"] == worked.json("log")["commits"]
    assert found["conflicts"] == worked.run("resolve", "--json").value["conflicts"]
    assert found["conflicts"][0]["origins"]["theirs"]["commit"] == worked.head()
    assert found["sides"] == ["files", "db"]
    schedule = worked.json("plan", "--schedule")
    assert found["schedule"] == {name: value for name, value in schedule.items() if name != "tasks"}
    stats = worked.json("stats", "--since", "2020-01-01")
    assert found["quality"] == stats["quality"]
    assert found["runs"]["failures"] == stats["failures"]


def test_a_period_without_anything(worked: EpicRepo) -> None:
    page = worked.ok("report", "--since", "2999-01-01").out
    assert "Nothing was committed." in page
    assert "None is recorded." in page
    assert worked.json("report", "--since", "2999-01-01")["commits"] == []


def test_into_a_file(worked: EpicRepo) -> None:
    path = worked.root / "report.md"
    done = worked.ok("report", "-o", "report.md")
    assert (done.out, done.err) == ("", f"wrote {path}\n")
    assert path.read_text(encoding="utf-8").startswith("# Sync report\n")
    path.chmod(0o640)
    worked.rewrite("1", lambda body: body.update(name="By the application"))
    worked.ok("report", "--output", str(path))
    assert "- conflicts: 0" in path.read_text(encoding="utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    done = worked.ok("report", "--json", "--output", "report.md")
    assert (done.out, done.err) == ("", "")
    assert json.loads(path.read_bytes())["format"] == "epicvc.report/1"
    worked.ok("report", "-q", "--output", "report.md")
    assert [name for name in os.listdir(worked.root) if "report" in name] == ["report.md"]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("epicvc.toml", 5),
        ("framework.db", 5),
        ("link.md", 5),
        ("pipe", 5),
        ("epics/report.json", 5),
        ("epics/../epics/later/report.md", 5),
        (".epicvc/report.md", 5),
        ("epics", 5),
        (".", 2),
        ("nowhere/report.md", 3),
        ("x" * 5000, 6),
        ("x" * 5000 + "/report.md", 3),
    ],
)
def test_what_is_no_report_stays(worked: EpicRepo, name: str, code: int) -> None:
    worked.ok("report", "-o", "report.md")
    (worked.root / "link.md").symlink_to("report.md")
    os.mkfifo(worked.root / "pipe")
    before = _times(worked)
    worked.refused(code, "report", "--output", name)
    assert _times(worked) == before


def _times(repo: EpicRepo) -> dict[str, int]:
    """When each file was written, but for what SQLite keeps beside a database that is read."""
    return {
        path.name: path.lstat().st_mtime_ns for path in repo.root.iterdir() if not path.name.endswith(("-wal", "-shm"))
    }


@pytest.mark.parametrize("words", [("--since", "gaols"), ("--markdown", "--json")])
def test_mistakes(worked: EpicRepo, words: tuple[str, ...]) -> None:
    assert worked.run("report", *words).code == 2


def test_a_circle_is_a_warning(worked: EpicRepo) -> None:
    first, second = worked.facts.tasks[:2]
    for one, other in ((first, second), (second, first)):
        worked.rewrite("1", lambda body, one=one, other=other: _need(body, one, other))
    found = worked.json("report")
    assert found["schedule"] is None
    assert found["warnings"][0].startswith("there is no schedule: ")
    assert "## Warnings" in worked.ok("report").out


def _need(body: dict[str, list[dict[str, object]]], task: str, other: str) -> None:
    next(item for item in body["tasks"] if item["id"] == task)["dependencies"] = [other]


def test_a_merge_that_waits(made: EpicRepo) -> None:
    made.ok("switch", "-c", "side")
    made.rewrite("1", lambda body: body.update(name="Of the side"))
    made.ok("sync")
    made.ok("switch", "main")
    made.rewrite("1", lambda body: body.update(name="Of main"))
    made.ok("sync")
    assert made.run("merge", "side").code == 1
    page = made.ok("report").out
    assert "- the merge of side is not finished" in page
    ours, theirs, _ = section(page, "Conflicts")[2:5]
    assert ours.startswith('| 1:name | ours | "Of main" | since commit ')
    assert theirs.startswith('|  | theirs | "Of the side" | since commit ')


def test_what_cannot_be_read_is_a_warning(worked: EpicRepo) -> None:
    worked.path("4").write_text("{")
    found = worked.json("report")
    assert found["status"]["errors"][0]["label"] == "4"
    assert found["warnings"][0] == found["status"]["errors"][0]["message"]
    assert (found["quality"]["unreadable"], found["epics"]) == (1, 9)
    assert not any(loss["label"].startswith("4") for loss in found["quality"]["consistency"]["losses"])
    assert "## Warnings" in worked.ok("report").out
    assert "1 file or row cannot be read" in worked.ok("stats").out


def test_of_nothing_there_is_no_score(garden: EpicRepo) -> None:
    page = garden.ok("report", "--markdown").out
    assert "accuracy nothing to measure" in page
    assert "consistency 100 %" in page
