"""Finds the commit since which the two sides agree on something, in one walk back along the current line of history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeVar

from epicvc.actions.origin.tracing import BOTH, Members, value_at
from epicvc.actions.shared.questions import Origin
from epicvc.actions.shared.session import Session
from epicvc.base.jsonio import equal
from epicvc.errors import EpicvcError
from epicvc.merge.threeway import ABSENT, Conflict, Value
from epicvc.model.document import Core
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping as Document
from epicvc.plan.owned import core_at
from epicvc.repo.history.base import Base, get_mapping
from epicvc.repo.history.objects import Commit, get_commit, get_snapshot

Holds: TypeAlias = "Callable[[Core | None, Members], bool]"
"""Returns whether a statement holds of an agreed core.

The members are kept from one question about the core to the next.
"""

K = TypeVar("K")


def has_value(conflict: Conflict, mapping: Document) -> Holds:
    """Return a test that an agreed core has the value that the base of a conflict has."""
    agreed = core_at(conflict.label, conflict.base, mapping)
    return lambda core, known: _same(value_at(core, conflict.label, known), agreed)


def has_place(label: Label) -> Holds:
    """Return a test that an agreed core has anything at a place."""
    return lambda core, known: value_at(core, label, known) is not ABSENT


def agreed_since(session: Session, epic: str, questions: Mapping[K, Holds]) -> dict[K, Origin]:
    """Return the first commit since which each statement holds of an epic's agreed core.

    Those that do not hold now are left out.

    It follows first parents: the line on which the base was agreed.

    Args:
        session: the running command.
        epic: the epic.
        questions: the statements, by key.
    """
    repo, store = session.repo, session.staging
    left, found = dict(questions), dict[K, Origin]()
    oid = repo.revisions.head()
    newest: Commit | None = None
    last: bytes | None = None
    while oid is not None and left:
        commit = get_commit(store, oid)
        snapshot = get_snapshot(store, commit.snapshot)
        base = Base(store, snapshot.base, get_mapping(store, snapshot.mapping))
        entry = base.entry(epic)
        if entry is None:
            break
        if entry.core != last:
            last = entry.core
            try:
                core = base.core(epic)
            except EpicvcError:
                break
            known: Members = {}
            ended = [key for key, holds in left.items() if not holds(core, known)]
            found.update((key, _since(newest)) for key in ended if newest is not None)
            for key in ended:
                del left[key]
        newest = commit
        oid = commit.parents[0] if commit.parents else None
    return found | {key: _since(newest) for key in left if newest is not None}


def _since(commit: Commit) -> Origin:
    return Origin(BOTH, commit.id, commit.author, commit.time)


def _same(one: Value, other: Value) -> bool:
    return one is other if one is ABSENT or other is ABSENT else equal(one, other)
