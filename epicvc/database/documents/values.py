"""Converts field values to column values and back, and reads a column's default as a field value. Pure."""

from __future__ import annotations

import re
from typing import Final

from epicvc.base.jsonio import JSON, dumps_line, equal, parse
from epicvc.database.rowcodec import RawText, SQLValue
from epicvc.database.tables import ColumnInfo
from epicvc.errors import InvalidField, InvalidJSON, InvalidRow
from epicvc.model.document import misfit
from epicvc.model.labels import Label
from epicvc.model.mapping import Field, Kind

_TRUE: Final = frozenset({"1", "t", "true", "y", "yes", "on"})
_FALSE: Final = frozenset({"0", "f", "false", "n", "no", "off"})


def decode(value: SQLValue, field: Field, table: str, row: str) -> JSON:
    """Return the field value that a column value stands for; ``None`` means absent.

    Raises:
        InvalidRow: the value does not fit the field's kind: a text in a number's column, a BLOB, an infinity, a JSON
            column that holds no JSON.
    """
    if value is None or (type(value) is str and field.kind is Kind.TEXT):  # nearly all are
        return value
    if isinstance(value, bytes | RawText):
        raise InvalidRow(table, row, field.column, "holds bytes that are no text, which no field can be")
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        raise InvalidRow(table, row, field.column, "holds an infinity, which JSON cannot say")
    if field.kind is Kind.JSON:
        return _decode_json(value, field, table, row) if isinstance(value, str) else value
    decoded = _truth(value) if field.kind is Kind.BOOL else value
    problem = misfit(decoded, field.kind)
    if problem:
        hint = "correct the value in the database, or the field's kind in epicvc.toml"
        raise InvalidRow(table, row, field.column, f"{problem}, and is {decoded!r}", hint=hint)
    return decoded


def _truth(value: bool | float | str) -> JSON:
    """Convert a database's way of writing a truth value to JSON's; return anything else unchanged."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return bool(value) if value in (0, 1) else value
    text = value.lower()
    return True if text in _TRUE else False if text in _FALSE else value


def _decode_json(text: str, field: Field, table: str, row: str) -> JSON:
    try:
        return parse(text.encode())
    except InvalidJSON as error:
        reason = f"is no JSON ({error.reason})"
        raise InvalidRow(table, row, field.column, reason, hint="correct the value in the database") from error


def key_text(value: SQLValue) -> str | None:
    """Return a key column's value as the text that identifies its row; ``None`` for a value that can be no key."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def require_key(value: SQLValue, table: str, column: str) -> str:
    """Return a key column's value as text, as :func:`key_text` does, where there has to be a key.

    Raises:
        InvalidRow: the value can be no key.
    """
    key = key_text(value)
    if key is None:
        raise no_key(value, table, column)
    return key


def no_key(value: SQLValue, table: str, column: str) -> InvalidRow:
    """Return the error for a row whose key column has this value."""
    hint = "correct the key in the database, or delete the row"
    return InvalidRow(table, repr(value), column, "is no key: a text or an integer", hint=hint)


def encode(value: JSON, field: Field, place: Label) -> SQLValue:
    """Return the column value that holds a field value of the epic or task at ``place``.

    Raises:
        InvalidField: the column's kind cannot hold the value.
    """
    if value is None:
        return None
    if field.kind is Kind.JSON:
        return dumps_line(value)
    if isinstance(value, bool | int | float | str):
        return value
    raise InvalidField(str(place.child(field.name)), f"cannot be stored in {field.column}")


_NUMBER: Final = r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?"


def literal_default(text: str | None) -> SQLValue:
    """Return a column's default where it is a literal; ``None`` where there is no default, NULL or an expression.

    Args:
        text: the default as the catalogue has it, an SQL expression.
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
    if re.fullmatch(_NUMBER, text):
        return int(text) if text.lstrip("+-").isdigit() else float(text)
    return None


def stored_default(column: ColumnInfo) -> tuple[SQLValue, ...]:
    """Return the value that a row holds in a column that nothing was written into; empty where it is computed.

    The value is the default as the column's type converts it, by SQLite's rules. A fraction in a text column counts as
    computed: SQLite 3.53 writes up to 17 digits of it, releases before it 15.
    """
    value = literal_default(column.default)
    if value is None:
        return (None,) if column.default is None or column.default.strip().upper() == "NULL" else ()
    stored = _of_type(int(value) if isinstance(value, bool) else value, column.type.upper())
    return () if isinstance(value, float) and isinstance(stored, str) else (stored,)


def _of_type(value: SQLValue, declared: str) -> SQLValue:
    integer = "INT" in declared
    if not integer and any(word in declared for word in ("CHAR", "CLOB", "TEXT")):
        return str(value)
    if not integer and (not declared or "BLOB" in declared):
        return value
    if isinstance(value, str) and re.fullmatch(_NUMBER, value.strip()):
        value = literal_default(value)
    if not integer and any(word in declared for word in ("REAL", "FLOA", "DOUB")):
        return float(value) if isinstance(value, int) else value
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def default_value(text: str | None, field: Field) -> JSON:
    """Return the field value of a column's default; ``None`` where the default is no literal."""
    value = literal_default(text)
    if value is None:
        return None
    if field.kind is Kind.NUMBER and isinstance(value, str) and re.fullmatch(_NUMBER, value):
        value = literal_default(value)
    try:
        return decode(value, field, "", "")
    except InvalidRow:
        return None


def is_default(value: JSON, default: JSON) -> bool:
    """Return whether a value equals the column's default."""
    return default is not None and equal(value, default)
