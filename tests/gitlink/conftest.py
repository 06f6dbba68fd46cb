"""Git repositories with one epic committed, with or without epicvc installed for git."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.gitrepo import GitRepo, epic, task


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    """A repository with an epic committed."""
    made = GitRepo.made(tmp_path / "repo")
    made.write("epics/5.json", epic(summary="one\ntwo\nthree\n", tasks=[task("5.1"), task("5.2")]))
    made.commit("first")
    return made


@pytest.fixture
def installed(repo: GitRepo) -> GitRepo:
    """A repository like ``repo``, with epicvc installed for git."""
    said = repo.epicvc("git", "install")
    assert said.code == 0, said
    repo.commit("attributes")
    return repo
