"""Field values as column values and back, and what a column's default is as a field value. Pure."""

from __future__ import annotations

import re
from typing import Final

from epicvc.database.rowcodec import RawText, SQLValue
from epicvc.errors import InvalidField, InvalidJSON, InvalidRow
from epicvc.jsonio import JSON, dumps_text, equal, parse
from epicvc.model.labels import Label
from epicvc.model.mapping import Field, Kind

_TRUE: Final = frozenset({"1", "t", "true", "y", "yes", "on"})
_FALSE: Final = frozenset({"0", "f", "false", "n", "no", "off"})


def decode(value: SQLValue, field: Field, table: str, row: str) -> JSON:
    """The field value that a column value stands for; ``None`` is absent.

    A boolean column that holds something else than a truth value gives that something: it is the application's, and
    hiding it would lose it.

    Raises:
        InvalidRow: the value cannot be JSON (a BLOB, an infinity), or a JSON column holds none.
    """
    if value is None:
        return None
    if isinstance(value, bytes | RawText):
        raise InvalidRow(table, row, field.column, "holds bytes that are no text, which no field can be")
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        raise InvalidRow(table, row, field.column, "holds an infinity, which JSON cannot say")
    if field.kind is Kind.JSON and isinstance(value, str):
        return _decode_json(value, field, table, row)
    if field.kind is Kind.BOOL and not isinstance(value, bool):
        if isinstance(value, int | float) and value in (0, 1):
            return bool(value)
        text = str(value).lower()
        return True if text in _TRUE else False if text in _FALSE else value
    return value


def _decode_json(text: str, field: Field, table: str, row: str) -> JSON:
    try:
        return parse(text.encode())
    except InvalidJSON as error:
        reason = f"is no JSON ({error.reason})"
        raise InvalidRow(table, row, field.column, reason, hint="correct the value in the database") from error


def encode(value: JSON, field: Field, place: Label) -> SQLValue:
    """The column value that holds a field value of the epic or task at ``place``.

    Raises:
        InvalidField: the column's kind cannot hold it.
    """
    if value is None:
        return None
    if field.kind is Kind.JSON:
        return dumps_text(value, indent=None, item_sep=", ", key_sep=": ")
    if isinstance(value, bool | int | float | str):
        return value
    raise InvalidField(str(place.child(field.name)), f"cannot be stored in {field.column}")


_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")


def literal_default(text: str | None) -> SQLValue:
    """A column's default when it is a literal; ``None`` for none, NULL and any expression.

    Args:
        text: the default as the catalog has it, an SQL expression.
    """
    if text is None:
        return None
    text = text.strip()
    while text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip()
    if len(text) >= 2 and text[0] == text[-1] == "'" and "'" not in text[1:-1].replace("''", ""):
        return text[1:-1].replace("''", "'")
    if text.upper() in ("TRUE", "FALSE"):
        return text.upper() == "TRUE"
    if _NUMBER.fullmatch(text):
        return int(text) if text.lstrip("+-").isdigit() else float(text)
    return None


def default_value(text: str | None, field: Field) -> JSON:
    """The field value of a column's default, ``None`` where it has no literal one."""
    value = literal_default(text)
    if value is None:
        return None
    if field.kind is Kind.NUMBER and isinstance(value, str) and _NUMBER.fullmatch(value):
        value = literal_default(value)
    try:
        return decode(value, field, "", "")
    except InvalidRow:
        return None


def is_default(value: JSON, default: JSON) -> bool:
    """Whether a value equals the column's default."""
    return default is not None and equal(value, default)
