"""Databases as other applications make them come back the same, and their applications go on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.repos import NO_FACTS, EpicRepo

DJANGO = """
    CREATE TABLE "django_content_type" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
      "app_label" varchar(100) NOT NULL, "model" varchar(100) NOT NULL);
    CREATE UNIQUE INDEX "ct_uniq" ON "django_content_type" ("app_label", "model");
    CREATE TABLE "app_item" ("id" char(32) NOT NULL PRIMARY KEY, "data" text NOT NULL
      CHECK ((JSON_VALID("data") OR "data" IS NULL)), "size" integer unsigned NOT NULL CHECK ("size" >= 0),
      "is_open" bool NOT NULL, "price" decimal NOT NULL, "made" datetime NULL, "type_id" integer NOT NULL
      REFERENCES "django_content_type" ("id") DEFERRABLE INITIALLY DEFERRED);
    CREATE INDEX "app_item_type" ON "app_item" ("type_id");
    CREATE INDEX "app_item_state" ON "app_item" ((JSON_EXTRACT("data", '$.state'))) WHERE "is_open";
    INSERT INTO "django_content_type" VALUES (3, 'app', 'item'), (4, 'app', 'other');
    INSERT INTO "app_item" VALUES ('a1', '{"state": "new"}', 1, 1, 1.10, '2026-01-01 10:00:00.123', 3),
      ('b2', '[]', 0, 0, 2, NULL, 4);
"""
DJANGO_NEXT = """
    INSERT INTO "app_item" VALUES ('c3', '{}', 5, 1, 1, NULL, 3); UPDATE "app_item" SET "data" = '{"state": "old"}';
    INSERT INTO "django_content_type" ("app_label", "model") VALUES ('app', 'third'); DELETE FROM "app_item" WHERE "id" = 'b2';
"""  # noqa: E501

SAKILA = """
    CREATE TABLE film (film_id INTEGER NOT NULL PRIMARY KEY, title VARCHAR(255) NOT NULL, description BLOB SUB_TYPE TEXT,
      length SMALLINT DEFAULT NULL, rating VARCHAR(10) DEFAULT 'G' CHECK (rating IN ('G', 'PG')), last_update TIMESTAMP);
    CREATE TABLE actor (actor_id numeric NOT NULL, name TEXT COLLATE NOCASE, PRIMARY KEY (actor_id));
    CREATE TABLE film_actor (actor_id INT NOT NULL, film_id INT NOT NULL, PRIMARY KEY (actor_id, film_id),
      FOREIGN KEY (film_id) REFERENCES film (film_id) ON DELETE CASCADE ON UPDATE CASCADE);
    CREATE TABLE film_log (what TEXT, at TEXT);
    CREATE INDEX film_title ON film (title COLLATE NOCASE DESC);
    CREATE VIEW film_list AS SELECT f.film_id AS FID, f.title, group_concat(a.name, ', ') AS actors FROM film f
      LEFT JOIN film_actor fa ON fa.film_id = f.film_id LEFT JOIN actor a ON a.actor_id = fa.actor_id GROUP BY f.film_id;
    CREATE VIEW titles AS SELECT title FROM film_list;
    CREATE TRIGGER film_ai AFTER INSERT ON film BEGIN
      UPDATE film SET last_update = DATETIME('NOW') WHERE rowid = new.rowid; INSERT INTO film_log VALUES ('i', new.title); END;
    CREATE TRIGGER film_au AFTER UPDATE OF title ON film BEGIN INSERT INTO film_log VALUES ('u', new.title); END;
    CREATE TRIGGER film_bd BEFORE DELETE ON film WHEN old.title = 'kept' BEGIN SELECT raise(ABORT, 'kept'); END;
    CREATE TRIGGER titles_io INSTEAD OF INSERT ON titles BEGIN INSERT INTO film (title) VALUES (new.title); END;
    INSERT INTO film (film_id, title, description) VALUES (1, 'boat', x'00ff'), (7, 'kept', 'é'); INSERT INTO actor VALUES
      (1, 'Ann'), (2.5, 'Bob'); INSERT INTO film_actor VALUES (1, 1), (1, 7);
"""  # noqa: E501
SAKILA_NEXT = """
    PRAGMA foreign_keys=ON; INSERT INTO titles VALUES ('house'); UPDATE film SET title = 'ship' WHERE film_id = 1;
    DELETE FROM film WHERE title = 'ship'; INSERT INTO actor VALUES (3, 'Cy');
