"""An epic repo as one object: where it is, its configuration, its store, and both sides as they are now."""

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
"""How many compressed bytes a writing command keeps in memory before it stores them."""


class Progress(Protocol):
    """Told how long work goes on."""

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """``done`` of ``total`` are done; a total of ``None`` is not known."""


def no_progress(what: str, done: int, total: int | None) -> None:
    """Tell nobody."""


def find_root(start: Path) -> Path:
    """The repo that a directory lies in.

    Raises:
        NotFound: it lies in none.
    """
    for directory in (start, *start.parents):
        if (directory / PRIVATE / STORE).is_file():
            return directory
    raise NotFound(f"{start} is in no epic repo", hint="make one with `epicvc init`")


def require_private(root: Path) -> None:
    """Make sure that a repo's private directory, where there is one, is a directory with files in it.

    Raises:
        Refused: it, or something in it, leads elsewhere, or other users can write it.
        FileUnavailable: it cannot be read.
    """
    try:
        odd = oddity(str(root))
    except OSError as error:
        raise FileUnavailable(str(root / PRIVATE), error.strerror or str(error)) from error
    if odd is not None:
        raise Refused(odd, hint="remove it if you do not know it; a directory of your own needs `chmod go-w`")


def listed_store(root: Path, environment: MappingABC[str, str]) -> Store | None:
    """The open store of a repo, if it is on the user's list at that place.

    Raises:
        Unavailable: the list cannot be read.
        EpicvcError: the store cannot be opened.
    """
    listed = stores.id_at(environment, os.fspath(root))
    if listed is None:
        return None
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
    """The configuration; the store is closed where there is none."""
    try:
        return load_config(root, environment, database, private=private)
    except BaseException:
        store.close()
        raise


