"""Applications' own database managers: their database is used, their connections and transactions are left alone."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from epicvc import BidirectionalSync
from epicvc.errors import DatabaseLocked, DatabaseUnavailable, Unavailable, UsageError
from tests.faces.place import epic_name, rename

sqlalchemy = pytest.importorskip("sqlalchemy")

ONE = "epico_1.json"


class Fresh:
    """A new sqlite3 connection each time, as most applications have it."""

    def __init__(self, path: str, **options: Any) -> None:
        self._path, self._options = path, options

    @contextmanager
    def get_connection(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, **self._options)) as connection:
            yield connection


class Shared:
    """One sqlite3 connection for everything, which rolls back whoever leaves it with an exception."""

    def __init__(self, path: str, **options: Any) -> None:
        self.connection = sqlite3.connect(path, **options)

    @contextmanager
    def get_connection(self, name: str = "framework") -> Iterator[sqlite3.Connection]:
        assert name == "framework"
        try:
            yield self.connection
        except BaseException:
            self.connection.rollback()
            raise


class Plain(Shared):
    """Gives the connection itself, which is a context manager that commits."""

    def get_connection(self) -> sqlite3.Connection:  # type: ignore[override]
        return self.connection


class Named:
    """Wants a name, and gives SQLAlchemy's connections."""

    def __init__(self, url: str) -> None:
        self.engine = sqlalchemy.create_engine(url)
        self.asked: list[str] = []

    def get_connection(self, name: str) -> Any:
        self.asked.append(name)
        return self.engine.connect()