"""

TYPES = """
    PRAGMA user_version = 7; PRAGMA application_id = 99;
    CREATE TABLE strict_one (id INTEGER PRIMARY KEY, i INT, r REAL, t TEXT, b BLOB, a ANY) STRICT;
    CREATE TABLE pairs (a TEXT, b INT, c, PRIMARY KEY (b DESC, a)) WITHOUT ROWID;
    CREATE TABLE both_kinds (k TEXT PRIMARY KEY, v ANY) STRICT, WITHOUT ROWID;
    CREATE TABLE made (w INT, h INT, area INT GENERATED ALWAYS AS (w * h) STORED UNIQUE, label TEXT AS (w || 'x' || h));
    CREATE INDEX made_label ON made (label) WHERE label IS NOT NULL;
    CREATE INDEX made_sum ON made (w + h, length(label));
    CREATE TABLE "odd ""name" ("a b" INT DEFAULT (1 + 1), "select" TEXT DEFAULT 'x''y'); CREATE TABLE rowids (v);
    INSERT INTO strict_one VALUES (1, 9223372036854775807, 1.0, '', x'', '1'), (-5, NULL, 1e300, 'é', x'00', 1);
    INSERT INTO pairs VALUES ('x', 1, 1.5), ('y', 1, NULL), ('x', 2, '3');
    INSERT INTO both_kinds VALUES ('k', 1), ('l', 1.0);
    INSERT INTO made (w, h) VALUES (2, 3), (4, NULL); INSERT INTO "odd ""name" DEFAULT VALUES;
    INSERT INTO rowids VALUES ('same'), ('same'), ('gone'); DELETE FROM rowids WHERE v = 'gone';
"""
TYPES_NEXT = """
    INSERT INTO strict_one (t) VALUES ('n'); UPDATE strict_one SET a = 2.5; DELETE FROM pairs WHERE b = 1;
    INSERT INTO pairs VALUES ('z', 9, 9); UPDATE made SET h = 9; INSERT INTO made (w, h) VALUES (1, 1);
    UPDATE both_kinds SET v = 'w'; DELETE FROM rowids; INSERT INTO rowids VALUES ('other'); DELETE FROM "odd ""name";
"""

SEARCH = """
    CREATE TABLE mail (id INTEGER PRIMARY KEY, subject TEXT, body TEXT, meta TEXT AS (json_object('s', subject)));
    CREATE TABLE tag (name TEXT PRIMARY KEY);
    CREATE VIRTUAL TABLE mail_find USING fts5(subject, body, content='mail', content_rowid='id', tokenize='porter');
    CREATE VIRTUAL TABLE tag_find USING fts5(name, content='tag', content_rowid='rowid', prefix='1 2');
    CREATE VIRTUAL TABLE note USING fts5(words, extra UNINDEXED); CREATE VIRTUAL TABLE old_note USING fts4(words);
    CREATE VIRTUAL TABLE bare USING fts5(words, content=''); CREATE VIRTUAL TABLE place USING rtree(id, x0, x1);
    CREATE VIRTUAL TABLE terms USING fts5vocab('note', 'row');
    CREATE TRIGGER mail_ai AFTER INSERT ON mail BEGIN
      INSERT INTO mail_find(rowid, subject, body) VALUES (new.id, new.subject, new.body); END;
    CREATE TRIGGER mail_ad AFTER DELETE ON mail BEGIN
      INSERT INTO mail_find(mail_find, rowid, subject, body) VALUES ('delete', old.id, old.subject, old.body); END;
    CREATE TRIGGER mail_au AFTER UPDATE ON mail BEGIN
      INSERT INTO mail_find(mail_find, rowid, subject, body) VALUES ('delete', old.id, old.subject, old.body);
      INSERT INTO mail_find(rowid, subject, body) VALUES (new.id, new.subject, new.body); END;
    CREATE TRIGGER tag_ai AFTER INSERT ON tag BEGIN INSERT INTO tag_find(rowid, name) VALUES (new.rowid, new.name); END;
    CREATE TRIGGER tag_ad AFTER DELETE ON tag BEGIN
      INSERT INTO tag_find(tag_find, rowid, name) VALUES ('delete', old.rowid, old.name); END;
    INSERT INTO mail (id, subject, body) VALUES (1, 'gardens', 'beans'), (5, 'boat', NULL);
    INSERT INTO tag VALUES ('zebra'), ('ant'); INSERT INTO note VALUES ('garden', 1), ('hull', x'01');
    INSERT INTO old_note VALUES ('garden'); INSERT INTO bare(rowid, words) VALUES (4, 'garden');
    INSERT INTO place VALUES (1, 0.5, 2.5), (2, 10, 20);
"""
SEARCH_NEXT = """
    INSERT INTO mail (subject, body) VALUES ('wasp', 'garden'); UPDATE mail SET body = 'hull' WHERE id = 1;
    DELETE FROM mail WHERE id = 5; INSERT INTO tag VALUES ('bee'); DELETE FROM tag WHERE name = 'ant';
    INSERT INTO note VALUES ('bee', 2); DELETE FROM note WHERE note MATCH 'hull'; UPDATE old_note SET words = 'bee';
    INSERT INTO bare(rowid, words) VALUES (8, 'bee'); UPDATE place SET x1 = 3 WHERE id = 1; DELETE FROM place WHERE id = 2;
    INSERT INTO mail_find(mail_find, rank) VALUES ('integrity-check', 1); INSERT INTO note(note) VALUES ('integrity-check');
    INSERT INTO tag_find(tag_find, rank) VALUES ('integrity-check', 1); INSERT INTO old_note(old_note) VALUES ('integrity-check');
