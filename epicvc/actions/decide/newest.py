"""The policy ``newest_wins``: finds the newer side of a conflict with the evidence for it. Nothing is guessed.

History counts first: an uncommitted change is newer than a committed one, and of two committed changes the one with the
later commit is newer. This is evidence about the field itself.

If neither is committed, the time at which the file was last written is compared with the ``updated_at`` of the row.
This column counts only if it changed since the last commit, since many applications do not maintain it. Both times
concern the whole file and the whole row.

A merge starts from two committed states, so that between branches history alone decides.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from epicvc.actions.origin.tracing import Tracers
from epicvc.actions.origin.words import commit_named, time_shown
from epicvc.actions.shared.questions import Origin
from epicvc.actions.shared.session import Session
from epicvc.database.query import Select
from epicvc.database.quoting import quote_identifier as quote
from epicvc.database.rowcodec import SQLValue
from epicvc.merge.threeway import Chosen, Conflict
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping
from epicvc.repo.documents import Documents
from epicvc.repo.rows.rows import CapturedRows
from epicvc.store.objects import ObjectId

UPDATED_AT: Final = "updated_at"
"""The column in which applications keep the time of a row's last change.

A time without a zone is UTC, as CURRENT_TIMESTAMP.
"""

_SECOND: Final = timedelta(seconds=1)


class Newest:
    """Decides conflicts of a synchronisation by the newer value.

    Args:
        session: the running command, with both sides and the history.
        documents: both sides by epic.
    """

    def __init__(self, session: Session, documents: Documents) -> None:
        self._session = session
        self._documents = documents
        self._tracers = Tracers(session)
        self._known: dict[Label, tuple[str, str] | None] = {}

    def decide(self, conflict: Conflict) -> Chosen | None:
        """Return the newer side's value with the evidence as its reason, or ``None`` without evidence."""
        label = conflict.label
        if label not in self._known:  # the same conflict is decided again while the plan is carried out
            self._known[label] = self._evidence(label)
        evidence = self._known[label]
        if evidence is None:
            return None
        side, why = evidence
        value = conflict.ours if side == "files" else conflict.theirs
        name = "files'" if side == "files" else "database's"
        return Chosen(value, f"newest_wins took the {name} value: {why}")

    def _evidence(self, label: Label) -> tuple[str, str] | None:
        found = self._tracers.of(label).origins([("files", label), ("db", label)])
        files, db = found.get(("files", label)), found.get(("db", label))
        if files is None or db is None:
            return None
        if files.commit is None and db.commit is None:
            return self._by_clock(label, files)
        if files.commit is None:
            return "files", f"changed since commit {commit_named(db)}, which has the other"
        if db.commit is None:
            return "db", f"changed since commit {commit_named(files)}, which has the other"
        evidence = later(files, db)
        return ("files" if evidence[0] else "db", evidence[1]) if evidence else None

    def _by_clock(self, label: Label, files: Origin) -> tuple[str, str] | None:
        """Compare the time of the file with that of the row."""
        updated = self._updated_at(label)
        if files.time is None or updated is None:
            return None
        now = self._session.repo.now()
        if max(files.time, updated) > now + _SECOND:
            return None  # a time in the future comes from a wrong clock, which proves nothing
        # Most applications keep whole seconds: the time of the file is cut to the same precision.
        written = files.time if updated.microsecond else files.time.replace(microsecond=0)
        if written == updated:
            return None
        texts = f"the file was written {time_shown(files.time)}", f"the row says {UPDATED_AT} {time_shown(updated)}"
        return ("files" if written > updated else "db"), " and ".join(texts)

    def _updated_at(self, label: Label) -> datetime | None:
        """Return the time of the row's last change, if the application maintains it."""
        documents = self._documents
        reader, layout = documents.reader, documents.layout
        if reader is None or layout is None:
            return None
        in_task = label.path[:1] == (Mapping.TASKS,) and len(label.path) > 1
        columns, epics = (layout.tasks if in_task else layout.epics), layout.epics
        if all(column.name != UPDATED_AT for column in reader.columns(columns.map.table)):
            return None
        query = Select(columns=(f"t.{quote(columns.map.id)}", f"t.{quote(UPDATED_AT)}"))
        query = query.from_table(quote(columns.map.table), "t")
        if in_task:
            belongs = f"e.{quote(epics.map.id)} = t.{quote(columns.map.parent or '')}"
            query = query.join(quote(epics.map.table), belongs, alias="e").where_condition(
                epics.keyed("e", [label.root])
            )
        key = label.path[1] if in_task else label.root
        rows = list(reader.execute(*query.where_condition(columns.keyed("t", [key])).build()))
        if len(rows) != 1:
            return None
        surrogate, stamp = rows[0]
        head = self._session.repo.head_snapshot()
        if head is not None and head[1].database is not None:
            before = CapturedRows(self._session.staging, head[1].database).by_surrogate(columns.map, surrogate)
            if before is not None and str(before.get(UPDATED_AT)) == str(stamp):
                return None  # the row changed and its time did not: the application does not maintain it
        return _time(stamp)


class Newer:
    """Decides the conflicts of a merge by the later commit. The working copy does not count.

    Args:
        session: the running command.
        ours: the commit of our branch.
        theirs: the commit of the other branch.
    """

    def __init__(self, session: Session, ours: ObjectId, theirs: ObjectId) -> None:
        self._commits = ours, theirs
        self._tracers = Tracers(session)

    def decide(self, conflict: Conflict) -> Chosen | None:
        """Return the later value with the evidence as its reason, or ``None`` where there is no evidence or a tie."""
        tracer = self._tracers.of(conflict.label)
        ours, theirs = (tracer.origin_in(commit, conflict.label) for commit in self._commits)
        found = later(ours, theirs) if ours is not None and theirs is not None else None
        if found is None:
            return None
        value, whose = (conflict.ours, "our") if found[0] else (conflict.theirs, "their")
        return Chosen(value, f"newest_wins took {whose} value: {found[1]}")


def later(one: Origin, other: Origin) -> tuple[bool, str] | None:
    """Tell which of two committed changes is later, with the evidence; ``None`` where that cannot be told.

    Returns:
        Whether the first change is later, and the evidence.
    """
    if one.commit == other.commit or one.time is None or other.time is None or one.time == other.time:
        return None
    first = one.time > other.time
    newer, older = (one, other) if first else (other, one)
    return first, f"commit {commit_named(newer)} is later than {commit_named(older)}"


def _time(stamp: SQLValue) -> datetime | None:
    if not isinstance(stamp, str):
        return None
    try:
        time = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
