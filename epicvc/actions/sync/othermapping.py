"""What a mapping alone would change: epics that both sides agreed on under another one, and that nobody has edited.

A line of ``epicvc.toml`` can take a field out of every file, or give every task another epic. It is nobody's edit, so
that it is said, and only done by who means it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from msgspec.structs import replace

from epicvc.actions.shared.difference import differences
from epicvc.actions.shared.places import has
from epicvc.actions.shared.session import Session
from epicvc.actions.sync.survey import survey_all
from epicvc.base.jsonio import JSON
from epicvc.errors import OtherMapping
from epicvc.merge.threeway import Direction
from epicvc.model.labels import Label, Selection
from epicvc.plan.epic import Policy
from epicvc.repo.documents import Documents
from epicvc.repo.history.base import get_mapping
from epicvc.repo.history.objects import CommitKind, Snapshot
from epicvc.repo.repository import Repo
from epicvc.store.objects import ObjectSource


def require_agreed_mapping(session: Session, policy: Policy) -> None:
    """Stop before a synchronisation records another mapping as agreed on, though it would change what was agreed.

    Even one that is about other places, or one way, would: whatever it leaves would follow unasked the next time.

    Args:
        session: the running command.
        policy: what it plans by.

    Raises:
        OtherMapping: the mapping alone would change something.
    """
    if _agreed_under_another(session.repo, session.staging) is None:
        return
    documents = Documents(session.repo, session.working, session.staging, session.reader)
    everything = replace(policy, direction=Direction.BOTH, selection=Selection())
    survey = survey_all(documents, everything, None)
    found = by_mapping_alone(documents, [moved.label for moved in (*survey.to_files, *survey.to_db)])
    if found:
        raise OtherMapping([str(label) for label in found])


def by_mapping_alone(documents: Documents, places: Iterable[Label]) -> list[Label]:
    """Those of some places that differ by the mapping alone."""
    agreed = _agreed_under_another(documents.repo, documents.sink)
    if agreed is None:
        return []
    wanted = sorted(label for label in set(places) if _is_agreed(documents, label))
    edited = _Edited(documents, agreed, {label.root for label in wanted}) if wanted else None
    return [label for label in wanted if edited is None or not edited.touches(label)]


def _is_agreed(documents: Documents, label: Label) -> bool:
    """Whether the base has a place: what it lacks nobody has agreed on, and a new field of a mapping is no change."""
    base = documents.base_core(label.root) if label.root in documents.entries else None
    return base is not None and has(cast("JSON", base), label.path)


def _agreed_under_another(repo: Repo, source: ObjectSource) -> Snapshot | None:
    """The state that the newest synchronisation on this branch left, where another mapping was in force."""
    head = repo.revisions.head()
    while head is not None:
        commit = repo.revisions.commit(head.hex())
        if commit.kind == CommitKind.SYNC:
            found = repo.snapshot_of(head)
            same = get_mapping(source, found.mapping) == repo.config.mapping
            return None if same else found
        head = commit.parents[0] if commit.parents else None
    return None


class _Edited:
    """What somebody edited of some epics since an earlier state."""

    def __init__(self, documents: Documents, since: Snapshot, epics: set[str]) -> None:
        mapping, now = documents.repo.config.mapping, documents.working.snapshot()
        found = differences(documents.sink, mapping, since, now, selection=Selection(tuple(map(Label, sorted(epics)))))
        self._places = {item.change.label for item in found}
        self._above = {above for label in self._places for above in label.upwards()}

    def touches(self, label: Label) -> bool:
        """Whether a place, or anything at or below it, is another; or something that it is part of."""
        return label in self._above or any(above in self._places for above in label.upwards())
