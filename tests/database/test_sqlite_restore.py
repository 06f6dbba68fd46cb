"""A restore gives back exactly what was captured, whatever happened in between."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import to_builtins

from epicvc.database.backend import Change
from epicvc.database.rowcodec import encode_key, encode_row
from epicvc.database.tables import Definition, KeyKind, Schema, TableInfo
from epicvc.errors import EpicvcError, InvalidData, InvalidRow, UnsupportedSchema

from .helpers import Capture, capture, changes, dump, restore, run_script, sqlite_backend

NASTY = (Path(__file__).parent / "nasty.sql").read_text()


@pytest.fixture
def nasty(tmp_path: Path) -> Path:
    run_script(tmp_path / "nasty.db", NASTY)
    return tmp_path / "nasty.db"


@pytest.fixture(params=["one by one", "having waited"])
def waiting(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    """Where rows wait before the lock is taken, if they do."""
    return tmp_path / "waiting" if request.param == "having waited" else None


def without_statistics(lines: list[str]) -> list[str]:
    return [line for line in lines if "sqlite_stat" not in line]


def test_into_an_empty_database(nasty: Path, tmp_path: Path) -> None:
    target = capture(sqlite_backend(nasty))
    copy = sqlite_backend(tmp_path / "copy.db")
    restore(copy, target)
    assert capture(copy) == target
    assert capture(copy).schema.to_json_bytes() == target.schema.to_json_bytes()
    assert without_statistics(dump(nasty)) == dump(tmp_path / "copy.db")
    with copy.read() as here, sqlite_backend(nasty).read() as there:
        assert here.faults() == there.faults()
        assert len(there.faults()) == 6


def test_the_schema_survives_its_bytes(nasty: Path) -> None:
    schema = capture(sqlite_backend(nasty)).schema
    assert Schema.from_json_bytes(schema.to_json_bytes()) == schema
    kinds = {table.name: (table.kind, table.without_rowid) for table in schema.tables}
    assert kinds['weird "name'] == (KeyKind.INTEGER, False)
    assert kinds["order"] == kinds["not_an_alias"] == (KeyKind.PRIMARY, False)
    assert kinds["without_number"] == (KeyKind.PRIMARY, True)
    assert kinds["no_key"] == (KeyKind.ROWID, False)
    assert schema.by_name["generated"].columns == ("id", "price", "n", "after")
    assert [index.name for index in schema.by_name["child"].indexes] == ["b_first", "a_second"]
    assert [view.name for view in schema.views] == ["z_base", "a view", "broken", "m_third"]


def test_keys_are_unique_and_in_order(nasty: Path) -> None:
    backend = sqlite_backend(nasty)
    with backend.read() as reader:
        for table in reader.tables():
            rows = list(reader.rows(table.name))
            keys = [key for key, _ in rows]
            assert keys == sorted(set(keys)), table.name
            assert len(keys) == reader.count(table.name)
            for key, row in rows:
                assert reader.row(table.name, key) == row


DAMAGE = {
    "rows": """DROP TRIGGER forbid; DELETE FROM child; DELETE FROM parent WHERE id = 1;
        UPDATE parent SET id = id + 10;""",
    "dropped tables": 'DROP TABLE "order"; DROP TABLE parent; DROP TABLE counted; DROP TABLE "weird ""name";',
    "renamed": """PRAGMA legacy_alter_table=ON; ALTER TABLE parent RENAME TO elsewhere;
        ALTER TABLE log RENAME TO log2; ALTER TABLE log2 RENAME TO LOG;""",
    "columns": """PRAGMA legacy_alter_table=ON; DROP VIEW broken; ALTER TABLE log ADD COLUMN more;
        ALTER TABLE generated RENAME COLUMN price TO cost;""",
    "views": """DROP VIEW z_base; DROP VIEW broken; CREATE VIEW "a first" AS SELECT 1;
        CREATE VIEW z_base AS SELECT 1 AS id;""",
    "indexes": """DROP INDEX b_first; CREATE INDEX b_first ON child (p);
        DROP INDEX "index"; CREATE INDEX "index" ON log (what);""",
    "triggers": """DROP TRIGGER z_log; CREATE TRIGGER z_log AFTER INSERT ON log BEGIN DELETE FROM log; END;
        DROP TRIGGER forbid;""",
    "swapped kinds": "DROP VIEW z_base; CREATE TABLE z_base (id); DROP TABLE log; CREATE VIEW log AS SELECT 1;",
    "counters": """UPDATE sqlite_sequence SET seq = 1000; INSERT INTO never_counted VALUES (7, 'x');
        DELETE FROM counted_too;""",
    "numbers": "PRAGMA user_version=1; PRAGMA application_id=0;",
    "additions": "CREATE TABLE extra (a, b); CREATE INDEX extra_a ON extra (a); CREATE TABLE x2 (a ANY) STRICT;",
    "case of a key": """UPDATE without_number SET name = upper(name);
        UPDATE "order" SET a = a + 0.0 WHERE typeof(a) = 'integer';""",
    "everything": """DROP TABLE child; DROP TABLE generated; DROP TABLE strict_one; DROP TABLE no_key;
        DROP TABLE not_an_alias;""",
    "row numbers": """UPDATE no_key SET oid = oid + 1; UPDATE not_an_alias SET rowid = rowid + 100;
        UPDATE not_an_alias SET v = 'z';""",
}


@pytest.mark.parametrize("script", DAMAGE.values(), ids=DAMAGE.keys())
def test_after_damage(nasty: Path, script: str, waiting: Path | None) -> None:
    backend = sqlite_backend(nasty)
    target, before = capture(backend), dump(nasty)
    run_script(nasty, script)
    assert capture(backend) != target
    restore(backend, target, waiting=waiting)
    assert capture(backend) == target
    assert without_statistics(dump(nasty)) == without_statistics(before)


@pytest.mark.parametrize("script", DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_itself_can_be_restored(nasty: Path, tmp_path: Path, script: str, waiting: Path | None) -> None:
    run_script(nasty, script)
    damaged = capture(sqlite_backend(nasty))
    run_script(tmp_path / "other.db", NASTY)
    other = sqlite_backend(tmp_path / "other.db")
    restore(other, damaged, waiting=waiting)
    assert capture(other) == damaged
    assert without_statistics(dump(tmp_path / "other.db")) == without_statistics(dump(nasty))


VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.binary(max_size=8),
)
TABLES = ["order", "no_key", "without_number", "not_an_alias", "strict_one", "counted", "child", 'weird "name']
EDIT = st.tuples(
    st.sampled_from(["insert", "delete", "update"]), st.sampled_from(TABLES), st.integers(0, 40), VALUES, VALUES
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(EDIT, min_size=1, max_size=12))
def test_after_random_edits(
    nasty: Path, waiting: Path | None, edits: list[tuple[str, str, int, object, object]]
) -> None:
    """One database all along: what an edit leaves behind is where the next restore starts."""
    backend = sqlite_backend(nasty)
    target, before = capture(backend), dump(nasty)
    connection = sqlite3.connect(nasty, isolation_level=None)
    connection.execute("BEGIN")
    for kind, name, at, one, two in edits:
        table = target.schema.by_name[name]
        quoted = '"' + name.replace('"', '""') + '"'
        columns = ['"' + column.replace('"', '""') + '"' for column in table.columns]
        try:
            if kind == "insert":
                into = f"{quoted} ({columns[0]}, {columns[1]})"
                connection.execute(f"INSERT OR IGNORE INTO {into} VALUES (?, ?)", [one, two])
            elif kind == "delete":
                connection.execute(f"DELETE FROM {quoted} WHERE {columns[at % len(columns)]} IS NOT ?", [one])
            else:
                connection.execute(f"UPDATE OR IGNORE {quoted} SET {columns[at % len(columns)]} = ?", [one])
        except sqlite3.Error:
            pass  # what the database refuses does no damage
    connection.execute("COMMIT")
    connection.close()
    damaged, after = capture(backend), dump(nasty)
    restore(backend, target, waiting=waiting)
    assert capture(backend) == target
    assert dump(nasty) == before
    restore(backend, damaged, waiting=waiting)
    assert capture(backend) == damaged
    assert dump(nasty) == after
    restore(backend, target, waiting=waiting)


def test_no_trigger_fires(nasty: Path) -> None:
    backend = sqlite_backend(nasty)
    target = capture(backend)
    lines = len(target.rows["log"])
    run_script(
        nasty, "DROP TRIGGER forbid; DELETE FROM child; DELETE FROM parent; DELETE FROM log; DELETE FROM counted;"
    )
    restore(backend, target)
    with backend.read() as reader:
        assert reader.count("log") == lines
        assert reader.count("counted_too") == 0
    run_script(nasty, "INSERT INTO parent VALUES (50, 'x')")
    with backend.read() as reader:
        assert reader.count("log") == lines + 1  # they are there again


def test_statistics_and_ignored_tables_stay(nasty: Path) -> None:
    backend = sqlite_backend(nasty, ignore=frozenset(["Counted", "parent"]))
    with closing(sqlite3.connect(nasty)) as connection, connection:
        statistics = connection.execute("SELECT * FROM sqlite_stat1 ORDER BY 1, 2, 3").fetchall()
        ignored = connection.execute("SELECT * FROM counted").fetchall()
    connection.close()
    target = capture(backend)
    names = {table.name for table in target.schema.tables}
    assert not names & {"counted", "parent"}
    assert {trigger.name for trigger in target.schema.triggers} == {"forbid", "through"}
    run_script(
        nasty, "DELETE FROM log; INSERT INTO counted(v) VALUES ('more'); INSERT INTO never_counted VALUES (3, 'x');"
    )
    restore(backend, target)
    assert capture(backend) == target
    connection = sqlite3.connect(nasty)
    assert connection.execute("SELECT * FROM sqlite_stat1 ORDER BY 1, 2, 3").fetchall() == statistics
    assert len(connection.execute("SELECT * FROM counted").fetchall()) == len(ignored) + 1
    counter = "SELECT seq FROM sqlite_sequence WHERE name = ?"
    assert connection.execute(counter, ["counted"]).fetchone() == (91,)
    assert connection.execute(counter, ["never_counted"]).fetchone() is None
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'counted_log'").fetchone() == (1,)
    connection.close()


def test_a_row_number_that_is_taken_is_given_up(tmp_path: Path) -> None:
    script = "CREATE TABLE t (k TEXT PRIMARY KEY, v); INSERT INTO t VALUES (NULL, 'null'), ('a', 1);"
    backend = sqlite_backend(tmp_path / "t.db", script)
    target = capture(backend)
    run_script(tmp_path / "t.db", "DELETE FROM t WHERE k IS NULL; UPDATE t SET rowid = 1;")
    restore(backend, target)
    assert capture(backend) == target


def test_a_value_that_comes_back_otherwise_is_named(tmp_path: Path) -> None:
    backend = sqlite_backend(tmp_path / "t.db", "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, r REAL)")
    target = capture(backend)
    for values, column in (
        ((1, "12", None), "n"),
        ((1, 1.0, None), "n"),
        ((1, None, 5), "r"),
        ((1, float("nan"), 1.0), "n"),
    ):
        with backend.write(as_restore=True) as writer, pytest.raises(InvalidRow) as caught:
            writer.restore(target.schema, {"t": [(encode_key([1]), None, encode_row(values))]}, target.source)
        assert (caught.value.table, caught.value.row, caught.value.column) == ("t", "1", column)
    assert capture(backend) == target


def test_a_recreated_table_is_compared_whole(tmp_path: Path) -> None:
    backend = sqlite_backend(tmp_path / "t.db")
    table = TableInfo("t", "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)", ("id", "n"), ("id",), KeyKind.INTEGER)
    schema = Schema((table,))
    good = {encode_key([1]): encode_row([1, 5])}
    for bad in (
        {encode_key([1]): encode_row([1, "5"])},
        {encode_key([1]): encode_row([2, 5])},
        good | {encode_key([2]): encode_row([3, 5])},
    ):
        with pytest.raises(InvalidRow):
            restore(backend, Capture(schema, {"t": bad}))
    restore(backend, Capture(schema, {"t": good}))
    assert capture(backend).rows["t"] == good


HOSTILE = {
    "another statement": Definition("t", "DROP TABLE victim"),
    "two statements": Definition("t", "CREATE TABLE t (id INTEGER PRIMARY KEY); DROP TABLE victim"),
    "another name": Definition("t", "CREATE TABLE other (id INTEGER PRIMARY KEY)"),
    "another database": Definition("t", "CREATE TABLE temp.t (id INTEGER PRIMARY KEY)"),
    "a query": Definition("t", "CREATE TABLE t AS SELECT * FROM victim"),
    "other columns": Definition("t", "CREATE TABLE t (other INTEGER PRIMARY KEY)"),
    "a reserved name": Definition("sqlite_t", "CREATE TABLE sqlite_t (id INTEGER PRIMARY KEY)"),
    "nonsense": Definition("t", "CREATE TABLE t ("),
    "a virtual table": Definition("t", "CREATE VIRTUAL TABLE t USING fts5(id)"),
    "an unknown collation": Definition("t", "CREATE TABLE t (id TEXT PRIMARY KEY COLLATE unknown)"),
}


@pytest.mark.parametrize("definition", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_definition_does_nothing(tmp_path: Path, definition: Definition) -> None:
    path = tmp_path / "t.db"
    backend = sqlite_backend(path, "CREATE TABLE victim (id INTEGER PRIMARY KEY); INSERT INTO victim VALUES (1);")
    target, before = capture(backend), dump(path)
    table = TableInfo(definition.name, definition.sql, ("id",), ("id",), KeyKind.INTEGER)
    schema = Schema(tuple(sorted([*target.schema.tables, table], key=lambda one: one.name)))
    with pytest.raises(InvalidData):
        restore(backend, Capture(schema, dict(target.rows) | {table.name: {}}))
    assert dump(path) == before
    for kind in ("views", "triggers"):
        wrong = Schema(target.schema.tables, **{kind: (definition,)})
        with pytest.raises(UnsupportedSchema):
            restore(backend, Capture(wrong, target.rows))
    assert dump(path) == before


def test_another_product_s_schema(tmp_path: Path) -> None:
    backend = sqlite_backend(tmp_path / "t.db")
    with pytest.raises(InvalidData, match="postgresql"):
        restore(backend, Capture(Schema(dialect="postgresql"), {}))


def test_changes_of_an_unknown_table(tmp_path: Path) -> None:
    backend = sqlite_backend(tmp_path / "t.db")
    change: Change = (encode_key([1]), None, encode_row([1]))
    with backend.write(as_restore=True) as writer, pytest.raises(InvalidData, match="nothing"):
        writer.restore(Schema(), {"nothing": [change]}, lambda table: iter(()))


def test_restore_wants_its_own_kind_of_transaction(tmp_path: Path) -> None:
    backend = sqlite_backend(tmp_path / "t.db")
    with backend.write() as writer, pytest.raises(ValueError, match="as_restore"):
        writer.restore(Schema(), {}, lambda table: iter(()))


def test_changes_may_be_an_iterator(nasty: Path) -> None:
    backend = sqlite_backend(nasty)
    target = capture(backend)
    run_script(nasty, "UPDATE parent SET code = code || 'x'")
    difference = {name: iter(found) for name, found in changes(capture(backend), target).items()}
    with backend.write(as_restore=True) as writer:
        writer.restore(target.schema, difference, target.source)
        writer.commit()
    assert capture(backend) == target


@settings(deadline=None)
@given(data=st.binary(max_size=60))
def test_bytes_that_are_no_schema(data: bytes) -> None:
    with pytest.raises(InvalidData):
        Schema.from_json_bytes(data)


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_a_schema_has_the_canonical_form_of_the_format_document(text: str) -> None:
    table = TableInfo(text, text, ("id",), ("id",), KeyKind.PRIMARY, False, (Definition(text, "x"),))
    schema = Schema((table,), (Definition("v", text),), (Definition(text, text),), 7)
    assert schema.by_name[text].key_indexes == (0,)  # what is remembered of it is no part of it
    form = json.dumps(to_builtins(schema), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert schema.to_json_bytes() == form.encode()


@given(data=st.data())
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_schema(data: st.DataObject) -> None:
    table = TableInfo("t", "CREATE TABLE t (id)", ("id",), ("id",), KeyKind.PRIMARY, False, (Definition("i", "x"),))
    whole = Schema((table,), (Definition("v", "é"),)).to_json_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:at] + data.draw(st.binary(max_size=2)) + whole[at + data.draw(st.integers(0, 2)) :]
    try:
        schema = Schema.from_json_bytes(damaged)
    except EpicvcError as error:
        assert isinstance(error, InvalidData)
    else:
        assert schema.to_json_bytes() == damaged
