"""What a transaction touched, compared with what is different afterwards."""

from __future__ import annotations

import gzip
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from epicvc.database.rowcodec import encode_key
from epicvc.database.sqlite.backend import SQLiteBackend
from epicvc.errors import ConstraintBroken

from .helpers import sqlite_backend, touched_keys

REAL = Path(__file__).parents[3] / "shared/data/real/framework.db.gz"

# what the real schema does: points, streaks by INSERT OR REPLACE, cascades, a trigger that updates its own
# table
TWIN = """
CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, points INTEGER DEFAULT 0);
CREATE TABLE streaks (id INTEGER PRIMARY KEY AUTOINCREMENT, user INTEGER NOT NULL REFERENCES users(id), kind
TEXT,
  n INTEGER, UNIQUE (user, kind));
CREATE TABLE epics (id INTEGER PRIMARY KEY AUTOINCREMENT, "key" TEXT NOT NULL UNIQUE);
CREATE TABLE tasks (id INTEGER PRIMARY KEY AUTOINCREMENT, epic INTEGER REFERENCES epics(id) ON DELETE CASCADE
  ON UPDATE CASCADE, status TEXT DEFAULT 'pending', points INTEGER DEFAULT 0, assigned INTEGER, touched
  INTEGER DEFAULT 0);
CREATE TABLE notes (name TEXT PRIMARY KEY, v) WITHOUT ROWID;
CREATE TABLE audit (what TEXT, row INTEGER);
CREATE TABLE settings (k TEXT PRIMARY KEY ON CONFLICT REPLACE, v);
CREATE VIEW open_tasks AS SELECT * FROM tasks WHERE status = 'pending';
CREATE TRIGGER points AFTER UPDATE OF status ON tasks WHEN NEW.status = 'completed' BEGIN
  UPDATE tasks SET points = 10, touched = touched + 1 WHERE id = NEW.id; END;
CREATE TRIGGER user_points AFTER UPDATE OF points ON tasks WHEN NEW.assigned IS NOT NULL BEGIN
  UPDATE users SET points = points + NEW.points WHERE id = NEW.assigned; END;
CREATE TRIGGER streak AFTER UPDATE OF status ON tasks WHEN NEW.assigned IS NOT NULL BEGIN
  INSERT OR REPLACE INTO streaks (user, kind, n) SELECT NEW.assigned, 'daily', coalesce((SELECT n FROM
  streaks), 0) + 1; END;
CREATE TRIGGER gone AFTER DELETE ON tasks BEGIN INSERT INTO audit VALUES ('gone', OLD.id); END;
CREATE TRIGGER close INSTEAD OF DELETE ON open_tasks BEGIN UPDATE tasks SET status = 'closed' WHERE id =
OLD.id; END; CREATE TRIGGER came AFTER INSERT ON epics BEGIN
  INSERT INTO audit VALUES ('came ' || last_insert_rowid(), NEW.id);
  INSERT INTO notes VALUES (NEW."key", changes()) ON CONFLICT (name) DO UPDATE SET v = v; END;
INSERT INTO users VALUES (1, 'ana', 0), (2, 'bob', 0);
INSERT INTO epics VALUES (1, 'one'), (2, 'two');
INSERT INTO tasks (epic, assigned) VALUES (1, 1), (1, NULL), (2, 2), (2, 1);
INSERT INTO settings VALUES ('a', 1), ('b', 2);
"""

EDITS = [
    "UPDATE tasks SET status = 'completed' WHERE id = 1",
    "UPDATE tasks SET status = 'completed' WHERE assigned IS NOT NULL",
    "UPDATE tasks SET id = id + 100 WHERE id = 3",
    "UPDATE tasks SET touched = touched WHERE id < 3",
    "DELETE FROM epics WHERE id = 1",
    "DELETE FROM tasks",
    "DELETE FROM open_tasks WHERE epic = 2",
    "UPDATE epics SET id = 20 WHERE id = 2",
    "INSERT INTO epics (\"key\") VALUES ('new')",
    "INSERT OR REPLACE INTO epics (\"key\") VALUES ('two')",
    "REPLACE INTO users (id, name) VALUES (1, 'bob')",
    "INSERT OR IGNORE INTO users (name) VALUES ('ana'), ('cid')",
    "INSERT INTO users (name) VALUES ('ana') ON CONFLICT (name) DO UPDATE SET points = 5",
    "INSERT INTO settings VALUES ('a', 5), ('c', 6)",
    "UPDATE settings SET k = 'b' WHERE k = 'a'",
    "UPDATE notes SET name = upper(name)",
    "UPDATE OR REPLACE users SET name = 'ana'",
    "UPDATE audit SET rowid = rowid + 5",
]


def check(backend: SQLiteBackend, edits: list[str]) -> dict[str, set[bytes] | None]:
    """Run edits; everything that is different afterwards must be in what was touched."""
    with backend.write() as writer:
        names = [table.name for table in writer.tables()]
        before = {name: dict(writer.rows(name)) for name in names}
        for edit in edits:
            with suppress(ConstraintBroken):
                writer.execute(edit)
        touched = touched_keys(writer)
        after = {name: dict(writer.rows(name)) for name in names}
    for name in names:
        here, there = before[name], after[name]
        different = {key for key in here.keys() | there.keys() if here.get(key) != there.get(key)}
        known = touched.get(name, set())
        assert known is None or different <= known, (name, edits)
    return touched


