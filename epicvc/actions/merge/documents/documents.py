"""Merges an epic as one document, and makes its file, its rows and what is agreed on from the result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, cast

from epicvc.actions.merge.documents.epicfiles import Parsed, Still, Version, holds, read_version
from epicvc.actions.merge.documents.files import MergedFiles, merged_path
from epicvc.actions.merge.documents.loading import Epic
from epicvc.actions.merge.snapshots.contents import Links, links_of
from epicvc.actions.merge.snapshots.decisions import MergeDecisions
from epicvc.actions.merge.snapshots.merged import MergedDocuments
from epicvc.actions.merge.snapshots.untouched import full_core
from epicvc.actions.merge.snapshots.whole import file_part, joined, shared
from epicvc.base.jsonio import JSON, parse
from epicvc.database.documents.values import decode
from epicvc.dates.progress import progress_fields
from epicvc.errors import InvalidRow
from epicvc.merge.document import DocumentMerge
from epicvc.merge.threeway import ABSENT, MergeContext
from epicvc.merge.versions import Versions
from epicvc.model.document import UNAGREED, Core, same_core, tasks_of, with_tasks
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping as DocumentMapping
from epicvc.plan.file.wholefile import core_part, merged_bytes
from epicvc.repo.config.config import Config
from epicvc.repo.history.base import BaseEntry, put_entry
from epicvc.store.objects import ObjectSink, ObjectType

SIDES: Final = ("base", "ours", "theirs")


class EpicMerge:
    """Merges epics, one after the other.

    Args:
        sink: takes the merged files and the agreed cores.
        config: the repo's configuration.
        decisions: settles conflicts.
        files: collects the merged files.
        owned: the rows that belong to each epic are known.
    """

    def __init__(
        self, sink: ObjectSink, config: Config, decisions: MergeDecisions, files: MergedFiles, *, owned: bool
    ) -> None:
        self._sink = sink
        self._config = config
        self._decisions = decisions
        self._files = files
        self._owned = owned
        self._mapping: DocumentMapping = config.mapping
        self._engine = DocumentMerge(self._mapping)
        self.entries: dict[str, BaseEntry | None] = {}
        self.links: dict[str, Links] = {}

    def merge(self, epic: Epic) -> MergedDocuments:
        """Merge an epic and return the documents from which its rows are written.

        Raises:
            InvalidData: the merged file is no valid epic, which should not happen with any file.
        """
        kept: dict[tuple[str, ...], str] = {}
        """The places that were settled as a whole. Where files have conflicts of their own, only those of the rows."""
        alike: dict[tuple[str, ...], str] = {}
        """Those of them that files with conflicts of their own have from the same side."""
        if epic.in_sync:
            whole = [joined(*pair) for pair in zip(epic.of_files, epic.of_rows, strict=True)]
            rows = self._merged(epic.id, whole, kept)
            file = file_part(rows, epic.names)
        else:
            of_files: dict[tuple[str, ...], str] = {}
            file, rows = self._merged(epic.id, epic.of_files, of_files), self._merged(epic.id, epic.of_rows, kept)
            alike = {
                path: side
                for path, side in kept.items()
                if of_files.get(path) == side or self._decisions.places(Label(epic.id, path))
            }
        if self._mapping.links:
            full = full_core((rows if file is None else file) or {}, epic.still.cores)
            self.links[epic.id] = links_of(full, self._mapping.links.field)
        self._agree(epic, file, rows, self._write_file(epic, file, rows), alike)
        base, ours, theirs = epic.rows
        still = frozenset(epic.still.items)
        return MergedDocuments(
            epic.id, base, ours, theirs=theirs, merged=rows, names=epic.names, kept={**kept, **epic.kept}, still=still
        )

    def _merged(self, epic: str, wholes: Iterable[Core | None], kept: dict[tuple[str, ...], str]) -> Core | None:
        value = self._engine.merge(self._decisions.context(kept), epic, Versions(*shared(wholes))).ours
        return None if value is ABSENT else cast("Core", value)

    # Files

    def _write_file(self, epic: Epic, merged: Core | None, rows: Core | None) -> Version | None:
        base, ours, theirs = epic.files
        data = path = None
        if merged is not None:
            calculated = self._calculated(epic, rows) if rows is not None else None
            texts = (version.text if version else None for version in epic.files)
            data = merged_bytes(self._mapping, merged, *texts, calculated=calculated)
            path = merged_path(base, ours, theirs)
        if data is None or path is None:
            if ours is not None:
                self._files.remove(ours.path)
            return None
        blob = self._sink.put(ObjectType.BLOB, data)
        path = self._files.put(epic.id, path, blob, ours.path if ours else None)
        known = next((version for version in epic.files if version is not None and version.blob == blob), None)
        if known is not None:
            return known
        parsed = Parsed(data, parse(data, source=path))
        # An edit keeps unchanged tasks to the letter as a rule. If it did not, all tasks are read again.
        still = epic.still if holds(parsed.value, epic.still) else Still()
        return read_version(epic.id, (path, blob), parsed, still, self._mapping)

    def _calculated(self, epic: Epic, rows: Core) -> Core | None:
        """Return the calculated fields that the file holds: dates of our row and the progress of the tasks."""
        found = epic.rows[1].epic or epic.rows[2].epic
        if self._config.calculated != "inline" or found is None:
            return None
        result: Core = {}
        for spec in self._mapping.epics.calculated:
            try:
                value = decode(found[1].get(spec.column), spec, self._mapping.epics.table, epic.id)
            except InvalidRow:
                continue  # the next synchronisation reports the row
            if value is not None:
                result[spec.name] = value
        return {**result, **progress_fields(self._states(epic, rows))}

    def _states(self, epic: Epic, rows: Core) -> Iterator[str]:
        """Yield the states of the merged tasks, where the database has a column for them."""
        column = self._mapping.tasks.status
        member = next((name for name, own in epic.names.task.items() if own == column), None)
        for task in tasks_of(rows):
            key = cast("str", task["id"])
            row = next((side.tasks[key][1] for side in epic.rows[1:] if key in side.tasks), {})
            state = row.get(column or "") if key in epic.still.items else task.get(member or "")
            if isinstance(state, str):
                yield state

    # The base

    def _agree(
        self,
        epic: Epic,
        file: Core | None,
        rows: Core | None,
        written: Version | None,
        alike: Mapping[tuple[str, ...], str],
    ) -> None:
        """Record the agreed core: the core of both sides if they are equal, else the merged agreed cores."""
        agreed, other = core_part(file, self._mapping), core_part(rows, self._mapping)
        if not self._owned or not epic.still_in_sync or not same_core(agreed, other):
            agreed = self._merged_base(epic, alike)
        entry: BaseEntry | None = None
        if agreed is not None and written is not None and same_core(agreed, written.text.file.core):
            entry = BaseEntry(written.core, written.blob)
        elif agreed is not None:
            place = None if written is None else (written.blob, written.core)
            entry = put_entry(self._sink, epic.id, full_core(agreed, epic.still.cores), place)
        self.entries[epic.id] = entry

    def _merged_base(self, epic: Epic, alike: Mapping[tuple[str, ...], str]) -> Core | None:
        """Merge the agreed cores. A task that files and rows have from one side is what that side agreed on."""
        agreed = Versions(*epic.agreed)
        for path, side in alike.items():
            if side in SIDES and len(path) == 2:
                agreed = taking(agreed, path[1], SIDES.index(side))
        base, ours, theirs = agreed
        if same_core(ours, theirs) or same_core(theirs, base):
            return ours
        if same_core(ours, base):
            return theirs
        plain = agreed.map(lambda core: core and {name: value for name, value in core.items() if name != UNAGREED})
        value = self._engine.merge(MergeContext(), epic.id, plain).ours
        if value is ABSENT:
            return None
        marks = {path for core in (ours, theirs) for path in cast("list[str]", (core or {}).get(UNAGREED) or ())}
        merged = cast("Core", value)
        return {**merged, UNAGREED: cast("JSON", sorted(marks))} if marks else merged


def taking(cores: Versions[Core | None], key: str, number: int) -> Versions[Core | None]:
    """Return the cores of an epic in such a form that their merge has one of their versions of a task.

    Whoever has another version than ours seems to be the only one that changed it.
    """
    versions = [{cast("str", task["id"]): task for task in tasks_of(core or {})}.get(key) for core in cores]
    base, ours, theirs = cores
    return Versions(_with_task(base, key, versions[1]), ours, _with_task(theirs, key, versions[number]))


def _with_task(core: Core | None, key: str, task: Core | None) -> Core | None:
    """Return a core with another version of a task, in its place or behind the others, or without the task."""
    if core is None:
        return None
    tasks = [task if one["id"] == key else one for one in tasks_of(core)]
    if task is not None and all(one["id"] != key for one in tasks_of(core)):
        tasks.append(task)
    return with_tasks(core, [one for one in tasks if one is not None])
