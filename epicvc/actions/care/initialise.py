"""The command ``init``: finds the files and the database, reports on them, and takes the first snapshot."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from collections.abc import Mapping as MappingABC
from contextlib import closing, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from epicvc.actions.care.initplace import check_place
from epicvc.actions.shared.commits import FIRST_BRANCH, CommitReport, record
from epicvc.actions.shared.session import Session, change
from epicvc.base.fileio import atomic_write, directory_locked, leftover_temporaries, make_directories, remove_file
from epicvc.database.backend import Backend, MakeBackend, Reader, Stranded
from epicvc.database.builtin import create_schema
from epicvc.database.documents.documents import epic_keys
from epicvc.database.documents.layout import read_layout
from epicvc.database.url import DatabaseURL, open_backend
from epicvc.errors import EpicvcError, NoMappedTable, Unfinished, UsageError
from epicvc.files.scan.overlooked import overlooked
from epicvc.files.scan.scan import scan
from epicvc.model.mapping import BUILTIN, Layer, LinkMap, Mapping, TableMap
from epicvc.repo.config.config import (
    CONFIG,
    DEFAULT_EXCLUDE,
    DEFAULT_INCLUDE,
    FILES_GUESSES,
    MAKING_SECONDS,
    PRIVATE,
    PRIVATE_CONFIG,
    Config,
    inside,
    load_config,
    locate,
)
from epicvc.repo.files.tracked import Unreadable
from epicvc.repo.history.objects import CommitKind
from epicvc.repo.history.revisions import BRANCHES, HEAD, SYMBOLIC
from epicvc.repo.home import stores
from epicvc.repo.repository import STORE, Repo
from epicvc.store.objects import ObjectId
from epicvc.store.store import Store

DATABASE_GUESS = "framework.db"

_CREDENTIALS = re.compile(r"passw|secret|salt|api_?key|credential|(^|_)token$", re.IGNORECASE)


class Found(Struct):
    """The findings of ``init``.

    Attributes:
        files: the files directory, relative to the repo.
        epics: the number of epics in the files.
        rows: the number of epics in the database.
        database: the name of the database; ``None`` without one.
        created_database: the database was made, with the built-in schema.
        extra: the fields that have no column.
        system: the columns to which no field is mapped, by table.
        credentials: the tables that seem to hold secrets, by the names of their columns.
        orphans: the number of rows whose foreign key finds no parent.
        not_captured: the tables that snapshots leave out, each with the reason.
        stranded: the triggers that name a table that is left out or does not exist.
        overlooked: the files beside the epics that are no epics by their names.
        errors: the files that are no valid epics; the first commit has them byte for byte.
        commit: the first commit.
    """

    files: str
    epics: int = 0
    rows: int = 0
    database: str | None = None
    created_database: bool = False
    extra: list[str] = field(default_factory=list)
    system: dict[str, list[str]] = field(default_factory=dict)
    credentials: list[str] = field(default_factory=list)
    orphans: int = 0
    not_captured: dict[str, str] = field(default_factory=dict)
    stranded: list[Stranded] = field(default_factory=list)
    overlooked: list[str] = field(default_factory=list)
    errors: list[Unreadable] = field(default_factory=list)
    commit: ObjectId | None = None


def initialise(
    root: Path,
    environment: MappingABC[str, str],
    *,
    files: str | None = None,
    database: str | None = None,
    given: MakeBackend | None = None,
    dry_run: bool = False,
    offer: Callable[[str], bool] = lambda _: False,
) -> Found:
    """Make an epic repo in a directory.

    Args:
        root: the directory.
        environment: environment variables.
        files: the directory of epics; ``None`` to look for it.
        database: the path or URL of the database; ``None`` to look for it. A database at a path that does not exist is
            made with the built-in schema.
        given: opens a database in memory, which is used instead and which no configuration names.
        dry_run: only report what is found.
        offer: returns whether to make a database of this name; called if none is named or found.

    An existing ``epicvc.toml``, as in a clone, is kept. It gives the values that are not named here.

    Raises:
        Refused: the directory has a repo already.
        UsageError: no directory of epics is named or found.
        EpicvcError: a side as a whole cannot be used; nothing was made.
    """
    root = root.absolute()
    # Two that begin at once would each take the files of the other for its own, and remove them if it fails.
    with nullcontext() if dry_run else directory_locked(root, MAKING_SECONDS):
        return _initialise(root, environment, files, database, given, dry_run=dry_run, offer=offer)


def _initialise(
    root: Path,
    environment: MappingABC[str, str],
    files: str | None,
    database: str | None,
    given: MakeBackend | None,
    *,
    dry_run: bool,
    offer: Callable[[str], bool],
) -> Found:
    own = check_place(root, environment)
    there = load_config(root, environment, database, private=own) if (root / CONFIG).exists() else None
    directory = _find_files(root, files, there)
    named = database or environment.get("EPICVC_DATABASE_URL")
    url = _find_database(root, named, there) if given is None else None
    if url is None and given is None and not dry_run and offer(DATABASE_GUESS):
        url = locate(DATABASE_GUESS, root)
    found = Found(directory, database=_shown(root, url) if url else None)
    if dry_run:
        return _look(root, directory, url, found)
    for path in leftover_temporaries(root, deep=False):
        if path.name.startswith(f".{CONFIG}."):  # left by an `init` that was killed
            remove_file(path)
    # Only files that do not exist yet may be removed if this fails.
    fresh = [path for path in (root / PRIVATE, root / CONFIG, *_database_files(url)) if not path.exists()]
    try:
        mapping = BUILTIN
        if (backend := _backend(url, given)) is not None:
            with closing(backend):
                found.created_database = _ensure_database(backend)
                mapping = _inspect(backend, found)
        _make_private(root)
        with Store.open(root / PRIVATE / STORE, create=True) as store:
            # Listed before the configuration is written: so a later `init` knows an interrupted one as its own.
            stores.enter(environment, str(root), store.repo_id)
            _write_configuration(root, directory, url, mapping)
            repo = Repo(load_config(root, environment, database), store, environment)
            if given is not None:
                repo.use_given(given)
            found.commit = _first_commit(repo, found)
    except BaseException as error:
        if not _remove(fresh):
            if isinstance(error, EpicvcError):
                raise Unfinished(str(error)) from error
        elif root / PRIVATE in fresh:
            with suppress(EpicvcError):  # an entry of the list without a store does no harm
                stores.leave(environment, str(root))
        raise
    return found


def _database_files(url: DatabaseURL | None) -> list[Path]:
    """Return the files that making this database could leave behind."""
    if url is None or url.path is None or url.path.exists():
        return []
    return [url.path, url.path.with_name(url.path.name + "-journal")]


def _remove(paths: list[Path]) -> bool:
    """Remove the files that were made, and return whether all are gone. If not, the next ``init`` goes on with them."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink(missing_ok=True)
    return not any(path.exists() for path in paths)


