"""Finds the changes that another mapping alone would make to epics that both sides agreed on and nobody edited.

A line of ``epicvc.toml`` can remove a field from every file, or give every task another epic. Nobody edited these
epics. So the changes are reported, and made only if the user allows them.
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
    """Make sure that a synchronisation does not agree on another mapping that would change agreed values.

    This concerns even a synchronisation of other places, or in one direction: the changes that it leaves out would
    follow unasked with the next one.

    Args:
        session: the running command.
        policy: the policy of the synchronisation.

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
    """Return those of some places that differ only because of the mapping."""
    agreed = _agreed_under_another(documents.repo, documents.sink)
    if agreed is None:
        return []
    wanted = sorted(label for label in set(places) if _is_agreed(documents, label))
    edited = _Edited(documents, agreed, {label.root for label in wanted}) if wanted else None
    return [label for label in wanted if edited is None or not edited.touches(label)]


def _is_agreed(documents: Documents, label: Label) -> bool:
    """Return whether the base has a place.

    A place that the base lacks was never agreed on: a new field of a mapping is no change.
    """
    base = documents.base_core(label.root) if label.root in documents.entries else None
    return base is not None and has(cast("JSON", base), label.path)


def _agreed_under_another(repo: Repo, source: ObjectSource) -> Snapshot | None:
    """Return the state after the newest synchronisation on this branch, if another mapping was in force then."""
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
    """The edits of some epics since an earlier state."""

    def __init__(self, documents: Documents, since: Snapshot, epics: set[str]) -> None:
        mapping, now = documents.repo.config.mapping, documents.working.snapshot()
        found = differences(documents.sink, mapping, since, now, selection=Selection(tuple(map(Label, sorted(epics)))))
        self._places = {item.change.label for item in found}
        self._above = {above for label in self._places for above in label.upwards()}

    def touches(self, label: Label) -> bool:
        """Return whether a place was edited, or a place below it, or a whole to which it belongs."""
        return label in self._above or any(above in self._places for above in label.upwards())
