"""A mapping that would change what both sides agreed on under another one is said, and done by who means it."""

from __future__ import annotations

import pytest
from support.repos import EpicRepo

CALCULATED = '\n[mapping.epics.fields]\nname = { column = "name", layer = "calculated" }\n'
ELSEWHERE = '\n[mapping.tasks.fields]\ntitle = "description"\ndescription = "title"\n'
PARENT = '\n[mapping.tasks]\nparent = "id"\n'


def configure(repo: EpicRepo, more: str) -> None:
    """Add to the configuration."""
    config = repo.root / "epicvc.toml"
    config.write_text(config.read_text() + more)


@pytest.mark.parametrize(
    ("mapping", "place"),
    [(CALCULATED, "1:name"), (ELSEWHERE, "1:tasks/1.1/title"), (PARENT, "1:tasks/1.2")],
    ids=["a field that is calculated", "fields that change places", "tasks of another epic"],
)
def test_it_is_said_and_waits_for_a_yes(garden: EpicRepo, mapping: str, place: str) -> None:
    configure(garden, mapping)
    for command in ("sync", "sync --dry-run"):
        message = garden.refused(5, *command.split(), naming="the mapping is not the one that both sides agreed under")
        assert place in message or "more" in message
    assert place in garden.json("status")["new_mapping"]
    assert "epicvc sync --new-mapping" in garden.ok("status").out


def test_who_means_it_gets_it_once(garden: EpicRepo) -> None:
    configure(garden, CALCULATED)
    report = garden.json("sync", "--new-mapping")
    assert report["to_files"] == 2
    assert "name" not in garden.read("2")
    garden.ok("sync")
    assert garden.json("status")["new_mapping"] == []
    garden.sql("UPDATE framework_epics SET summary = 'of the application'")
    garden.ok("sync")


def test_a_commit_agrees_on_nothing(garden: EpicRepo) -> None:
    configure(garden, CALCULATED)
    garden.ok("commit", "-m", "as it is", "--allow-empty")
    garden.refused(5, "sync", naming="1:name")


@pytest.mark.parametrize("words", [("sync", "1:name"), ("push",), ("pull",)])
def test_a_part_agrees_on_nothing_either(garden: EpicRepo, words: tuple[str, ...]) -> None:
    """What it leaves would follow unasked the next time."""
    configure(garden, ELSEWHERE)
    garden.sql("UPDATE framework_epics SET name = 'Orchard' WHERE epic_key = '1'")
    garden.rewrite("2", lambda body: body.update(name="Hut"))
    garden.refused(5, *words, naming="1:tasks/1.1")


def test_a_field_that_nobody_agreed_on_asks_nothing(garden: EpicRepo) -> None:
    garden.sql("ALTER TABLE framework_epics ADD COLUMN notes TEXT")
    garden.ok("sync")
    configure(garden, '\n[mapping.epics.fields]\nnotes = "notes"\n')
    assert garden.json("status")["new_mapping"] == []
    garden.ok("sync")
    assert garden.one("SELECT notes FROM framework_epics WHERE epic_key = '1'") == "old"