def author_of(environment: MappingABC[str, str]) -> str:
    """Who runs this: by the environment, else by the account."""
    for name in ("EPICVC_AUTHOR", "GIT_AUTHOR_NAME", "USER", "LOGNAME"):
        if environment.get(name):
            # what is no text in the terminal's encoding is told by its bytes, since a commit is text
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
        base_root: the tree of what was last agreed.
        mapping: the id of the mapping in force.
    """

    files: FilesState
    database: DatabaseState | None
    base_root: ObjectId
    mapping: ObjectId

    def snapshot(self) -> Snapshot:
        """This moment as a snapshot."""
        from epicvc.repo.history.objects import Snapshot

        return Snapshot(self.files.root, self.database, self.base_root, self.mapping)


class Repo:
    """An epic repo.

    What reads sides or objects is imported by the methods that do: commands that only look at names need none of it.

    Args:
        config: its configuration.
        store: its open store.
        environment: environment variables.
        now: the clock.

    Attributes:
        progress: told how long work goes on.
        early_look: a look at the files that was begun before the repo was opened.
        is_adopted: the store is on the user's list; otherwise only its history can be read.
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
            start: the directory.
            environment: environment variables; by default the process's own.
            database: what ``--db`` said.
            history: only its history will be read, so that a store may be opened that nobody has adopted. Such a repo
                has no database, and nothing can be written to it.

        Raises:
            NotFound: it lies in none.
            InvalidConfig: its configuration cannot be.
            NotAdopted: its store is not on the user's list.
            Refused: its private directory is none.
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
        """Who makes commits here."""
        return author_of(self.environment)

    def coming_operation(self) -> str:
        """The id that the next operation will have, for logs of what leads to it."""
        if self._coming is None:
            self._coming = os.urandom(16).hex()
        return self._coming

    def new_operation_id(self) -> str:
        """A fresh operation id."""
        found, self._coming = self.coming_operation(), None
        return found

    # Access

    def lock(self, timeout: float = 10.0) -> RepoLock:
        """The lock of commands that write; it dies with its process."""
        from epicvc.base.fileio import RepoLock

        return RepoLock(self.config.private / LOCK, timeout=timeout)

    def staging(self, *, writable: bool) -> Staging:
        """Where new objects go: into the store in portions, or nowhere (commands that only look)."""
        from epicvc.store.staging import Staging

        return Staging(self.store, flush_bytes=FLUSH_BYTES if writable else None)

    def use_given(self, make: MakeBackend) -> None:
        """Use a database that cannot be opened by its name, since it is in memory, instead of the configured one.

        Args:
            make: gives it, without the tables that snapshots leave out.
        """
        self._given = make(self.config.ignore)
        self.config = replace(self.config, database=DatabaseURL("sqlite", self._given.display))

    def backend(self) -> Backend | None:
        """The database, when one is configured; it may not exist."""
        if self._given is not None:
            return self._given
        if self.config.database is None:
            return None
        return open_backend(self.config.database, ignore=self.config.ignore, query_seconds=self.config.query_seconds)

    def require_database(self) -> None:
        """Make sure that the database exists where one is configured.

        Raises:
            DatabaseUnavailable: it does not.
        """
        if self.config.database is not None:
            self.require_backend()

    def require_backend(self) -> Backend:
        """The database.

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
        """The commit at HEAD and its snapshot; ``None`` before the first commit."""
        head = self.revisions.head()
        return (head, self.snapshot_of(head)) if head is not None else None

    def snapshot_of(self, commit: ObjectId) -> Snapshot:
        """The snapshot of a commit."""
        from epicvc.repo.history.objects import get_commit, get_snapshot

        return get_snapshot(self.store, get_commit(self.store, commit).snapshot)

    def _base_root(self, sink: ObjectSink, head: Snapshot | None, mapping: ObjectId) -> ObjectId:
        """HEAD's base, readable under the mapping in force."""
        from epicvc.repo.history.base import Base, detached, get_mapping
        from epicvc.store.tree import tree

        if head is None:
            return tree.empty(sink)
        if head.mapping == mapping:
            return head.base
        return detached(sink, Base(sink, head.base, get_mapping(sink, head.mapping)))

    # Both sides

    def files_side(self, sink: ObjectSink) -> FilesSide:
        """The reader of the files side."""
        from epicvc.repo.files.filesside import FilesSide
        from epicvc.repo.history.base import put_mapping

        mapping = put_mapping(sink, self.config.mapping, self.config.ignore)
        return FilesSide(self.config, mapping, former=self._former(sink))

    def _former(self, sink: ObjectSink) -> Callable[[str], str | None]:
        """What tells which epic a file was, for files that neither say it now nor at HEAD."""

        def former(path: str) -> str | None:
            from epicvc.repo.formerepics import former_epic

            return former_epic(self, sink, path)

        return former

    def scan_files(self, sink: ObjectSink) -> FilesState:
        """The files side as it is now."""
        head = self.head_snapshot()
        return self.files_side(sink).scan(sink, head[1].files if head else None)

    @contextmanager
    def reading(
        self, sink: Staging, backend: Backend | None = None, *, reads_rows: bool = True
    ) -> Iterator[tuple[Working, Reader | None]]:
        """Both sides as they are, and the read transaction in which the database was read.

        Args:
            sink: where captured objects go.
            backend: the database, where the caller goes on to write to it.
            reads_rows: whether the caller asks the transaction for anything. One who does not gets none where what is
                remembered of the database still holds.

        Raises:
            DatabaseUnavailable: the configured database does not exist: it must not be taken for an empty one.
        """
        from epicvc.repo.files.filesside import FilesSide
        from epicvc.repo.history.base import put_mapping
        from epicvc.repo.rows.dbcapture import capturing, recalled

        head = self.head_snapshot()
        with ExitStack() as stack:
            if backend is None and (backend := self.backend()) is not None:
                stack.callback(backend.close)
            reader = token = database = None
            if backend is not None:
                _require_exists(backend)  # it may have gone since the command began
                token = backend.token()
                database = None if reads_rows else recalled(self.config, sink, token)
                reader = stack.enter_context(backend.read()) if database is None else None
            captured = stack.enter_context(capturing(self.config, sink, reader, token)) if reader else None
            mapping = put_mapping(sink, self.config.mapping, self.config.ignore)
            early, self.early_look = self.early_look, None
            side = FilesSide(self.config, mapping, self.progress, early, self._former(sink))
            known = head[1].files if head else None
            begun = stack.enter_context(side.scanning(sink, known, beside=captured is not None and captured.whole))
            # While processes read many files, the database; otherwise it is looked at by a process meanwhile.
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
            backend.display,
            "does not exist",
            hint="roll back to bring it back, or name the right one with --db",
        )
