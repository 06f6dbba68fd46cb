"""An epic repo as one object: its directory, configuration and store, and the present state of both sides."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from collections.abc import Mapping as MappingABC
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from epicvc.database.url import DatabaseURL, open_backend
from epicvc.errors import DatabaseUnavailable, FileUnavailable, NotFound, Refused
from epicvc.repo.config.config import CONFIG, PRIVATE, Config, load_config
from epicvc.repo.history.revisions import Revisions
from epicvc.repo.home import stores
from epicvc.repo.home.place import oddity
from epicvc.store.objects import ObjectId, ObjectSink
from epicvc.store.store import Store

if TYPE_CHECKING:
    from epicvc.base.fileio import RepoLock
    from epicvc.database.backend import Backend, MakeBackend, Reader
    from epicvc.files.scan.early import EarlyLook
    from epicvc.repo.files.filesside import FilesSide
    from epicvc.repo.files.tracked import FilesState
    from epicvc.repo.history.objects import DatabaseState, Snapshot
    from epicvc.store.staging import Staging

STORE: Final = "store.db"
LOCK: Final = "lock"
FLUSH_BYTES: Final = 32 * 1024 * 1024
"""The compressed bytes that a writing command keeps in memory before it stores them."""


class Progress(Protocol):
    """Receives reports of progress."""

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Report that ``done`` of ``total`` are done. A total of ``None`` is not known."""


def no_progress(what: str, done: int, total: int | None) -> None:
    """Ignore a report of progress."""


def find_root(start: Path) -> Path:
    """Return the directory of the repo that a directory lies in.

    Raises:
        NotFound: the directory lies in no repo.
    """
    for directory in (start, *start.parents):
        if (directory / PRIVATE / STORE).is_file():
            return directory
    raise NotFound(f"{start} is in no epic repo", hint="make one with `epicvc init`")


def require_private(root: Path) -> None:
    """Make sure that a repo's private directory, if it exists, is a real directory with nothing but real files.

    Raises:
        Refused: the directory or an entry of it leads elsewhere, or other users can write it.
        FileUnavailable: the directory cannot be read.
    """
    try:
        odd = oddity(str(root))
    except OSError as error:
        raise FileUnavailable(str(root / PRIVATE), error.strerror or str(error)) from error
    if odd is not None:
        raise Refused(odd, hint="remove it if you do not know it; a directory of your own needs `chmod go-w`")


def listed_store(root: Path, environment: MappingABC[str, str]) -> Store | None:
    """Open the store of a repo if it is on the user's list at that place; else return ``None``.

    Raises:
        Unavailable: the list cannot be read.
        EpicvcError: the store cannot be opened.
    """
    listed = stores.id_at(environment, os.fspath(root))
    if listed is None:
        return None
    # The user's list vouches for the store, whoever owns the file.
    store = Store.open(root / PRIVATE / STORE, any_owner=True)
    try:
        if store.repo_id == listed:
            return store
    except BaseException:
        store.close()
        raise
    store.close()
    return None


def _config_beside(
    store: Store, root: Path, environment: MappingABC[str, str], database: str | None, *, private: bool = True
) -> Config:
    """Load the configuration beside an open store. If it cannot be loaded, the store is closed."""
    try:
        return load_config(root, environment, database, private=private)
    except BaseException:
        store.close()
        raise


def author_of(environment: MappingABC[str, str]) -> str:
    """Return the name of the user who runs this, from the environment, else from the account."""
    for name in ("EPICVC_AUTHOR", "GIT_AUTHOR_NAME", "USER", "LOGNAME"):
        if environment.get(name):
            # bytes that are no text in the terminal's encoding are escaped, since a commit is text
            return environment[name].encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # as in a container that runs under a number
        return "unknown"


class Working(Struct):
    """Both sides as they are at one moment.

    Attributes:
        files: the files side.
        database: the db side; ``None`` where there is no database.
        base_root: the tree of the base.
        mapping: the id of the mapping in force.
    """

    files: FilesState
    database: DatabaseState | None
    base_root: ObjectId
    mapping: ObjectId

    def snapshot(self) -> Snapshot:
        """Return this moment as a snapshot."""
        from epicvc.repo.history.objects import Snapshot

        return Snapshot(self.files.root, self.database, self.base_root, self.mapping)