def _shown(root: Path, url: DatabaseURL) -> str:
    if url.path is not None and inside(root, url.path):
        return Path(os.path.relpath(url.path, root)).as_posix()
    return url.display


def _look(root: Path, directory: str, url: DatabaseURL | None, found: Found) -> Found:
    """Return the findings of a dry run, which makes nothing."""
    found.epics = len(scan(root / directory, DEFAULT_INCLUDE, DEFAULT_EXCLUDE).paths)
    found.overlooked = overlooked(root / directory, DEFAULT_INCLUDE, DEFAULT_EXCLUDE)
    if url is not None:
        with closing(open_backend(url)) as backend:
            found.created_database = not backend.exists()
            if not found.created_database:
                _inspect(backend, found)
    return found


def _find_files(root: Path, named: str | None, there: Config | None) -> str:
    if named is None and there is not None:
        return there.files.relative_to(root).as_posix()
    if named is not None:
        relative = os.path.relpath(root / named, root)
        if relative.startswith(".."):
            raise UsageError(f"{named} is outside {root}", hint="run `epicvc init` in a directory that holds the epics")
        make_directories(root / relative, root)
        return Path(relative).as_posix()
    for guess in FILES_GUESSES:
        if (root / guess).is_dir():
            return guess
    raise UsageError(
        f"no directory of epics found ({' or '.join(FILES_GUESSES)})", hint="name it: epicvc init --files DIR"
    )


def _find_database(root: Path, named: str | None, there: Config | None) -> DatabaseURL | None:
    if named is not None:
        return locate(named, root)
    if there is not None and there.database is not None:
        return there.database
    return locate(DATABASE_GUESS, root) if (root / DATABASE_GUESS).is_file() else None


def _backend(url: DatabaseURL | None, given: MakeBackend | None) -> Backend | None:
    if given is not None:
        return given(frozenset())
    return open_backend(url) if url is not None else None


