"""Reads configuration files and checks them: TOML, known keys, types. It does not know what the keys mean."""

from __future__ import annotations

from typing import Any, Final

from epicvc.base.depth import TooDeep, require_shallow_toml, require_shallow_value
from epicvc.base.limits import MAX_CONFIG
from epicvc.errors import InvalidConfig

CONFIG: Final = "epicvc.toml"


def parse_toml(data: bytes, name: str) -> dict[str, Any]:
    """Parse a configuration file and return its value.

    Raises:
        InvalidConfig: the file is too large, too deep or no TOML; the error has the given name.
    """
    if not data:
        return {}
    if len(data) > MAX_CONFIG:
        raise InvalidConfig(name, f"has {len(data):,} bytes, and {MAX_CONFIG:,} are the most that is read")
    import tomllib  # imported here since it takes 2 ms, and most commands find the parsed file in a cache

    try:
        require_shallow_toml(data)  # before parsing, since the parser recurses into the value
        said = tomllib.loads(data.decode("utf-8"))
        require_shallow_value(said)
    except UnicodeDecodeError as error:
        raise InvalidConfig(name, "is not UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidConfig(name, str(error)) from error
    except TooDeep as error:
        raise InvalidConfig(name, f"is {error}") from error
    except ValueError as error:  # an integer of more digits than Python reads
        raise InvalidConfig(name, str(error)) from error
    return said


def check_known(data: dict[str, Any], names: set[str], where: str) -> None:
    """Refuse keys of a table that nothing would read.

    Raises:
        InvalidConfig: a key is not known; the hint names those that are.
    """
    for name in data:
        if name not in names:
            place = f"[{where}] {name}" if where else f"[{name}]"
            raise InvalidConfig(CONFIG, f"{place} is not known", hint=f"known here: {', '.join(sorted(names))}")


def table_of(data: dict[str, Any], name: str, keys: set[str]) -> dict[str, Any]:
    """Return the table of this name, which may have only these keys; an empty one where there is none.

    Raises:
        InvalidConfig: the value is no table, or has other keys.
    """
    table = data.get(name, {})
    if not isinstance(table, dict):
        raise InvalidConfig(CONFIG, f"{name} must be a table")
    check_known(table, keys, name)
    return table


def text_of(data: dict[str, Any], section: str, name: str, file: str) -> str | None:
    """Return a text of a section of a file, or ``None`` where it is missing.

    Raises:
        InvalidConfig: the value is no text.
    """
    value = data.get(section, {}).get(name) if isinstance(data.get(section, {}), dict) else None
    if value is not None and not isinstance(value, str):
        raise InvalidConfig(file, f"[{section}] {name} must be a text")
    return value


def patterns_of(table: dict[str, Any], name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    """Return a list of texts, none of them empty.

    Raises:
        InvalidConfig: the value is something else.
    """
    value = table.get(name, list(default))
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise InvalidConfig(CONFIG, f"{name} must be a list of texts")
    return tuple(value)
