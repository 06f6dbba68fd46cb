"""Workflows are scripts that run; the lines of crontabs and of a CI job do what their pages say."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.gitrepo import needs_git

from tests.docs.conftest import ROOT
from tests.docs.console import Shell, fenced

SCRIPTS = sorted((ROOT / "docs" / "workflows").glob("*.py"))
_JOB = re.compile(r"^(?:[\d*/,-]+\s+){5}(?P<command>.+)$", re.MULTILINE)


@pytest.fixture
def scripted(shell: Shell) -> Shell:
    """The shell, with the workflows where a clone has them and a ``python`` that has epicvc."""
    shutil.copytree(ROOT / "docs" / "workflows", shell.home / "docs" / "workflows")
    python = Path(shell.environment["PATH"].split(":")[0], "python")
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    return shell


def jobs(text: str) -> list[str]:
    """The commands of a crontab."""
    return [match["command"] for match in _JOB.finditer(text)]


def test_workflows_run_and_show_what_is_said(scripted: Shell, document: Callable[[str], str]) -> None:
    text = document("docs/workflows.md")
    blocks = fenced(text, "console")
    scripted.follow(blocks)
    assert {path.name for path in SCRIPTS} == set(re.findall(r"\((?:workflows)/(\w+\.py)\)", text))
    assert all(any(path.name in block for block in blocks) for path in SCRIPTS)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_workflow_says_how_it_is_started(scripted: Shell, path: Path) -> None:
    said = re.findall(r"^    python (\w+\.py)", path.read_text("utf-8"), re.MULTILINE)
    assert set(said) == {path.name}
    ((code, output),) = scripted.run([f"python docs/workflows/{path.name} --help"])
    assert (code, "usage" in output) == (0, True)


def test_an_error_of_a_workflow_is_one_line(scripted: Shell) -> None:
    (_, (code, output)) = scripted.run(
        ["mkdir -p plans/epics", "cd plans && python ../docs/workflows/back_up.py --db none.db --to ../there"]
    )
    assert code == 6  # unavailable
    assert "Traceback" not in output and len(output.splitlines()) <= 2


@pytest.mark.parametrize("page", ["automation.md", "backups.md"])
def test_crontabs_run(shell: Shell, document: Callable[[str], str], page: str) -> None:
    (crontab,) = [text for language in ("crontab", "") for text in _plain(document(f"docs/{page}"), language)]
    home, away = shell.home / "plans", shell.home / "away"
    lines = [
        line.replace("/srv/plans", shlex.quote(str(home))).replace("/mnt/backups", shlex.quote(str(away)))
        for line in jobs(crontab)
    ]
    assert len(lines) >= 3
    shell.run(
        ["mkdir plans && cp -r demo/epics plans", "cd plans && epicvc init --quiet --db plans.db && epicvc sync -q"]
    )
    for line, (code, output) in zip(lines, shell.run([f"({line})" for line in lines]), strict=True):
        assert (code, output) == (0, ""), line


def test_a_job_says_something_only_where_somebody_has_to_look(shell: Shell, document: Callable[[str], str]) -> None:
    (crontab,) = _plain(document("docs/automation.md"), "crontab")
    sync = next(job for job in jobs(crontab) if "epicvc sync" in job).replace("/srv/plans", "plans")
    shell.run(
        [
            "mkdir plans && cp -r demo/epics plans && cd plans",
            "epicvc init --quiet --db plans.db && epicvc sync --quiet",
            "sed -i.orig 's/Loans between branches/Inter-branch/' epics/loans.json",
            "sqlite3 plans.db \"UPDATE framework_epics SET name = 'Everywhere' WHERE epic_key = '2'\"",
        ]
    )
    ((_, output),) = shell.run([f"({sync})"])
    assert "2:name" in output


@needs_git
def test_the_ci_job_runs_in_a_clone(shell: Shell, document: Callable[[str], str]) -> None:
    (job,) = fenced(document("docs/automation.md"), "yaml")
    steps = [step for step in re.findall(r"^ +- run: (.+)$", job, re.MULTILINE) if "pip install" not in step]
    assert len(steps) >= 4
    before = [
        "mkdir plans && cp -r demo/epics plans && cd plans",
        'printf \'[files]\\ndir = "epics"\\n[database]\\nurl = "plans.db"\\n\' > epicvc.toml',
        "git init -q -b main && git add . && git commit -q -m plans && cd ..",
        "git clone -q plans clone && cd clone",
    ]
    for step, (code, output) in zip((*before, *steps), shell.run([*before, *steps]), strict=True):
        assert code == 0, f"{step}\n{output}"
    broken = ["git clone -q plans broken && cd broken", "echo '{' > epics/loans.json", *steps]
    assert any(code == 4 for code, _ in shell.run(broken))


def test_the_rest_of_automation_runs(shell: Shell, document: Callable[[str], str]) -> None:
    shell.follow(fenced(document("docs/automation.md"), "console"))


def _plain(text: str, language: str) -> list[str]:
    """The blocks of a language that are crontabs; ``""``: those without one."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for block in found if jobs(block)]
