"""What a checkpoint takes can be brought back, and what could not is refused when it is taken."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from support.repos import EpicRepo

from epicvc.database.sqlite.restore import rehearsal

OWN = "CREATE TABLE own (d, CHECK (own_check(d)))"


def _make_unrestorable(made: EpicRepo) -> None:
    with closing(sqlite3.connect(made.database)) as application:
        application.create_function("own_check", 1, lambda _: 1, deterministic=True)
        application.execute(OWN)
        application.commit()


def test_a_lost_table_with_json_in_its_definition_comes_back(made: EpicRepo) -> None:
    made.sql("CREATE TABLE options (id INTEGER PRIMARY KEY, d TEXT CHECK (JSON_VALID(d)))")
    made.sql("CREATE INDEX options_x ON options (json_extract(d, '$.x'))")
    made.sql("INSERT INTO options VALUES (1, '{\"x\": 1}')")
    made.ok("checkpoint", "k")
    before = made.dump()
    made.sql("DROP TABLE options")
    made.ok("rollback", "k")
    assert made.dump() == before
    made.ok("undo")
    assert made.sql("SELECT name FROM sqlite_master WHERE name = 'options'") == []
    made.ok("redo")
    assert made.dump() == before
    made.ok("restore", "--at", "2100-01-01", "--to", "then")
    with closing(sqlite3.connect(made.root / "then" / made.database.name)) as copy:
        assert copy.execute("SELECT d FROM options WHERE json_extract(d, '$.x') = 1").fetchall() == [('{"x": 1}',)]


def test_what_could_not_be_brought_back_is_refused_when_it_is_taken(made: EpicRepo) -> None:
    _make_unrestorable(made)
    for command in ("status", "sync", "commit -m x", "checkpoint x", "doctor"):
        said = made.refused(4, *command.split(), naming="@own")
        assert "own_check" in said
        assert 'ignore = ["own"]' in made.run(*command.split()).err
    config = made.root / "epicvc.toml"
    config.write_text(config.read_text() + '\n[tables]\nignore = ["own"]\n')
    made.ok("checkpoint", "x")


def test_a_schema_that_was_taken_unchecked(made: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    _make_unrestorable(made)
    with monkeypatch.context() as unchecked:
        unchecked.setattr(rehearsal, "rehearse", lambda *_: None)
        made.ok("checkpoint", "x")
    assert any(finding["kind"] == "unsupported_schema" for finding in made.json("doctor", code=4)["findings"])
    (made.root / "empty").mkdir()
    for directory in ("then", "empty"):
        made.refused(4, "restore", "--at", "2100-01-01", "--to", directory, naming="own_check")
    assert not (made.root / "then").exists()
    assert list((made.root / "empty").iterdir()) == []
