"""The command ``enrich`` in a repo: combines the files with the database's facts into enriched files."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from pathlib import Path
from typing import Final

from msgspec import Struct, field

from epicvc.actions.enrich.engine import (
    PREFIX,
    Enriched,
    Enricher,
    EnrichReport,
    Facts,
    Source,
    enrich_files,
    read_facts,
    sources_of,
)
from epicvc.actions.enrich.enriched import read_original
from epicvc.base.fileio import read_file
from epicvc.base.jsonio import dumps_text
from epicvc.database.backend import Backend
from epicvc.database.documents.documents import read_epics
from epicvc.database.documents.layout import read_layout
from epicvc.dates.strategy import Planner
from epicvc.errors import NotFound, UsageError
from epicvc.files.scan.scan import scan
from epicvc.model.document import settle
from epicvc.model.mapping import Mapping as TableMapping
from epicvc.repo.history.objects import in_local_zone
from epicvc.repo.home.ways import require_own_way
from epicvc.repo.plans import load_plans
from epicvc.repo.repository import Repo
from epicvc.store.objects import ObjectType

DIRECTORY: Final = "enriched"
USER_EPICS: Final = "user_epics"


class RepoEnrichment(Struct):
    """The result of ``enrich``, or of its check.

    Attributes:
        to: the directory of the enriched files.
        report: the result of each file.
        orphans: the enriched files below ``to`` that belong to no author's file.
        check: nothing was written.
    """

    to: Path
    report: EnrichReport
    orphans: list[str] = field(default_factory=list)
    check: bool = False


def default_directory(files: Path) -> Path:
    """Return the directory for enriched files: ``enriched`` in the directory of the epics.

    Where that is ``user_epics``, it is ``enriched`` beside it.
    """
    return (files.parent if files.name == USER_EPICS else files) / DIRECTORY


def enrich_repo(
    repo: Repo,
    *,
    to: Path | None = None,
    epics: Collection[str] | None = None,
    today: date | None = None,
    check: bool = False,
) -> RepoEnrichment:
    """Enrich the epics of a repo.

    Args:
        repo: the repo.
        to: the directory of the enriched files.
        epics: enrich only these epics.
        today: the day from which new starts are reckoned; by default the current day.
        check: only report stale files.

    Raises:
        NotFound: an epic has no file.
        DatabaseUnavailable: the configured database does not exist.
        LinkInTheWay: a link is on the way to the directory.
        FileUnavailable: a file cannot be read or written.
    """
    repo.require_database()
    config = repo.config
    target = to if to is not None else default_directory(config.files)
    require_own_way(target, config.root)
    if target.resolve().is_relative_to(config.private.resolve()):
        raise UsageError(f"{target} is no place for enriched files", hint="name a directory of your own with --to")
    backend = repo.backend()
    facts: Mapping[str, Facts] = {}
    if backend is not None:
        try:
            facts = database_facts(backend, config.mapping, epics)
        finally:
            backend.close()
    now = repo.now()
    enricher = Enricher(
        Planner(config.plan), today or in_local_zone(now).date(), now, facts, load_plans(config.private)
    )
    sources = authors_files(config.files, target, config.include, config.exclude)
    report = enrich_files(enricher, sources, write=not check, epics=epics, progress=repo.progress)
    for epic in sorted(set(epics or ()) - {outcome.epic for outcome in report.outcomes}):
        raise NotFound(f"no file has the epic {epic}", hint="see `epicvc status` for what there is")
    return RepoEnrichment(target, report, orphans_of(target, sources), check)


def enriched_epic(repo: Repo, epic: str, *, today: date | None = None) -> Enriched:
    """Return one epic with its calculated fields. It writes nothing, and reads no other epic's rows.

    Args:
        repo: the repo.
        epic: the id of the epic. An epic without a file is read from the database.
        today: the day from which a new start is reckoned; by default the current day.

    Raises:
        NotFound: neither side has the epic.
        DatabaseUnavailable: the configured database does not exist.
    """
    repo.require_database()
    config, now = repo.config, repo.now()
    with repo.staging(writable=False) as staging:
        tracked = repo.scan_files(staging).by_epic.get(epic)
        data = staging.get(tracked.blob, ObjectType.BLOB) if tracked is not None else None
    backend = repo.backend()
    facts: Mapping[str, Facts] = {}
    if backend is not None:
        try:
            facts = database_facts(backend, config.mapping, [epic])
            data = _from_rows(backend, config.mapping, epic) if data is None else data
        finally:
            backend.close()
    if data is None:
        raise NotFound(f"no epic {epic} on either side", hint="see `epicvc status` for what there is")
    original = read_original(data, epic if tracked is None else config.shown(tracked.path))
    assert original is not None  # templates are not tracked, so that none comes here
    enricher = Enricher(Planner(config.plan), today or now.astimezone().date(), now, facts, load_plans(config.private))
    target = None
    if tracked is not None:
        (source,) = sources_of(config.files, [tracked.path], default_directory(config.files))
        target = source.target
    return enricher.enrich(original, read_file(target) if target is not None and target.is_file() else None)


def _from_rows(backend: Backend, mapping: TableMapping, epic: str) -> bytes | None:
    """Return an epic that only the database has, in the bytes that a file would have."""
    with backend.read() as reader:
        for rows in read_epics(reader, read_layout(reader, mapping, backend.display), [epic]):
            return dumps_text({"id": epic, **settle(rows, None)}, indent="  ").encode()
    return None


def database_facts(backend: Backend, mapping: TableMapping, epics: Collection[str] | None = None) -> dict[str, Facts]:
    """Return the facts about epics in a database, of all of them or of these."""
    with backend.read() as reader:
        return read_facts(reader, read_layout(reader, mapping, backend.display), epics)


def authors_files(files: Path, to: Path, include: Collection[str], exclude: Collection[str]) -> list[Source]:
    """Return the authors' files below a directory. Enriched files are left out."""
    found = scan(files, tuple(include), tuple(exclude)).paths
    inside = f"{to.relative_to(files).as_posix()}/" if to.is_relative_to(files) and to != files else None
    own = [
        path
        for path in found
        if not path.rpartition("/")[2].startswith(PREFIX) and not (inside and path.startswith(inside))
    ]
    return list(sources_of(files, own, to))


def orphans_of(to: Path, sources: Collection[Source]) -> list[str]:
    """Return enriched files to which no source leads."""
    if not to.is_dir():
        return []
    known = {source.target for source in sources}
    found = scan(to, (f"**/{PREFIX}*.json", f"{PREFIX}*.json")).paths
    return [path for path in found if to / path not in known]
