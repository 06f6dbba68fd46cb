"""``epicvc.toml`` (shared) and ``.epicvc/config`` (private), read and checked.

Nothing in them names a command to run. ``epicvc.toml`` may come from a clone, so that its paths must stay inside the
repo and a password in it is refused; ``.epicvc/config`` is the user's own and may name any database.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping as MappingABC
from pathlib import Path, PurePosixPath
from typing import Any, Final, cast

from msgspec import Struct, field
from msgspec.structs import replace

from epicvc.database.url import DatabaseURL, parse_url
from epicvc.errors import FileUnavailable, InvalidConfig
from epicvc.model.labels import unescape
from epicvc.model.mapping import BUILTIN, Field, Kind, Layer, LinkMap, Mapping, Rule, TableMap
from epicvc.plan.policies import FIELD_POLICIES, KINDS, POLICIES, Policies
from epicvc.planning.settings import Settings
from epicvc.repo.plansettings import KEYS, read_settings

CONFIG: Final = "epicvc.toml"
PRIVATE: Final = ".epicvc"
PRIVATE_CONFIG: Final = "config"
CALCULATED: Final = ("enriched", "inline", "off")
DEFAULT_INCLUDE: Final = ("**/*.json",)
DEFAULT_EXCLUDE: Final = ("enriched/**", "**/enriched/**", "enriched_*.json", "**/enriched_*.json")


class Config(Struct, frozen=True):
    """What a repo is configured to be.

    Attributes:
        root: the repo's directory.
        files: the directory of the files side.
        include: patterns of tracked files, relative to ``files``.
        exclude: patterns that are left out.
        database: the db side; ``None`` while no database is named.
        policies: what settles conflicts.
        calculated: where calculated fields go in files.
        ignore: tables left out of snapshots and restores.
        mapping: documents to tables.
        plan: how dates are planned.
    """

    root: Path
    files: Path
    include: tuple[str, ...] = DEFAULT_INCLUDE
    exclude: tuple[str, ...] = DEFAULT_EXCLUDE
    database: DatabaseURL | None = None
    policies: Policies = field(default_factory=Policies)
    calculated: str = "enriched"
    ignore: frozenset[str] = frozenset()
    mapping: Mapping = field(default=BUILTIN)
    plan: Settings = field(default_factory=Settings)

    def shown(self, path: str) -> str:
        """A tracked file's path as messages name it: from the repo's directory."""
        return (self.files.relative_to(self.root) / path).as_posix()

    @property
    def private(self) -> Path:
        """The directory of the store."""
        return self.root / PRIVATE


def load_config(root: Path, environment: MappingABC[str, str], database: str | None = None) -> Config:
    """Read the configuration of the repo at ``root``.

    Args:
        root: the directory that holds ``epicvc.toml``.
        environment: looked at for ``EPICVC_DATABASE_URL``.
        database: what ``--db`` said; wins over everything else.

    Raises:
        InvalidConfig: a file is no TOML, or says something that cannot be.
    """
    shared = _read(root / CONFIG)
    private = _read(root / PRIVATE / PRIVATE_CONFIG)
    config = _shared(root, shared)
    url = database or environment.get("EPICVC_DATABASE_URL") or _text(private, "database", "url", PRIVATE_CONFIG)
    if url:
        return replace(config, database=locate(url, root))
    named = _text(shared, "database", "url", CONFIG)
    return replace(config, database=_shared_database(root, named)) if named else config


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise FileUnavailable(path.name, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise InvalidConfig(path.name, "is not UTF-8") from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidConfig(path.name, str(error)) from error
    except RecursionError as error:
        raise InvalidConfig(path.name, "is nested too deeply") from error


def _shared(root: Path, data: dict[str, Any]) -> Config:
    _known(data, {"files", "database", "sync", "tables", "mapping", "plan"}, "")
    files = _section(data, "files", {"dir", "include", "exclude"})
    sync = _section(data, "sync", {"policy", "calculated", "fields", "kinds"})
    tables = _section(data, "tables", {"ignore"})
    _section(data, "database", {"url"})
    directory = files.get("dir", "epics")
    if not isinstance(directory, str) or not _inside(root, directory):
        raise InvalidConfig(CONFIG, f"[files] dir = {directory!r} must be a directory inside the repo")
    calculated = sync.get("calculated", "enriched")
    if calculated not in CALCULATED:
        raise InvalidConfig(CONFIG, f"[sync] calculated = {calculated!r} is none of {', '.join(CALCULATED)}")
    mapping = read_mapping(data.get("mapping", {}))
    ignore = frozenset(_patterns({"ignore": tables.get("ignore", [])}, "ignore", ()))
    needed = {mapping.epics.table, mapping.tasks.table, *([mapping.links.table] if mapping.links else [])}
    if needed & ignore:
        names = ", ".join(sorted(needed & ignore))
        raise InvalidConfig(CONFIG, f"[tables] ignore names {names}, which the mapping needs")
    return Config(
        root=root,
        files=root / directory,
        include=_patterns(files, "include", DEFAULT_INCLUDE),
        exclude=_patterns(files, "exclude", DEFAULT_EXCLUDE),
        policies=_policies(sync, mapping),
        calculated=calculated,
        ignore=ignore,
        mapping=mapping,
        plan=_plan(data),
    )


def _plan(data: dict[str, Any]) -> Settings:
    section = _section(data, "plan", set(KEYS))
    try:
        return read_settings(section)
    except ValueError as error:
        raise InvalidConfig(CONFIG, f"[plan] {error}") from error


def _policies(sync: dict[str, Any], mapping: Mapping) -> Policies:
    """The policies of ``[sync]``, ``[sync.fields]`` and ``[sync.kinds]``."""
    overall = sync.get("policy", "manual")
    if overall not in POLICIES:
        raise InvalidConfig(CONFIG, f"[sync] policy = {overall!r} is none of {', '.join(POLICIES)}")
    kinds = _section(sync, "kinds", set(KINDS))
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
    """A field as ``[sync.fields]`` names it: ``summary``, ``tasks/title``, ``quality_gates/coverage``."""
    path = tuple(unescape(part) for part in name.split("/"))
    known = mapping.task_fields if path[0] == Mapping.TASKS and len(path) > 1 else mapping.epic_fields
    if (path[1] if known is mapping.task_fields else path[0]) not in known:
        hint = "name a field of an epic (summary) or of its tasks (tasks/title)"
        raise InvalidConfig(CONFIG, f"[sync.fields] {name!r} is no mapped field", hint=hint)
    return path


def _known(data: dict[str, Any], names: set[str], where: str) -> None:
    for name in data:
        if name not in names:
            place = f"[{where}] {name}" if where else f"[{name}]"
            raise InvalidConfig(CONFIG, f"{place} is not known", hint=f"known here: {', '.join(sorted(names))}")


def _section(data: dict[str, Any], name: str, keys: set[str]) -> dict[str, Any]:
    section = data.get(name, {})
    if not isinstance(section, dict):
        raise InvalidConfig(CONFIG, f"{name} must be a table")
    _known(section, keys, name)
    return section


def _text(data: dict[str, Any], section: str, name: str, file: str) -> str | None:
    value = data.get(section, {}).get(name) if isinstance(data.get(section, {}), dict) else None
    if value is not None and not isinstance(value, str):
        raise InvalidConfig(file, f"[{section}] {name} must be a text")
    return value


def _patterns(section: dict[str, Any], name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    value = section.get(name, list(default))
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise InvalidConfig(CONFIG, f"{name} must be a list of texts")
    return tuple(value)


def _inside(root: Path, relative: str) -> bool:
    """Whether a path from a shared file stays inside the repo."""
    return (
        bool(relative)
        and not PurePosixPath(relative).is_absolute()
        and "\0" not in relative
        and inside(root, root / relative)
    )


def inside(root: Path, path: Path) -> bool:
    """Whether a path lies inside a repo and outside its store, symbolic links followed."""
    target, home = Path(os.path.realpath(path)), Path(os.path.realpath(root))
    return target == home or (home in target.parents and PRIVATE not in target.relative_to(home).parts)


def locate(text: str, base: Path) -> DatabaseURL:
    """A database reference with its path made absolute.

    Raises:
        UsageError: it names no database that can be used.
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
    if url.path is not None and (Path(text).is_absolute() or not inside(root, url.path)):
        raise InvalidConfig(
            CONFIG,
            "[database] url leaves the repo",
            hint="name a database elsewhere with --db or in .epicvc/config",
        )
    return url