"""  # noqa: E501

SCHEMAS = {
    "django": (DJANGO, DJANGO_NEXT),
    "sakila": (SAKILA, SAKILA_NEXT),
    "types": (TYPES, TYPES_NEXT),
    "search": (SEARCH, SEARCH_NEXT),
}
SEARCHES = (
    "SELECT rowid FROM mail_find WHERE mail_find MATCH 'garden OR bee OR hull' ORDER BY 1",
    "SELECT name FROM tag_find WHERE tag_find MATCH 'zeb* OR a* OR bee' ORDER BY 1",
    "SELECT words, extra FROM note WHERE note MATCH 'garden OR bee OR hull' ORDER BY 1",
    "SELECT words FROM old_note WHERE old_note MATCH 'garden OR bee' ORDER BY 1",
    "SELECT rowid FROM bare WHERE bare MATCH 'garden OR bee' ORDER BY 1",
    "SELECT id FROM place WHERE x0 < 15 ORDER BY 1",
    "SELECT term, doc FROM terms ORDER BY 1",
)
DERIVED = ("_data", "_idx", "_docsize", "_segdir", "_segments", "_stat", "_node", "_rowid", "_parent")
"""How the tables end that hold an index; equal indexes may be held in different ways."""


def _run(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def _state(path: Path) -> list[object]:
    """Definitions in their order, rows with types, and what searches find."""
    with closing(sqlite3.connect(path)) as connection:
        entries = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY rowid").fetchall()
        entries = [entry for entry in entries if not entry[2].startswith("_epicvc_")]
        found: list[object] = [
            sorted(entries, key=lambda entry: (entry[0], entry[0] in {"table", "index"} and entry[1]))
        ]
        names = {name for kind, name, *_ in entries if kind == "table"}
        for name in sorted(names):
            bare = name == "bare" or name.startswith("bare_")
            if not name.endswith(DERIVED) and not (bare and not name.endswith("_config")):
                quoted = '"' + name.replace('"', '""') + '"'
                columns = [row[1] for row in connection.execute(f"PRAGMA table_xinfo({quoted})") if row[6] != 1]
                listed = ", ".join(
                    f"typeof({c}), quote({c})" for c in ('"' + c.replace('"', '""') + '"' for c in columns)
                )
                found.append((name, sorted(connection.execute(f"SELECT {listed} FROM {quoted}"))))
        if "mail_find" in names:
            found += [connection.execute(query).fetchall() for query in SEARCHES]
        found += [connection.execute(f"PRAGMA {name}").fetchall() for name in ("user_version", "application_id")]
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return found


@pytest.fixture(params=SCHEMAS)
def schema(request: pytest.FixtureRequest) -> tuple[str, str]:
    return SCHEMAS[request.param]


@pytest.fixture
def foreign(tmp_path: Path, schema: tuple[str, str]) -> EpicRepo:
    """A repo of a database that is another application's."""
    repo = EpicRepo(tmp_path / "repo", NO_FACTS)
    repo.directory.mkdir(parents=True)
    repo.ok("init")
    _run(repo.database, schema[0])
    (repo.root / "epicvc.toml").write_text('[files]\ndir = "epics"\n[database]\nurl = "framework.db"\n')
    repo.ok("checkpoint", "k")
    return repo


def _damage(path: Path) -> None:
    """Drop all that there is."""
    with closing(sqlite3.connect(path)) as connection:
        for kind in ("view", "table"):
            found = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = ?", [kind]).fetchall()
            for name, _ in sorted(found, key=lambda entry: not str(entry[1]).startswith("CREATE VIRTUAL")):
                if not name.startswith(("sqlite_", "_epicvc_")):
                    quoted = '"' + name.replace('"', '""') + '"'
                    connection.execute(f"DROP {kind} IF EXISTS {quoted}")
        connection.commit()


def test_it_comes_back_and_its_application_goes_on(foreign: EpicRepo, schema: tuple[str, str]) -> None:
    path, following = foreign.database, schema[1]
    first = _state(path)
    _run(path, following)
    second = _state(path)
    assert second != first
    for command, wanted in (("rollback k", first), ("undo", second), ("redo", first), ("undo", second)):
        foreign.ok(*command.split())
        assert _state(path) == wanted, command
    foreign.ok("checkpoint", "later")
    _damage(path)
    foreign.ok("rollback", "later")
    assert _state(path) == second
    _damage(path)
    foreign.ok("rollback", "k")
    assert _state(path) == first
    _run(path, following)
    if schema is not SCHEMAS["sakila"]:  # which writes down the time
        assert _state(path) == second


def test_it_comes_to_another_place(foreign: EpicRepo, schema: tuple[str, str]) -> None:
    path, following = foreign.database, schema[1]
    first = _state(path)
    _run(path, following)
    foreign.ok("restore", "--at", "2100-01-01", "--to", "then")
    then = foreign.root / "then" / path.name
    assert _state(then) == first
    _run(then, following)
    if schema is not SCHEMAS["sakila"]:
        assert _state(then) == _state(path)
