"""What every backend has to do, written against the protocol alone.

A backend runs it with a class of its own::

    class TestMine(BackendConformance):
        @pytest.fixture
        def new_backend(self, ...): return a function name, **options -> Backend of an empty, created
        database;
                                    the same name is the same database
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest

from epicvc.database.backend import Backend, Fault, Writer
from epicvc.database.rowcodec import decode_key, decode_row, encode_key, encode_row
from epicvc.errors import ChangedSince, ConstraintBroken, InvalidData, InvalidRow, NotFound

from .helpers import Capture, capture, changes, restore, touched_keys

NewBackend: TypeAlias = Callable[..., Backend]

SCHEMA = [
    'CREATE TABLE epics (id INTEGER PRIMARY KEY, "key" TEXT NOT NULL UNIQUE, size REAL)',
    "CREATE TABLE tasks (id INTEGER PRIMARY KEY, epic INTEGER REFERENCES epics(id) ON DELETE CASCADE, title TEXT)",
    'CREATE TABLE "weird ""name" (a TEXT, "select" TEXT, PRIMARY KEY (a, "select"))',
]
ROWS = [
    ("INSERT INTO epics VALUES (?, ?, ?)", [2, "two", 0.5]),
    ("INSERT INTO epics VALUES (?, ?, ?)", [1, "one", None]),
    ("INSERT INTO tasks VALUES (?, ?, ?)", [10, 1, "ten"]),
    ("INSERT INTO tasks VALUES (?, ?, ?)", [11, 1, "éleven"]),
    ('INSERT INTO "weird ""name" VALUES (?, ?)', ["b", "x"]),
    ('INSERT INTO "weird ""name" VALUES (?, ?)', ["a", "y"]),
]


def fill(backend: Backend) -> Backend:
    with backend.write() as writer:
        for statement in SCHEMA:
            writer.execute(statement)
        for statement, values in ROWS:
            writer.execute(statement, values)
        writer.commit()
    return backend


def key(*values: object) -> bytes:
    return encode_key(values)  # type: ignore[arg-type]


def row(*values: object) -> bytes:
    return encode_row(values)  # type: ignore[arg-type]


class BackendConformance:
    @pytest.fixture
    def backend(self, new_backend: NewBackend) -> Backend:
        return fill(new_backend("main"))

    # reading

    def test_an_empty_database_has_nothing(self, new_backend: NewBackend) -> None:
        backend = new_backend("empty")
        assert backend.exists()
        with backend.read() as reader:
            assert reader.schema().tables == ()
            assert all(not list(reader.rows(table.name)) for table in reader.tables())
            assert reader.faults() == frozenset()
            assert reader.state("repo") is None

    def test_what_is_told_of_changes_is_true(self, backend: Backend) -> None:
        before = capture(backend)
        shortcuts = backend.shortcuts
        if shortcuts is None:
            pytest.skip("this backend has no shortcuts")
        with backend.read() as reader, shortcuts.marking(reader) as wait:
            mark = wait()
        if mark is None:
            pytest.skip("this backend makes no marks")
        with backend.write() as writer:
            writer.execute("UPDATE epics SET size = 7 WHERE id = 2")
            writer.execute("DELETE FROM tasks WHERE id = 11")
            writer.commit()
        after = capture(backend)
        with backend.read() as reader, shortcuts.comparing(reader, mark) as told:
            changed = told()
            assert changed is not None
            for table, ranges in changed.tables.items():
                old, new = before.rows[table], after.rows[table]
                for key_, _ in old.items() ^ new.items():
                    assert any(first <= key_ <= last for first, last in ranges)
                for first, last in ranges:
                    inside = [item for item in sorted(new.items()) if first <= item[0] <= last]
                    assert list(reader.rows_between(table, first, last)) == inside
        assert changed.tables["tasks"]

    def test_creating_again_changes_nothing(self, backend: Backend) -> None:
        before = capture(backend)
        backend.create()
        assert capture(backend) == before

    def test_rows_come_in_the_order_of_their_keys(self, backend: Backend) -> None:
        with backend.read() as reader:
            assert list(reader.rows("epics")) == [(key(1), row(1, "one", None)), (key(2), row(2, "two", 0.5))]
            weird = [(decode_key(found), decode_row(values)) for found, values in reader.rows('weird "name')]
        assert weird == [(("a", "y"), ("a", "y")), (("b", "x"), ("b", "x"))]

    def test_one_row(self, backend: Backend) -> None:
        with backend.read() as reader:
            assert reader.row("tasks", key(11)) == row(11, 1, "éleven")
            assert reader.row("tasks", key(12)) is None
            assert reader.row('weird "name', key("a", "y")) == row("a", "y")
            assert reader.count("tasks") == 2

    def test_a_key_of_another_shape_is_invalid(self, backend: Backend) -> None:
        with backend.read() as reader:
            for bad in (key("x"), key(1, 2, 3), b"", b"\xff"):
                with pytest.raises(InvalidData):
                    reader.row("tasks", bad)

    def test_no_such_table(self, backend: Backend) -> None:
        with backend.read() as reader, pytest.raises(NotFound):
            list(reader.rows("nothing"))

    def test_composed_reads_bind_their_values(self, backend: Backend) -> None:
        with backend.read() as reader:
            found = reader.execute("SELECT id, title FROM tasks WHERE epic = ? AND id > ? ORDER BY id", [1, 10])
            assert next(found) == (11, "éleven")
            assert list(found) == []
            assert list(reader.execute("SELECT CAST(? AS TEXT)", ["'; DROP TABLE tasks; --"])) == [
                ("'; DROP TABLE tasks; --",)
            ]

    def test_a_statement_that_cannot_run(self, backend: Backend) -> None:
        with backend.read() as reader, pytest.raises(InvalidData):
            reader.execute("SELECT nothing FROM tasks")

    def test_a_reader_does_not_write(self, backend: Backend) -> None:
        before = capture(backend)
        with backend.read() as reader, pytest.raises(Exception, match=r"(?i)read.?only|permission"):
            reader.execute("DELETE FROM tasks")
        assert capture(backend) == before

    # writing

    def test_what_is_not_committed_is_gone(self, backend: Backend) -> None:
        before = capture(backend)
        with backend.write() as writer:
            writer.execute("DELETE FROM tasks")
        assert capture(backend) == before
        with pytest.raises(RuntimeError, match="stop"), backend.write() as writer:
            writer.execute("DELETE FROM tasks")
            raise RuntimeError("stop")
        assert capture(backend) == before

    def test_what_is_committed_is_there(self, backend: Backend, new_backend: NewBackend) -> None:
        with backend.write() as writer:
            changed = writer.execute("UPDATE tasks SET title = ? WHERE id = 10 RETURNING title", ["x"])
            assert list(changed) == [("x",)]
            writer.execute_many("INSERT INTO epics VALUES (?, ?, ?)", [(3, "three", 1.0), (4, "four", 2.0)])
            writer.commit()
        with new_backend("main").read() as reader:
            assert reader.row("tasks", key(10)) == row(10, 1, "x")
            assert reader.count("epics") == 4

    def test_nothing_after_the_commit(self, backend: Backend) -> None:
        with backend.write() as writer:
            writer.commit()
            for late in (writer.commit, lambda: writer.execute("DELETE FROM tasks")):
                with pytest.raises(ValueError, match="committed"):
                    late()

    def test_constraints_hold_for_an_application(self, backend: Backend) -> None:
        for statement in (
            "INSERT INTO epics VALUES (5, 'one', NULL)",
            "INSERT INTO epics VALUES (5, NULL, NULL)",
            "INSERT INTO tasks VALUES (5, 99, 'orphan')",
        ):
            with backend.write() as writer, pytest.raises(ConstraintBroken):
                writer.execute(statement)
                writer.commit()

    @pytest.mark.parametrize("value", [2**63, "\ud800"])
    def test_values_that_cannot_be_bound(self, backend: Backend, value: int | str) -> None:
        with backend.write() as writer, pytest.raises(ConstraintBroken):
            writer.execute("INSERT INTO epics VALUES (5, 'k', ?)", [value])

    # what was touched

    def test_touched_keys(self, backend: Backend) -> None:
        with backend.write() as writer:
            assert self._touched(writer) == {}
            writer.execute("INSERT INTO epics VALUES (7, 'seven', NULL)")
            writer.execute("UPDATE epics SET id = 8 WHERE id = 7")
            writer.execute("UPDATE epics SET size = 1 WHERE id = 2")
            writer.execute('DELETE FROM "weird ""name" WHERE a = ?', ["a"])
            writer.execute('UPDATE "weird ""name" SET a = ?', ["c"])
            touched = self._touched(writer)
            (touched["epics"] or set()).discard(key(7))  # nobody else has ever seen it
            assert touched == {"epics": {key(8), key(2)}, 'weird "name': {key("a", "y"), key("b", "x"), key("c", "x")}}

    def test_touched_by_a_cascade(self, backend: Backend) -> None:
        with backend.write() as writer:
            writer.execute("DELETE FROM epics WHERE id = 1")
            assert self._touched(writer) == {"epics": {key(1)}, "tasks": {key(10), key(11)}}

    def test_every_row_deleted(self, backend: Backend) -> None:
        with backend.write() as writer:
            writer.execute("DELETE FROM tasks")
            assert self._touched(writer) == {"tasks": {key(10), key(11)}}

    @staticmethod
    def _touched(writer: Writer) -> dict[str, set[bytes] | None]:
        """What was touched; the database's own counters are its own affair."""
        return {name: keys for name, keys in touched_keys(writer).items() if not name.startswith("sqlite_")}

    # the mark of an operation

    def test_state_is_kept_per_repo_and_not_captured(self, backend: Backend) -> None:
        before = capture(backend)
        for repo, operation in [("one", "op1"), ("two", "op2"), ("one", "op3")]:
            with backend.write() as writer:
                writer.set_state(repo, operation, f"snapshot of {operation}")
                assert self._touched(writer) == {}
                writer.commit()
        with backend.read() as reader:
            assert reader.state("one") == ("op3", "snapshot of op3")
            assert reader.state("two") == ("op2", "snapshot of op2")
            assert reader.state("three") is None
        assert capture(backend) == before

    def test_state_goes_with_its_transaction(self, backend: Backend) -> None:
        with backend.write() as writer:
            writer.set_state("one", "op1", "snapshot")
            assert writer.state("one") == ("op1", "snapshot")
        with backend.read() as reader:
            assert reader.state("one") is None

    def test_state_survives_a_restore(self, backend: Backend, new_backend: NewBackend) -> None:
        empty = capture(new_backend("empty"))
        with backend.write() as writer:
            writer.set_state("one", "op1", "snapshot")
            writer.commit()
        restore(backend, empty)
        with backend.read() as reader:
            assert reader.state("one") == ("op1", "snapshot")

    # definitions that change

    def test_definitions_are_all_but_the_products_own(self, backend: Backend) -> None:
        with backend.write() as writer:
            writer.execute("CREATE INDEX by_title ON tasks (title)")
            writer.execute("CREATE VIEW titles AS SELECT title FROM tasks")
            writer.set_state("repo", "0" * 32, "1" * 64)
            writer.commit()
        with backend.read() as reader:
            found = {(entry.kind, entry.name, entry.table) for entry in reader.definitions()}
        assert found == {
            ("table", "epics", "epics"),
            ("table", "tasks", "tasks"),
            ("table", 'weird "name', 'weird "name'),
            ("index", "by_title", "tasks"),
            ("view", "titles", "titles"),
        }

    def test_dropping_a_parent_without_foreign_keys_keeps_its_children(self, backend: Backend) -> None:
        with backend.write(track=False, foreign_keys=False) as writer:
            writer.lock_migrations()
            assert writer.missing_parents() == frozenset()
            writer.execute("DROP TABLE epics")
            assert writer.missing_parents() == {("tasks", "epics")}
            writer.execute(SCHEMA[0])
            writer.execute(*ROWS[1])
            assert (writer.missing_parents(), writer.faults()) == (frozenset(), frozenset())
            writer.commit()
        with backend.read() as reader:
            assert reader.count("tasks") == 2

    def test_a_scratch_copy_is_another_database(self, backend: Backend) -> None:
        before = capture(backend)
        with backend.scratch(copy=True) as scratch:
            assert capture(scratch) == before
            with scratch.write() as writer:
                writer.execute("DROP TABLE tasks")
                writer.commit()
        assert capture(backend) == before
        assert not scratch.exists()

    def test_an_empty_scratch_database(self, backend: Backend) -> None:
        with backend.scratch(copy=False) as scratch, scratch.read() as reader:
            assert reader.definitions() == ()

    # change detection

    def test_version_notices_others(self, backend: Backend, new_backend: NewBackend) -> None:
        other = new_backend("main")
        with backend.read() as reader:
            seen = reader.version()
            assert reader.version() == seen
        with backend.write() as writer:
            assert writer.version() == seen
        with backend.read() as reader:
            assert reader.version() == seen
        with other.write() as writer:
            writer.execute("DELETE FROM tasks")
            writer.commit()
        with backend.write() as writer:
            assert writer.version() != seen
        with backend.read() as reader:
            assert reader.version() != seen
        backend.close()
        with backend.read() as reader:
            assert reader.version() != seen

    # restoring

    def test_restore_into_an_empty_database(self, backend: Backend, new_backend: NewBackend) -> None:
        target = capture(backend)
        copy = new_backend("copy")
        restore(copy, target)
        assert capture(copy) == target
        assert capture(copy).schema.to_json_bytes() == target.schema.to_json_bytes()

    @pytest.mark.parametrize("undisturbed", [False, True])
    def test_restore_rows(self, backend: Backend, undisturbed: bool) -> None:
        target = capture(backend)
        with backend.write() as writer:
            writer.execute("DELETE FROM tasks WHERE id = 10")
            writer.execute("UPDATE epics SET \"key\" = 'moved' WHERE id = 1")
            # a unique value that has to move back
            writer.execute("UPDATE epics SET \"key\" = 'one' WHERE id = 2")
            writer.execute("INSERT INTO epics VALUES (9, 'two', NULL)")
            writer.commit()
        assert capture(backend) != target
        restore(backend, target, undisturbed=undisturbed)
        assert capture(backend) == target

    @pytest.mark.parametrize("undisturbed", [False, True])
    @pytest.mark.parametrize("kept", [0, 1])
    def test_restore_that_takes_many_rows(self, backend: Backend, undisturbed: bool, kept: int) -> None:
        """With a row that stays in each table, and without."""
        full = capture(backend)
        with backend.write() as writer:
            for number in range(20, 20 + 500):
                writer.execute("INSERT INTO tasks VALUES (?, 1, 'many')", [number])
            for number in range(20, 20 + 500, 3):
                writer.execute("DELETE FROM tasks WHERE id = ?", [number])
            writer.commit()
        many = capture(backend)
        assert many != full
        target = full if kept else Capture(full.schema, {**full.rows, "tasks": {}})
        restore(backend, target, undisturbed=undisturbed)
        assert capture(backend) == target
        restore(backend, many, undisturbed=undisturbed)
        assert capture(backend) == many

    def test_restore_tells_what_it_touched(self, backend: Backend) -> None:
        target = capture(backend)
        with backend.write() as writer:
            writer.execute("DELETE FROM tasks WHERE id = 10")
            writer.execute('DROP TABLE "weird ""name"')
            writer.commit()
        difference = changes(capture(backend), target)
        with backend.write(as_restore=True) as writer:
            writer.restore(target.schema, difference, target.source)
            touched = {name: keys for name, keys in touched_keys(writer).items() if keys is None or keys}
        assert touched == {"tasks": frozenset([key(10)]), 'weird "name': None}

    def test_restore_definitions(self, backend: Backend) -> None:
        target = capture(backend)
        with backend.write() as writer:
            writer.execute("ALTER TABLE tasks ADD COLUMN added TEXT")
            writer.execute("ALTER TABLE epics RENAME TO renamed")
            writer.execute("CREATE TABLE more (id INTEGER PRIMARY KEY)")
            writer.execute("CREATE INDEX more_titles ON tasks (title)")
            writer.execute("CREATE VIEW seen AS SELECT * FROM tasks")
            writer.commit()
        assert capture(backend).schema != target.schema
        restore(backend, target)
        assert capture(backend) == target

    def test_restore_that_changes_nothing(self, backend: Backend) -> None:
        target = capture(backend)
        restore(backend, target)
        assert capture(backend) == target

    def test_a_row_that_is_not_the_tables(self, backend: Backend) -> None:
        target = capture(backend)
        for bad in (row(12, 1), row(13, 1, "other key"), row("text", 1, "x")):
            with backend.write(as_restore=True) as writer, pytest.raises(InvalidRow) as caught:
                writer.restore(target.schema, {"tasks": [(key(12), None, bad)]}, target.source)
            assert (caught.value.table, caught.value.row) == ("tasks", "12")
        assert capture(backend) == target

    def test_a_row_that_was_changed_since(self, backend: Backend) -> None:
        target = capture(backend)
        for at, old, new in (
            (key(1), row(1, "another", None), row(1, "new", None)),
            (key(9), row(9, "nine", None), None),
        ):
            with backend.write(as_restore=True) as writer, pytest.raises(ChangedSince):
                writer.restore(target.schema, {"epics": [(at, old, new)]}, target.source)
        assert capture(backend) == target

    def test_a_row_that_takes_the_place_of_another(self, backend: Backend) -> None:
        target = capture(backend)
        with backend.write(as_restore=True) as writer, pytest.raises(InvalidRow):
            writer.restore(target.schema, {"epics": [(key(3), None, row(3, "one", None))]}, target.source)
        assert capture(backend) == target

    def test_new_foreign_key_violations_must_be_allowed(self, backend: Backend) -> None:
        target = capture(backend)
        difference = {"epics": [(key(1), row(1, "one", None), None)]}
        fault = Fault("tasks", key(10), "epics", ("epic",))
        other = Fault("tasks", key(11), "epics", ("epic",))
        for allowed in (frozenset[Fault](), frozenset([fault])):
            with backend.write(as_restore=True) as writer, pytest.raises(ConstraintBroken):
                writer.restore(target.schema, difference, target.source, allowed=allowed)
        with backend.write(as_restore=True) as writer:
            writer.restore(target.schema, difference, target.source, allowed=frozenset([fault, other]))
            writer.commit()
        with backend.read() as reader:
            assert reader.faults() == {fault, other}
            assert reader.count("tasks") == 2  # no cascade took them

    def test_ignored_tables_are_left_alone(self, new_backend: NewBackend) -> None:
        fill(new_backend("main"))
        backend = new_backend("main", ignore=frozenset(["TASKS"]))
        target = capture(backend)
        assert [table.name for table in target.schema.tables] == ["epics", 'weird "name']
        restore(backend, Capture(target.schema, target.rows))
        restore(backend, capture(new_backend("empty", ignore=frozenset(["tasks"]))))
        with new_backend("main").read() as reader:
            assert [table.name for table in reader.schema().tables] == ["tasks"]
            assert reader.count("tasks") == 2
