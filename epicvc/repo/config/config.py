"""``epicvc.toml`` (shared) and ``.epicvc/config`` (private), read and checked.

Nothing in them names a command to run. ``epicvc.toml`` may come from a clone, so that its paths must stay inside the
repo and a password in it is refused; ``.epicvc/config`` is the user's own and may name any database.
"""

from __future__ import annotations

import os
from collections.abc import Mapping as MappingABC
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import replace

from epicvc.base.fileio import read_followed
from epicvc.base.limits import FILE_SIZE, MAX_CONFIG, QUERY_SECONDS, Limit
from epicvc.database.url import DatabaseURL, parse_url
from epicvc.errors import FileTooLarge, FileUnavailable, InvalidConfig, Refused
from epicvc.model.labels import unescape
from epicvc.model.mapping import BUILTIN, Mapping
from epicvc.repo.config import configcache
from epicvc.repo.config.mappingconfig import read_mapping as read_mapping
from epicvc.repo.config.tomlfile import CONFIG as CONFIG
from epicvc.repo.config.tomlfile import check_known, parse_toml, patterns_of, table_of, text_of
from epicvc.repo.config.trackedfiles import DEFAULT_EXCLUDE as DEFAULT_EXCLUDE
from epicvc.repo.config.trackedfiles import DEFAULT_INCLUDE as DEFAULT_INCLUDE
from epicvc.repo.config.trackedfiles import read_files

if TYPE_CHECKING:
    from epicvc.dates.settings import Settings
    from epicvc.plan.policies import Policies

PRIVATE: Final = ".epicvc"
PRIVATE_CONFIG: Final = "config"
CALCULATED: Final = ("enriched", "inline", "off")
FILES_GUESSES: Final = ("epics/user_epics", "epics")
"""The directories in which epics usually are."""

MAKING_SECONDS: Final = 10.0
"""The seconds that a command which makes or finds a repo waits for one that makes it in the same directory."""


class Config(Struct, frozen=True, dict=True):
    """The checked configuration of a repo.

    Attributes:
        root: the repo's directory.
        files: the directory of the files side.
        include: patterns of tracked files, relative to ``files``.
        exclude: patterns that are left out.
        database: the db side; ``None`` while no database is named.
        calculated: where calculated fields go in files.
        ignore: tables left out of snapshots and restores.
        mapping: documents to tables.
        said_policies: the policies that settle conflicts, where the configuration names any.
        said_plan: the settings for planned dates, where the configuration has any.
        file_size: the most bytes of a tracked file, where the configuration lowers that limit.
        query_seconds: the most seconds that the database may take for one statement, where the configuration lowers
            that limit.
    """

    root: Path
    files: Path
    include: tuple[str, ...] = DEFAULT_INCLUDE
    exclude: tuple[str, ...] = DEFAULT_EXCLUDE
    database: DatabaseURL | None = None
    calculated: str = "enriched"
    ignore: frozenset[str] = frozenset()
    mapping: Mapping = BUILTIN
    said_policies: Policies | None = None
    said_plan: Settings | None = None
    file_size: int | None = None
    query_seconds: int | None = None

    # Both import their modules only when they are asked for: most commands never ask, and start faster so.

    @cached_property
    def policies(self) -> Policies:
        """The policies that settle conflicts; the built-in ones where the configuration names none."""
        from epicvc.plan.policies import Policies

        return self.said_policies or Policies(mapping=self.mapping)

    @cached_property
    def plan(self) -> Settings:
        """The settings for planned dates; the built-in ones where the configuration has none."""
        from epicvc.dates.settings import Settings

        return self.said_plan or Settings()

    def shown(self, path: str) -> str:
        """Return a tracked file's path as messages name it: relative to the repo's directory."""
        return (self.files.relative_to(self.root) / path).as_posix()

    @property
    def private(self) -> Path:
        """The directory of the store."""
        return self.root / PRIVATE


_NAME: Final = 255
_PATH: Final = 4096
"""The most bytes of a name and of a path that systems take."""


