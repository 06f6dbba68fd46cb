"""Synchronise: plan every epic on which files, database and base do not agree, and bring both sides there.

Epics are planned twice, once to see what will happen (guards, dry runs, reports) and once while it happens, so that
no number of epics is ever in memory at once. The second time the rows are read again, inside the write transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import cast

from epicvc.database.backend import Writer
from epicvc.database.documents import BATCH, read_epics
from epicvc.database.push import DocumentChange, Push, TaskAt
from epicvc.errors import LossyField, NotFound, Refused
from epicvc.files.names import check_collisions, check_name, name_for_epic
from epicvc.files.rewrite import rewrite
from epicvc.files.style import Style, detect_style, render
from epicvc.jsonio import JSON, dumps_canonical
from epicvc.merge.threeway import Conflict
from epicvc.model.diff import Change, Op, diff_epic
from epicvc.model.document import UNAGREED, Core, tasks_of
from epicvc.model.edit import new_file, with_core
from epicvc.model.labels import Label
from epicvc.plan import Outcome, Policy, plan_epic
from epicvc.repo.apply import After, FileChange, Replan, Request, Stage
from epicvc.repo.base import Base, BaseEntry, core_id, put_entry, update_base
from epicvc.repo.dbside import recapture
from epicvc.repo.documents import Documents, Three
from epicvc.repo.filesside import changed_files, epic_id_of, parse_file, read_epic, update_files
from epicvc.repo.objects import CommitKind, Snapshot
from epicvc.repo.repository import Repo
from epicvc.services.commits import committing
from epicvc.services.session import Later, Session, change, look
from epicvc.store.objects import ObjectId, ObjectType

SAMPLES = 5
"""How many files are looked at for the directory's style."""


@dataclass(frozen=True)
class Moved:
    """One change that a synchronisation brings to a side."""

    label: Label
    op: Op


@dataclass(frozen=True)
class Allow:
    """Which guards the user has lifted."""

    mass_delete: bool = False
    empty_side: bool = False


@dataclass
class SyncReport:
    """What a synchronisation did, or would do.

    Attributes:
        commit: the commit that it made; ``None`` when nothing moved, or in a dry run.
        to_files: changes of the files side.
        to_db: changes of the database.
        conflicts: what is left for a person.
        moves_base: whether anything was newly agreed on.
    """

    commit: ObjectId | None = None
    to_files: list[Moved] = field(default_factory=list)
    to_db: list[Moved] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    moves_base: bool = False
    dry_run: bool = False

    @property
    def moves_anything(self) -> bool:
        """Whether a value or the base moved."""
        return bool(self.to_files or self.to_db or self.moves_base)


@dataclass
class _Survey:
    """What the first planning found: the report, and what the second one needs."""

    report: SyncReport
    epics: list[str] = field(default_factory=list)
    db_ids: dict[str, ObjectId | None] = field(default_factory=dict)
    removed: dict[str, list[str]] = field(default_factory=dict)
    added: dict[str, list[str]] = field(default_factory=dict)
    files_deleted: int = 0
    db_deleted: int = 0

    def moves(self) -> dict[TaskAt, str]:
        """Tasks that one epic gives and another gets."""
        return {
            (getter, key): givers[0]
            for key, givers in self.removed.items()
            for getter in self.added.get(key, ())[:1]
            if getter != givers[0]
        }


def synchronise(
    repo: Repo,
    policy: Policy,
    *,
    command: str,
    allow: Allow | None = None,
    dry_run: bool = False,
    message: str | None = None,
    only_conflicts: bool = False,
) -> SyncReport:
    """Pull, push, sync or resolve, as the policy's direction and selection say.

    Args:
        repo: the repo.
        policy: direction, selection, what settles a conflict.
        command: the command's name for log and messages.
        allow: guards that are lifted.
        dry_run: only say what would happen, by the same planning.
        message: the commit's message.
        only_conflicts: plan only epics that hold a selected conflict (``resolve``).

    Raises:
        NotFound: no database is configured, or a selected epic exists nowhere.
        Refused: a guard stops it.
        EpicvcError: a side is invalid or cannot be used; nothing was written.
    """
    allowed = allow or Allow()
    repo.require_backend()

    def act(session: Session) -> SyncReport | Later[SyncReport]:
        session.working.files.require_valid()
        documents = Documents(repo, session.working, session.staging, session.reader)
        survey = _survey(documents, policy, only_conflicts=only_conflicts)
        _guard(documents, survey, allowed)
        report = survey.report
        report.dry_run = dry_run
        if dry_run or not report.moves_anything:
            return report
        return _later(session, documents, survey, policy, command, message)

    if dry_run:
        with look(repo) as session:
            return cast("SyncReport", act(session))
    return change(repo, act)


