"""Makes commits: of both sides as they are, of some epics, or under a name."""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from epicvc.actions.shared.session import Session, change
from epicvc.base.logs import Log
from epicvc.database.backend import Writer
from epicvc.errors import UsageError
from epicvc.model.labels import Selection
from epicvc.repo.apply.apply import After, Request, Stage
from epicvc.repo.files.filestree import changed_files, epic_id_of, update_files
from epicvc.repo.history.objects import CommitKind, DatabaseState, Snapshot, get_commit, put_commit, put_snapshot
from epicvc.repo.history.revisions import BRANCHES, CHECKPOINTS, HEAD, SYMBOLIC, check_ref_name
from epicvc.repo.repository import Repo
from epicvc.repo.rows.dbside import pack_row, row_changes, table_root
from epicvc.repo.rows.rows import CapturedRows, mapped_tables
from epicvc.store.objects import ObjectId
from epicvc.store.staging import Staging
from epicvc.store.tree import tree

FIRST_BRANCH = "main"
_LOG: Final = Log("checkpoint")


def head_ref(repo: Repo) -> str:
    """Return the ref that a new commit moves: the current branch, or HEAD itself if it is detached."""
    value = repo.store.ref(HEAD)
    if value is None:
        return BRANCHES + FIRST_BRANCH
    return value.removeprefix(SYMBOLIC) if value.startswith(SYMBOLIC) else HEAD


def committing(
    session: Session,
    sink: Staging,
    snapshot: Snapshot,
    message: str,
    kind: CommitKind,
    extra: dict[str, str] | None = None,
    merged: tuple[ObjectId, ...] = (),
    instead: bool = False,
) -> After:
    """Make a commit of a snapshot on top of HEAD, and return it with the refs to move.

    Args:
        session: the running command.
        sink: takes the commit.
        snapshot: the state of the commit.
        message: the message.
        kind: the kind of the commit.
        extra: further refs to point to the commit, as ``{ref: ""}``.
        merged: the parents beside HEAD.
        instead: the commit replaces HEAD, and has its parents.
    """
    repo = session.repo
    head = repo.revisions.head()
    parents = ((head,) if head else ()) + merged
    if instead and head is not None:
        parents = get_commit(repo.store, head).parents
    commit = put_commit(
        sink,
        parents=parents,
        snapshot=put_snapshot(sink, snapshot),
        author=repo.author,
        time=repo.now(),
        message=message,
        kind=kind,
    ).hex()
    refs: dict[str, str | None] = {head_ref(repo): commit}
    refs.update(dict.fromkeys(extra or {}, commit))
    return After(snapshot, refs)


class CommitReport(Struct, frozen=True):
    """The result of ``commit`` and ``checkpoint``.

    Attributes:
        commit: the new commit; ``None`` in a dry run, and if there was nothing to commit.
        changed: there was something to commit.
    """

    commit: ObjectId | None
    changed: bool = True


def commit(
    repo: Repo, message: str, selection: Selection | None = None, *, allow_empty: bool = False, dry_run: bool = False
) -> CommitReport:
    """Record both sides as they are, or some epics of them.

    Raises:
        NotFound: neither HEAD nor the sides have a selected epic.
        EpicvcError: a side cannot be read; nothing was written.
    """
    if not message.strip():
        raise UsageError("a commit needs a message", hint="say why with -m MESSAGE")

    def act(session: Session) -> CommitReport:
        session.working.files.require_usable()
        head = repo.head_snapshot()
        snapshot = session.working.snapshot()
        if selection is not None and not selection.all:
            _require_epics(session, head[1] if head is not None else None, snapshot, selection)
        if selection is not None and not selection.all and head is not None:
            snapshot = _partial(session, head[1], snapshot, selection)
        unchanged = head is not None and snapshot.same_sides(head[1])
        if dry_run or (unchanged and not allow_empty):
            return CommitReport(None, changed=not unchanged or allow_empty)
        return record(session, snapshot, message, kind=CommitKind.COMMIT, command="commit", extra={})

    return change(repo, act)


