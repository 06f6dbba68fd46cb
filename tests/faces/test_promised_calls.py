"""The blocks of ``promised_calls.md`` run in their order, in one repo; and the page has all that it is to have."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from support.epics import write_epics
from support.guard import ROOT

from epicvc import MigrationRunner
from tests.docs.console import fenced
from tests.faces.original import blocks
from tests.faces.place import FILES, edit, sql
from tests.faces.promises import PROMISES, World, application

PAGE = ROOT / "tests" / "faces" / "promised_calls.md"
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^##? |\Z)", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL))
BLOCKS = {heading: code for heading, body in SECTIONS.items() for code in fenced(body, "python")}
SKIPPED: dict[str, str] = {}
"""Blocks that are not run, by heading, each with the reason."""


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """Epics in files, and a database that the shipped migrations made, which has none of them."""
    write_epics(FILES)
    MigrationRunner(db_path="framework.db").apply_migrations()
    # Alone in the database, no epic may depend on another one's task.
    edit("epico_1.json", lambda body: body["tasks"][3].update(dependencies=["1.3"]))
    return tmp_path


@pytest.mark.usefixtures("prepared")
def test_they_run_in_their_order(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    world = World(application(monkeypatch), lambda: capsys.readouterr().out)
    for heading, block in BLOCKS.items():
        if heading in SKIPPED:
            continue
        about = PROMISES[heading](world)
        next(about)
        world.said()
        exec(compile(block, f"{PAGE.name}: {heading}", "exec"), world.names)
        with pytest.raises(StopIteration):
            next(about)
    (asked,) = fenced(SECTIONS["The record of migrations"], "sql")
    assert {(version, by != "") for version, at, by in sql(asked)} == {(f"00{n}", True) for n in range(4)}


def test_every_block_is_promised_something() -> None:
    assert list(BLOCKS) == [heading for heading in PROMISES if heading not in SKIPPED]
    assert len(BLOCKS) == PAGE.read_text("utf-8").count("```python")
    assert all(SKIPPED.values())


def as_tree(code: str) -> str:
    """What a block says, without comments, layout, and the blanks in the SQL that it holds."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = " ".join(node.value.split())
    return ast.dump(tree)


def test_the_page_has_what_the_description_has() -> None:
    assert [as_tree(block) for block in blocks()] == [as_tree(block) for block in BLOCKS.values()]
