"""The three states of a merge with the differences between them. No document is read for this."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from epicvc.actions.merge.snapshots.changes import Changes, Place, RowChange, Rows, TreeComparison, changed_rows
from epicvc.actions.merge.snapshots.contents import Contents
from epicvc.actions.merge.snapshots.followers import followers
from epicvc.actions.merge.snapshots.forms import forms_between, require_no_loss
from epicvc.actions.merge.snapshots.owners import LiveKeys, Owners
from epicvc.actions.merge.snapshots.states import SnapshotState
from epicvc.actions.origin.words import OURS, THEIRS
from epicvc.actions.shared.session import Session
from epicvc.database.backend import Reader
from epicvc.repo.history.objects import Snapshot
from epicvc.store.objects import ObjectId


class ThreeSnapshots(Struct, frozen=True):
    """The three states of a merge, and the differences between them.

    Attributes:
        base: the state from which both others come.
        ours: our state.
        theirs: the other state.
        here: the changes from base to ours.
        there: the changes from base to theirs.
        working: the changes from the sides as they are now to ours; as a rule there are none.
        owned: the epic of each row can be found, in every state.
        contents: reads the epics in files.
    """

    base: SnapshotState
    ours: SnapshotState
    theirs: SnapshotState
    here: Changes
    there: Changes
    working: Changes
    owned: bool
    contents: Contents

    @property
    def states(self) -> tuple[SnapshotState, SnapshotState, SnapshotState]:
        """Base, ours and theirs."""
        return self.base, self.ours, self.theirs

    @property
    def moved(self) -> Iterator[tuple[str, str]]:
        """The epics between which tasks moved, as pairs of the old and the new epic."""
        yield from self.here.moved
        yield from self.there.moved

    @property
    def contested(self) -> Iterator[tuple[str, str]]:
        """The epics to which each side added a task with the same id, as pairs of the epic in ours and in theirs."""
        for task, getters in self.here.added.items():
            others = self.there.added.get(task, set())
            if len(getters) == len(others) == 1 and getters != others:
                yield min(getters), min(others)

    def places(self, epic: str, now: Place | None) -> tuple[Place | None, Place | None, Place | None]:
        """Return the place of an epic's file in each state, from its place now."""
        ours = _place(epic, self.working.old_files, self.working.new_files, now)
        base = _place(epic, self.here.new_files, self.here.old_files, ours)
        return base, ours, _place(epic, self.there.old_files, self.there.new_files, base)