def load_config(
    root: Path,
    environment: MappingABC[str, str],
    database: str | None = None,
    *,
    private: bool = True,
    caches: bool = True,
) -> Config:
    """Read the configuration of the repo at ``root``.

    Args:
        root: the directory that holds ``epicvc.toml``.
        environment: looked at for ``EPICVC_DATABASE_URL``.
        database: the value of ``--db``; it wins over everything else.
        private: whether ``.epicvc/`` is known to be the user's own, so that its configuration counts.
        caches: whether the parsed ``epicvc.toml`` may be looked up and kept in ``.epicvc/``.

    Raises:
        InvalidConfig: a file is no TOML, or has a value that is not allowed.
        Refused: only ``epicvc.toml`` names the database, and the database is on a server.
    """
    text = _read(root / CONFIG)
    known = configcache.recall(root / PRIVATE, text) if private and caches else None
    shared = parse_toml(text, CONFIG) if known is None else known
    own = parse_toml(_read(root / PRIVATE / PRIVATE_CONFIG), PRIVATE_CONFIG) if private else {}
    config = _shared(root, shared)
    url = database or environment.get("EPICVC_DATABASE_URL") or text_of(own, "database", "url", PRIVATE_CONFIG)
    named = text_of(shared, "database", "url", CONFIG) if not url else None
    if url:
        config = replace(config, database=locate(url, root))
    elif named:
        config = replace(config, database=_shared_database(root, named))
    # Only now: a file that was refused above is not kept.
    if known is None and private and caches:
        configcache.remember(root / PRIVATE, text, shared)
    return config


def _read(path: Path) -> bytes:
    """Return a file's bytes, or none where there is no file."""
    try:
        return read_followed(path, MAX_CONFIG)
    except FileNotFoundError:
        return b""
    except FileTooLarge as error:
        raise FileTooLarge(path.name, error.size, error.limit) from error
    except OSError as error:
        raise FileUnavailable(path.name, error.strerror or str(error)) from error


def _shared(root: Path, data: dict[str, Any]) -> Config:
    check_known(data, {"files", "database", "sync", "tables", "mapping", "plan", "limits"}, "")
    files = read_files(data)
    sync = table_of(data, "sync", {"policy", "calculated", "fields", "kinds"})
    tables = table_of(data, "tables", {"ignore"})
    table_of(data, "database", {"url"})
    if len(os.fsencode(root / files.directory)) >= _PATH or len(os.fsencode(Path(files.directory).name)) > _NAME:
        raise InvalidConfig(CONFIG, "[files] dir is too long for the system")
    if not _inside(root, files.directory):
        raise InvalidConfig(CONFIG, f"[files] dir = {files.directory!r} must be a directory inside the repo")
    if link := _link_on_the_way(root, files.directory):
        hint = "put the directory itself there, or name it in epicvc.toml"
        raise InvalidConfig(CONFIG, f"[files] dir: {link} is a symbolic link, which is not followed", hint=hint)
    calculated = sync.get("calculated", "enriched")
    if calculated not in CALCULATED:
        raise InvalidConfig(CONFIG, f"[sync] calculated = {calculated!r} is none of {', '.join(CALCULATED)}")
    mapping = read_mapping(data.get("mapping", {}))
    ignore = frozenset(patterns_of({"ignore": tables.get("ignore", [])}, "ignore", ()))
    needed = {mapping.epics.table, mapping.tasks.table, *([mapping.links.table] if mapping.links else [])}
    if needed & ignore:
        names = ", ".join(sorted(needed & ignore))
        raise InvalidConfig(CONFIG, f"[tables] ignore names {names}, which the mapping needs")
    return Config(
        root=root,
        files=root / files.directory,
        include=files.include,
        exclude=files.exclude,
        calculated=calculated,
        ignore=ignore,
        mapping=mapping,
        said_policies=_policies(sync, mapping),
        said_plan=_plan(data),
        file_size=_lowered(data, "file_size", FILE_SIZE),
        query_seconds=_lowered(data, "query_seconds", QUERY_SECONDS),
    )


def _lowered(data: dict[str, Any], name: str, limit: Limit) -> int | None:
    """Return a limit that the repo lowers, or ``None``. Only the user may raise a limit."""
    value = table_of(data, "limits", {"file_size", "query_seconds"}).get(name)
    if value is None:
        return None
    # Not isinstance: true and false are integers too.
    if type(value) is not int or not limit.least <= value <= limit.default:
        room = f"from {limit.least:,} to {limit.default:,}"
        hint = f"a repo may only lower it; {limit.variable} raises it"
        raise InvalidConfig(CONFIG, f"[limits] {name} = {value!r} must be a number {room}", hint=hint)
    # The user may have lowered the limit further.
    return min(value, limit.now)


