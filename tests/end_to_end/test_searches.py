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


def test_a_trigger_whose_table_is_left_out(made: EpicRepo) -> None:
    _script(made.database, SEARCH)
    config = made.root / "epicvc.toml"
    config.write_text(config.read_text() + '\n[tables]\nignore = ["find"]\n')
    made.ok("checkpoint", "k")
    findings = made.json("doctor")["findings"]
    assert [one["message"] for one in findings if one["kind"] == "not_captured" and " find " in one["message"]]
    stranded = [one for one in findings if one["kind"] == "stranded_trigger"]
    assert [one["message"].split()[1] for one in stranded] == ["find_i", "find_d", "find_u"]
    assert all("find" in one["message"].split()[-1] for one in stranded)
    said = made.ok("restore", "--at", "2100-01-01", "--to", "then").out
    answer = made.json("restore", "--at", "2100-01-01", "--to", "again")
    assert [one["name"] for one in answer["left_out"]] == ["find_i", "find_d", "find_u"]
    assert {(one["table"], one["missing"]) for one in answer["left_out"]} == {("framework_epics", "find")}
    with closing(sqlite3.connect(made.root / "then" / made.database.name)) as copy:
        copy.execute("UPDATE framework_epics SET name = 'x'")
        assert copy.execute("SELECT 1 FROM sqlite_master WHERE name GLOB 'find*'").fetchall() == []
    assert "trigger find_u of framework_epics" in said or said == ""


def test_in_place_a_trigger_goes_with_the_table_that_it_names(made: EpicRepo) -> None:
    _script(made.database, SEARCH)
    config = made.root / "epicvc.toml"
    config.write_text(config.read_text() + '\n[tables]\nignore = ["find"]\n')
    made.ok("checkpoint", "k")
    _script(made.database, "DROP TRIGGER find_i; DROP TRIGGER find_d; DROP TRIGGER find_u; DROP TABLE find;")
    made.sql("UPDATE framework_epics SET name = 'orchard'")
    answer = made.json("rollback", "k")
    assert [one["name"] for one in answer["left_out"]] == ["find_i", "find_d", "find_u"]
    assert made.json("status")["clean"] is True
    made.sql("UPDATE framework_epics SET name = 'x'")


UNKNOWN = """
    PRAGMA writable_schema=ON;
    INSERT INTO sqlite_master VALUES ('table', 'near', 'near', 0, 'CREATE VIRTUAL TABLE near USING elsewhere(a, b)');
    PRAGMA writable_schema=RESET;
"""


def test_a_module_that_is_not_known_is_named(made: EpicRepo) -> None:
    _script(made.database, "CREATE TABLE near_nodes (id INTEGER PRIMARY KEY, v); INSERT INTO near_nodes VALUES (1, 2)")
    _script(made.database, UNKNOWN)
    made.sql("CREATE TRIGGER near_u AFTER UPDATE ON framework_epics BEGIN INSERT INTO near VALUES (1, 2); END")
    made.ok("checkpoint", "k")
    named = [one["message"] for one in made.json("doctor")["findings"] if one["kind"] == "not_captured"]
    assert named == [f"table {name} is not captured: its module is not known" for name in ("near", "near_nodes")]
    made.sql("UPDATE near_nodes SET v = 3")
    made.sql("UPDATE audit_results SET file_path = 'x'")
    made.ok("rollback", "k")
    assert made.sql("SELECT v FROM near_nodes") == [(3,)]
    assert made.sql("SELECT name FROM sqlite_master WHERE name = 'near'") == [("near",)]
    answer = made.json("restore", "--at", "2100-01-01", "--to", "then")
    assert [one["name"] for one in answer["left_out"]] == ["near_u"]
    with closing(sqlite3.connect(made.root / "then" / made.database.name)) as copy:
        copy.execute("UPDATE framework_epics SET name = 'x'")
        assert copy.execute("SELECT 1 FROM sqlite_master WHERE name GLOB 'near*'").fetchall() == []


def test_init_names_what_it_leaves_out(made: EpicRepo, tmp_path: Path) -> None:
    _script(made.database, UNKNOWN)
    made.sql("CREATE TRIGGER near_u AFTER UPDATE ON framework_epics BEGIN INSERT INTO near VALUES (1, 2); END")
    other = EpicRepo(tmp_path / "other", made.facts)
    (other.root / "epics").mkdir(parents=True)
    other.database.write_bytes(made.database.read_bytes())
    found = other.json("init")
    assert found["not_captured"] == {"near": "its module is not known"}
    assert [one["name"] for one in found["left_out"]] == ["near_u"]


BARE = "CREATE VIRTUAL TABLE bare USING fts5(said, content=''); INSERT INTO bare(rowid, said) VALUES (1, 'one');"


def test_two_changes_of_an_index_that_cannot_be_made_again(made: EpicRepo) -> None:
    _script(made.database, BARE)
    made.ok("commit", "-m", "base")
    made.ok("switch", "-c", "feat")
    made.sql("INSERT INTO bare(rowid, said) VALUES (2, 'two')")
    made.ok("commit", "-m", "theirs")
    made.ok("switch", "main")
    made.sql("UPDATE framework_epics SET priority = 99 WHERE epic_key = '1'")
    made.ok("commit", "-m", "something else")
    made.ok("merge", "feat")  # only one changed it
    assert made.sql("SELECT rowid FROM bare WHERE bare MATCH 'two'") == [(2,)]
    made.ok("undo")
    made.sql("INSERT INTO bare(rowid, said) VALUES (3, 'three')")
    made.ok("commit", "-m", "ours")
    made.refused(5, "merge", "feat", naming="@bare")
    for branch in ("main", "feat"):
        made.ok("switch", branch)
        made.sql("DROP TABLE bare")
        made.ok("commit", "-m", "without")
    made.ok("merge", "main")


def test_both_changed_the_content_of_an_index(made: EpicRepo) -> None:
    _script(made.database, OWN)
    made.ok("commit", "-m", "base")
    made.ok("switch", "-c", "feat")
    made.sql("INSERT INTO words(rowid, said) VALUES (5, 'theirs')")
    made.ok("commit", "-m", "theirs")
    made.ok("switch", "main")
    made.sql("INSERT INTO words(rowid, said) VALUES (6, 'ours')")
    made.ok("commit", "-m", "ours")
    made.ok("merge", "feat")
    assert made.sql("SELECT rowid FROM words WHERE words MATCH 'ours OR theirs OR kept' ORDER BY 1") == [
        (1,),
        (5,),
        (6,),
    ]
    made.sql("INSERT INTO words(words, rank) VALUES ('integrity-check', 1)")
    assert made.json("status")["clean"] is True


def test_a_migration_beside_an_index(made: EpicRepo) -> None:
    _script(made.database, SEARCH + OWN)
    made.ok("commit", "-m", "base")
    own = made.root / "migrations"
    own.mkdir()
    (own / "000_more.sql").write_text(
        "ALTER TABLE framework_epics ADD COLUMN more TEXT; INSERT INTO words VALUES ('migrated');\n"
        "UPDATE framework_epics SET name = 'orchard' WHERE epic_key = '1';\n"
    )
    (own / "000_rollback.sql").write_text("ALTER TABLE framework_epics DROP COLUMN more;\n")
    made.ok("migrate", "baseline", "none")
    made.ok("migrate", "up")
    assert _found(made.database, "orchard") == ["1"]
    made.ok("undo")
    assert _found(made.database, "orchard") == []
    assert made.sql("SELECT 1 FROM words WHERE words MATCH 'migrated'") == []
