"""Gets the db side of a command: the remembered state where it still holds, else a capture of as little as possible."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import perf_counter
from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec import Struct

from epicvc.base.logs import Log
from epicvc.errors import DamagedObject
from epicvc.repo.rows.dbcache import DatabaseCache

if TYPE_CHECKING:
    from epicvc.database.backend import Reader
    from epicvc.database.shortcuts import ChangedKeys, Shortcuts
    from epicvc.repo.config.config import Config
    from epicvc.repo.history.objects import DatabaseState
    from epicvc.store.staging import Staging


_LOG: Final = Log("cache")

Told: TypeAlias = "Callable[[int], None]"
"""Called now and then with the number of captured rows."""


def recalled(config: Config, sink: Staging, token: str | None) -> DatabaseState | None:
    """Return the remembered state, if the database still has the token and the store still has the state.

    Args:
        config: the repo's configuration.
        sink: holds the objects of the store.
        token: the database's change token; ``None`` when it cannot be trusted.
    """
    cache = DatabaseCache.load(config.private)
    known = cache.state if cache.token == token and cache.ignore == config.ignore else None
    if token is not None and known is not None and _is_kept(sink, known):
        return known
    _LOG.debug("the database is not what is remembered of it, or cannot be told to be")
    return None


class Capturing(Struct, frozen=True):
    """A capture that has begun.

    Attributes:
        whole: whether all of the database has to be read, which takes long, since no state of it is remembered.
        finish: does the capture and returns the state.
    """

    whole: bool
    finish: Callable[[Told], DatabaseState]


@contextmanager
def capturing(
    config: Config, sink: Staging, reader: Reader, token: str | None, shortcuts: Shortcuts | None
) -> Iterator[Capturing]:
    """Begin to capture the database in a read transaction. The yielded value finishes the capture.

    Args:
        config: the repo's configuration.
        sink: takes the rows.
        reader: the transaction.
        token: the change token from before the transaction began; ``None`` when it cannot be trusted.
        shortcuts: those of the database.
    """
    known = recalled(config, sink, token)
    if known is not None:
        yield Capturing(whole=False, finish=lambda _: known)
        return
    run = _Capture(config, sink, reader, shortcuts)
    with run.comparing() as since:

        def finish(told: Told) -> DatabaseState:
            began = perf_counter()
            found = since()
            state = run.state(found, told)
            what = "whole" if found is None else "where it has changed"
            _LOG.debug("the database was read, %s", what, seconds=perf_counter() - began)
            if token is not None:
                DatabaseCache(token, state, config.ignore).save(config.private)
            return state

        yield Capturing(run.before is None, finish)


def remember_mark(config: Config, shortcuts: Shortcuts, state: DatabaseState) -> None:
    """Have the next capture read only what has changed since the last write transaction left ``state``."""
    from epicvc.repo.rows.dbmark import MarkedState

    mark = shortcuts.mark_left()
    if mark is not None:
        MarkedState(state, config.ignore, mark).save(config.private)


def _is_kept(sink: Staging, state: DatabaseState) -> bool:
    return sink.has(state.tables) and sink.has(state.schema)


class _Capture:
    """One capture, on top of an earlier state where the store has one."""

    def __init__(self, config: Config, sink: Staging, reader: Reader, shortcuts: Shortcuts | None) -> None:
        from epicvc.repo.rows.dbmark import MarkedState

        self._config, self._sink, self._reader, self._shortcuts = config, sink, reader, shortcuts
        marked = MarkedState.load(config.private, config.ignore) if shortcuts is not None else None
        self.before = marked if marked is not None and _is_kept(sink, marked.state) else None

    @contextmanager
    def comparing(self) -> Iterator[Callable[[], tuple[DatabaseState, ChangedKeys] | None]]:
        """Begin to look for changes since the last mark. The yielded function waits for the result."""
        if self.before is None or self._shortcuts is None:
            yield lambda: None
            return
        state = self.before.state
        with self._shortcuts.comparing(self._reader, self.before.mark) as wait:
            yield lambda: (state, changed) if (changed := wait()) is not None else None

    def state(self, since: tuple[DatabaseState, ChangedKeys] | None, told: Told) -> DatabaseState:
        """Capture the database. Make a new mark where one is due and the state will be in the store."""
        if self._shortcuts is None or not self._sink.keeps or (since is not None and not since[1].worn):
            return self._read(since, told)
        from epicvc.repo.rows.dbmark import MarkedState

        with self._shortcuts.marking(self._reader) as wait:
            state = self._read(since, told)
            mark = wait()
        if mark is not None:
            MarkedState(state, self._config.ignore, mark).save(self._config.private)
        return state

    def _read(self, since: tuple[DatabaseState, ChangedKeys] | None, told: Told) -> DatabaseState:
        from epicvc.repo.rows.dbside import capture

        if since is not None:
            with suppress(DamagedObject):  # a damaged memory must not stop the command
                return capture(self._reader, self._sink, told, since)
        return capture(self._reader, self._sink, told)
