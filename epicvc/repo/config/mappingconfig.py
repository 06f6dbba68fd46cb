"""The ``[mapping]`` section of ``epicvc.toml``: changes to the built-in mapping."""

from __future__ import annotations

from typing import Any, Final, cast

from msgspec.structs import replace

from epicvc.errors import InvalidConfig
from epicvc.model.mapping import BUILTIN, Field, Kind, Layer, LinkMap, Mapping, Rule, TableMap
from epicvc.repo.config.tomlfile import CONFIG, check_known


def read_mapping(data: object) -> Mapping:
    """Return the mapping that ``[mapping]`` describes, as changes to the built-in one.

    ``[mapping.epics]`` and ``[mapping.tasks]`` may name ``table``, ``id``, ``key``, ``parent``, ``sequence``,
    ``deleted_at`` and ``status`` (``false`` means that there is no such column). Their ``fields`` give, by field, a
    column, a table ``{column, kind, layer, merge}``, or ``false`` for no column. ``[mapping.dependencies]`` names
    ``table``, ``parent`` and ``column``, or is ``false``.

    Raises:
        InvalidConfig: a key is not known, or a value is not allowed.
    """
    if not isinstance(data, dict):
        raise InvalidConfig(CONFIG, "mapping must be a table")
    check_known(data, {"epics", "tasks", "dependencies"}, "mapping")
    links: LinkMap | None = BUILTIN.links
    wanted = data.get("dependencies")
    if wanted is False:
        links = None
    elif isinstance(wanted, dict):
        check_known(wanted, {"table", "parent", "column"}, "mapping.dependencies")
        links = replace(cast("LinkMap", BUILTIN.links), **{k: str(v) for k, v in wanted.items()})
    elif wanted is not None:
        raise InvalidConfig(CONFIG, "mapping.dependencies must be a table or false")
    return Mapping(_table(data, "epics", BUILTIN.epics), _table(data, "tasks", BUILTIN.tasks), links)


_TABLE_KEYS: Final = ("table", "id", "key", "parent", "sequence", "deleted_at", "status")


def _table(data: dict[str, Any], name: str, table: TableMap) -> TableMap:
    section = data.get(name, {})
    if not isinstance(section, dict):
        raise InvalidConfig(CONFIG, f"mapping.{name} must be a table")
    check_known(section, {*_TABLE_KEYS, "fields"}, f"mapping.{name}")
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
    """Make sure that each column has one meaning only.

    A field on a key or on a mark of deletion would rename or delete rows.
    """
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
    check_known(value, {"column", "kind", "layer", "merge"}, where)
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