# The mapping


def read_mapping(data: object) -> Mapping:
    """The mapping that ``[mapping]`` describes, as changes to the built-in one.

    ``[mapping.epics]`` and ``[mapping.tasks]`` may name ``table``, ``id``, ``key``, ``parent``, ``sequence``,
    ``deleted_at`` and ``status`` (``false``: no such column); their ``fields`` give, by field, a column, a table
    ``{column, kind, layer, merge}``, or ``false`` for no column. ``[mapping.dependencies]`` names ``table``,
    ``parent`` and ``column``, or is ``false``.

    Raises:
        InvalidConfig: something in it cannot be.
    """
    if not isinstance(data, dict):
        raise InvalidConfig(CONFIG, "mapping must be a table")
    _known(data, {"epics", "tasks", "dependencies"}, "mapping")
    links: LinkMap | None = BUILTIN.links
    wanted = data.get("dependencies")
    if wanted is False:
        links = None
    elif isinstance(wanted, dict):
        _known(wanted, {"table", "parent", "column"}, "mapping.dependencies")
        links = replace(cast("LinkMap", BUILTIN.links), **{k: str(v) for k, v in wanted.items()})
    elif wanted is not None:
        raise InvalidConfig(CONFIG, "mapping.dependencies must be a table or false")
    return Mapping(_table(data, "epics", BUILTIN.epics), _table(data, "tasks", BUILTIN.tasks), links)


