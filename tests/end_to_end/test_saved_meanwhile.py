"""Somebody saves a file while a command is about to replace it: the save stays, and the next sync merges it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support.guard import ROOT
from support.repos import EpicRepo

#: Saves a file at a named moment of a command; at some of them the process ends there as well.
SAVING = """
import os, sys
import epicvc.base.publish as publish
import epicvc.repo.apply.apply as apply
from epicvc.database.sqlite.writer import SQLiteWriter

moment, path, text, *arguments = sys.argv[1:]

def save():
    if text == "":
        return os.unlink(path)
    with open(path + "~", "w") as file:
        file.write(text)
    os.rename(path + "~", path)

def once(real, before):
    done = []
    def call(*args):
        if not done:
            done.append(1)
            before()
        return real(*args)
    return call

if moment == "after the commit":
    commit = SQLiteWriter.commit
    SQLiteWriter.commit = lambda self: (commit(self), save())
elif moment == "right before the exchange":
    publish._exchange = once(publish._exchange, save)
elif moment == "right before the exchange, which is not known here":
    publish._rename = lambda *_: False
    publish._exchange = once(publish._exchange, save)
elif moment == "right before the exchange, and it dies in it":
    publish._exchange = once(publish._exchange, save)
    publish._is_known = lambda *_: os._exit(9)
elif moment == "right before the removal":
    apply.place = once(apply.place, save)
elif moment == "right before the removal, and it dies in it":
    apply.place = once(apply.place, save)
    publish._is_known = lambda *_: os._exit(9)

from epicvc.cli.edge import run_application
sys.exit(run_application(arguments))
"""


def _run(repo: EpicRepo, moment: str, epic: str, text: str, *arguments: str) -> int:
    path = repo.path(epic)
    done = subprocess.run(
        [sys.executable, "-c", SAVING, moment, str(path), text, *arguments],
        cwd=repo.root,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in done.stderr, done
    return done.returncode


def _edited(repo: EpicRepo) -> str:
    """The epic's file with another name than it has."""
    text = repo.path(repo.facts.epic).read_bytes().decode()
    name = repo.body(repo.facts.epic)["name"]
    return text.replace(name, "Saved in between", 1)


def _sound(repo: EpicRepo) -> None:
    repo.ok("fsck", "--full")
    assert not [path for path in repo.root.rglob("*") if "epicvc-tmp" in path.name]


@pytest.mark.parametrize(
    "moment",
    [
        "after the commit",
        "right before the exchange",
        "right before the exchange, which is not known here",
        "right before the exchange, and it dies in it",
    ],
)
def test_a_save_stays_and_is_merged(repo: EpicRepo, moment: str) -> None:
    repo.sql("UPDATE framework_epics SET summary = 'of the db' WHERE epic_key = ?", repo.facts.epic)
    repo.rewrite(repo.facts.other, lambda body: body.update(name="of the files"))
    edited = _edited(repo)
    assert _run(repo, moment, repo.facts.epic, edited, "sync") == (9 if moment.endswith("dies in it") else 0)
    if not moment.endswith("dies in it"):
        assert repo.path(repo.facts.epic).read_bytes().decode() == edited
    repo.ok("sync")
    body, row = repo.body(repo.facts.epic), repo.epic_row(repo.facts.epic)
    assert (body["name"], body["summary"]) == (row["name"], row["summary"]) == ("Saved in between", "of the db")
    assert repo.epic_row(repo.facts.other)["name"] == "of the files"
    _sound(repo)


def test_a_file_that_is_deleted_in_between_stays_deleted(repo: EpicRepo) -> None:
    repo.sql("UPDATE framework_epics SET summary = 'of the db' WHERE epic_key = ?", repo.facts.epic)
    assert _run(repo, "right before the exchange", repo.facts.epic, "", "sync") == 0
    assert not (repo.directory / repo.facts.path).exists()
    status = {epic["id"]: epic for epic in repo.json("status")["epics"]}
    assert (status[repo.facts.epic]["files"], status[repo.facts.epic]["state"]) == ("deleted", "conflict")
    _sound(repo)


@pytest.mark.parametrize("moment", ["right before the removal", "right before the removal, and it dies in it"])
def test_a_save_of_a_file_that_is_to_go_stays(repo: EpicRepo, moment: str) -> None:
    repo.sql(
        "UPDATE framework_epics SET deleted_at = '2026-01-01', status = 'deleted' WHERE epic_key = ?", repo.facts.epic
    )
    edited = _edited(repo)
    assert _run(repo, moment, repo.facts.epic, edited, "sync") == (9 if moment.endswith("dies in it") else 0)
    assert repo.run("sync").code == 1
    assert repo.path(repo.facts.epic).read_bytes().decode() == edited
    assert {epic["id"]: epic["state"] for epic in repo.json("status")["epics"]} == {repo.facts.epic: "conflict"}
    _sound(repo)