def _ensure_database(backend: Backend) -> bool:
    if backend.exists() and not _is_empty(backend):
        return False
    backend.create()
    create_schema(backend, by="init", at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"))
    return True


def _is_empty(backend: Backend) -> bool:
    """Return whether a database is empty, as one that a killed ``init`` made."""
    with backend.read() as reader:
        schema = reader.schema()
    return not (schema.tables or schema.views or schema.user_version or schema.application_id)


def _inspect(backend: Backend, found: Found) -> Mapping:
    """Fit the built-in mapping to the database, and note the findings."""
    with backend.read() as reader:
        mapping = Mapping(
            _fit(reader, BUILTIN.epics, backend.display, found),
            _fit(reader, BUILTIN.tasks, backend.display, found),
            _links(reader),
        )
        for table in reader.tables():
            columns = [column.name for column in reader.columns(table.name)]
            if any(_CREDENTIALS.search(column) for column in columns):
                found.credentials.append(table.name)
        found.orphans = len(reader.faults())
        return mapping


def _fit(reader: Reader, table: TableMap, database: str, found: Found) -> TableMap:
    columns = [column.name for column in reader.columns(table.table)]
    if not columns:
        raise NoMappedTable(database, table.table)
    missing = [item for item in table.fields if item.column not in columns]
    found.extra += [f"{table.table}.{item.column}" for item in missing if item.layer is Layer.CORE]
    taken = {table.id, table.key, table.parent, table.sequence, *(item.column for item in table.fields)}
    found.system[table.table] = [column for column in columns if column not in taken]
    fitted = table.without(item.name for item in missing)
    return replace(fitted, sequence=table.sequence if table.sequence in columns else None)


def _links(reader: Reader) -> LinkMap | None:
    links = BUILTIN.links
    return links if links is not None and reader.columns(links.table) else None


# What is written


def _make_private(root: Path) -> None:
    make_directories(root / PRIVATE, root, mode=0o700)
    atomic_write(root / PRIVATE / ".gitignore", b"*\n", mode=0o600)


def _write_configuration(root: Path, directory: str, url: DatabaseURL | None, mapping: Mapping) -> None:
    private = root / PRIVATE
    shared = url is not None and not url.has_password and url.path is not None and inside(root, url.path)
    if not (root / CONFIG).exists():
        text = _shared_text(root, directory, url if shared else None, mapping)
        atomic_write(root / CONFIG, text.encode())
    if url is not None and not shared:
        atomic_write(
            private / PRIVATE_CONFIG, f"[database]\nurl = {_quoted(url.dsn or str(url.path))}\n".encode(), mode=0o600
        )


def _shared_text(root: Path, directory: str, url: DatabaseURL | None, mapping: Mapping) -> str:
    lines = ["[files]", f"dir = {_quoted(directory)}", ""]
    if url is not None and url.path is not None:
        lines += ["[database]", f"url = {_quoted(Path(os.path.relpath(url.path, root)).as_posix())}", ""]
    lines += ["[sync]", 'policy = "manual"', 'calculated = "enriched"', ""]
    for name, table, builtin in (("epics", mapping.epics, BUILTIN.epics), ("tasks", mapping.tasks, BUILTIN.tasks)):
        present = {item.name for item in table.fields}
        missing = [item.name for item in builtin.fields if item.name not in present]
        if builtin.sequence and not table.sequence:
            lines += [f"[mapping.{name}]", "sequence = false", ""]
        if missing:
            lines += [f"[mapping.{name}.fields]", *(f"{field} = false" for field in missing), ""]
    if mapping.links is None:
        lines += ["[mapping]", "dependencies = false", ""]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    """Return a TOML basic string."""
    return json.dumps(text, ensure_ascii=False)


def _first_commit(repo: Repo, found: Found) -> ObjectId | None:
    with repo.store.transaction() as txn:
        if repo.store.ref(HEAD) is None:
            txn.set_ref(HEAD, f"{SYMBOLIC}{BRANCHES}{FIRST_BRANCH}", None)

    def act(session: Session) -> CommitReport:
        session.working.files.require_usable()
        found.epics = len(session.working.files.by_epic)
        found.errors = session.working.files.unreadable
        found.overlooked = overlooked(repo.config.files, repo.config.include, repo.config.exclude)
        if session.reader is not None:
            layout = read_layout(session.reader, repo.config.mapping, found.database or "")
            found.rows = len(epic_keys(session.reader, layout))
            found.not_captured = dict(session.reader.left_out())
            found.stranded = list(session.reader.require_restorable())
        return record(session, session.working.snapshot(), "first snapshot", CommitKind.COMMIT, "init", {})

    return change(repo, act).commit
