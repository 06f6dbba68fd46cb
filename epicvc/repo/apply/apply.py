"""The one crash-safe apply: brings files, database and refs from one state to another, or leaves all as they were.

Files and database cannot commit together, so the order is fixed and every step before the last can be told apart
after a crash:

1. the intent is written into the store (``pending``), not yet prepared;
2. inside the database's write transaction the work is done, the new files are staged beside their targets, and the
   objects of the new state with the prepared intent go into the store, durable but unreferenced;
3. the database commits, together with a row that names this operation;
4. staged files are renamed over their targets;
5. refs move, the operation is logged and the intent goes, in one transaction of the store.

Before step 3 everything is undone by forgetting it. After step 3 all that remains can be done again from the store.
:mod:`epicvc.repo.apply.recovery` does either. An operation that changes no row has no step 3: its prepared intent alone
decides.

A step that fails before the decision (disk full, say) undoes the operation. Steps that can fail for want of space or of
permission come before the decision: files are staged, directories tried, and space is held back for the last
transaction. A step that fails after the decision, or the decision itself, is done again once from what is stored. Only
a disk that goes on failing leaves the rest to the next command, and the error says so.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from epicvc.base.fileio import Reserve, check_writable, make_directories, remove_file, stage_file, temporary_of
from epicvc.base.logs import Log
from epicvc.database.backend import Backend, Change, Writer
from epicvc.database.tables import TableInfo
from epicvc.errors import EpicvcError, NotFound, Refused, Unfinished
from epicvc.files.names import check_name
from epicvc.repo.apply import Replan
from epicvc.repo.apply.placing import FileChange, current_blob, keep_old_base, place, sync_directories, tag_of
from epicvc.repo.history.objects import Snapshot, format_time, get_snapshot, put_snapshot
from epicvc.repo.repository import Repo
from epicvc.repo.rows.dbcache import DatabaseCache
from epicvc.repo.rows.dbside import COUNTERS, between, get_schema, table_root, unpack_row
from epicvc.store.file.records import Operation, Pending, View
from epicvc.store.objects import ObjectId, ObjectSource, ObjectType
from epicvc.store.staging import Staging
from epicvc.store.tree import tree

if TYPE_CHECKING:
    from epicvc.database.shortcuts import Shortcuts

_LOG: Final = Log("operation")


class After(Struct, frozen=True):
    """The state that an operation leads to.

    Attributes:
        snapshot: both sides and the base.
        refs: refs that change, with their new values; ``None`` removes one.
    """

    snapshot: Snapshot
    refs: Mapping[str, str | None] = field(default_factory=dict)


class Work(Protocol):
    """The work of an operation. It may be called again from the start after it raised :class:`Replan`."""

    def __call__(self, writer: Writer | None, stage: Stage) -> After:
        """Change the database through ``writer`` and files through ``stage``; return the new state."""


class Request(Struct, frozen=True):
    """An operation to carry out.

    Attributes:
        command: the command's name, for the operation log.
        description: what it does, one line.
        before: both sides as they were captured under the lock.
        work: changes the sides.
        database: the backend to write to; ``None`` when no row changes.
        as_restore: whether rows come back exactly and no trigger fires, instead of being written as by an application.
        bulk: whether so much of the database changes that reading it whole afterwards is quicker than noting each
            change.
        version: the database's version when it was captured. Another version at writing means that the database has
            changed since. A restore is then planned again, other work only if it touches what has changed.
        undoes: the operation that this one takes back.
        redoes: the operation that this one brings back.
        prepare: the part of the work that needs no lock of the database; called right before the lock is taken.
        foreign_keys: whether the database enforces them meanwhile; if not, the work itself sees to them.
        continues: the operation of which this is a further step. It is the newest one, and the log has both as one.
        more: whether a further step follows at once, so that the database need not be remembered as this one leaves it.
        many: tables with many differences that the work is going to restore, each with the definition that it has and
            keeps. They are brought to the database before it is locked.
        image: the image of rows that the backend is given beside the database.
    """

    command: str
    description: str
    before: Snapshot
    work: Work
    database: Backend | None = None
    as_restore: bool = False
    bulk: bool = False
    version: object = None
    undoes: str | None = None
    redoes: str | None = None
    prepare: Callable[[Stage], None] | None = None
    foreign_keys: bool = True
    continues: str | None = None
    more: bool = False
    many: Mapping[str, tuple[TableInfo, Iterable[Change]]] = field(default_factory=dict)
    image: bytes | None = None


def writing(backend: Backend, request: Request, waiting: Path | None = None) -> AbstractContextManager[Writer]:
    """Open the write transaction of an operation, with its rows brought to the database before the lock.

    Args:
        backend: the database, or a copy of it.
        request: the operation. It has an image only for a database that takes images.
        waiting: where rows of a restore may wait; ``None`` has them written one by one.
    """
    as_restore, track, foreign_keys = request.as_restore, not request.bulk, request.foreign_keys
    ahead = None
    if request.many and waiting is not None and backend.shortcuts is not None:
        from epicvc.database.shortcuts import Ahead  # only large restores need it

        ahead = Ahead(request.many, waiting)
    if backend.shortcuts is None or (ahead is None and request.image is None):
        return backend.write(as_restore=as_restore, track=track, foreign_keys=foreign_keys)
    return backend.shortcuts.write(
        as_restore=as_restore, track=track, foreign_keys=foreign_keys, ahead=ahead, image=request.image
    )


class Stage:
    """Collects file changes as staged temporary files."""

    def __init__(self, root: Path, tag: str, staging: Staging) -> None:
        self.sink = staging
        self.changes: list[FileChange] = []
        self.alone = True  # whether the database holds only the captured rows and those that this operation wrote
        self._root = root
        self._tag = tag
        self._staged: dict[str, Path] = {}
        self._absent: set[str] = set()
        self._writable: set[Path] = set()

    def write(self, path: str, old: ObjectId | None, data: bytes) -> ObjectId:
        """Stage a file's new bytes.

        Args:
            path: relative to the files directory.
            old: the blob that is there now, as captured.
            data: the new bytes.

        Returns:
            The blob of the new bytes.
        """
        check_name(path)  # the path may come from a snapshot that somebody else made
        target = self._root / path
        make_directories(self._root, self._root.parent)
        make_directories(target.parent, self._root)
        blob = self.sink.put(ObjectType.BLOB, data)
        self._staged[path] = stage_file(target, data, self._tag)
        self.changes.append(FileChange(path, old, blob))
        return blob

    def remove(self, path: str, old: ObjectId) -> None:
        """Note that a file goes. It is removed when the stage is published.

        Raises:
            FileUnavailable: its directory may not be written to.
        """
        check_name(path)
        directory = (self._root / path).parent
        if directory not in self._writable and directory.exists():
            check_writable(directory, self._tag)  # now, since nothing may fail once the operation is decided
            self._writable.add(directory)
        self.changes.append(FileChange(path, old, None))

    def expect_absent(self, path: str) -> None:
        """Note that a file must still be gone when the database commits: its epic is deleted there."""
        self._absent.add(path)

    def check_unchanged(self) -> None:
        """Make sure that nobody edited a file since it was captured.

        Raises:
            Replan: a file was edited, or one that must be absent is there.
            Refused: an untracked file is in the place of a new one.
        """
        for change in self.changes:
            now = current_blob(self._root, change.path)
            if now != change.old:
                if change.old is None:
                    raise Refused(
                        f"{change.path} is in the way: it is there and is not tracked", hint="move it somewhere else"
                    )
                raise Replan
        if any(os.path.lexists(self._root / path) for path in self._absent):
            raise Replan

    def publish(self) -> list[FileChange]:
        """Move all staged files to their places, remove the files that go, and make both durable.

        Returns:
            The changes whose files somebody has saved since they were captured. These files are left alone.
        """
        edited = []
        for change in self.changes:
            self._staged.pop(change.path, None)
            if not place(self._root, change, self._tag):
                edited.append(change)
        sync_directories(self._root, self.changes)
        return edited

    def discard(self) -> None:
        """Remove the staged temporary files."""
        for staged in self._staged.values():
            remove_file(staged)
        self._staged.clear()


def perform(repo: Repo, staging: Staging, request: Request) -> Operation:
    """Carry out an operation. The caller holds the repo's lock and has recovered an unfinished one.

    Raises:
        Replan: a side changed since it was captured; nothing was done.
        EpicvcError: the operation is not possible; nothing was done.
        Unfinished: the operation can be neither finished nor undone now; the next command that writes does either.
    """
    operation_id = repo.new_operation_id()
    began = perf_counter()
    _LOG.debug("%s begins: %s", request.command, request.description, operation=operation_id)
    try:
        operation = _perform(repo, staging, request, operation_id)
    except (EpicvcError, Replan) as error:
        why = "a side has changed, it is planned again" if isinstance(error, Replan) else error.kind
        _LOG.info("%s is not done: %s", request.command, why, operation=operation_id, seconds=perf_counter() - began)
        raise
    except Exception as error:  # a bug: the crash report names the operation
        error.add_note(f"in operation {operation_id}, {request.command}")
        raise
    _LOG.info("%s is done", request.command, operation=operation_id, seconds=perf_counter() - began)
    return operation


def _perform(repo: Repo, staging: Staging, request: Request, operation_id: str) -> Operation:
    before = View(dict(repo.store.refs()), put_snapshot(staging, request.before).hex())
    stage = Stage(repo.config.files, tag_of(operation_id), staging)
    details = _details(repo, request.description, request.undoes, request.redoes)
    if request.continues is not None:
        details["continues"] = request.continues
    intent = Pending(
        operation_id,
        request.command,
        request.database is not None,
        prepared=False,
        before=before,
        after=None,
        details=details,
    )
    begun = decided = False
    # What follows the decision must not fail for want of space.
    with Reserve(repo.config.private, _space(before)) as reserve:
        try:
            staging.flush()
            with repo.store.transaction() as txn:
                txn.set_pending(intent)
            begun = True
            if request.prepare is not None:
                request.prepare(stage)
            if request.database is None:
                intent = _prepare(repo, stage, intent, request, None)
                decided = True
            else:
                waiting = temporary_of(repo.config.private / "rows", tag_of(operation_id))
                with writing(request.database, request, waiting) as writer:
                    intent = _prepare(repo, stage, intent, request, writer)
                    decided = True  # or about to be: a commit that fails may have happened
                    if intent.database:
                        writer.commit()
            edited = stage.publish()
            operation = complete(repo, keep_old_base(repo, intent, edited) if edited else intent)
        except BaseException as error:  # not Exception: an interrupt must not leave an operation half done either
            reserve.release()
            if decided:
                _LOG.warning("a step failed after the operation was decided; it is done again", operation=operation_id)
                return _end(repo, intent, error)
            _forget(repo, stage, error, begun=begun)
            raise
    if request.database is not None and intent.database and stage.alone and not request.more:
        many = request.bulk or request.continues is not None
        _remember(repo, request.database.shortcuts, staging, operation, many=many)
    return operation


def _remember(
    repo: Repo, shortcuts: Shortcuts | None, source: ObjectSource, operation: Operation, *, many: bool
) -> None:
    """Remember the database's new state, so that the next command need not read the database to know it.

    Args:
        repo: the repo.
        shortcuts: those of the database; without any, nothing can be remembered.
        source: holds the objects of the new state.
        operation: the operation that led to it.
        many: whether many rows were written.
    """
    if shortcuts is None or operation.after.snapshot is None:
        return
    state = get_snapshot(source, bytes.fromhex(operation.after.snapshot)).database
    token = shortcuts.token_left()
    if token is not None:
        DatabaseCache(token, state, repo.config.ignore).save(repo.config.private)
    if many and state is not None:
        from epicvc.repo.rows.dbcapture import remember_mark

        remember_mark(repo.config, shortcuts, state)


def _space(before: View) -> int:
    """Return how many bytes the last transaction may need: its journal, and twice the refs in the log."""
    return 65_536 + 8 * sum(len(name) + len(value) for name, value in before.refs.items())


def _prepare(repo: Repo, stage: Stage, intent: Pending, request: Request, writer: Writer | None) -> Pending:
    """Do the work and make the new state durable. The database is not committed here."""
    if writer is None or writer.version() == request.version:
        after = request.work(writer, stage)
    else:
        after = _beside_others(stage, request, writer)
    stage.check_unchanged()
    snapshot = put_snapshot(stage.sink, after.snapshot).hex()
    refs = dict(intent.before.refs)
    for name, value in after.refs.items():
        if value is None:
            refs.pop(name, None)
        else:
            refs[name] = value
    writes_rows = writer is not None and after.snapshot.database != request.before.database
    if writer is not None and writes_rows:
        writer.set_state(repo.store.repo_id, intent.operation, snapshot)
    prepared = replace(intent, database=writes_rows, prepared=True, after=View(refs, snapshot))
    with repo.store.transaction() as txn:
        stage.sink.flush_into(txn)
        txn.set_pending(prepared)
    return prepared


def _beside_others(stage: Stage, request: Request, writer: Writer) -> After:
    """Do the work though another client has committed since the database was captured.

    This is right as long as nobody else changed a row that this work touches, by triggers and cascades too. Then it is
    as if the work had come first, and the changes of the others show as changes since. To plan again each time was
    rejected: an application that writes every second would keep a repo from ever being synchronised whose database
    takes longer than that to read.

    Raises:
        Replan: somebody else changed such a row, or that cannot be told.
    """
    database, captured = request.database, request.before.database
    if database is None or captured is None or request.as_restore or request.bulk or not database.reads_beside:
        raise Replan
    stage.alone = False
    with database.read() as found:  # the database as the writer found it, since the writer holds the lock
        schema = get_schema(stage.sink, captured)
        if found.schema() != schema:
            raise Replan
        after = request.work(writer, stage)
        for table, rows in writer.touched().items():
            if table == COUNTERS:
                continue  # counters only ever rise, and undo leaves alone the counters that went on
            root = table_root(stage.sink, captured, table)
            if rows is None or root is None:
                raise Replan
            if rows.added is not None and any(True for _ in tree.items(stage.sink, root, *between(rows.added))):
                raise Replan  # rows of the range were there already
            for key in rows.keys:
                value = tree.get(stage.sink, root, key)
                if found.row(table, key) != (None if value is None else unpack_row(stage.sink, value)):
                    raise Replan
    return after


def _details(repo: Repo, description: str, undoes: str | None = None, redoes: str | None = None) -> dict[str, str]:
    """Return the details that an intent carries for the operation log. :func:`complete` reads them."""
    return {
        "time": format_time(repo.now()),
        "user": repo.author,
        "description": description,
        "undoes": undoes or "",
        "redoes": redoes or "",
    }


def record_refs(repo: Repo, command: str, description: str, changes: Mapping[str, str | None]) -> Operation:
    """Move refs only, as an operation that leaves both sides alone. The caller holds the repo's lock.

    Raises:
        RefMoved: somebody has moved a ref meanwhile.
    """
    before = dict(repo.store.refs())
    after = {name: value for name, value in {**before, **changes}.items() if value is not None}
    details = _details(repo, description)
    intent = Pending(
        repo.new_operation_id(),
        command,
        False,
        prepared=True,
        before=View(before, None),
        after=View(after, None),
        details=details,
    )
    operation = complete(repo, intent)
    _LOG.info("%s is done", command, operation=operation.id)
    _LOG.debug("%s", description, operation=operation.id)
    return operation


def _forget(repo: Repo, stage: Stage, error: BaseException, *, begun: bool) -> None:
    """Undo everything before the decision.

    Raises:
        Unfinished: the operation cannot be undone now; the intent stays.
    """
    try:
        stage.discard()
        with repo.store.transaction() as txn:
            txn.set_pending(None)
    except EpicvcError as again:
        # Bugs and interrupts stay what they are. The intent is forgotten by the next command that writes.
        if begun and isinstance(error, EpicvcError | Replan):
            raise Unfinished(str(error) or str(again)) from error


def _end(repo: Repo, intent: Pending, error: BaseException) -> Operation:
    """Finish an operation that may be decided, from what is stored, after a step failed.

    Returns:
        The operation, where it was decided: its failed step has now been done.

    Raises:
        EpicvcError: the failure; the operation has been forgotten.
        Unfinished: the steps fail again; the intent stays.
    """
    from epicvc.repo.apply.recovery import recover  # the two call each other, at opposite ends of an operation

    try:
        recover(repo)
    except EpicvcError as again:
        if isinstance(error, EpicvcError):
            raise Unfinished(str(error)) from again
        raise error from again
    try:
        operation = repo.store.operation(intent.operation)
    except NotFound:
        # The operation was not decided, and recovery has forgotten it.
        raise error from None
    if isinstance(error, EpicvcError):
        return operation
    raise error


def complete(repo: Repo, intent: Pending) -> Operation:
    """Step 5: move the refs, log the operation and drop the intent, in one transaction.

    Raises:
        RefMoved: a ref is not where it was when the operation began.
    """
    assert intent.after is not None  # only prepared intents get here
    details = intent.details
    first = repo.store.operation(details["continues"]) if "continues" in details else None
    operation = Operation(
        id=intent.operation,
        time=details["time"],
        command=intent.command,
        description=details["description"],
        user=details["user"],
        before=intent.before if first is None else first.before,
        after=intent.after,
        undoes=details["undoes"] or None,
        redoes=details["redoes"] or None,
    )
    before, after = intent.before.refs, intent.after.refs
    with repo.store.transaction() as txn:
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                txn.set_ref(name, after.get(name), before.get(name))
        if first is None:
            txn.add_operation(operation)
        else:
            txn.replace_operation(first.id, operation)
        txn.set_pending(None)
    return operation
