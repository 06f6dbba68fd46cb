"""``enrich`` in a repo: the files side and the database's facts, into the directory of enriched files."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from pathlib import Path
from typing import Final

from msgspec import Struct, field

from epicvc.database.backend import Backend
from epicvc.database.layout import read_layout
from epicvc.errors import NotFound
from epicvc.files.scan import scan
from epicvc.model.mapping import Mapping as TableMapping
from epicvc.planning.strategy import Planner
from epicvc.repo.objects import in_local_zone
from epicvc.repo.plans import load_plans
from epicvc.repo.repository import Repo
from epicvc.services.enrich import PREFIX, Enricher, EnrichReport, Facts, Source, enrich_files, read_facts, sources_of

DIRECTORY: Final = "enriched"
USER_EPICS: Final = "user_epics"


class RepoEnrichment(Struct):
    """What ``enrich`` did, or would do.

    Attributes:
        to: the directory of the enriched files.
        report: what became of each file.
        orphans: enriched files of no author's file, below ``to``.
        check: nothing was written.
    """

    to: Path
    report: EnrichReport
    orphans: list[str] = field(default_factory=list)
    check: bool = False


def default_directory(files: Path) -> Path:
    """Where enriched files go: ``enriched`` in the directory of the epics, or beside it where it is ``user_epics``."""
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
        epics: only these.
        today: the day from which new starts are reckoned; by default the clock's.
        check: only say what is stale.

    Raises:
        NotFound: an epic has no file.
        DatabaseUnavailable: the configured database does not exist.
        FileUnavailable: a file cannot be read or written.
    """
    repo.require_database()
    config = repo.config
    target = to if to is not None else default_directory(config.files)
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


def database_facts(backend: Backend, mapping: TableMapping, epics: Collection[str] | None = None) -> dict[str, Facts]:
    """What a database knows of epics, all of them or these."""
    with backend.read() as reader:
        return read_facts(reader, read_layout(reader, mapping, backend.display), epics)


def authors_files(files: Path, to: Path, include: Collection[str], exclude: Collection[str]) -> list[Source]:
    """The authors' files below a directory, which enriched ones never are."""
    found = scan(files, tuple(include), tuple(exclude)).paths
    inside = f"{to.relative_to(files).as_posix()}/" if to.is_relative_to(files) and to != files else None
    own = [
        path
        for path in found
        if not path.rpartition("/")[2].startswith(PREFIX) and not (inside and path.startswith(inside))
    ]
    return list(sources_of(files, own, to))


def orphans_of(to: Path, sources: Collection[Source]) -> list[str]:
    """Enriched files that no source leads to."""
    if not to.is_dir():
        return []
    known = {source.target for source in sources}
    found = scan(to, (f"**/{PREFIX}*.json", f"{PREFIX}*.json")).paths
    return [path for path in found if to / path not in known]