@pytest.fixture
def twin(tmp_path: Path) -> SQLiteBackend:
    return sqlite_backend(tmp_path / "twin.db", TWIN)


@pytest.mark.parametrize("edit", EDITS)
def test_every_edit(twin: SQLiteBackend, edit: str) -> None:
    check(twin, [edit])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(EDITS), min_size=2, max_size=6))
def test_edits_together(twin: SQLiteBackend, edits: list[str]) -> None:
    check(twin, edits)


def keys(*numbers: int) -> frozenset[bytes]:
    return frozenset(encode_key([number]) for number in numbers)


def test_what_triggers_did_is_exact(twin: SQLiteBackend) -> None:
    touched = check(twin, ["UPDATE tasks SET status = 'completed' WHERE id = 1"])
    del touched["sqlite_sequence"]
    assert touched == {"tasks": keys(1), "users": keys(1), "streaks": keys(1)}
    touched = check(twin, ["DELETE FROM epics WHERE id = 1"])
    del touched["sqlite_sequence"]
    assert touched == {"epics": keys(1), "tasks": keys(1, 2), "audit": keys(3, 4)}


def test_rows_that_replace_removed_are_unknown(twin: SQLiteBackend) -> None:
    done = "UPDATE tasks SET status = 'completed' WHERE id = {}"
    # the second replaces the streak of the first, which nobody else has seen
    touched = check(twin, [done.format(1), done.format(4)])
    assert touched["streaks"] == keys(2)
    assert touched["tasks"] == keys(1, 4)
    with twin.write() as writer:
        writer.execute(done.format(1))
        writer.commit()
    touched = check(twin, [done.format(4)])
    assert touched["streaks"] is None
    touched = check(twin, ["UPDATE users SET points = 1", "REPLACE INTO users (id, name) VALUES (1, 'bob')"])
    assert touched["users"] is None


def test_the_application_s_triggers_notice_nothing(twin: SQLiteBackend) -> None:
    with twin.write() as writer:
        writer.execute("INSERT INTO epics (id, \"key\") VALUES (77, 'x')")
        assert list(writer.execute("SELECT last_insert_rowid(), changes()")) == [(77, 1)]
        assert list(writer.execute("SELECT what, row FROM audit WHERE row = 77")) == [("came 77", 77)]
        assert touched_keys(writer)["epics"] == keys(77)


def test_definitions_that_change_make_everything_unknown(twin: SQLiteBackend) -> None:
    with twin.write() as writer:
        writer.execute("ALTER TABLE users ADD COLUMN more")
        assert set(writer.touched().values()) == {None}
        assert {"users", "tasks", "sqlite_sequence"} <= set(writer.touched())


def test_nothing_is_left_behind(twin: SQLiteBackend) -> None:
    with twin.read() as reader:
        before = reader.schema()
    with twin.write() as writer:
        writer.execute("DELETE FROM tasks")
        writer.commit()
    with twin.read() as reader:
        assert reader.schema() == before
        assert list(reader.execute("SELECT name FROM sqlite_master WHERE name LIKE '%epicvc%'")) == []


def test_a_savepoint_takes_its_keys_with_it(twin: SQLiteBackend) -> None:
    with twin.write() as writer:
        writer.execute("SAVEPOINT s")
        writer.execute("DELETE FROM tasks")
        writer.execute("ROLLBACK TO s")
        assert writer.touched() == {}


def test_without_tracking(twin: SQLiteBackend) -> None:
    with twin.write(track=False) as writer:
        writer.execute("DELETE FROM tasks")
        assert writer.touched()["tasks"] is None
        assert set(writer.touched()) == {table.name for table in writer.tables()}
    with twin.write(as_restore=True) as writer:
        assert writer.touched() == {}
        writer.execute("DELETE FROM audit")
        assert set(writer.touched().values()) == {None}


def test_the_real_database(tmp_path: Path) -> None:
    if not REAL.exists():
        pytest.skip("the real database is not beside this checkout")
    path = tmp_path / "real.db"
    path.write_bytes(gzip.decompress(REAL.read_bytes()))
    backend = SQLiteBackend(path)
    with backend.read() as reader:
        task, user = next(reader.execute("SELECT t.id, u.id FROM framework_tasks t, framework_users u"))
        assert len(reader.faults()) == 146
    touched = check(
        backend,
        [
            f"UPDATE framework_tasks SET status = 'pending', assigned_to = {user} WHERE id = {task}",
            f"UPDATE framework_tasks SET status = 'completed' WHERE id = {task}",
        ],
    )
    number = frozenset([encode_key([task])])
    assert touched.pop("framework_tasks") == number
    assert touched.pop("framework_users") == frozenset([encode_key([user])])
    assert touched.pop("user_streaks") is None  # INSERT OR REPLACE of the streak that was there
    assert set(touched) <= {"sqlite_sequence"}
