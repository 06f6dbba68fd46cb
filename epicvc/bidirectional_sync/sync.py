"""The face itself: each method opens the repo, has the engine do the work, and returns the outcome as a dict.

The module imports what synchronises. Everything else is imported by the method that needs it, so that a program that
only synchronises starts as fast as the command does.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from epicvc.actions.report.recording import counts_of_resolve, counts_of_sync, recorded
from epicvc.actions.sync.survey import Allow
from epicvc.actions.sync.sync import synchronise
from epicvc.base.jsonio import parse
from epicvc.bidirectional_sync.batch import Batch
from epicvc.bidirectional_sync.foresight import Foresight
from epicvc.bidirectional_sync.given import GivenDatabase
from epicvc.bidirectional_sync.place import DATABASE, find_place
from epicvc.bidirectional_sync.reading import (
    PathLike,
    check_file,
    epics_in,
    read_integrity,
    read_known,
    read_quality,
    status_of,
    summary_of,
)
from epicvc.bidirectional_sync.shapes import (
    ChangeSummary,
    ConflictDict,
    EpicResult,
    Integrity,
    PerformanceMetrics,
    QualityMetrics,
    Resolution,
    SyncReportDict,
    SyncStatus,
    conflict_dict,
    epic_results,
    failed,
)
from epicvc.database.backend import MakeBackend
from epicvc.errors import InvalidData, UsageError
from epicvc.merge.threeway import Direction
from epicvc.model.labels import Label, Selection, parse_label
from epicvc.plan.epic import Policy
from epicvc.plan.policies import POLICIES
from epicvc.repo.history.revisions import CHECKPOINTS
from epicvc.repo.repository import Repo

_COMMANDS: Final = {Direction.BOTH: "sync", Direction.TO_THEIRS: "push", Direction.TO_OURS: "pull"}
_CHOICES: Final = {
    "json": "files",
    "files": "files",
    "json_wins": "files",
    "database": "db",
    "db": "db",
    "database_wins": "db",
    "base": "base",
}
_UNSET: Final = object()


class BidirectionalSync:
    """Keeps JSON epics and a database in step, three-way and field by field.

    The epic repo is the one above ``json_dir``. Where there is none, one is made as by ``epicvc init``: beside an
    ``epicvc.toml``, else in the current directory. An object may be used by several threads.

    Args:
        db_path: the path or URL of the database. ``framework.db`` stands for the repo's own database if the current
            directory has no such file.
        json_dir: the directory of the epics; by default that of the repo around the current directory, else
            ``epics/user_epics`` or ``epics``.
        enable_enrichment: whether enriched files are brought up to date after each synchronisation.
        conflict_resolution: ``manual``, ``json_wins``, ``database_wins`` or ``newest_wins``; policies for single
            fields in ``epicvc.toml`` come first.
        track_changes: whether files and rows that are remembered as unchanged are skipped. If not, both sides are read
            whole each time.
        db_manager: an application's object with ``get_connection()``, whose database is used instead of ``db_path``. A
            database in memory is used through the given connection itself, between the application's transactions.
        allow_mass_delete: whether a synchronisation may delete more than half of a side's epics or tasks.

    Raises:
        ValueError: the conflict resolution is none of the four.
        UsageError: no directory of epics can be found, or the repo has its epics elsewhere.
        EpicvcError: a repo has to be made and cannot be; nothing was made.

    Methods raise subclasses of :class:`epicvc.EpicvcError`: ``DatabaseUnavailable``, ``DatabaseLocked`` (at once while
    a given connection is in a transaction; other clients are waited for), ``Refused`` where data has to be protected,
    and ``InvalidData`` for a side that cannot be read.
    """

    def __init__(
        self,
        db_path: PathLike = DATABASE,
        json_dir: PathLike | None = None,
        *,
        enable_enrichment: bool = False,
        conflict_resolution: str = "manual",
        track_changes: bool = True,
        db_manager: object | None = None,
        allow_mass_delete: bool = False,
    ) -> None:
        if conflict_resolution not in POLICIES:
            raise ValueError(f"conflict_resolution is one of {', '.join(POLICIES)}, not {conflict_resolution!r}")
        self._policy = conflict_resolution
        self._enriches, self._tracks = enable_enrichment, track_changes
        self._allow = Allow(mass_delete=allow_mass_delete)
        self._given = GivenDatabase(db_manager) if db_manager is not None else None
        path = os.fspath(db_path) if self._given is None else self._given.where or DATABASE
        with self._borrowed() as given:
            self._place = find_place(path, Path(json_dir) if json_dir is not None else None, given)

    # Synchronising

    def sync_epic_to_database(self, file: PathLike) -> EpicResult:
        """Bring a file's changes to the database, by a three-way merge.

        Args:
            file: its path, relative to ``json_dir``.

        Returns:
            The result. If the epic cannot be synchronised as it is, its ``errors`` say why.

        Raises:
            NotFound: the file does not exist, or is not tracked.
        """
        epic = None
        with self._writing() as repo:
            try:
                (epic,) = epics_in(repo, [file])
                return self._run(repo, Direction.TO_THEIRS, [epic])[0]
            except InvalidData as error:
                return failed(epic, error.message)

    def sync_all_epics(self) -> list[EpicResult]:
        """Bring both sides together in one operation. Return one result an epic."""
        return self._sync(Direction.BOTH)

    def sync_json_to_database(self) -> list[EpicResult]:
        """Bring the changes of all files to the database."""
        return self._sync(Direction.TO_THEIRS)

    def sync_database_to_json(self) -> list[EpicResult]:
        """Bring the changes of the database to the files."""
        return self._sync(Direction.TO_OURS)

    @contextmanager
    def batch_operation(self) -> Iterator[Batch]:
        """Synchronise some epics as one operation: ``with sync.batch_operation() as batch: batch.sync_epic(file)``.

        Nothing happens before the block ends. Nothing happens at all if the block ends with an exception, or if a part
        of the operation cannot be done. A process that is killed leaves all of the operation or nothing.

        Raises:
            EpicvcError: the operation is not possible; neither side has changed.
        """
        with self._place.opened() as repo:
            batch = Batch(partial(check_file, repo))
            yield batch
        if batch.files:
            with self._writing() as repo:
                epics = dict.fromkeys(epics_in(repo, batch.files))
                batch.results = self._run(repo, Direction.BOTH, list(epics))

    # Conflicts

    def check_for_conflicts(self) -> list[ConflictDict]:
        """Return the fields that both sides changed differently, with both values and the one agreed on before."""
        from epicvc.actions.history.status import read_status

        with self._reading() as repo:
            return [conflict_dict(conflict) for conflict in read_status(repo).conflicts]

    def get_unresolved_conflicts(self) -> list[ConflictDict]:
        """Return the same as :meth:`check_for_conflicts`.

        A conflict is not stored: it is derived from both sides, and exists until it is settled.
        """
        return self.check_for_conflicts()

    def resolve_conflict(self, label: str, choice_or_value: Any = _UNSET, *, value: Any = _UNSET) -> Resolution:
        """Settle a conflict, or all below a label, on both sides.

        Args:
            label: the ``field`` of a conflict, such as ``5:name``, or an epic's id for all of its conflicts.
            choice_or_value: ``json``, ``database`` or ``base`` to take that value, else the value itself.
            value: the value itself, even if it is the name of a choice; ``None`` removes the field.

        Raises:
            NotFound: there is no such conflict.
            InvalidData: the value does not fit the field; nothing was written.
        """
        from epicvc.actions.resolve import resolving

        if (choice_or_value is _UNSET) == (value is _UNSET):
            raise UsageError("give either a choice or a value")
        with self._writing() as repo, recorded(repo.config.private, "resolve") as recording:
            where, choice = parse_label(label), None
            if isinstance(choice_or_value, str):
                choice = _CHOICES.get(choice_or_value)
            if choice is not None:
                choose = resolving.prefer(resolving.open_dispute(repo), choice)
            else:
                choose = resolving.set_value(_json(choice_or_value if value is _UNSET else value))
            report = resolving.resolve(repo, [resolving.Wish(where, choose)])
            recording.exit, recording.counts = int(bool(report.left)), counts_of_resolve(report)
        return {
            "success": not any(where.covers(conflict.label) for conflict in report.left),
            "settled": [str(settled) for settled in report.settled],
            "conflicts": [conflict_dict(conflict) for conflict in report.left],
            "commit": report.commit.hex() if report.commit is not None else None,
        }

    # Checkpoints

    def create_checkpoint(self, name: str, *, force: bool = False) -> str:
        """Record both sides as they are.

        Args:
            name: the name that ``rollback_to_checkpoint`` and ``epicvc rollback`` take.
            force: whether an existing checkpoint of this name is moved.

        Returns:
            The commit's id.

        Raises:
            UsageError: the name is not allowed, or is taken.
        """
        from epicvc.actions.shared import commits

        with self._writing() as repo, recorded(repo.config.private, "checkpoint"):
            report = commits.checkpoint(repo, name, force=force)
        assert report.commit is not None  # only a dry run makes none
        return report.commit.hex()

    def rollback_to_checkpoint(self, id_or_name: str) -> str:
        """Bring both sides back to exactly the state of a checkpoint, by a new commit.

        ``epicvc undo`` takes it back.

        Returns:
            The new commit's id.

        Raises:
            NotFound: there is no such checkpoint.
        """
        from epicvc.actions.restore import restoring

        with self._writing() as repo, recorded(repo.config.private, "rollback"):
            arrival = restoring.rollback(repo, _revision(repo, id_or_name))
        assert arrival.commit is not None  # it is the one that was made
        return arrival.commit.hex()

    def undo(self) -> str:
        """Take the newest operation back, as ``epicvc undo`` does.

        The command itself cannot reach a database in memory.

        Returns:
            The description of the operation.

        Raises:
            NotFound: there is nothing to undo.
            ChangedSince: something that the undo would change has been changed since.
        """
        from epicvc.actions.restore.undoing import undo  # imported here, since hardly any program undoes

        with self._writing() as repo, recorded(repo.config.private, "undo"):
            return undo(repo).description

    # Looking

    def get_change_summary(self) -> ChangeSummary:
        """Return which epics are new, modified and deleted since both sides agreed, and all counts."""
        from epicvc.actions.history.status import read_status

        with self._reading() as repo:
            return summary_of(read_status(repo), read_known(repo, ()))

    def get_sync_status(self) -> SyncStatus:
        """Return the time of the last synchronisation, the number of epics, and whether anything is open."""
        from epicvc.actions.history.status import read_status

        with self._reading() as repo:
            return status_of(repo, read_status(repo), read_known(repo, ()))

    def get_last_sync_time(self) -> datetime | None:
        """Return the time, in UTC, at which a synchronisation last changed something.

        Synchronisations that were undone do not count. The result is ``None`` before the first one.
        """
        from epicvc.actions.sync.stats import last_sync

        with self._place.opened() as repo:
            return last_sync(repo)

    def validate_data_integrity(self) -> Integrity:
        """Verify the store, the base, files, rows and foreign keys."""
        with self._reading() as repo:
            return read_integrity(repo)

    def get_performance_metrics(self) -> PerformanceMetrics:
        """Return the figures of all recorded synchronisations, also those of the command line. See ``epicvc stats``."""
        from epicvc.bidirectional_sync.report import performance_of

        with self._place.opened() as repo:
            return performance_of(repo)

    def get_data_quality_metrics(self) -> QualityMetrics:
        """Return how far both sides agree, required fields are filled in and calculated fields are right."""
        with self._reading() as repo:
            return read_quality(repo)

    def generate_sync_report(self) -> SyncReportDict:
        """Return everything in one dict, with the same in Markdown under ``text``."""
        from epicvc.bidirectional_sync.report import make_report

        with self._reading() as repo:
            return make_report(repo)

    def get_enriched_epic(self, epic_id: str | int) -> dict[str, Any]:
        """Return an epic with its calculated fields: ``epic``, ``calculated_fields``, ``metadata``.

        Nothing is written.

        Raises:
            NotFound: neither side has the epic.
        """
        from epicvc.actions.enrich.enriching import enriched_epic  # imported here: it imports what plans dates

        with self._opened() as repo:
            value = parse(enriched_epic(repo, str(epic_id)).data, source=str(epic_id))
        assert isinstance(value, dict)  # an enriched file is an object
        return dict(value)

    # How it is done

    def _borrowed(self) -> AbstractContextManager[MakeBackend | None]:
        return self._given.borrowed() if self._given is not None else nullcontext()

    @contextmanager
    def _opened(self) -> Iterator[Repo]:
        with self._borrowed() as given, self._place.opened(given) as repo:
            yield repo

    @contextmanager
    def _reading(self) -> Iterator[Repo]:
        with self._opened() as repo:
            if not self._tracks:
                from epicvc.actions.clean.cache import reset_caches

                reset_caches(repo)
            yield repo

    @contextmanager
    def _writing(self) -> Iterator[Repo]:
        if self._given is not None:
            self._given.require_idle()
        with self._reading() as repo:
            yield repo

    def _sync(self, direction: Direction) -> list[EpicResult]:
        with self._writing() as repo:
            return self._run(repo, direction, None)

    def _run(self, repo: Repo, direction: Direction, epics: list[str] | None) -> list[EpicResult]:
        selection = Selection(tuple(map(Label, epics or ())))
        policy = Policy(direction, selection, policies=replace(repo.config.policies, overall=self._policy))
        command, foresight = _COMMANDS[direction], Foresight(epics)
        with recorded(repo.config.private, command) as recording:
            report = synchronise(repo, policy, command=command, allow=self._allow, foresee=foresight.note)
            recording.exit = InvalidData.exit_code if report.errors else int(bool(report.conflicts))
            recording.counts = counts_of_sync(report)
        foresight.complete(repo)
        if self._enriches:
            self._enrich(repo, foresight.files.intersection(foresight.names))
        return epic_results(report, foresight.names, foresight.names)

    def _enrich(self, repo: Repo, epics: Iterable[str]) -> None:
        from epicvc.actions.enrich.enriching import enrich_repo

        if chosen := frozenset(epics):
            enrich_repo(repo, epics=chosen)


def _revision(repo: Repo, id_or_name: str) -> str:
    """Return a checkpoint as a revision: its name or, if another name hides it, the whole ref."""
    ref = CHECKPOINTS + id_or_name
    commit = repo.store.ref(ref)
    return ref if commit is not None and repo.revisions.resolve(id_or_name).hex() != commit else id_or_name


def _json(value: Any) -> Any:
    """Return a value from Python as the engine has it, exact decimals included.

    Raises:
        UsageError: JSON has no such value.
    """
    from epicvc.base.jsonio import dumps_text

    try:
        return parse(dumps_text(value, indent=None).encode(), source="value")
    except (TypeError, ValueError) as error:
        raise UsageError(f"{value!r} is no JSON value") from error
