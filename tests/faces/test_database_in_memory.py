"""A database in memory, used through the application's own connection: everything that a file can do."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.repos import Result

from epicvc import BidirectionalSync
from epicvc.cli.edge import run_application
from epicvc.errors import (
    ConstraintBroken,
    DatabaseLocked,
    FileUnavailable,
    NoMappedTable,
    Refused,
    Unfinished,
    UsageError,
)
from epicvc.repo.apply.apply import Stage
from tests.faces.place import FILES, files, name_in, rename

ONE = "epico_1.json"


class Plain:
    """One sqlite3 connection, handed out as it is."""

    def __init__(self) -> None:
        self.driver = sqlite3.connect(":memory:")

    def get_connection(self) -> sqlite3.Connection:
        return self.driver

    def close(self) -> None:
        self.driver.close()


class Managed(Plain):
    """The same inside a context manager, with factories of its own; it rolls back whoever leaves it with an error."""

    def __init__(self) -> None:
        super().__init__()
        self.driver.row_factory = sqlite3.Row

    @contextmanager
    def get_connection(self, name: str = "framework") -> Iterator[sqlite3.Connection]:  # type: ignore[override]
        try:
            yield self.driver
        except BaseException:
            self.driver.rollback()
            raise


class Alchemy:
    """SQLAlchemy's engine; each connection is a new one of the pool, which has one."""

    def __init__(self, **options: Any) -> None:
        sqlalchemy = pytest.importorskip("sqlalchemy")
        self.engine = sqlalchemy.create_engine("sqlite://", **options)
        with self.engine.connect() as connection:
            self.driver = connection.connection.driver_connection

    def get_connection(self, name: str = "framework") -> Any:
        return self.engine.connect()

    def close(self) -> None:
        self.engine.dispose()


def static() -> Alchemy:
    pool = pytest.importorskip("sqlalchemy.pool")
    return Alchemy(poolclass=pool.StaticPool, connect_args={"check_same_thread": False})


MANAGERS = {"plain": Plain, "managed": Managed, "sqlalchemy": Alchemy, "static pool": static}


