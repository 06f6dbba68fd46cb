"""The commands ``diff`` and ``show``: find the two states that are meant, and their differences."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from epicvc.actions.history.attribution import End, attribute
from epicvc.actions.shared.difference import SideChange, differences
from epicvc.actions.shared.session import Session, look
from epicvc.actions.shared.sides import check_side
from epicvc.errors import NotFound, UsageError
from epicvc.model.labels import Label, Selection
from epicvc.model.mapping import Mapping
from epicvc.repo.agreed import all_rows_known_readable, basis
from epicvc.repo.files.tracked import Unreadable
from epicvc.repo.history.objects import Commit, Snapshot
from epicvc.repo.repository import Repo
from epicvc.store.objects import ObjectId, ObjectSource

WORKING = "working"


class Comparison(Struct, frozen=True):
    """The differences between two states.

    Attributes:
        before: the earlier state.
        after: the later state; ``working`` for both sides as they are.
        changes: the differences.
        errors: the parts of both sides as they are that cannot be read.
    """

    before: str | None
    after: str
    changes: tuple[SideChange, ...]
    errors: tuple[Unreadable, ...] = ()


def split_words(repo: Repo, words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Tell revisions from labels: at most two leading words that name commits are revisions.

    ``A..B`` stands for both revisions, ``A...B`` for their merge base and B. ``--`` before labels marks a word that
    could be both as a label.

    Raises:
        NotFound: a revision of a range does not exist, or the two have no commit in common.
    """
    revisions: list[str] = []
    rest = list(words)
    while rest and len(revisions) < 2:
        word = rest[0]
        if ".." in word and not revisions:
            left, dots, right = word.partition("..." if "..." in word else "..")
            pair = [left or "HEAD", right or "HEAD"]
            if dots == "...":
                pair[0] = _merge_base(repo, *pair).hex()
            return pair, rest[1:]
        if not _is_revision(repo, word):
            break
        revisions.append(rest.pop(0))
    return revisions, rest


def _merge_base(repo: Repo, one: str, other: str) -> ObjectId:
    """Return the newest merge base of two revisions.

    Raises:
        NotFound: they have no commit in common.
    """
    from epicvc.repo.history.mergebase import merge_bases  # imported here, since only A...B needs it

    bases = merge_bases(repo.store, repo.revisions.resolve(one), repo.revisions.resolve(other))
    if not bases:
        raise NotFound(f"{one} and {other} have no commit in common", hint=f"compare them with {one}..{other}")
    return bases[0]


def _is_revision(repo: Repo, word: str) -> bool:
    try:
        repo.revisions.resolve(word)
    except (NotFound, UsageError):
        return False
    return True


def compare(repo: Repo, words: Sequence[str], *, side: str | None = None) -> Comparison:
    """Compare HEAD or a commit with both sides as they are, or two commits with each other.

    Raises:
        UsageError: ``side`` is no side, or a word cannot be a label.
        NotFound: a word is neither a revision nor an epic or table of either state.
    """
    check_side(side)
    revisions, labels = split_words(repo, words)
    selection = Selection.of(labels)
    mapping = repo.config.mapping
    if len(revisions) == 2:
        one, other = (repo.revisions.resolve(revision) for revision in revisions)
        snapshots = repo.snapshot_of(one), repo.snapshot_of(other)
        found = tuple(differences(repo.store, mapping, *snapshots, side=side, selection=selection))
        _require_known(repo.store, mapping, selection, found, snapshots)
        ends = End(one, snapshots[0]), End(other, snapshots[1])
        return Comparison(one.hex(), other.hex(), tuple(attribute(repo, repo.store, *ends, found)))
    commit = repo.revisions.resolve(revisions[0] if revisions else "HEAD")
    with look(repo, reads_rows=False) as session:
        session.working.files.require_usable()
        before = repo.snapshot_of(commit)
        working = session.working.snapshot()
        found = tuple(differences(session.staging, mapping, before, working, side=side, selection=selection))
        _require_known(session.staging, mapping, selection, found, (before, working))
        ends = End(commit, before), End(repo.revisions.head(), working, working=True)
        changes = tuple(attribute(repo, session.staging, *ends, found))
        return Comparison(commit.hex(), WORKING, changes, tuple(_unreadable(session, side, selection)))


def _unreadable(session: Session, side: str | None, selection: Selection) -> list[Unreadable]:
    """Return the parts that cannot be read of the places that are compared."""
    found: list[Unreadable] = []
    if side != "db" and session.working.files.unreadable:
        from epicvc.repo.documents import Documents  # imported here, since most comparisons do without it

        found += Documents(session.repo, session.working, session.staging, None).held.files
    if side != "files":
        found += _unreadable_rows(session)
    return [bad for bad in found if selection.all or bad.epic is None or selection.touches(Label(bad.epic))]


def _unreadable_rows(session: Session) -> Sequence[Unreadable]:
    repo, state = session.repo, session.working.database
    if state is None or all_rows_known_readable(repo, basis(repo, session.working), state):
        return ()
    from epicvc.repo.documents import Documents

    if session.reader is not None:
        return Documents(repo, session.working, session.staging, session.reader).held.rows
    with look(repo) as again:
        return Documents(repo, again.working, again.staging, again.reader).held.rows


def compare_commit(repo: Repo, commit: Commit, selection: Selection) -> Comparison:
    """Return the differences between a commit and its first parent."""
    parent = commit.parents[0] if commit.parents else None
    before = repo.snapshot_of(parent) if parent else None
    after = repo.snapshot_of(commit.id)
    found = tuple(differences(repo.store, repo.config.mapping, before, after, selection=selection))
    _require_known(repo.store, repo.config.mapping, selection, found, (before, after))
    ends = End(parent, before), End(commit.id, after)
    return Comparison(
        parent.hex() if parent else None, commit.id.hex(), tuple(attribute(repo, repo.store, *ends, found))
    )


def _require_known(
    source: ObjectSource,
    mapping: Mapping,
    selection: Selection,
    found: Sequence[SideChange],
    snapshots: Sequence[Snapshot | None],
) -> None:
    """Refuse a word that names nothing. A place where nothing changed is accepted.

    Raises:
        NotFound: neither state has a selected place.
    """
    changed = {above for item in found for above in item.change.label.upwards()}
    unchanged = tuple(label for label in selection.labels if label not in changed)
    if unchanged:
        # reads whole states, so only for words that may be wrong
        from epicvc.actions.shared.places import require_known

        require_known(source, mapping, Selection(unchanged), snapshots, "revision or epic")
