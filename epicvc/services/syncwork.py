"""Carries a synchronisation out: plans each epic once more and brings it to both sides."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from epicvc.database.backend import Writer
from epicvc.database.documents import BATCH, read_epics
from epicvc.database.fingerprint import Fingerprint, read_fingerprints
from epicvc.database.push import DocumentChange, NewRows, Push, TaskAt
from epicvc.errors import InvalidField, LossyField
from epicvc.files.names import Namer, check_collisions, check_name
from epicvc.files.rewrite import rewrite
from epicvc.files.style import Style, detect_style, render
from epicvc.jsonio import JSON, dumps_canonical
from epicvc.merge.threeway import Direction
from epicvc.model.diff import diff_epic
from epicvc.model.document import UNAGREED, Core, natural_key, tasks_of
from epicvc.model.edit import new_file, with_core
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping as Document
from epicvc.plan.plan import Outcome, Policy, plan_epic
from epicvc.repo.apply import Replan, Stage
from epicvc.repo.base import Base, BaseEntry, core_id, put_entry, update_base
from epicvc.repo.dbside import recapture
from epicvc.repo.documents import Documents, Three
from epicvc.repo.filesside import changed_files, epic_id_of, is_template, parse_file, read_epic, update_files
from epicvc.repo.objects import Snapshot
from epicvc.repo.workers import Workers, worth_it
from epicvc.services.calculated import foreseen, with_calculated
from epicvc.store.objects import ObjectId, ObjectType

SAMPLES = 5
"""How many files are looked at for the directory's style."""


class Agenda(Struct, frozen=True):
    """What the survey found to do.

    Attributes:
        epics: those with something to do.
        rows: those of them whose rows change.
        db_ids: the core that the survey saw in the database, by epic.
        moves: tasks that go elsewhere in the database: the place that gets one, and the place that gives it.
        file_moves: the same for the files.
    """

    epics: tuple[str, ...]
    rows: frozenset[str]
    db_ids: Mapping[str, ObjectId | None]
    moves: Mapping[TaskAt, TaskAt]
    file_moves: Mapping[TaskAt, TaskAt]


