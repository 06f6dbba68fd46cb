"""``diff`` and ``show``: which two states are meant, and what differs between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from epicvc.errors import NotFound, UsageError
from epicvc.model.labels import Selection
from epicvc.repo.objects import Commit
from epicvc.repo.repository import Repo
from epicvc.services.difference import SideChange, differences
from epicvc.services.restoring import SIDES
from epicvc.services.session import look

WORKING = "working"


@dataclass(frozen=True)
class Comparison:
    """The differences between two states; ``after`` is ``working`` for both sides as they are."""

    before: str | None
    after: str
    changes: tuple[SideChange, ...]


def split_words(repo: Repo, words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Tell revisions from labels: at most two leading words that name commits are revisions.

    ``--`` before labels settles what could be both.
    """
    revisions: list[str] = []
    rest = list(words)
    while rest and len(revisions) < 2:
        word = rest[0]
        if ".." in word and not revisions:
            left, _, right = word.partition("..")
            return [left or "HEAD", right or "HEAD"], rest[1:]
        if not _is_revision(repo, word):
            break
        revisions.append(rest.pop(0))
    return revisions, rest


def _is_revision(repo: Repo, word: str) -> bool:
    try:
        repo.revisions.resolve(word)
    except (NotFound, UsageError):
        return False
    return True


def compare(repo: Repo, words: Sequence[str], *, side: str | None = None) -> Comparison:
    """Compare HEAD or a commit with both sides as they are, or two commits with each other.

    Raises:
        UsageError: ``side`` is none, or a word is neither a revision nor a label.
    """
    if side is not None and side not in SIDES:
        raise UsageError(f"--side takes files or db, not {side!r}")
    revisions, labels = split_words(repo, words)
    selection = Selection.of(labels)
    mapping = repo.config.mapping
    if len(revisions) == 2:
        one, other = (repo.revisions.resolve(revision) for revision in revisions)
        snapshots = repo.snapshot_of(one), repo.snapshot_of(other)
        found = differences(repo.store, mapping, *snapshots, side=side, selection=selection)
        return Comparison(one.hex(), other.hex(), tuple(found))
    commit = repo.revisions.resolve(revisions[0] if revisions else "HEAD")
    with look(repo) as session:
        session.working.files.require_valid()
        before = repo.snapshot_of(commit)
        working = session.working.snapshot()
        found = differences(session.staging, mapping, before, working, side=side, selection=selection)
        return Comparison(commit.hex(), WORKING, tuple(found))


def compare_commit(repo: Repo, commit: Commit, selection: Selection) -> Comparison:
    """What a commit changed against its first parent."""
    parent = commit.parents[0] if commit.parents else None
    before = repo.snapshot_of(parent) if parent else None
    after = repo.snapshot_of(commit.id)
    found = differences(repo.store, repo.config.mapping, before, after, selection=selection)
    return Comparison(parent.hex() if parent else None, commit.id.hex(), tuple(found))
