"""Carries out decisions: first what needs no lock, then rows and their proof while the database is locked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from epicvc.actions.sync.decisions import EpicDecision, ToProve
from epicvc.actions.sync.job import Portion
from epicvc.base.jsonio import JSON, dumps_canonical
from epicvc.database.backend import Writer
from epicvc.database.batches import BATCH, batches
from epicvc.database.documents.changes import EpicRowsChange, proof_of_new
from epicvc.database.documents.documents import epic_heads, read_epics, read_rows
from epicvc.database.documents.fingerprint import cells_of, row_said, rows_said, rows_seen
from epicvc.database.documents.layout import Layout
from epicvc.database.documents.push import Push
from epicvc.database.documents.rowproof import RowProof
from epicvc.database.rowcodec import SQLValue
from epicvc.errors import LossyField
from epicvc.files.names import check_collisions
from epicvc.model.diff import diff_epic
from epicvc.model.document import UNAGREED, Core
from epicvc.model.labels import Label
from epicvc.repo.apply import Replan
from epicvc.repo.apply.apply import Stage
from epicvc.repo.documents import Documents
from epicvc.repo.files.filestree import update_files
from epicvc.repo.files.tracked import TrackedFile
from epicvc.repo.history.base import Base, BaseEntry, core_id, update_base
from epicvc.repo.history.objects import DatabaseState, Snapshot
from epicvc.repo.rows.dbside import recapture
from epicvc.store.objects import ObjectId, ObjectType

if TYPE_CHECKING:
    from epicvc.database.documents.parcels import Unpacking


class RowByRow(Replan):
    """Epics cannot be added out of a parcel. Nothing was done."""


class SyncWork:
    """The work of one synchronisation: first :meth:`prepare`, then :meth:`run` in the database's write transaction.

    Args:
        documents: the documents of the survey.
        portion: the part of the job to do.
        stage: takes the files.
        before: both sides and the base before this work: those of the survey with the portions that were done since.
        orphans: :attr:`orphans` of the work before this one.
    """

    def __init__(
        self,
        documents: Documents,
        portion: Portion,
        stage: Stage,
        before: Snapshot,
        orphans: frozenset[SQLValue] | None = None,
    ) -> None:
        self._documents = documents
        self._portion = portion
        self._stage = stage
        self._entries: dict[str, BaseEntry | None] = {}
        self._pushed: dict[str, ToProve] = {}
        self._single: dict[str, ToProve] = {}
        """The facts to prove of epics whose rows are proved one by one. If that fails, they are proved as a whole."""
        self._rows: RowProof | None = None
        self._before = before
        self._files_root = before.files
        self._base_root = before.base
        self._done = portion.done
        self.orphans = orphans
        """The tasks that do not exist although links of them do.

        It is ``None`` if nobody has looked, or if others have written since.
        """
        self.ids: dict[str, ObjectId | None] = {}
        """The id of each epic's core in the database, settled against the new base."""

    def prepare(self) -> None:
        """Do all that needs no lock: stage the files, and make the new trees of files and base."""
        stage, portion = self._stage, self._portion
        for decision in portion.decisions:
            self._prepare(decision)
        for change in portion.fresh:
            tracked = self._tracked(change.epic)
            entry = BaseEntry(cast("ObjectId", tracked.core), tracked.blob)
            self._entries[change.epic] = entry
            self.ids[change.epic] = entry.core
        check_collisions(portion.decisions.paths)
        self._files_root = update_files(stage.sink, self._files_root, ((c.path, c.new) for c in stage.changes))
        self._base_root = update_base(stage.sink, self._base_root, self._entries.items())
        # Many objects are written now, before the database is locked.
        if len(portion) > BATCH and stage.sink.keeps:
            stage.sink.flush()

    def _prepare(self, decision: EpicDecision) -> None:
        stage, file = self._stage, decision.file_change
        if file is not None and file.new is not None:
            stage.write(file.path, file.old, stage.sink.get(file.new, ObjectType.BLOB))
        elif file is not None and file.old is not None:
            stage.remove(file.path, file.old)
        if decision.absent is not None:
            stage.expect_absent(decision.absent)
        agreed, expected = decision.agreed, decision.expected
        if decision.moves_base:
            self._entries[decision.epic] = agreed.entry() if agreed else None
        if decision.formerly is not None:
            self._entries[decision.formerly] = self.ids[decision.formerly] = None
        self.ids[decision.epic] = expected if agreed else None

    def _tracked(self, epic: str) -> TrackedFile:
        return self._documents.working.files.by_epic[epic]

    def run(self, writer: Writer | None) -> Snapshot:
        """Change the rows, and return the new state of both sides.

        Args:
            writer: the write transaction of the database; ``None`` if no row changes.

        Raises:
            Replan: the rows differ from those for which the decisions were made.
            ConstraintBroken: the database refuses a row.
            LossyField: a row gives another value than was pushed.
            RowByRow: the epics cannot be added out of a parcel.
        """
        layout, database = self._documents.layout, self._before.database
        if writer is not None and database is not None and layout is not None:
            if self._portion.image is None:
                database = self._change(writer, layout, database, None)
            else:
                # imported here, since only many epics come in parcels
                from epicvc.database.documents.parcels import NotInParcels, Unpacking

                try:
                    database = self._change(writer, layout, database, Unpacking(writer, layout))
                except NotInParcels as reason:
                    raise RowByRow from reason
        return Snapshot(self._files_root, database, self._base_root, self._before.mapping)

    def _change(
        self, writer: Writer, layout: Layout, database: DatabaseState, parcel: Unpacking | None
    ) -> DatabaseState:
        now = self._documents.repo.now().strftime("%Y-%m-%d %H:%M:%S")
        orphans = self.orphans if self._stage.alone else None
        renamed = self._documents.renamed.items()
        formerly = {new: found.old for new, found in renamed if not found.in_database}
        push = Push(writer, layout, now, moves=self._portion.moves, orphans=orphans, formerly=formerly)
        for decisions in batches(self._portion.decisions):
            self._write(writer, layout, push, decisions)
        for changes in batches(self._portion.fresh):
            self._require_absent(writer, layout, changes)
            push.apply(changes)
        if parcel is not None:
            push.unpack([change.epic for change in self._portion.fresh], parcel)
        push.finish()
        self.orphans = push.orphans if self._stage.alone else None
        captured = recapture(writer, self._stage.sink, database)
        self._certify(writer, layout, parcel)
        return captured

    def _write(self, writer: Writer, layout: Layout, push: Push, decisions: Sequence[EpicDecision]) -> None:
        """Write the rows of some epics, if the rows are still those of the survey."""
        rows = self._rows = self._rows or RowProof(writer, layout)
        single, whole = self._parted(rows, decisions)
        if not rows.accept([change for _, change in single]):
            single, whole = [], [*whole, *(decision for decision, _ in single)]
        found = {rows.key: rows_seen(layout, rows) for rows in read_rows(writer, layout, [d.rows_as for d in whole])}
        if any(found.get(decision.rows_as) != decision.seen for decision in whole):
            raise Replan
        self._single.update((decision.epic, decision.to_prove) for decision, _ in single)
        self._pushed.update((decision.epic, decision.to_prove) for decision in whole if decision.change is not None)
        push.apply([decision.change for decision in decisions if decision.change is not None])
        self._tell(len(decisions))

    def _parted(
        self, rows: RowProof, decisions: Sequence[EpicDecision]
    ) -> tuple[list[tuple[EpicDecision, EpicRowsChange]], list[EpicDecision]]:
        """Return the decisions whose single rows must be read again, and those whose whole epics must be.

        Single rows are enough if nobody else has written since all rows of the epics were read. The rows of all other
        decisions need not be read.
        """
        single: list[tuple[EpicDecision, EpicRowsChange]] = []
        whole: list[EpicDecision] = []
        for decision in decisions:
            change = decision.change
            if change is None:
                whole += [] if self._stage.alone else [decision]
            elif (
                self._stage.alone
                and not self._portion.bulk
                and decision.to_prove.proof is not None
                and rows.covers(change)
            ):
                single.append((decision, change))
            else:
                whole.append(decision)
        return single, whole

    def _tell(self, done: int) -> None:
        self._done += done
        self._documents.repo.progress("epics", self._done, self._portion.total)

    def _require_absent(self, writer: Writer, layout: Layout, changes: Sequence[EpicRowsChange]) -> None:
        for _ in read_rows(writer, layout, [change.epic for change in changes]):
            raise Replan
        for change in changes:
            self._pushed[change.epic] = ToProve(None, self._tracked(change.epic).core)
        self._tell(len(changes))

    # Certificate

    def _certify(self, writer: Writer, layout: Layout, parcel: Unpacking | None) -> None:
        """Read every pushed epic back, and require that its core is the pushed one.

        If the cells are the written ones, nothing is decoded. Rows out of a parcel are compared with it by the database
        itself. If nothing else of an epic was touched, only the written rows are read.
        """
        if self._rows is not None and not self._rows.holds():
            self._pushed |= self._single
        self._certify_new(writer, layout, parcel)
        for batch in batches([epic for epic, pushed in self._pushed.items() if pushed.proof is not None]):
            for rows in read_rows(writer, layout, batch):
                if rows_said(layout, rows) == self._pushed[rows.key].proof:
                    del self._pushed[rows.key]
        if self._pushed:
            self._certify_by_value(writer, layout)

    def _certify_new(self, writer: Writer, layout: Layout, parcel: Unpacking | None) -> None:
        """Prove new epics by their parcel. Without a parcel, note the digests that prove them."""
        if parcel is None:
            for change in self._portion.fresh:
                self._pushed[change.epic] = ToProve(proof_of_new(layout, change), self._pushed[change.epic].expected)
            return
        if not parcel.holds():
            from epicvc.database.documents.parcels import NotInParcels

            raise NotInParcels
        fresh = {change.epic: change for change in self._portion.fresh}
        for batch in batches(fresh):
            for _, epic, values in epic_heads(writer, layout, batch):
                cells = cells_of(layout.epics.default_cells, fresh[epic].values)
                if row_said(None, epic, cells) == row_said(None, epic, layout.epics.core_cells(values)):
                    del self._pushed[epic]

    def _certify_by_value(self, writer: Writer, layout: Layout) -> None:
        documents = self._documents
        for epic in self._pushed:
            entry = self._entries.get(epic, documents.entries.get(epic))
            if entry is None:
                documents.entries.pop(epic, None)
            else:
                documents.entries[epic] = entry
        base = documents.base = Base(self._stage.sink, self._base_root, documents.repo.config.mapping)
        missing = {epic for epic, pushed in self._pushed.items() if pushed.expected is not None}
        for batch in batches(list(self._pushed)):
            for rows in read_epics(writer, layout, batch):
                missing.discard(rows.id)
                read = documents.settled(rows)
                if core_id(rows.id, read) != self._pushed[rows.id].expected:
                    raise _lossy(rows.id, base.core(rows.id), read)
        for epic in missing:
            raise _lossy(epic, base.core(epic), None)


def _lossy(epic: str, agreed: Core | None, read: Core | None) -> LossyField:
    """Return the error for the first field that came back with another value."""
    expected = {name: value for name, value in (agreed or {}).items() if name != UNAGREED}
    for difference in diff_epic(Label(epic), cast("JSON", expected), cast("JSON", read)):
        return LossyField(str(difference.label), _shown(difference.old), _shown(difference.new))
    return LossyField(epic, "what was pushed", "something else")


def _shown(value: JSON) -> str:
    if value is None:
        return "nothing"
    text = dumps_canonical(value).decode()
    return text if len(text) <= 60 else text[:59] + "…"