def partners_of(pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """Return the epics with which each epic is in a pair."""
    partners: dict[str, set[str]] = {}
    for one, other in pairs:
        partners.setdefault(one, set()).add(other)
        partners.setdefault(other, set()).add(one)
    return partners


def three_of(
    session: Session, base: Snapshot, ours: Snapshot, theirs: Snapshot, schema: ObjectId | None = None
) -> ThreeSnapshots:
    """Compare three states with each other, and ours with the sides as they are now.

    Args:
        session: the running command.
        base: the state from which both others come.
        ours: our state.
        theirs: the other state.
        schema: the schema of the merged database, which is that of one of them.

    Raises:
        InvalidJSON: a changed file is no JSON.
        Refused: a side wrote a value for which the merged database has no column.
    """
    sink = session.staging
    now, *states = (SnapshotState(sink, found) for found in (session.working.snapshot(), base, ours, theirs))
    pairs = ((states[0], states[1]), (states[0], states[2]), (now, states[1]))
    rows = [changed_rows(sink, *pair) for pair in pairs]
    if schema is not None and session.reader is not None:
        _read_alike(session.reader, states, schema)
        require_no_loss(states[0], states[1], states[2], {OURS: rows[0], THEIRS: rows[1]})
        rows[:2] = [
            _differing(found, others, *pair)
            for found, others, pair in zip(rows[:2], (rows[1], rows[0]), pairs, strict=False)
        ]
    owners = _owners(session, now, states, rows)
    mapping = session.repo.config.mapping
    if owners and session.reader is not None:
        same = [followers(session.reader, mapping, *pair, found, rows) for pair, found in zip(pairs, rows, strict=True)]
        for found, more in zip(rows, same, strict=True):
            if more:
                found.setdefault(mapping.tasks.table, {}).update(more)
    contents = Contents(sink, mapping.links.field if mapping.links else "")
    here, there, working = (
        TreeComparison(sink, contents, mapping, *pair, (owners[pair[0]], owners[pair[1]]) if owners else None).run(
            found
        )
        for pair, found in zip(pairs, rows, strict=True)
    )
    return ThreeSnapshots(
        states[0],
        states[1],
        states[2],
        here=here,
        there=there,
        working=working,
        owned=owners is not None,
        contents=contents,
    )


def _read_alike(reader: Reader, states: Sequence[SnapshotState], schema: ObjectId) -> None:
    """Have the rows of all states read in the columns of the merged database."""
    base = states[0]
    final = next((state for state in states if _schema_of(state) == schema), None)
    if final is None or _schema_of(base) == schema:
        return
    forms = forms_between(reader, base, final)
    for state in states:
        if _schema_of(state) == _schema_of(base):
            state.forms = forms


def _schema_of(state: SnapshotState) -> ObjectId | None:
    return state.snapshot.database.schema if state.snapshot.database else None


def _differing(rows: Rows, others: Rows, old: SnapshotState, new: SnapshotState) -> Rows:
    """Return the rows that differ if both states are read in the same form. A migration alone changes none.

    Args:
        rows: the rows that differ as they were captured.
        others: the rows that differ between the old state and the other branch.
        old: the old state.
        new: the new state.
    """
    tables = {table for table in old.forms if old.forms.get(table) is not new.forms.get(table)}
    found = {
        table: {
            key: change
            for key, change in changes.items()
            if table not in tables or old.named(table, change.old) != new.named(table, change.new)
        }
        for table, changes in rows.items()
    }
    for table in tables:
        if old.forms[table].replaced:  # the same bytes have another meaning under other columns
            found.setdefault(table, {}).update(_read_anew(table, rows.get(table, {}), others.get(table, {}), old, new))
    return found


def _read_anew(
    table: str,
    rows: Mapping[bytes, RowChange],
    others: Mapping[bytes, RowChange],
    old: SnapshotState,
    new: SnapshotState,
) -> Iterator[tuple[bytes, RowChange]]:
    """Yield rows with the same bytes but other values in the two states.

    Rows that the other branch removed are left out.
    """
    for key, packed in old.entries(table):
        gone = key in others and others[key].new is None
        if key not in rows and not gone and old.named(table, packed) != new.named(table, packed):
            yield key, RowChange(packed, packed)


def _owners(
    session: Session, now: SnapshotState, states: Sequence[SnapshotState], rows: Sequence[Rows]
) -> dict[SnapshotState, Owners] | None:
    """Return the owners of rows in each state, or ``None`` if they cannot be found in all of them."""
    mapping, reader = session.repo.config.mapping, session.reader
    base, ours, theirs = states
    if reader is None or not all(
        state.captured is not None and state.captured.finds_owners(mapping) for state in (now, *states)
    ):
        return None
    here, there, working = (found.get(mapping.epics.table, {}) for found in rows)
    # Each state asks its nearest neighbour, from which few rows of epics differ.
    of_now = Owners(now, mapping, LiveKeys(reader, mapping), {})
    of_ours = Owners(ours, mapping, of_now, {key: change.new for key, change in working.items()})
    of_base = Owners(base, mapping, of_ours, {key: change.old for key, change in here.items()})
    of_theirs = Owners(theirs, mapping, of_base, {key: change.new for key, change in there.items()})
    return {now: of_now, base: of_base, ours: of_ours, theirs: of_theirs}


def _place(epic: str, old: dict[str, Place], new: dict[str, Place], otherwise: Place | None) -> Place | None:
    return new.get(epic) if epic in old or epic in new else otherwise