# First planning


def _survey(documents: Documents, policy: Policy, *, only_conflicts: bool) -> _Survey:
    survey = _Survey(SyncReport())
    report = survey.report
    chosen = policy.selection.epics()
    candidates = documents.candidates()
    if chosen is not None:
        _require_known(documents, chosen)
        candidates = [epic for epic in candidates if epic in chosen]
    for batch in _batches(candidates):
        for three in documents.load(batch):
            outcome = _plan(documents, policy, three)
            report.conflicts.extend(outcome.conflicts)
            if not outcome.changes_anything:
                continue
            survey.epics.append(three.epic)
            survey.db_ids[three.epic] = three.db_id
            report.moves_base |= outcome.moves_base
            report.to_files.extend(Moved(change.label, change.op) for change in outcome.to_files)
            report.to_db.extend(Moved(change.label, change.op) for change in outcome.to_db)
            survey.files_deleted += three.file is not None and outcome.files is None
            survey.db_deleted += three.db is not None and outcome.db is None
            _note_tasks(survey, three, outcome)
    return survey


def _require_known(documents: Documents, epics: frozenset[str]) -> None:
    for epic in sorted(epics):
        known = epic in documents.working.files.by_epic or epic in documents.entries or epic in documents.db_ids()
        if not known:
            raise NotFound(f"no epic {epic} on either side", hint="see `epicvc status` for what there is")


def _plan(documents: Documents, policy: Policy, three: Three) -> Outcome:
    return plan_epic(documents.repo.config.mapping, policy, three.epic, three.base, three.file, three.db)


def _note_tasks(survey: _Survey, three: Three, outcome: Outcome) -> None:
    """Remember which tasks leave or join the epic in the database, to tell moves from deletions."""
    if not outcome.to_db:
        return
    before, after = ({str(task["id"]) for task in tasks_of(core or {})} for core in (three.db, outcome.db))
    for key in sorted(before - after):
        survey.removed.setdefault(key, []).append(three.epic)
    for key in sorted(after - before):
        survey.added.setdefault(key, []).append(three.epic)


def _guard(documents: Documents, survey: _Survey, allow: Allow) -> None:
    """Stop before a mishap on one side empties the other (design, "Applying to two places")."""
    files, rows = len(documents.working.files.by_epic), len(documents.db_ids())
    agreed = len(documents.entries)
    for side, other, count, deleted in (
        ("files", "database", files, survey.db_deleted),
        ("database", "files", rows, survey.files_deleted),
    ):
        if agreed and not count and deleted and not allow.empty_side:
            raise Refused(
                f"the {side} side is empty; this would delete {deleted} epics on the {other} side",
                hint="bring it back with `epicvc rollback`, or mean it with --allow-empty-side",
            )
        total = rows if other == "database" else files
        if deleted * 2 > total and deleted > 1 and count and not allow.mass_delete:
            raise Refused(
                f"this would delete {deleted} of {total} epics on the {other} side",
                hint="look at `epicvc diff`, or mean it with --allow-mass-delete",
            )


# Second planning, while it happens


def _later(
    session: Session,
    documents: Documents,
    survey: _Survey,
    policy: Policy,
    command: str,
    message: str | None,
) -> Later[SyncReport]:
    report = survey.report
    text = message or f"{command}: {len(report.to_files)} to files, {len(report.to_db)} to database"

    def work(writer: Writer | None, stage: Stage) -> After:
        snapshot = _Apply(documents, survey, policy, stage, writer).run()
        return committing(session, stage.sink, snapshot, text, CommitKind.SYNC)

    request = Request(
        command,
        text,
        session.working.snapshot(),
        work,
        session.backend if report.to_db else None,
        version=session.version,
    )

    def result(_: object) -> SyncReport:
        report.commit = session.repo.revisions.head()
        return report

    return Later(request, result)


