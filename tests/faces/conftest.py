"""Places for the tests of the Python faces: each is made once and copied for every test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest
from support.repos import list_store

from epicvc import BidirectionalSync
from tests.faces.place import make_place

pytest.register_assert_rewrite("tests.faces.promises")


@pytest.fixture(scope="session")
def _templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {"base": tmp_path_factory.mktemp("faces")}


@pytest.fixture(scope="session", autouse=True)
def _warm(_templates: dict[str, Path]) -> None:
    """Make both places while nothing is guarded, since they lie beside the tests' directories."""
    base = _templates["base"]
    bare = base / "bare"
    bare.mkdir()
    make_place(bare)
    synced = base / "synced"
    shutil.copytree(bare, synced)
    with chdir(synced):
        results = BidirectionalSync().sync_all_epics()
    assert all(result["success"] for result in results)


def _copy(source: Path, target: Path) -> Iterator[Path]:
    shutil.copytree(source, target)
    list_store(target)
    with chdir(target):
        yield target


@pytest.fixture
def bare(_templates: dict[str, Path], tmp_path: Path) -> Iterator[Path]:
    """A place with files and a database that know nothing of each other, as the current directory."""
    yield from _copy(_templates["base"] / "bare", tmp_path / "bare")


@pytest.fixture
def synced(_templates: dict[str, Path], tmp_path: Path) -> Iterator[Path]:
    """A place like ``bare`` that was synchronised once, as the current directory."""
    yield from _copy(_templates["base"] / "synced", tmp_path / "synced")
