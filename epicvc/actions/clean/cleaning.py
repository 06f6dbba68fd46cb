"""The common parts of all clean-ups: their reports, and the one operation that ``undo`` takes back."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, field
from msgspec.structs import replace

from epicvc.actions.shared.commits import CommitReport, free_checkpoint_name, record
from epicvc.actions.shared.session import Session, change
from epicvc.database.backend import Writer
from epicvc.repo.apply.apply import After, Request, Stage
from epicvc.repo.files.filestree import update_files
from epicvc.repo.history.objects import CommitKind
from epicvc.repo.history.revisions import CHECKPOINTS
from epicvc.repo.repository import Repo
from epicvc.repo.rows.dbside import capture


class Cleaned(Struct, frozen=True):
    """One thing that a clean-up did, would do, or left as it was.

    Attributes:
        place: a file's path, or a row as ``@table/key``.
        what: the action, or the reason for which the thing was left.
    """

    place: str
    what: str


class CleanReport(Struct):
    """The result of a clean-up, or of its dry run.

    Attributes:
        command: the command of the clean-up.
        done: the things that it did.
        kept: the things that it found and left as they were, with the reason.
        checkpoint: the checkpoint that was taken before; ``None`` without a store, or if nothing was done.
        freed: the number of freed bytes.
        dry_run: nothing was done.
    """

    command: str
    done: list[Cleaned] = field(default_factory=list)
    kept: list[Cleaned] = field(default_factory=list)
    checkpoint: str | None = None
    freed: int = 0
    dry_run: bool = False


Work = Callable[[Session, Writer | None, Stage], object]
"""Changes rows through the writer and files through the stage."""


def take_checkpoint(repo: Repo, what: str) -> str:
    """Record both sides before a clean-up, faulty files included, and return the checkpoint's name."""
    name = free_checkpoint_name(repo, f"before-{what}-{repo.now():%Y%m%dT%H%M%SZ}")

    def act(session: Session) -> CommitReport:
        snapshot = session.working.snapshot()
        return record(
            session, snapshot, f"checkpoint {name}", CommitKind.CHECKPOINT, "checkpoint", {CHECKPOINTS + name: ""}
        )

    change(repo, act)
    return name


def carry_out(repo: Repo, command: str, description: str, work: Work, *, rows: bool) -> None:
    """Do a clean-up as one operation.

    Args:
        repo: the repo.
        command: the command, for the operation log.
        description: the description, for the operation log.
        work: does the changes; it may be called again from the start.
        rows: the work changes the database.
    """

    def act(session: Session) -> None:
        before = session.working.snapshot()

        def run(writer: Writer | None, stage: Stage) -> After:
            work(session, writer, stage)
            files = update_files(stage.sink, before.files, ((c.path, c.new) for c in stage.changes))
            database = before.database
            if writer is not None and database is not None:
                database = capture(writer, stage.sink)  # a whole capture, since definitions may have changed too
            return After(replace(before, files=files, database=database))

        request = Request(
            command, description, before, run, session.backend if rows else None, bulk=rows, version=session.version
        )
        session.perform(request)

    change(repo, act)