class _Apply:
    """Carries a surveyed synchronisation out."""

    def __init__(
        self,
        documents: Documents,
        survey: _Survey,
        policy: Policy,
        stage: Stage,
        writer: Writer | None,
    ) -> None:
        self._documents = documents
        self._survey = survey
        self._policy = policy
        self._stage = stage
        self._writer = writer
        self._base: list[tuple[str, BaseEntry | None]] = []
        self._certificates: dict[str, tuple[ObjectId | None, BaseEntry | None]] = {}
        self._names = {path: file.epic or "" for path, file in documents.working.files.files.items()}
        self._old_paths: dict[str, str] | None = None

    def run(self) -> Snapshot:
        """Change both sides and give the new state."""
        working = self._documents.working
        push = self._push()
        done = 0
        for batch in _batches(self._survey.epics):
            changes = [
                DocumentChange(three.epic, three.db, outcome.db)
                for three, outcome in self._outcomes(batch)
                if outcome.to_db
            ]
            if push and changes:
                push.apply(changes)
            done += len(batch)
            self._documents.repo.progress("epics", done, len(self._survey.epics))
        if push:
            push.finish()
            self._certify()
        check_collisions(self._names)
        files = update_files(self._stage.sink, working.files.root, ((c.path, c.new) for c in self._stage.changes))
        base = update_base(self._stage.sink, working.base_root, self._base)
        database = working.database
        if self._writer is not None and database is not None:
            database = recapture(self._writer, self._stage.sink, database)
        return Snapshot(files, database, base, working.mapping)

    def _push(self) -> Push | None:
        layout = self._documents.layout
        if self._writer is None or layout is None:
            return None
        now = self._documents.repo.now().strftime("%Y-%m-%d %H:%M:%S")
        return Push(self._writer, layout, now, self._survey.moves())

    def _outcomes(self, batch: Sequence[str]) -> Iterator[tuple[Three, Outcome]]:
        for three in self._documents.load(batch, self._writer):
            if three.db_id != self._survey.db_ids[three.epic]:
                raise Replan
            outcome = _plan(self._documents, self._policy, three)
            file = self._write_file(three, outcome)
            entry = self._documents.entries.get(three.epic)
            if outcome.moves_base:
                entry = (
                    put_entry(self._stage.sink, three.epic, outcome.base, file) if outcome.base is not None else None
                )
                self._base.append((three.epic, entry))
            if outcome.to_db:
                expected = core_id(three.epic, outcome.db) if outcome.db is not None else None
                self._certificates[three.epic] = (expected, entry)
            yield three, outcome

    # Files

    def _write_file(self, three: Three, outcome: Outcome) -> tuple[ObjectId, ObjectId] | None:
        """Stage the epic's file; the blob and core that the files side then has."""
        tracked = self._documents.working.files.by_epic.get(three.epic)
        if not outcome.to_files:
            return (tracked.blob, cast("ObjectId", tracked.core)) if tracked else None
        config = self._documents.repo.config
        if outcome.files is None:
            assert tracked is not None  # something can only be removed where it is
            self._stage.remove(tracked.path, tracked.blob)
            self._names.pop(tracked.path)
            return None
        if tracked is None:
            path, old = self._new_path(three.epic), None
            data = render(cast("JSON", new_file(three.epic, outcome.files)), self._style())
        else:
            path, old = tracked.path, tracked.blob
            whole = read_epic(self._stage.sink, tracked, config).whole
            raw = self._stage.sink.get(tracked.blob, ObjectType.BLOB)
            data = rewrite(raw, cast("JSON", with_core(whole, three.file or {}, outcome.files, config.mapping)))
        # What was written must say what was meant: the files' half of the round-trip certificate.
        written = core_id(three.epic, parse_file(data, path, config).core)
        if written != core_id(three.epic, outcome.files):
            raise LossyField(three.epic, "the planned epic", f"another one from {path}")
        self._names[path] = three.epic
        return self._stage.write(path, old, data), written

    def _new_path(self, epic: str) -> str:
        """Where the file of an epic goes that the files side lacks: where it was, else by the directory's habit."""
        path = self._known_paths().get(epic)
        if path is None or path in self._names:
            path = name_for_epic(epic, self._names)
        check_name(path)
        return path

    def _known_paths(self) -> dict[str, str]:
        if self._old_paths is None:
            self._old_paths = head_paths(self._documents)
        return self._old_paths

    def _style(self) -> Style:
        files = self._documents.working.files.files.values()
        samples = islice((file for file in files if file.epic is not None), SAMPLES)
        return detect_style(self._stage.sink.get(file.blob, ObjectType.BLOB) for file in samples)

    # Certificate

    def _certify(self) -> None:
        """Read every pushed epic back: it must be the core that was pushed (design, "Round-trip certificate")."""
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
        missing = {epic for epic, (expected, _) in self._certificates.items() if expected is not None}
        for batch in _batches(list(self._certificates)):
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
        return LossyField(str(difference.label), _shown(difference, "old"), _shown(difference, "new"))
    return LossyField(epic, "what was pushed", "something else")


def _shown(difference: Change, which: str) -> str:
    value = difference.old if which == "old" else difference.new
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


def _batches(epics: Sequence[str]) -> Iterator[list[str]]:
    remaining = iter(epics)
    while batch := list(islice(remaining, BATCH)):
        yield batch


__all__ = ["Allow", "FileChange", "Moved", "SyncReport", "synchronise"]
