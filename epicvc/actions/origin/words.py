"""Names the edit that gave a place its value: the side or branch, and the commit with its author and time."""

from __future__ import annotations

from datetime import UTC, datetime

from epicvc.actions.origin.tracing import SIDES, Tracers
from epicvc.actions.shared.questions import Origin
from epicvc.actions.shared.session import Session
from epicvc.merge.graph import Tell
from epicvc.model.labels import Label
from epicvc.repo.history.objects import get_commit
from epicvc.store.objects import ObjectId

FILES = "files"
DATABASE = "database"
OURS = "ours"
THEIRS = "theirs"


def commit_named(origin: Origin) -> str:
    """Return the commit of an origin with its author and time. The origin must have a commit."""
    assert origin.commit is not None  # callers have checked it
    author = f" by {origin.author}" if origin.author else ""
    return origin.commit.hex()[:12] + author + (f" of {time_shown(origin.time)}" if origin.time else "")


def time_shown(time: datetime) -> str:
    """Return a time in the form of messages."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def between_sides(session: Session) -> Tell:
    """Return what names the edit behind a place of the files or the database, from both sides and the history."""
    tracers = Tracers(session)

    def tell(label: Label, name: str) -> str:
        place = (SIDES[name == DATABASE], label)
        return since(name, tracers.of(label).origins([place]).get(place))

    return tell


def between_branches(session: Session, ours: ObjectId, theirs: ObjectId, reverted: ObjectId | None = None) -> Tell:
    """Return what names the edit behind a place of one of two branches.

    Args:
        session: the running command.
        ours: the commit of our branch.
        theirs: the commit of the other branch.
        reverted: the reverted commit, whose removal makes theirs.
    """
    tracers = Tracers(session)

    def tell(label: Label, name: str) -> str:
        if name == THEIRS and reverted is not None:
            commit = get_commit(session.staging, reverted)
            return f"{name}, without commit {commit_named(Origin('', reverted, commit.author, commit.time))}"
        return since(name, tracers.of(label).origin_in(ours if name == OURS else theirs, label))

    return tell


def since(name: str, origin: Origin | None) -> str:
    """Return the name of a side or branch with the commit since which the place has its value."""
    if origin is None:
        return name
    return f"{name}, uncommitted" if origin.commit is None else f"{name}, since commit {commit_named(origin)}"