class SyncWork:
    """The work of one synchronisation: first :meth:`prepare`, then :meth:`run` in the database's write transaction.

    Args:
        documents: the documents as the survey saw them.
        agenda: what it found.
        policy: what it planned by.
        stage: takes the files.
    """

    def __init__(
        self,
        documents: Documents,
        agenda: Agenda,
        policy: Policy,
        stage: Stage,
    ) -> None:
        self._documents = documents
        self._agenda = agenda
        self._policy = policy
        self._stage = stage
        self._writer: Writer | None = None
        self._base: list[tuple[str, BaseEntry | None]] = []
        self.ids: dict[str, tuple[str, str] | None] = {}
        """By epic, the ids of its core in the database and of what that core is settled against from now on."""
        self._certificates: dict[str, tuple[ObjectId | None, BaseEntry | None]] = {}
        self._paths = set(documents.working.files.files)
        self._namer: Namer | None = None
        self._old_paths: dict[str, str] | None = None

    def prepare(self) -> None:
        """Stage the files of epics whose rows stay as they are, before the application has to wait for anything."""
        for batch in batches([epic for epic in self._agenda.epics if epic not in self._agenda.rows]):
            for _ in self._outcomes(batch):
                pass

    def run(self, writer: Writer | None) -> Snapshot:
        """Change both sides and give the new state.

        Args:
            writer: the database's transaction; ``None`` when no row changes.
        """
        self._writer = writer
        if writer is not None and not self._stage.alone:
            self._confirm(writer)
        working = self._documents.working
        push = self._push()
        done = 0
        for batch, rows in self._batches():
            changes = [
                DocumentChange(
                    three.epic, three.db, outcome.db, rows.get(three.epic) if outcome.db is three.file else None
                )
                for three, outcome in self._outcomes(batch)
                if outcome.to_db
            ]
            if push and changes:
                push.apply(changes)
            done += len(batch)
            self._documents.repo.progress("epics", done, len(self._agenda.epics))
        if push:
            push.finish()
            self._certify(push.fingerprints)
        check_collisions(self._paths)
        files = update_files(self._stage.sink, working.files.root, ((c.path, c.new) for c in self._stage.changes))
        base = update_base(self._stage.sink, working.base_root, self._base)
        database = working.database
        if self._writer is not None and database is not None:
            database = recapture(self._writer, self._stage.sink, database)
        return Snapshot(files, database, base, working.mapping)

    def _batches(self) -> Iterator[tuple[list[str], Mapping[str, NewRows]]]:
        """The epics in portions, with the rows of those that only files have, where several processes read these."""
        epics = [epic for epic in self._agenda.epics if epic in self._agenda.rows]
        new = [epic for epic in epics if self._documents.is_new_in_files(epic)]
        layout = self._documents.layout
        if self._writer is None or layout is None or not worth_it(new):
            yield from ((batch, {}) for batch in batches(epics))
            return
        config, by_epic = self._documents.repo.config, self._documents.working.files.by_epic
        setup = {
            "root": os.fspath(config.files),
            "mapping": config.mapping.to_json(),
            "epics": layout.epics.default_cells,
            "tasks": layout.tasks.default_cells,
        }
        with Workers("encode", setup) as workers:
            answers = workers.map([(by_epic[epic].path, by_epic[epic].blob) for epic in new])
            for batch in batches(new):
                found = {epic: answer for epic, answer in zip(batch, answers, strict=False) if answer is not None}
                self._documents.prepared = {epic: core for epic, (core, *_) in found.items()}
                yield batch, {epic: NewRows(*rows) for epic, (_, *rows) in found.items()}
        done = frozenset(new)
        yield from ((batch, {}) for batch in batches([epic for epic in epics if epic not in done]))

    def _confirm(self, writer: Writer) -> None:
        """Somebody has written since the survey: make sure that it was not to the epics that were prepared."""
        documents, agenda = self._documents, self._agenda
        for batch in batches([epic for epic in agenda.epics if epic not in agenda.rows]):
            for three in documents.load(batch, writer):
                if three.db_id != agenda.db_ids[three.epic]:
                    raise Replan

    def _push(self) -> Push | None:
        layout = self._documents.layout
        if self._writer is None or layout is None:
            return None
        now = self._documents.repo.now().strftime("%Y-%m-%d %H:%M:%S")
        return Push(self._writer, layout, now, self._agenda.moves)

    def _outcomes(self, batch: Sequence[str]) -> Iterator[tuple[Three, Outcome]]:
        for three in self._documents.load(batch, self._writer):
            if three.db_id != self._agenda.db_ids[three.epic]:
                raise Replan
            outcome = plan_epic(self._documents.repo.config.mapping, self._policy, epic=three.epic, **three.cores())
            soon = foreseen(three, outcome.db, self._documents.state_of_new_tasks)
            file = self._write_file(soon, outcome)
            entry = self._documents.entries.get(three.epic)
            if outcome.moves_base:
                entry = None
                if outcome.base is not None:
                    entry = put_entry(self._stage.sink, three.epic, outcome.base, file, three.id_of(outcome.base))
                self._base.append((three.epic, entry))
            expected = three.db_id
            if outcome.to_db or self._policy.moves.of(three.epic):
                expected = three.id_of(outcome.db) if outcome.db is not None else None
            if outcome.to_db:
                self._certificates[three.epic] = (expected, entry)
            if three.file is None and outcome.db is None and outcome.to_db and (path := self._old_path(three.epic)):
                self._stage.expect_absent(path)
            self.ids[three.epic] = (expected.hex(), entry.core.hex()) if expected and entry else None
            yield three, outcome

    # Files

    def _write_file(self, three: Three, outcome: Outcome) -> tuple[ObjectId, ObjectId] | None:
        """Stage the epic's file; the blob and core that the files side then has."""
        tracked = self._documents.working.files.by_epic.get(three.epic)
        stale = three.stale_calculated and Direction.TO_OURS in self._policy.direction
        if not outcome.to_files and not stale:
            return (tracked.blob, cast("ObjectId", tracked.core)) if tracked else None
        config = self._documents.repo.config
        if outcome.files is None:
            assert tracked is not None  # something can only be removed where it is
            self._stage.remove(tracked.path, tracked.blob)
            self._paths.remove(tracked.path)
            return None
        inline = config.calculated == "inline"
        if tracked is None:
            path, old = self._new_path(three.epic), None
            empty = new_file(three.epic, {})
            whole = with_core(empty, {}, outcome.files, config.mapping, self._carried(three.epic))
            whole = with_calculated(whole, replace(three, inline=inline))
            data = render(cast("JSON", whole), self._style())
        else:
            path, old = tracked.path, tracked.blob
            raw = self._stage.sink.get(tracked.blob, ObjectType.BLOB)
            whole = read_epic(self._stage.sink, tracked, config).whole
            whole = with_core(whole, three.file or {}, outcome.files, config.mapping, self._carried(three.epic))
            data = rewrite(raw, cast("JSON", with_calculated(whole, three)))
        # What was written must say what was meant: the files' half of the round-trip certificate.
        epic = parse_file(data, path, config)
        if is_template(cast("JSON", epic.whole)):
            raise InvalidField(three.epic, "a file with this id would be taken for a template")
        written = core_id(three.epic, epic.core)
        if written != core_id(three.epic, outcome.files):
            raise LossyField(three.epic, "the planned epic", f"another one from {path}")
        self._paths.add(path)
        return self._stage.write(path, old, data), written

    def _carried(self, epic: str) -> dict[str, tuple[dict[str, JSON], Core]]:
        """The tasks that come to an epic's file from elsewhere, with everything that they have there."""
        result: dict[str, tuple[dict[str, JSON], Core]] = {}
        for (owner, key), (giver, old) in self._agenda.file_moves.items():
            tracked = self._documents.working.files.by_epic.get(giver) if owner == epic else None
            if tracked is None:
                continue
            file = read_epic(self._stage.sink, tracked, self._documents.repo.config)
            items = cast("list[dict[str, JSON]]", file.body.get(Document.TASKS) or [])
            core = next(task for task in tasks_of(file.core) if task["id"] == old)
            result[key] = next(item for item in items if natural_key(item["id"]) == old), core
        return result

    def _new_path(self, epic: str) -> str:
        """Where the file of an epic goes that the files side lacks: where it was, else by the directory's habit."""
        if self._namer is None:
            files = self._documents.working.files.files
            self._namer = Namer({path: file.epic or "" for path, file in files.items()})
        path = self._old_path(epic)
        if path is None or path in self._paths:
            path = self._namer.name(epic)
        check_name(path)
        return path

    def _old_path(self, epic: str) -> str | None:
        """Where the file of an epic was at HEAD that is gone now."""
        if self._old_paths is None:
            self._old_paths = head_paths(self._documents)
        return self._old_paths.get(epic)

    def _style(self) -> Style:
        files = self._documents.working.files.files.values()
        samples = islice((file for file in files if file.epic is not None), SAMPLES)
        return detect_style(self._stage.sink.get(file.blob, ObjectType.BLOB) for file in samples)

    # Certificate

    def _certify(self, fingerprints: Mapping[str, Fingerprint]) -> None:
        """Read every pushed epic back: it must be the core that was pushed (design, "Round-trip certificate").

        Args:
            fingerprints: of the epics that were inserted whole; where they agree, nothing need be decoded.
        """
        documents = self._documents
        for epic, (_, entry) in self._certificates.items():
            if entry is None:
                documents.entries.pop(epic, None)
            else:
                documents.entries[epic] = entry
        pending = update_base(self._stage.sink, documents.working.base_root, self._base)
        base = Base(self._stage.sink, pending, documents.repo.config.mapping)
        documents.base = base
        assert self._writer is not None and documents.layout is not None  # there was a push
        simple = {
            epic: print_
            for epic, print_ in fingerprints.items()
            # what is absent is told by the base: here it must be the very core that was pushed
            if (entry := self._certificates[epic][1]) is not None and entry.core == self._certificates[epic][0]
        }
        for batch in batches(list(simple)):
            for epic, found in read_fingerprints(self._writer, documents.layout, batch):
                if found == simple[epic]:
                    del self._certificates[epic]
        missing = {epic for epic, (expected, _) in self._certificates.items() if expected is not None}
        for batch in batches(list(self._certificates)):
            for rows in read_epics(self._writer, documents.layout, batch):
                expected, _ = self._certificates[rows.id]
                missing.discard(rows.id)
                read = documents.settled(rows)
                if core_id(rows.id, read) != expected:
                    raise _lossy(rows.id, base.core(rows.id), read)
        for epic in missing:
            raise _lossy(epic, base.core(epic), None)


def _lossy(epic: str, agreed: Core | None, read: Core | None) -> LossyField:
    """Name the first field that came back as another."""
    expected = {name: value for name, value in (agreed or {}).items() if name != UNAGREED}
    for difference in diff_epic(Label(epic), cast("JSON", expected), cast("JSON", read)):
        return LossyField(str(difference.label), _shown(difference.old), _shown(difference.new))
    return LossyField(epic, "what was pushed", "something else")


def _shown(value: JSON) -> str:
    if value is None:
        return "nothing"
    text = dumps_canonical(value).decode()
    return text if len(text) <= 60 else text[:59] + "…"


def head_paths(documents: Documents) -> dict[str, str]:
    """The paths that epics had at HEAD and whose files are gone now."""
    head = documents.repo.head_snapshot()
    if head is None:
        return {}
    result = {}
    for path, old, new in changed_files(documents.sink, head[1].files, documents.working.files.root):
        if old is not None and new is None:
            result[epic_id_of(documents.sink, old, path)] = path
    return result


def batches(epics: Sequence[str]) -> Iterator[list[str]]:
    """Epics in portions that bound memory."""
    remaining = iter(epics)
    while batch := list(islice(remaining, BATCH)):
        yield batch
