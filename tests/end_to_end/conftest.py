"""Repos to try the command line on, with made data, and with the real data where that is present."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.database import make_database
from support.epics import write_epics
from support.guard import ROOT
from support.repos import NO_FACTS, EpicRepo, Facts

REAL = ROOT.parent / "shared" / "data" / "real"

MADE_FACTS = Facts(
    name="made",
    epic="1",
    path="epico_1.json",
    tasks=("1.1", "1.2", "1.3", "1.4"),
    other="2",
    other_path="epico_2.json",
    own=("OWN_1", "OWN_2", "OWN_3"),
    own_task="OWN_T2",
    paths={
        "1": "epico_1.json",
        "2": "epico_2.json",
        "3": "epico_3.json",
        "4": "epico_4.json",
        "5": "epico_5.json",
        "6": "later/plan for six.json",
    },
    view="busy_epics",
    table="audit_results",
    row="2",
    column="file_path",
)
REAL_FACTS = Facts(
    name="real",
    epic="5",
    path="epico_5.json",
    tasks=("5.1a", "5.1b.1", "5.1b.2", "5.1b.3"),
    other="7",
    other_path="epico_7.json",
    own=("TEST_EPIC_1", "TEST_EPIC_2", "TEST_EPIC_3"),
    own_task="TEST_TASK_2",
    paths={key: f"epico_{key}.json" for key in "03567"},
    view="client_dashboard",
    table="audit_file_results",
    row="2",
    column="file_path",
)

Templates = Callable[[str, str], Path]


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """A function that makes each kind of repo once a run. Tests work on copies."""
    base = tmp_path_factory.mktemp("templates")
    made: dict[tuple[str, str], Path] = {}

    def template(data: str, stage: str) -> Path:
        if (data, stage) in made:
            return made[data, stage]
        root = base / f"{data}-{stage}"
        if stage == "fresh":
            (MAKERS[data])(root)
        else:
            before = EpicRepo(template(data, "fresh" if stage == "initialised" else "initialised"), FACTS[data])
            repo = before.copy_to(root)
            repo.ok("init" if stage == "initialised" else "sync")
        made[data, stage] = root
        return root

    return template


def _make_made(root: Path) -> None:
    write_epics(root / "epics")
    make_database(root / "framework.db")


def _make_real(root: Path) -> None:
    root.mkdir()
    shutil.copytree(REAL / "epics", root / "epics")
    for path in [root / "epics", *(root / "epics").iterdir()]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    with gzip.open(REAL / "framework.db.gz") as packed, (root / "framework.db").open("wb") as target:
        shutil.copyfileobj(packed, target)


MAKERS = {"made": _make_made, "real": _make_real}
FACTS = {"made": MADE_FACTS, "real": REAL_FACTS}


SOAKED = frozenset({"test_moves.py", "test_branch_moves.py", "test_bad_input.py"})
"""Modules with so many cases that only the slow run tries them on the real data too."""


@pytest.hookimpl(tryfirst=True)  # before pytest chooses tests by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the real data to the slow run in modules with many cases."""
    for item in items:
        case = getattr(item, "callspec", None)
        if item.path.name in SOAKED and case is not None and case.params.get("data") == "real":
            item.add_marker(pytest.mark.slow)


@pytest.fixture(params=["made", "real"])
def data(request: pytest.FixtureRequest) -> str:
    """The name of the data. Every test that asks for a repo runs on both kinds."""
    if request.param == "real" and not REAL.is_dir():
        pytest.skip("the real data is not here (../shared/data/real)")
    return str(request.param)


def _copy(templates: Templates, data: str, stage: str, root: Path) -> EpicRepo:
    return EpicRepo(templates(data, stage), FACTS[data]).copy_to(root)


@pytest.fixture(scope="session", autouse=True)
def _warm(templates: Templates) -> None:
    """Make the templates while nothing is guarded, since they lie beside the tests' directories."""
    for data in ("made", "real"):
        if data == "made" or REAL.is_dir():
            templates(data, "synced")


@pytest.fixture
def fresh(templates: Templates, data: str, tmp_path: Path) -> EpicRepo:
    """A repo with files and a database, before ``init``."""
    return _copy(templates, data, "fresh", tmp_path / "repo")


@pytest.fixture
def initialised(templates: Templates, data: str, tmp_path: Path) -> EpicRepo:
    """A repo after ``init``."""
    return _copy(templates, data, "initialised", tmp_path / "repo")


@pytest.fixture
def repo(templates: Templates, data: str, tmp_path: Path) -> EpicRepo:
    """A repo after ``init`` and the first ``sync``: clean and in sync."""
    return _copy(templates, data, "synced", tmp_path / "repo")


@pytest.fixture
def made(templates: Templates, tmp_path: Path) -> EpicRepo:
    """A repo like ``repo``, with made data only: for traps that the real data does not hold."""
    return _copy(templates, "made", "synced", tmp_path / "repo")


@pytest.fixture
def garden(tmp_path: Path) -> EpicRepo:
    """A repo of two small epics, in sync. The first epic has keys of its own in every place where one can be."""
    repo = EpicRepo(tmp_path / "garden", NO_FACTS)
    repo.directory.mkdir(parents=True)
    tasks = [{"id": "1.1", "title": "Dig", "shelf": {"row": "old"}}, {"id": "1.2", "title": "Plant"}]
    first = {"epic": {"id": "1", "name": "Garden", "notes": "old", "tasks": tasks}, "_metadata": {"who": "old"}}
    (repo.directory / "garden.json").write_text(json.dumps(first, indent=2))
    (repo.directory / "shed.json").write_text(json.dumps({"id": "2", "name": "Shed"}))
    repo.ok("init", "--db", "framework.db")
    repo.ok("sync")
    return repo
