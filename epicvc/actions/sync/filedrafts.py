"""The files that a synchronisation writes: computes their paths and their bytes from the captured ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Final, cast

from msgspec.structs import replace

from epicvc.actions.sync.calculated import with_calculated
from epicvc.actions.sync.moving import in_files
from epicvc.base.jsonio import JSON
from epicvc.errors import InvalidField, LossyField
from epicvc.files.format.rewrite import rewrite
from epicvc.files.format.style import Style, detect_style, render
from epicvc.files.names import Namer, check_name
from epicvc.merge.threeway import Direction
from epicvc.model.document import Core, FileEpic, natural_key, tasks_of
from epicvc.model.edit import new_file, with_core, with_id
from epicvc.model.mapping import Mapping
from epicvc.model.templates import is_template
from epicvc.plan.epic import Outcome, Policy
from epicvc.plan.moves.moves import Course
from epicvc.repo.apply.placing import FileChange
from epicvc.repo.documents import Documents, Three
from epicvc.repo.files.filestree import changed_files, epic_id_of, parse_file, read_epic
from epicvc.repo.files.tracked import TrackedFile
from epicvc.repo.history.base import core_id
from epicvc.store.objects import ObjectId, ObjectType

if TYPE_CHECKING:
    from epicvc.actions.restore.formerfiles import FormerFile, FormerFiles

SAMPLES: Final = 5
"""The number of files from which the style of the directory is taken."""


def _item(file: FileEpic, key: str) -> tuple[dict[str, JSON], Core] | None:
    """Return a task of a file, both as it stands there and as a core; ``None`` if it is not there."""
    items = cast("list[dict[str, JSON]]", file.body.get(Mapping.TASKS) or [])
    for core in tasks_of(file.core):
        if core["id"] == key:
            return next(item for item in items if natural_key(item["id"]) == key), core
    return None


class FileDrafts:
    """Computes one file after the other. Their bytes are stored among the captured objects.

    Args:
        documents: the documents of one moment.
        policy: the policy of the plan.
        courses: the ways of the moved tasks.

    Attributes:
        paths: the files that exist once all drafts are written.
    """

    def __init__(self, documents: Documents, policy: Policy, courses: Sequence[Course]) -> None:
        self.paths = set(documents.working.files.files)
        self._documents = documents
        self._config = documents.repo.config
        self._pulls = Direction.TO_OURS in policy.direction
        self._moves = in_files(courses)

    def draft(self, three: Three, outcome: Outcome) -> tuple[tuple[ObjectId, ObjectId] | None, FileChange | None]:
        """Compute the file of an epic.

        Returns:
            The blob and the core that the files side then has, and the change of the file if it changes.

        Raises:
            InvalidField: the epic would be taken for a template.
            LossyField: the file would have another core than the planned one.
        """
        tracked = self._documents.tracked(three.epic)
        if not outcome.to_files and not (self._pulls and three.stale_calculated):
            return (tracked.blob, cast("ObjectId", tracked.core)) if tracked else None, None
        if outcome.files is None:
            assert tracked is not None  # only an existing file can be removed
            self.paths.remove(tracked.path)
            return None, FileChange(tracked.path, tracked.blob, None)
        former = self._former.of(three) if tracked is None and three.base is not None else None
        path = tracked.path if tracked else self._new_path(three.epic, former)
        if tracked is not None:
            data = self._changed(three, tracked, outcome.files)
        else:
            data = self._again(three, former, outcome.files) if former else self._new(three, outcome.files)
        # The written bytes must give the planned core: this is the files' half of the round-trip certificate.
        epic = parse_file(data, path, self._config)
        if is_template(cast("JSON", epic.whole)):
            raise InvalidField(three.epic, "a file with this id would be taken for a template")
        written = core_id(three.epic, epic.core)
        if written != three.id_of(outcome.files):
            raise LossyField(three.epic, "the planned epic", f"another one from {path}")
        self.paths.add(path)
        blob = self._documents.sink.put(ObjectType.BLOB, data)
        return (blob, written), FileChange(path, tracked.blob if tracked else None, blob)

    def _new(self, three: Three, core: Core) -> bytes:
        whole = with_core(new_file(three.epic, {}), {}, core, self._config.mapping, self._carried(three, core))
        inline = replace(three, inline=self._config.calculated == "inline")
        return render(cast("JSON", with_calculated(whole, inline)), self._style)

    def _again(self, three: Three, former: FormerFile, core: Core) -> bytes:
        """Return the bytes of a deleted file that comes back, with all that only the file had."""
        old = former.epic
        whole = with_core(old.whole, old.core, core, self._config.mapping, self._carried(three, core))
        if old.id != three.epic:
            whole = with_id(whole, three.epic)
        beside = replace(three, inline=self._config.calculated == "inline", stray=self._documents.stray(old))
        return rewrite(former.raw, cast("JSON", with_calculated(whole, beside)), cast("JSON", old.whole))

    def _changed(self, three: Three, tracked: TrackedFile, core: Core) -> bytes:
        raw = self._documents.sink.get(tracked.blob, ObjectType.BLOB)
        old = cast("dict[str, JSON]", three.whole)
        whole = with_core(old, three.file or {}, core, self._config.mapping, self._carried(three, core))
        if three.renamed is not None:
            whole = with_id(whole, three.epic)
        return rewrite(raw, cast("JSON", with_calculated(whole, three)), cast("JSON", old))

    def _carried(self, three: Three, core: Core) -> dict[str, tuple[dict[str, JSON], Core]]:
        """Return the tasks that come into an epic's file from another file, or come back, as they stand there."""
        result, epic = self._coming_back(three, core), three.epic
        for (owner, key), (giver, old) in self._moves.items():
            tracked = self._documents.tracked(giver) if owner == epic else None
            item = _item(read_epic(self._documents.sink, tracked, self._config), old) if tracked is not None else None
            if item is not None:
                result[key] = item
        return result

    def _coming_back(self, three: Three, core: Core) -> dict[str, tuple[dict[str, JSON], Core]]:
        """Return the tasks that were deleted in a file that stays, and that come back."""
        if three.file is None or three.base is None:
            return {}
        known, there = ({str(task["id"]) for task in tasks_of(epic)} for epic in (three.base, three.file))
        result: dict[str, tuple[dict[str, JSON], Core]] = {}
        for key in (str(task["id"]) for task in tasks_of(core)):
            former = self._former.of(three, key) if key in known - there else None
            item = _item(former.epic, key) if former is not None else None
            if item is not None:
                result[key] = item
        return result

    @cached_property
    def _former(self) -> FormerFiles:
        # imported here: it goes through history, which hardly any file needs
        from epicvc.actions.restore.formerfiles import FormerFiles

        return FormerFiles(self._documents)

    def _new_path(self, epic: str, former: FormerFile | None) -> str:
        """Return the path for the file of an epic that the files side lacks.

        It is the former path, else one in the manner of the directory.
        """
        path = self.old_path(epic) or (former.path if former else None) or None
        if path is None or path in self.paths:
            path = self._namer.name(epic)
        check_name(path)
        return path

    def old_path(self, epic: str) -> str | None:
        """Return the path at HEAD of an epic's file that is gone now."""
        return self._old_paths.get(epic)

    @cached_property
    def _namer(self) -> Namer:
        files = self._documents.working.files.files
        return Namer({path: file.epic or "" for path, file in files.items()})

    @cached_property
    def _old_paths(self) -> dict[str, str]:
        """The paths at HEAD of files that are gone now, by epic."""
        documents = self._documents
        head = documents.repo.head_snapshot()
        if head is None:
            return {}
        changed = changed_files(documents.sink, head[1].files, documents.working.files.root)
        gone = ((path, old) for path, old, new in changed if old is not None and new is None)
        return {epic_id_of(documents.sink, old, path): path for path, old in gone}

    @cached_property
    def _style(self) -> Style:
        files = self._documents.working.files.files.values()
        samples = islice((file for file in files if file.epic is not None), SAMPLES)
        return detect_style(self._documents.sink.get(file.blob, ObjectType.BLOB) for file in samples)
