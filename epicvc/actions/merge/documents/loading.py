"""Loads the epics that both sides changed, in the three states: their files, their rows and what was agreed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import cast

from msgspec import Struct, field

from epicvc.actions.merge.documents.epicfiles import Parsed, Still, Version, read_still, read_version
from epicvc.actions.merge.documents.epicrows import InStates, MergedEpicRows
from epicvc.actions.merge.snapshots.changes import Place
from epicvc.actions.merge.snapshots.three import ThreeSnapshots
from epicvc.actions.merge.snapshots.untouched import Items, bare_core, bare_rows, full_core, only_rows, untouched
from epicvc.actions.merge.snapshots.whole import Names, NaturalRows, living, of_rows, system_names
from epicvc.actions.shared.session import Session
from epicvc.base.jsonio import JSON, parse, to_the_letter
from epicvc.database.batches import batches
from epicvc.database.documents.documents import epic_of_rows
from epicvc.database.documents.layout import Layout, read_layout
from epicvc.database.rowcodec import SQLValue
from epicvc.model.document import UNAGREED, Core, same_core, settle, tasks_of
from epicvc.model.mapping import Mapping
from epicvc.plan.file.wholefile import of_file
from epicvc.plan.moves.moves import BASE
from epicvc.repo.history.base import BaseEntry, get_core
from epicvc.store.objects import ObjectType


class Epic(Struct):
    """An epic in base, ours and theirs; ``None`` stands for a state in which it does not exist.

    Attributes:
        id: its id.
        files: its files.
        rows: its rows, those that are marked as deleted included.
        names: the members of its documents that are system columns.
        agreed: its agreed cores.
        of_files: its cores with their extra keys, from the files.
        of_rows: its cores with their system columns, from the rows.
        in_sync: file and rows have the same core in each state.
        still: the tasks that are the same in all states; ``agreed``, ``of_files`` and ``of_rows`` have only their ids.
        still_in_sync: file and rows have the same core of these tasks.
        kept: the places (the epic or a task) that were settled as a whole because a task moved, each with the side
            whose value was taken: ``ours``, ``theirs`` or ``base``.
    """

    id: str
    files: tuple[Version | None, ...]
    rows: InStates
    names: Names
    agreed: list[Core | None]
    of_files: list[Core | None]
    of_rows: list[Core | None]
    in_sync: bool
    still: Still
    still_in_sync: bool
    kept: dict[tuple[str, ...], str] = field(default_factory=dict)


class _Said(Struct, frozen=True):
    """The files and agreed cores of an epic in the three states, and the tasks that are the same in all of them."""

    files: tuple[Version | None, ...]
    agreed: list[Core | None]
    still: Still

    @property
    def references(self) -> list[Core | None]:
        """The core of each state that tells which fields of a row are absent.

        It is the agreed core, or for a new epic that of its file.
        """
        return [
            version.text.file.core if core is None and version is not None else core
            for version, core in zip(self.files, self.agreed, strict=True)
        ]


class Loader:
    """Loads epics.

    Args:
        session: the running command; its sides are near to ours, so that few rows are read.
        three: the three states and their differences.
    """

    def __init__(self, session: Session, three: ThreeSnapshots) -> None:
        self._session = session
        self._config = session.repo.config
        self._mapping: Mapping = session.repo.config.mapping
        self._three = three

    def load(self, epics: Sequence[str]) -> Iterator[Epic]:
        """Load epics in bounded batches.

        Raises:
            EpicvcError: a file is no epic, or a row cannot be read as part of one.
        """
        nothing: InStates = (NaturalRows(), NaturalRows(), NaturalRows())
        for batch in batches(epics):
            rows = self._rows.read(batch) if self._three.owned else {}
            entries = [state.agreed(batch) for state in self._three.states]
            said = {
                epic: self._said(epic, rows.get(epic, nothing), [found.get(epic) for found in entries])
                for epic in batch
            }
            before = {base.epic[0]: epic for epic, (base, _, _) in rows.items() if base.epic}
            for epic in batch:
                own = rows.get(epic, nothing)
                former = [before.get(found.epic[0], epic) if found.epic else epic for found in own]
                others = [said[other].references[BASE] for other in former]
                yield self._epic(epic, own, said[epic], others)

    def places(self, epic: str) -> tuple[Place | None, ...]:
        """Return the path and bytes of the epic's file in each state."""
        tracked = self._session.working.files.by_epic.get(epic)
        return self._three.places(epic, (tracked.path, tracked.blob) if tracked else None)

    def _epic(self, epic: str, rows: InStates, said: _Said, former: Sequence[Core | None]) -> Epic:
        """Return an epic.

        ``former`` holds the agreed cores of the epics that its rows were in base, before one got another key.
        """
        files, agreed, still = said.files, said.agreed, said.still
        alive = [living(found, self._mapping) for found in rows]
        bare = bare_rows(alive, still.items, self._mapping.tasks)
        references = [other if core is None else core for core, other in zip(said.references, former, strict=True)]
        cores = [
            None if found is None else self._row_core(epic, found, core)
            for found, core in zip(bare, references, strict=True)
        ]
        still_in_sync = self._still_in_sync(epic, alive[1], references[1], still)
        names = system_names(self._mapping, rows, [version.text.file if version else None for version in files])
        in_sync = not self._three.owned or (
            still_in_sync
            and all(
                _same(version.text.file.core if version else None, core)
                for version, core in zip(files, cores, strict=True)
            )
        )
        return Epic(
            id=epic,
            files=files,
            rows=rows,
            names=names,
            agreed=agreed,
            of_files=[of_file(version.text.file, self._mapping) if version else None for version in files],
            of_rows=[
                of_rows(core, found, names, still.items) if core is not None and found is not None else None
                for core, found in zip(cores, bare, strict=True)
            ],
            in_sync=in_sync,
            still=still,
            still_in_sync=still_in_sync,
        )

    # Files, and what was agreed

    def _said(self, epic: str, rows: InStates, entries: Sequence[BaseEntry | None]) -> _Said:
        """Read an epic's files, its agreed cores, and the tasks that are the same in all of them."""
        places = self.places(epic)
        parsed = {place: self._parsed(place) for place in places if place is not None}
        items: Items = {}
        if None not in places and self._lives_throughout(rows):
            items = untouched([found.value for found in parsed.values()], rows)
        while True:
            still = read_still(epic, items, self._mapping, next((place[0] for place in places if place), epic))
            versions = {
                place: read_version(epic, place, found, still, self._mapping) for place, found in parsed.items()
            }
            files = tuple(None if place is None else versions[place] for place in places)
            agreed, apart = self._agreed(epic, files, entries, still)
            if not apart:
                return _Said(files, agreed, still)
            # A task with another agreed core is not unchanged: the epic is read again with it.
            items = {key: item for key, item in items.items() if key not in apart}

    def _parsed(self, place: Place) -> Parsed:
        raw = self._session.staging.get(place[1], ObjectType.BLOB)
        return Parsed(raw, parse(raw, source=place[0]))

    def _lives_throughout(self, rows: InStates) -> bool:
        """Return whether the epic's row lives in all states or in none.

        Otherwise the epic is decided as a whole, and shown so.
        """
        return len({living(found, self._mapping) is None for found in rows}) == 1

    def _agreed(
        self, epic: str, files: Sequence[Version | None], entries: Sequence[BaseEntry | None], still: Still
    ) -> tuple[list[Core | None], set[str]]:
        """Return the agreed core of each state, and the unchanged tasks whose agreed core differs from the file."""
        agreed: list[Core | None] = []
        apart: set[str] = set()
        for state, version, entry in zip(self._three.states, files, entries, strict=True):
            if entry is None:
                agreed.append(None)
            elif version is not None and entry.core == version.core:
                agreed.append(version.text.file.core)
            else:
                core = get_core(self._session.staging, epic, entry, state.base.mapping)
                tasks = {task["id"]: task for task in tasks_of(core)}
                apart |= {key for key, task in still.cores.items() if not same_core(tasks.get(key), task)}
                if UNAGREED in core:
                    apart |= still.items.keys()
                agreed.append(bare_core(core, still.items))
        return agreed, apart

    # Rows

    @cached_property
    def layout(self) -> Layout:
        """The mapped tables as the database has them."""
        reader, database = self._session.reader, self._config.database
        # the caller has checked that rows have owners, so there is a database
        assert reader is not None and database is not None
        return read_layout(reader, self._mapping, database.display)

    @cached_property
    def _rows(self) -> MergedEpicRows:
        reader = self._session.reader
        assert reader is not None  # rows have owners, so there is a reader
        return MergedEpicRows(reader, self.layout, self._three)

    def _still_in_sync(self, epic: str, rows: NaturalRows | None, reference: Core | None, still: Still) -> bool:
        """Return whether the rows of the unchanged tasks have the same core as the file."""
        if rows is None or not still.items:
            return not still.items
        known = None if reference is None else full_core(reference, still.cores)
        said = {task["id"]: task for task in tasks_of(self._row_core(epic, only_rows(rows, still.items), known))}
        return all(_same(said.get(key), task) for key, task in still.cores.items())

    def _row_core(self, epic: str, rows: NaturalRows, reference: Core | None) -> Core:
        assert rows.epic is not None  # the caller passes living rows only
        links: dict[SQLValue, list[str]] = {}
        for task, linked in rows.links:
            links.setdefault(rows.tasks[task][1].get(self._mapping.tasks.id), []).append(linked)
        tasks = [row for _, row in rows.tasks.values()]
        return settle(epic_of_rows(self.layout, epic, rows.epic[1], tasks, links), reference)


def _same(one: Core | None, other: Core | None) -> bool:
    """Return whether two cores are equal. Those that are equal to the letter need no closer comparison."""
    value, same = cast("JSON", one), cast("JSON", other)
    return to_the_letter(value) == to_the_letter(same) or same_core(one, other)