class Repo:
    """An epic repo.

    Modules that read sides or objects are imported by the methods that use them: commands that look only at names need
    none of them.

    Args:
        config: its configuration.
        store: its open store.
        environment: environment variables.
        now: the clock.

    Attributes:
        progress: receives reports of progress.
        early_look: a look at the files that was begun before the repo was opened; ``None`` for none.
        is_adopted: whether the store is on the user's list; otherwise only its history can be read.
        notice: one sentence on how it was opened, for the user.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        environment: MappingABC[str, str],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.config = config
        self.store = store
        self.now = now
        self.environment = environment
        self.revisions = Revisions(store)
        self.progress: Progress = no_progress
        self.early_look: EarlyLook | None = None
        self.is_adopted = True
        self.notice: str | None = None
        self._coming: str | None = None
        self._given: Backend | None = None

    @classmethod
    def open(
        cls,
        start: Path,
        environment: MappingABC[str, str] | None = None,
        database: str | None = None,
        *,
        history: bool = False,
    ) -> Repo:
        """Open the repo that ``start`` lies in.

        Args:
            start: a directory in the repo.
            environment: environment variables; by default the process's own.
            database: the value of ``--db``.
            history: whether only the history will be read. Then a store may be opened that is not adopted. Such a repo
                has no database, and nothing can be written to it.

        Raises:
            NotFound: the directory lies in no repo.
            InvalidConfig: the configuration is not valid.
            NotAdopted: the store is not on the user's list.
            Refused: the private directory is not safe to use.
        """
        variables = os.environ if environment is None else environment
        root = find_root(start.absolute())
        if not (root / CONFIG).exists():
            raise NotFound(f"{root} has no {CONFIG}", hint="restore it from git, or run `epicvc init` in a new place")
        require_private(root)
        store = listed_store(root, variables)
        if store is not None:
            return cls(_config_beside(store, root, variables, database), store, variables)
        from epicvc.repo.home.trust import require_known

        notice = require_known(root, variables, history=history)
        if notice is None:
            frozen = Store.open(root / PRIVATE / STORE, frozen=True)
            config = replace(_config_beside(frozen, root, variables, database, private=False), database=None)
            opened = cls(config, frozen, variables)
            opened.is_adopted = False
            return opened
        opened = cls.open(root, variables, database, history=history)
        opened.notice = notice
        return opened

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    # Who and when

    @property
    def author(self) -> str:
        """The name under which commits are made here."""
        return author_of(self.environment)

    def coming_operation(self) -> str:
        """Return the id that the next operation will have, for the log of the steps that lead to it."""
        if self._coming is None:
            self._coming = os.urandom(16).hex()
        return self._coming

    def new_operation_id(self) -> str:
        """Return a fresh operation id."""
        found, self._coming = self.coming_operation(), None
        return found

    # Access

    def lock(self, timeout: float = 10.0) -> RepoLock:
        """Return the lock of commands that write. It is released when its process ends."""
        from epicvc.base.fileio import RepoLock

        return RepoLock(self.config.private / LOCK, timeout=timeout)

    def staging(self, *, writable: bool) -> Staging:
        """Return the staging area for new objects.

        It writes them to the store in portions, or not at all (``writable`` false).
        """
        from epicvc.store.staging import Staging

        return Staging(self.store, flush_bytes=FLUSH_BYTES if writable else None)

    def use_given(self, make: MakeBackend) -> None:
        """Use a database that cannot be opened by its name, since it is in memory, instead of the configured one.

        Args:
            make: returns it, without the tables that snapshots leave out.
        """
        self._given = make(self.config.ignore)
        self.config = replace(self.config, database=DatabaseURL("sqlite", self._given.display))

    def backend(self) -> Backend | None:
        """Return the database if one is configured; it may not exist."""
        if self._given is not None:
            return self._given
        if self.config.database is None:
            return None
        return open_backend(self.config.database, ignore=self.config.ignore, query_seconds=self.config.query_seconds)

    def require_database(self) -> None:
        """Make sure that the database exists where one is configured.

        Raises:
            DatabaseUnavailable: it does not exist.
        """
        if self.config.database is not None:
            self.require_backend()

    def require_backend(self) -> Backend:
        """Return the database.

        Raises:
            NotFound: none is configured.
            DatabaseUnavailable: it does not exist.
        """
        backend = self.backend()
        if backend is None:
            raise NotFound("no database is configured", hint=f"name it with --db or in [database] url of {CONFIG}")
        _require_exists(backend)
        return backend

    # History

    def head_snapshot(self) -> tuple[ObjectId, Snapshot] | None:
        """Return the commit at HEAD and its snapshot; ``None`` before the first commit."""
        head = self.revisions.head()
        return (head, self.snapshot_of(head)) if head is not None else None

    def snapshot_of(self, commit: ObjectId) -> Snapshot:
        """Return the snapshot of a commit."""
        from epicvc.repo.history.objects import get_commit, get_snapshot

        return get_snapshot(self.store, get_commit(self.store, commit).snapshot)

    def _base_root(self, sink: ObjectSink, head: Snapshot | None, mapping: ObjectId) -> ObjectId:
        """Return hEAD's base, readable under the mapping in force."""
        from epicvc.repo.history.base import Base, detached, get_mapping
        from epicvc.store.tree import tree

        if head is None:
            return tree.empty(sink)
        if head.mapping == mapping:
            return head.base
        return detached(sink, Base(sink, head.base, get_mapping(sink, head.mapping)))

    # Both sides

    def files_side(self, sink: ObjectSink) -> FilesSide:
        """Return the reader of the files side."""
        from epicvc.repo.files.filesside import FilesSide
        from epicvc.repo.history.base import put_mapping

        mapping = put_mapping(sink, self.config.mapping, self.config.ignore)
        return FilesSide(self.config, mapping, former=self._former(sink))

    def _former(self, sink: ObjectSink) -> Callable[[str], str | None]:
        """Return a function that finds the former epic of a file, for files that have none now and none at HEAD."""

        def former(path: str) -> str | None:
            from epicvc.repo.formerepics import former_epic

            return former_epic(self, sink, path)

        return former

    def scan_files(self, sink: ObjectSink) -> FilesState:
        """Scan the files side and return its present state."""
        head = self.head_snapshot()
        return self.files_side(sink).scan(sink, head[1].files if head else None)

    @contextmanager
    def reading(
        self, sink: Staging, backend: Backend | None = None, *, reads_rows: bool = True
    ) -> Iterator[tuple[Working, Reader | None]]:
        """Capture both sides, and yield them with the read transaction in which the database was read.

        Args:
            sink: takes the captured objects.
            backend: the database, if the caller is going to write to it afterwards.
            reads_rows: whether the caller needs the transaction. If not, it gets none where the remembered state of the
                database still holds.

        Raises:
            DatabaseUnavailable: the configured database does not exist. It must not be taken for an empty one.
        """
        from epicvc.repo.files.filesside import FilesSide
        from epicvc.repo.history.base import put_mapping
        from epicvc.repo.rows.dbcapture import capturing, recalled

        head = self.head_snapshot()
        with ExitStack() as stack:
            if backend is None and (backend := self.backend()) is not None:
                stack.callback(backend.close)
            reader = token = database = shortcuts = None
            if backend is not None:
                _require_exists(backend)  # the database may have been removed since the command began
                shortcuts = backend.shortcuts
                token = shortcuts.token() if shortcuts is not None else None
                database = None if reads_rows else recalled(self.config, sink, token)
                reader = stack.enter_context(backend.read()) if database is None else None
            captured = stack.enter_context(capturing(self.config, sink, reader, token, shortcuts)) if reader else None
            mapping = put_mapping(sink, self.config.mapping, self.config.ignore)
            early, self.early_look = self.early_look, None
            side = FilesSide(self.config, mapping, self.progress, early, self._former(sink))
            known = head[1].files if head else None
            begun = stack.enter_context(side.scanning(sink, known, beside=captured is not None and captured.whole))
            # While workers read many files, this process reads the database. Otherwise the files are read first: the
            # backend compares the database in a process of its own meanwhile.
            if captured and begun.ahead:

                def told(rows: int) -> None:
                    self._told(rows)
                    begun.go_on()

                database = captured.finish(told)
            files = begun.finish()
            if captured and database is None:
                database = captured.finish(self._told)
            yield Working(files, database, self._base_root(sink, head[1] if head else None, mapping), mapping), reader

    def _told(self, rows: int) -> None:
        self.progress("rows", rows, None)


def _require_exists(backend: Backend) -> None:
    if not backend.exists():
        raise DatabaseUnavailable(
            backend.display, "does not exist", hint="roll back to bring it back, or name the right one with --db"
        )