def _plan(data: dict[str, Any]) -> Settings | None:
    if "plan" not in data:
        return None
    from epicvc.repo.config.plansettings import KEYS, read_settings

    section = table_of(data, "plan", set(KEYS))
    try:
        return read_settings(section)
    except ValueError as error:
        raise InvalidConfig(CONFIG, f"[plan] {error}") from error


def _policies(sync: dict[str, Any], mapping: Mapping) -> Policies | None:
    """Return the policies of ``[sync]``, its ``fields`` and its ``kinds``; ``None`` for the built-in ones."""
    if sync.get("policy", "manual") == "manual" and not {"fields", "kinds"} & sync.keys():
        return None
    from epicvc.plan.policies import FIELD_POLICIES, KINDS, POLICIES, Policies

    overall = sync.get("policy", "manual")
    if overall not in POLICIES:
        raise InvalidConfig(CONFIG, f"[sync] policy = {overall!r} is none of {', '.join(POLICIES)}")
    kinds = table_of(sync, "kinds", set(KINDS))
    fields = sync.get("fields", {})
    if not isinstance(fields, dict):
        raise InvalidConfig(CONFIG, "sync.fields must be a table")
    for where, found in (("fields", fields), ("kinds", kinds)):
        for name, policy in found.items():
            if policy not in FIELD_POLICIES:
                place = f"[sync.{where}] {name} = {policy!r}"
                raise InvalidConfig(CONFIG, f"{place} is none of {', '.join(FIELD_POLICIES)}")
    return Policies(overall, {_field_path(name, mapping): p for name, p in fields.items()}, kinds, mapping)


def _field_path(name: str, mapping: Mapping) -> tuple[str, ...]:
    """Return the path of a field that ``[sync.fields]`` names, such as ``summary`` or ``tasks/title``.

    A field of a JSON column may be named by its path, such as ``quality_gates/coverage``.
    """
    path = tuple(unescape(part) for part in name.split("/"))
    known = mapping.task_fields if path[0] == Mapping.TASKS and len(path) > 1 else mapping.epic_fields
    if (path[1] if known is mapping.task_fields else path[0]) not in known:
        hint = "name a field of an epic (summary) or of its tasks (tasks/title)"
        raise InvalidConfig(CONFIG, f"[sync.fields] {name!r} is no mapped field", hint=hint)
    return path


def _inside(root: Path, relative: str) -> bool:
    """Return whether a path from a shared file stays inside the repo."""
    return (
        bool(relative)
        and not PurePosixPath(relative).is_absolute()
        and "\0" not in relative
        and inside(root, root / relative)
    )


def _link_on_the_way(root: Path, relative: str) -> str | None:
    """Return the first symbolic link among the directories of a path below the repo, or ``None``."""
    here = root
    for name in PurePosixPath(relative).parts:
        here = here / name
        if here.is_symlink():
            return str(here.relative_to(root))
    return None


def inside(root: Path, path: Path) -> bool:
    """Return whether a path, with symbolic links followed, lies inside a repo and outside its store."""
    target, home = Path(os.path.realpath(path)), Path(os.path.realpath(root))
    return target == home or (home in target.parents and PRIVATE not in target.relative_to(home).parts)


def locate(text: str, base: Path) -> DatabaseURL:
    """Return a database reference with its path made absolute.

    Raises:
        UsageError: the text names no database that can be used.
    """
    url = parse_url(text)
    return replace(url, path=base / url.path) if url.path is not None else url


def _shared_database(root: Path, text: str) -> DatabaseURL:
    url = locate(text, root)
    if url.has_password:
        raise InvalidConfig(
            CONFIG,
            "[database] url holds a password",
            hint="put it into .epicvc/config or EPICVC_DATABASE_URL, and change it: it may be in git's history",
        )
    if url.path is None:
        raise Refused(
            f"{CONFIG}: [database] url names a server, which is not contacted for that",
            hint="if you know it, name it with --db, EPICVC_DATABASE_URL or in .epicvc/config",
        )
    if Path(text).is_absolute() or not inside(root, url.path):
        raise InvalidConfig(
            CONFIG, "[database] url leaves the repo", hint="name a database elsewhere with --db or in .epicvc/config"
        )
    return url
