"""Full-text indexes and other virtual tables: right after whatever restores rows, and named where they are left out."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.repos import EpicRepo

SEARCH = """
    CREATE VIRTUAL TABLE find USING fts5(name, content='framework_epics', content_rowid='id');
    CREATE TRIGGER find_i AFTER INSERT ON framework_epics BEGIN
      INSERT INTO find(rowid, name) VALUES (NEW.id, NEW.name); END;
    CREATE TRIGGER find_d AFTER DELETE ON framework_epics BEGIN
      INSERT INTO find(find, rowid, name) VALUES ('delete', OLD.id, OLD.name); END;
    CREATE TRIGGER find_u AFTER UPDATE ON framework_epics BEGIN
      INSERT INTO find(find, rowid, name) VALUES ('delete', OLD.id, OLD.name);
      INSERT INTO find(rowid, name) VALUES (NEW.id, NEW.name); END;
    INSERT INTO find(find) VALUES ('rebuild');
"""
OWN = "CREATE VIRTUAL TABLE words USING fts5(said); INSERT INTO words VALUES ('kept');"


def _script(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def _found(path: Path, word: str) -> list[str]:
    """The epics that the application finds; its index agrees with its table, and it can write."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO find(find, rank) VALUES ('integrity-check', 1)")
        query = "SELECT e.epic_key FROM find JOIN framework_epics e ON e.id = find.rowid WHERE find MATCH ?"
        found = [key for (key,) in connection.execute(query, [word])]
        connection.execute("UPDATE framework_epics SET name = name || ' more'")
        connection.execute("INSERT INTO find(find, rank) VALUES ('integrity-check', 1)")
        connection.rollback()
    return found


@pytest.mark.parametrize("ignore", ["", '\n[tables]\nignore = ["find"]\n'], ids=["captured", "ignored"])
def test_an_index_follows_whatever_restores_rows(made: EpicRepo, ignore: str) -> None:
    _script(made.database, SEARCH)
    config = made.root / "epicvc.toml"
    config.write_text(config.read_text() + ignore)
    made.sql("UPDATE framework_epics SET name = 'orchard' WHERE epic_key = '1'")
    made.ok("sync")
    made.ok("checkpoint", "k")
    made.rewrite("1", lambda epic: epic.update(name="kitchen"))
    made.ok("sync")
    for command, word, other in (
        ("undo", "orchard", "kitchen"),
        ("redo", "kitchen", "orchard"),
        ("rollback k", "orchard", "kitchen"),
        ("checkout HEAD~1", "kitchen", "orchard"),
        ("switch main", "orchard", "kitchen"),
        ("switch -c feat", "orchard", "kitchen"),
    ):
        made.ok(*command.split())
        assert (_found(made.database, word), _found(made.database, other)) == (["1"], []), command
        assert made.json("status")["clean"] is (command != "undo")  # which leaves the edit of the file
    made.sql("UPDATE framework_epics SET name = 'greenhouse' WHERE epic_key = '2'")
    made.ok("sync")
    made.ok("switch", "main")
    made.sql("UPDATE framework_epics SET name = 'cellar' WHERE epic_key = '3'")
    made.ok("sync")
    made.ok("merge", "feat")
    assert (_found(made.database, "greenhouse"), _found(made.database, "cellar")) == (["2"], ["3"])
    made.ok("revert", "HEAD", "--mainline", "1")
    assert (_found(made.database, "greenhouse"), _found(made.database, "cellar")) == ([], ["3"])


def test_a_snapshot_from_when_it_was_ignored_leaves_it_alone(made: EpicRepo) -> None:
    config = made.root / "epicvc.toml"
    text = config.read_text()
    config.write_text(text + '\n[tables]\nignore = ["words"]\n')
    _script(made.database, OWN)
    made.ok("checkpoint", "k")
    config.write_text(text)
    made.sql("INSERT INTO words VALUES ('since')")
    made.sql("UPDATE framework_epics SET priority = 4321")
    made.ok("commit", "-m", "with it")
    made.ok("rollback", "k")
    assert made.sql("SELECT said FROM words WHERE words MATCH 'kept OR since' ORDER BY 1") == [("kept",), ("since",)]
    assert made.json("status")["clean"] is True


def test_its_own_content_is_versioned(made: EpicRepo) -> None:
    _script(made.database, OWN)
    made.ok("checkpoint", "k")
    made.sql("UPDATE words SET said = 'other'")
    assert "words_content" in [table["name"] for table in made.json("status")["tables"]]
    made.ok("rollback", "k")
    assert made.sql("SELECT said FROM words WHERE words MATCH 'kept'") == [("kept",)]
    made.sql("DROP TABLE words")
    made.ok("rollback", "k")
    assert made.sql("SELECT said FROM words WHERE words MATCH 'kept'") == [("kept",)]
    made.ok("restore", "--at", "2100-01-01", "--to", "then")
    with closing(sqlite3.connect(made.root / "then" / made.database.name)) as copy:
        assert copy.execute("SELECT said FROM words WHERE words MATCH 'kept'").fetchall() == [("kept",)]