def checkpoint(repo: Repo, name: str, *, force: bool = False, dry_run: bool = False) -> CommitReport:
    """Record both sides as they are under a name that ``rollback`` takes.

    Raises:
        UsageError: the name is not allowed, or is taken.
    """
    ref = CHECKPOINTS + check_ref_name(name)

    def act(session: Session) -> CommitReport:
        session.working.files.require_usable()
        if repo.store.ref(ref) is not None and not force:
            raise UsageError(
                f"there is a checkpoint {name} already", hint="choose another name, or move it with --force"
            )
        if dry_run:
            return CommitReport(None)
        snapshot = session.working.snapshot()
        _LOG.info("checkpoint %s of both sides as they are", name, operation=repo.coming_operation())
        return record(
            session, snapshot, f"checkpoint {name}", kind=CommitKind.CHECKPOINT, command="checkpoint", extra={ref: ""}
        )

    return change(repo, act)


def free_checkpoint_name(repo: Repo, name: str) -> str:
    """Return the name, followed by a number if there is a checkpoint of that name."""
    number, found = 1, name
    while repo.store.ref(CHECKPOINTS + found) is not None:
        number += 1
        found = f"{name}-{number}"
    return found


def record(
    session: Session, snapshot: Snapshot, message: str, kind: CommitKind, command: str, extra: dict[str, str]
) -> CommitReport:
    """Record a snapshot in a commit. Both sides stay as they are."""
    repo = session.repo
    made: list[ObjectId] = []

    def work(writer: Writer | None, stage: Stage) -> After:
        after = committing(session, session.staging, snapshot, message=message, kind=kind, extra=extra)
        made.append(bytes.fromhex(after.refs[head_ref(repo)] or ""))
        # The state after the operation is that of both sides, whatever part of them was committed.
        return replace(after, snapshot=session.working.snapshot())

    session.perform(Request(command, message.splitlines()[0], session.working.snapshot(), work))
    return CommitReport(made[-1])


def _require_epics(session: Session, head: Snapshot | None, working: Snapshot, selection: Selection) -> None:
    """Make sure that a commit of some epics names epics that exist, or did in HEAD.

    Raises:
        UsageError: a label is no epic.
        NotFound: neither HEAD nor the sides have the epic.
    """
    from epicvc.actions.shared.places import require_known

    if any(label.path or label.table for label in selection.labels):
        raise UsageError("commit takes whole epics", hint="name epics, as in `epicvc commit -m MESSAGE 5 7`")
    require_known(session.staging, session.repo.config.mapping, selection, (head, working))


def _partial(session: Session, head: Snapshot, working: Snapshot, selection: Selection) -> Snapshot:
    """Return the snapshot of HEAD in which only the selected epics are as they are now."""
    epics = selection.epics() or frozenset()
    sink = session.staging
    files = [
        (path, new)
        for path, old, new in changed_files(sink, head.files, working.files)
        if any(epic_id_of(sink, blob, path) in epics for blob in (old, new) if blob is not None)
    ]
    return replace(
        head,
        files=update_files(sink, head.files, files),
        database=_partial_database(session, head.database, working.database, epics),
    )


def _partial_database(
    session: Session, head: DatabaseState | None, working: DatabaseState | None, epics: frozenset[str]
) -> DatabaseState | None:
    if head is None or working is None:
        return head
    if head.schema != working.schema:
        raise UsageError("the schema changed; commit it with everything else", hint="run `epicvc commit -m MESSAGE`")
    sink, mapping = session.staging, session.repo.config.mapping
    tables = frozenset(mapped_tables(mapping))
    views = CapturedRows(sink, head), CapturedRows(sink, working)
    if not all(view.finds_owners(mapping) for view in views):
        raise UsageError(
            "the rows of single epics cannot be told here", hint="commit everything: epicvc commit -m MESSAGE"
        )
    roots: list[tuple[bytes, bytes | None]] = []
    for table, rows in row_changes(sink, head, working):
        if table not in tables:
            continue
        changes: list[tuple[bytes, bytes | None]] = []
        for key, old, new in rows:
            owners = [
                view.owner(mapping, table, view.named(table, row))
                for view, row in zip(views, (old, new), strict=True)
                if row is not None
            ]
            if any(owner is not None and owner.epic in epics for owner in owners):
                changes.append((key, None if new is None else pack_row(sink, new)))
        root = table_root(sink, head, table) or tree.empty(sink)
        roots.append((table.encode(), tree.update(sink, root, changes)))
    return DatabaseState(head.schema, tree.update(sink, head.tables, roots))