_TABLE_KEYS: Final = ("table", "id", "key", "parent", "sequence", "deleted_at", "status")


def _table(data: dict[str, Any], name: str, table: TableMap) -> TableMap:
    section = data.get(name, {})
    if not isinstance(section, dict):
        raise InvalidConfig(CONFIG, f"mapping.{name} must be a table")
    _known(section, {*_TABLE_KEYS, "fields"}, f"mapping.{name}")
    changes: dict[str, str | None] = {}
    for key in _TABLE_KEYS:
        if key in section:
            value = section[key]
            optional = key in ("sequence", "deleted_at", "status")
            if not ((isinstance(value, str) and value) or (optional and value is False)):
                raise InvalidConfig(CONFIG, f"mapping.{name}.{key} must be a name")
            changes[key] = value or None
    fields = {item.name: item for item in table.fields}
    described = section.get("fields", {})
    if not isinstance(described, dict):
        raise InvalidConfig(CONFIG, f"mapping.{name}.fields must be a table")
    for key, value in described.items():
        item = _field(name, key, value, fields.get(key))
        if item is None:
            fields.pop(key, None)
        else:
            fields[key] = item
    result = replace(table, fields=tuple(fields.values()), **cast("Any", changes))
    _check_columns(name, result)
    return result


def _check_columns(name: str, table: TableMap) -> None:
    """Each column has one meaning: a field on a key or on a mark of deletion would rename or delete rows."""
    taken = {c for c in (table.id, table.key, table.parent, table.sequence, table.deleted_at, table.status) if c}
    for item in table.fields:
        if not item.column or item.column in taken:
            where = f"mapping.{name}.fields.{item.name}"
            raise InvalidConfig(CONFIG, f"{where}: the column {item.column!r} has another meaning already")
        taken.add(item.column)


def _field(table: str, name: str, value: object, known: Field | None) -> Field | None:
    where = f"mapping.{table}.fields.{name}"
    if name in ("id", Mapping.TASKS):
        raise InvalidConfig(CONFIG, f"{where}: this field is not mapped to a column")
    if value is False:
        return None
    if isinstance(value, str) and value:
        return replace(known, column=value) if known else Field(name, value)
    if not isinstance(value, dict):
        raise InvalidConfig(CONFIG, f"{where} must be a column, a table or false")
    _known(value, {"column", "kind", "layer", "merge"}, where)
    base = known or Field(name, name)
    try:
        return Field(
            name,
            str(value.get("column", base.column)),
            Kind(value.get("kind", base.kind)),
            Layer(value.get("layer", base.layer)),
            Rule(value.get("merge", base.rule)),
        )
    except ValueError as error:
        raise InvalidConfig(CONFIG, f"{where}: {error}") from error