class Held(Named):
    """One SQLAlchemy connection for everything."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.connection = self.engine.connect()

    @contextmanager
    def get_connection(self, name: str = "framework") -> Iterator[Any]:
        yield self.connection


class HeldPlain(Held):
    """Gives that connection itself."""

    def get_connection(self, name: str = "framework") -> Any:
        return self.connection


def by_name(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> dict[str, Any]:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


def end(manager: Any) -> None:
    if hasattr(manager, "connection"):
        manager.connection.close()
    if hasattr(manager, "engine"):
        manager.engine.dispose()


MANAGERS = {
    "fresh": lambda: Fresh("framework.db"),
    "dicts": lambda: Shared("framework.db"),
    "shared": lambda: Shared("framework.db", isolation_level=None),
    "plain": lambda: Plain("framework.db"),
    "uri": lambda: Fresh("file:framework.db?mode=rw", uri=True),
    "sqlalchemy": lambda: Named("sqlite:///framework.db"),
    "sqlalchemy held": lambda: Held("sqlite:///framework.db"),
    "sqlalchemy plain": lambda: HeldPlain("sqlite:///framework.db"),
}


@pytest.mark.parametrize("kind", MANAGERS)
def test_its_database_is_used(synced: Path, kind: str) -> None:
    manager = MANAGERS[kind]()
    if kind == "dicts":
        manager.connection.row_factory = by_name
        manager.connection.text_factory = bytes
    rename(ONE, "From the file")
    sync = BidirectionalSync(db_manager=manager)
    assert sync.sync_epic_to_database(ONE)["changes"] == ["1:name"]
    assert epic_name("1") == "From the file"
    if kind == "sqlalchemy":
        assert set(manager.asked) == {"framework"}
        assert manager.engine.pool.checkedout() == 0
    end(manager)


def test_the_path_is_not_used_beside_it(synced: Path) -> None:
    sync = BidirectionalSync("elsewhere.db", db_manager=Fresh("framework.db"))
    assert sync.get_sync_status()["in_sync"]
    assert not Path("elsewhere.db").exists()


@pytest.mark.parametrize("kind", ["dicts", "shared", "plain"])
def test_an_open_transaction_is_neither_ended_nor_waited_for(synced: Path, kind: str) -> None:
    manager = MANAGERS[kind]()
    sync = BidirectionalSync(db_manager=manager)
    manager.connection.execute("BEGIN IMMEDIATE")
    manager.connection.execute("UPDATE framework_epics SET name = 'Open' WHERE epic_key = '1'")
    calls = (
        lambda: sync.sync_epic_to_database(ONE),
        sync.sync_all_epics,
        lambda: sync.create_checkpoint("now"),
        lambda: sync.rollback_to_checkpoint("HEAD"),
        lambda: sync.resolve_conflict("1:name", "json"),
    )
    for call in calls:
        began = time.monotonic()
        with pytest.raises(DatabaseLocked) as error:
            call()
        assert time.monotonic() - began < 2
        assert (error.value.seconds, error.value.database) == (0, str(synced / "framework.db"))
        assert manager.connection.in_transaction
    assert not sync.check_for_conflicts()  # reading goes on, and sees nothing of it
    manager.connection.commit()
    assert epic_name("1") == "Open"
    assert [r["changes"] for r in sync.sync_all_epics() if r["changes"]] == [["1:name"]]
    end(manager)


@pytest.mark.parametrize("kind", ["sqlalchemy held", "sqlalchemy plain"])
def test_an_open_transaction_of_sqlalchemy(synced: Path, kind: str) -> None:
    manager = MANAGERS[kind]()
    sync = BidirectionalSync(db_manager=manager)
    manager.connection.execute(sqlalchemy.text("UPDATE framework_epics SET name = 'Open' WHERE epic_key = '1'"))
    with pytest.raises(DatabaseLocked):
        sync.sync_all_epics()
    query = sqlalchemy.text("SELECT name FROM framework_epics WHERE epic_key = '1'")
    assert manager.connection.execute(query).scalar_one() == "Open"
    manager.connection.rollback()
    manager.connection.execute(sqlalchemy.text("SELECT name FROM framework_epics"))  # begins nothing in the database
    assert not [r for r in sync.sync_all_epics() if r["changes"]]
    end(manager)


def test_a_batch_asks_when_it_ends(synced: Path) -> None:
    manager = MANAGERS["shared"]()
    sync = BidirectionalSync(db_manager=manager)
    rename(ONE, "From the file")
    with pytest.raises(DatabaseLocked), sync.batch_operation() as batch:
        batch.sync_epic(ONE)
        manager.connection.execute("BEGIN")
    manager.connection.execute("ROLLBACK")
    assert epic_name("1") != "From the file"
    end(manager)


def test_other_holders_are_waited_for(synced: Path) -> None:
    sync = BidirectionalSync(db_manager=Fresh("framework.db"))
    rename(ONE, "From the file")
    holder = sqlite3.connect("framework.db", check_same_thread=False, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.5, lambda: holder.execute("COMMIT"))
    timer.start()
    assert sync.sync_epic_to_database(ONE)["changes"] == ["1:name"]
    timer.join()
    holder.close()


def test_a_database_that_is_gone_is_refused(bare: Path) -> None:
    manager = Shared("framework.db")
    Path("framework.db").unlink()
    with pytest.raises(DatabaseUnavailable, match="no file that another connection could open"):
        BidirectionalSync(db_manager=manager)
    assert not (bare / ".epicvc").exists()
    end(manager)


class Faked:
    """As a connection of SQLAlchemy to a server looks, without one."""

    def __init__(self) -> None:
        self.engine = type("Engine", (), {"url": sqlalchemy.make_url("postgresql+psycopg://me:secret@localhost/plans")})
        self.connection = object()

    def exec_driver_sql(self, statement: str) -> None:
        raise AssertionError(statement)


def test_a_url_goes_on_without_its_password_in_any_message(synced: Path) -> None:
    manager = type("Manager", (), {"get_connection": lambda self: Faked()})()
    with pytest.raises(Unavailable, match=r"postgresql://me:\*\*\*@localhost/plans") as error:
        BidirectionalSync(db_manager=manager).sync_all_epics()
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("manager", [object(), type("M", (), {"get_connection": lambda self: object()})()])
def test_what_is_no_manager(bare: Path, manager: object) -> None:
    with pytest.raises(UsageError, match=r"no (get_connection|sqlite3)"):
        BidirectionalSync(db_manager=manager)