@pytest.fixture(params=MANAGERS)
def manager(bare: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A manager of a database that has what ``framework.db`` has, which is not there any more."""
    made = MANAGERS[request.param]()
    with closing(sqlite3.connect("framework.db")) as source:
        source.backup(made.driver)
    Path("framework.db").unlink()
    yield made
    made.close()


def sql(manager: Any, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Run a statement as the application does, and commit."""
    with manager.driver:
        return [tuple(row) for row in manager.driver.execute(query, parameters)]


def dump(manager: Any) -> list[str]:
    factory, manager.driver.row_factory = manager.driver.row_factory, None
    try:
        return sorted(line for line in manager.driver.iterdump() if "_epicvc_" not in line)
    finally:
        manager.driver.row_factory = factory


def name_of(manager: Any, epic: str = "1") -> str:
    ((name,),) = sql(manager, "SELECT name FROM framework_epics WHERE epic_key = ?", epic)
    return str(name)


def test_synchronise_conflict_resolve_checkpoint_rollback_undo(manager: Any) -> None:
    settings = [manager.driver.execute(f"PRAGMA {name}").fetchone()[0] for name in ("foreign_keys", "query_only")]
    factories = manager.driver.row_factory, manager.driver.text_factory
    sync = BidirectionalSync(db_manager=manager)
    results = sync.sync_all_epics()
    assert all(result["success"] for result in results)
    assert not Path("framework.db").exists()
    faults = sync.validate_data_integrity()["errors"]  # the data has rows without their parents

    rename(ONE, "From the file")
    sql(manager, "UPDATE framework_epics SET summary = 'From the row' WHERE epic_key = '1'")
    assert sync.sync_epic_to_database(ONE)["changes"] == ["1:name"]
    assert sync.sync_database_to_json()[0]["changes"] == ["1:summary"]
    assert name_of(manager) == "From the file"
    assert "From the row" in (FILES / ONE).read_text()

    before = dump(manager), files()
    commit = sync.create_checkpoint("here")
    rename(ONE, "Mine")
    sql(manager, "UPDATE framework_epics SET name = 'Theirs' WHERE epic_key = '1'")
    (conflict,) = sync.check_for_conflicts()
    assert (conflict["json_value"], conflict["db_value"], conflict["base_value"]) == ("Mine", "Theirs", "From the file")
    assert sync.resolve_conflict("1:name", "json")["success"]
    assert (name_of(manager), name_in(ONE)) == ("Mine", "Mine")
    with sync.batch_operation() as batch:
        rename(ONE, "Batch")
        batch.sync_epic(ONE)
    assert name_of(manager) == "Batch"

    sync.rollback_to_checkpoint("here")
    assert (dump(manager), files()) == before
    assert sync.undo().startswith("rollback")
    assert (name_of(manager), name_in(ONE)) == ("Batch", "Batch")
    sync.rollback_to_checkpoint(commit)
    assert (dump(manager), files()) == before

    status = sync.get_sync_status()
    assert (status["in_sync"], status["conflict_count"]) == (True, 0)
    assert sync.validate_data_integrity()["errors"] == faults
    assert sync.get_enriched_epic("1")["epic"]["name"] == "From the file"
    assert "Batch" not in sync.generate_sync_report()["text"]
    assert not manager.driver.in_transaction
    assert factories == (manager.driver.row_factory, manager.driver.text_factory)
    assert settings == [manager.driver.execute(f"PRAGMA {n}").fetchone()[0] for n in ("foreign_keys", "query_only")]
    assert manager.driver.execute("SELECT count(*) FROM temp.sqlite_master").fetchone()[0] == 0


def test_while_the_connection_is_in_a_transaction_nothing_is_done(manager: Any) -> None:
    sync = BidirectionalSync(db_manager=manager)
    sync.sync_all_epics()
    rename(ONE, "From the file")
    manager.driver.execute("UPDATE framework_epics SET name = 'Open' WHERE epic_key = '2'")
    before = files()
    for call in (sync.sync_all_epics, sync.get_sync_status, sync.undo, lambda: sync.create_checkpoint("a")):
        with pytest.raises(DatabaseLocked) as error:
            call()
        assert (error.value.seconds, error.value.database) == (0, ":memory:")
        assert manager.driver.in_transaction
    assert files() == before
    manager.driver.commit()
    assert (name_of(manager, "2"), name_of(manager)) == ("Open", name_of(manager))
    changes = {label for result in sync.sync_all_epics() for label in result["changes"]}
    assert changes == {"1:name", "2:name"}


def test_an_empty_database_gets_the_built_in_tables(bare: Path) -> None:
    Path("framework.db").unlink()
    manager = Plain()
    results = BidirectionalSync(db_manager=manager).sync_all_epics()
    assert len(results) == 6
    assert sql(manager, "SELECT count(*) FROM framework_epics") == [(6,)]
    assert "[database]" not in Path("epicvc.toml").read_text()
    manager.close()


def test_a_database_that_was_loaded_from_bytes(bare: Path) -> None:
    """SQLite gives it a name, as if it were a file."""
    saved = Path("framework.db")
    with closing(sqlite3.connect(saved)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        data = connection.serialize()
    saved.unlink()
    manager = Plain()
    manager.driver.deserialize(data)
    rename(ONE, "From the file")
    sync = BidirectionalSync(db_manager=manager)
    sync.sync_all_epics()
    assert name_of(manager) == "From the file"
    assert not saved.exists()
    manager.close()


def test_the_next_process_brings_it_back(manager: Any) -> None:
    sync = BidirectionalSync(db_manager=manager)
    sync.sync_all_epics()
    before = dump(manager), files()
    later = Plain()
    sync = BidirectionalSync(db_manager=later)
    with pytest.raises(NoMappedTable):
        sync.sync_all_epics()
    later.driver.execute("CREATE TABLE framework_epics AS SELECT 1 AS id, 'x' AS epic_key, 'x' AS name WHERE 0")
    with pytest.raises((NoMappedTable, Refused)):
        sync.sync_all_epics()  # it is not taken for one in which everything was deleted
    sync.rollback_to_checkpoint("HEAD")
    assert (dump(later), files()) == before
    assert sync.get_sync_status()["in_sync"]
    later.close()


def test_a_repo_with_a_database_of_its_own(synced: Path) -> None:
    """The given one is used, the other is left alone."""
    before = Path("framework.db").read_bytes()
    manager = Plain()
    with closing(sqlite3.connect("framework.db")) as source:
        source.backup(manager.driver)
    sync = BidirectionalSync(db_manager=manager)
    rename(ONE, "From the file")
    assert sync.sync_all_epics()[0]["changes"] == ["1:name"]
    assert name_of(manager) == "From the file"
    assert Path("framework.db").read_bytes() == before
    manager.close()


def test_triggers_and_functions_of_the_application(manager: Any) -> None:
    """What it has registered with its connection works, since it is this one that writes."""
    sync = BidirectionalSync(db_manager=manager)
    sync.sync_all_epics()
    manager.driver.create_function("shout", 1, lambda text: text.upper())
    sql(manager, "CREATE TABLE seen (name TEXT)")
    sql(
        manager,
        "CREATE TRIGGER t AFTER UPDATE OF name ON framework_epics BEGIN INSERT INTO seen VALUES (shout(NEW.name)); END",
    )
    rename(ONE, "From the file")
    assert sync.sync_all_epics()[0]["success"]
    assert sql(manager, "SELECT name FROM seen") == [("FROM THE FILE",)]
    sync.undo()
    assert sql(manager, "SELECT count(*) FROM seen") == [(0,)]
    sql(manager, "CREATE TRIGGER u BEFORE UPDATE ON framework_epics BEGIN SELECT RAISE(ABORT, 'not today'); END")
    rename(ONE, "Once more")
    before = dump(manager), files()
    with pytest.raises(ConstraintBroken, match="not today"):
        sync.sync_all_epics()
    assert (dump(manager), files()) == before
    assert not manager.driver.in_transaction


@pytest.mark.parametrize("fails", ["before", "after"])
def test_a_step_that_fails(manager: Any, fails: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the decision nothing has happened; after it, it is done again."""
    sync = BidirectionalSync(db_manager=manager)
    sync.sync_all_epics()
    rename(ONE, "From the file")
    sql(manager, "UPDATE framework_epics SET summary = 'From the row' WHERE epic_key = '1'")
    before = dump(manager), files()
    step = "check_unchanged" if fails == "before" else "publish"

    def failing(_: Stage) -> None:
        raise FileUnavailable("epics", "a disk that fails")

    with monkeypatch.context() as patch:
        patch.setattr(Stage, step, failing)
        if fails == "before":
            with pytest.raises(FileUnavailable):
                sync.sync_all_epics()
            assert (dump(manager), files()) == before
        else:
            assert all(result["success"] for result in sync.sync_all_epics())
    assert all(result["success"] for result in sync.sync_all_epics())
    assert name_of(manager) == "From the file"
    assert "From the row" in (FILES / ONE).read_text()
    assert sync.get_sync_status()["in_sync"]


def test_an_operation_that_its_process_left_is_forgotten_with_the_memory(
    manager: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = BidirectionalSync(db_manager=manager)
    sync.sync_all_epics()
    later = Plain()
    manager.driver.backup(later.driver)
    before = dump(manager), files()
    rename(ONE, "From the file")
    left = files()

    def dying(_: Stage) -> None:
        raise FileUnavailable("epics", "the process is killed")

    with monkeypatch.context() as patch, pytest.raises(Unfinished):
        patch.setattr(Stage, "publish", dying)
        patch.setattr("epicvc.repo.apply.interrupted.finish", lambda *_: dying(_[0]))
        sync.sync_all_epics()
    sync = BidirectionalSync(db_manager=later)
    assert (dump(later), files()) == (before[0], left)
    assert sync.sync_all_epics()[0]["changes"] == ["1:name"]
    assert name_of(later) == "From the file"
    later.close()


def test_threads_take_turns(bare: Path) -> None:
    manager = static()
    with closing(sqlite3.connect("framework.db")) as source:
        source.backup(manager.driver)
    sync = BidirectionalSync(db_manager=manager)
    sync.sync_all_epics()
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(3):
                if number % 2:
                    sync.get_sync_status()
                else:
                    path = FILES / f"epico_{number + 1}.json"
                    value = json.loads(path.read_bytes())
                    value.get("epic", value)["name"] = f"{number}.{turn}"
                    saved = path.with_suffix(".saving")
                    saved.write_text(json.dumps(value))
                    saved.replace(path)  # as editors do: another thread may be reading
                    sync.sync_all_epics()
        except BaseException as error:  # noqa: BLE001  # it is told by the test
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert (name_of(manager, "1"), name_of(manager, "3")) == ("0.2", "2.2")
    assert sync.get_sync_status()["in_sync"]
    manager.close()


def run(*words: str) -> Result:
    import contextlib
    import io

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_application(list(words))
    return Result(code, out.getvalue(), err.getvalue())


def test_the_command_line_has_files_and_history_alone(manager: Any) -> None:
    sync = BidirectionalSync(db_manager=manager)
    sync.sync_all_epics()
    rename(ONE, "From the file")
    sync.sync_all_epics()
    before = dump(manager), files()
    assert run("sync").code == 3
    assert run("undo").code == 5  # it cannot take half of an operation back
    assert run("fsck").code == 0
    assert "[sync]" in run("log", "-n", "1").out
    assert (dump(manager), files()) == before
    assert sync.undo().startswith("sync")


@pytest.mark.skipif(not hasattr(sqlite3, "LEGACY_TRANSACTION_CONTROL"), reason="Python 3.12 has it")
def test_a_connection_that_is_always_in_a_transaction(bare: Path) -> None:
    manager = Plain()
    manager.driver = sqlite3.connect(":memory:", autocommit=False)
    with pytest.raises(UsageError, match="always in a transaction"):
        BidirectionalSync(db_manager=manager)
