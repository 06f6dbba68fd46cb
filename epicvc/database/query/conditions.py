"""Conditions of ``WHERE`` and ``HAVING``: an operator of a fixed list between a column and bound values."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final, TypeAlias

from msgspec import Struct

from epicvc.database.query.terms import OWNER, compared, expression
from epicvc.database.rowcodec import RawText
from epicvc.errors import InvalidQuery

Param: TypeAlias = "int | float | str | bytes | RawText | None"

_COMPARE: Final = {"=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_NULLS: Final = {"=": "IS NULL", "!=": "IS NOT NULL", "IS": "IS NULL", "IS NOT": "IS NOT NULL"}
_PATTERNS: Final = frozenset({"LIKE", "NOT LIKE"})
_MEMBERS: Final = frozenset({"IN", "NOT IN"})
_RANGES: Final = frozenset({"BETWEEN", "NOT BETWEEN"})
OPERATORS: Final = (*_COMPARE, "IS", "IS NOT", *sorted(_PATTERNS), *sorted(_MEMBERS), *sorted(_RANGES))

MARK: Final = "\0?"
"""Stands for a bound value until the statement is built for a dialect; no identifier can hold it."""


class Condition(Struct, frozen=True):
    """A condition, or another value, as SQL with a :data:`MARK` for each bound value.

    It can stand wherever a condition or a selected column does, beside others: none of its operators binds looser than
    ``NOT``.
    """

    text: str
    params: tuple[Param, ...] = ()

    def negated(self) -> Condition:
        """Return the opposite condition. Where SQL's answer is NULL, neither holds."""
        return Condition(f"NOT ({self.text})", self.params)


def all_of(*conditions: Condition) -> Condition:
    """Return a condition that holds where all of these hold; without any it always holds."""
    return _together("AND", conditions) if conditions else Condition("1 = 1")


def any_of(*conditions: Condition) -> Condition:
    """Return a condition that holds where one of these holds; without any it never holds."""
    return _together("OR", conditions) if conditions else Condition("1 = 0")


def _together(word: str, conditions: tuple[Condition, ...]) -> Condition:
    if len(conditions) == 1:
        return conditions[0]
    text = f" {word} ".join(each.text for each in conditions)
    return Condition(f"({text})", tuple(param for each in conditions for param in each.params))


def constant(value: Any) -> Condition:
    """Return a bound value that stands in the place of a column.

    Raises:
        InvalidQuery: no column can hold the value.
    """
    return Condition(MARK, (bound(value),))


def bound(value: Any) -> Param:
    """Return a value in the form in which it is bound.

    Raises:
        InvalidQuery: no column can hold the value.
    """
    if value is None or isinstance(value, int | float | str | bytes | RawText):
        return int(value) if isinstance(value, bool) else value
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise InvalidQuery(f"a {type(value).__name__} cannot be bound to a statement", hint="make it a text or a number")


def compare(left: str, operator: str, value: Any, *, calls: bool = False) -> Condition:
    """Return ``left operator value`` as a condition.

    Args:
        left: a column.
        operator: one of :data:`OPERATORS`, in any case.
        value: one value; a list for ``IN``, or a ``SELECT``; two values for ``BETWEEN``. With ``None`` the operators
            ``=`` and ``!=`` ask whether there is a value.
        calls: ``left`` may be a call such as ``COUNT(*)``.

    Raises:
        InvalidQuery: the operator is not in the list, or the value does not fit it.
    """
    word = " ".join(operator.upper().split())
    word = _COMPARE.get(word, word)
    if word not in OPERATORS:
        raise InvalidQuery(f"{operator!r} is no operator", hint=f"one of {', '.join(OPERATORS)}")
    name = expression(left) if calls else compared(left)
    if word in _MEMBERS:
        return _membership(name, word, value)
    if word in _RANGES:
        low, high = _two(word, value)
        return Condition(f"{name} {word} {MARK} AND {MARK}", (bound(low), bound(high)))
    if value is None:
        if word not in _NULLS:
            raise InvalidQuery(f"{word} compares with a value, not with None", hint="ask with = or != for None")
        return Condition(f"{name} {_NULLS[word]}")
    if word in ("IS", "IS NOT"):
        raise InvalidQuery(f"{word} asks for None alone", hint="compare a value with = or !=")
    return Condition(f"{name} {word} {MARK}", (bound(value),))


def _membership(name: str, word: str, value: Any) -> Condition:
    # imported late: conditions hold statements, and statements hold conditions
    from epicvc.database.query.statements import Select

    if isinstance(value, Select):
        inner = value.parts()
        return Condition(f"{name} {word} ({inner.text})", inner.params)
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise InvalidQuery(f"{word} takes a list of values or a SELECT")
    values = [bound(item) for item in value]
    known = [item for item in values if item is not None]
    parts = [f"{name} {word} ({', '.join([MARK] * len(known))})"] if known else []
    if len(known) < len(values):  # `IN (NULL)` never matches, so None becomes IS NULL
        parts.append(f"{name} IS {'NOT ' if word == 'NOT IN' else ''}NULL")
    if not parts:
        return Condition("1 = 0" if word == "IN" else "1 = 1")
    joined = (" AND " if word == "NOT IN" else " OR ").join(parts)
    return Condition(f"({joined})" if len(parts) > 1 else joined, tuple(known))


def _two(word: str, value: Any) -> tuple[Any, Any]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise InvalidQuery(f"{word} takes two values, the lowest and the highest")
    return value[0], value[1]


class Conditions(Struct, frozen=True):
    """Conditions in a row. ``AND`` binds before ``OR``, as in SQL."""

    parts: tuple[tuple[str, Condition], ...] = ()

    def also(self, condition: Condition) -> Conditions:
        """Return these conditions with one more that must hold as well."""
        return Conditions((*self.parts, ("AND", condition)))

    def instead(self, condition: Condition) -> Conditions:
        """Return these conditions with one more that begins an alternative to all before it."""
        return Conditions((*self.parts, ("OR", condition)))

    def clause(self, keyword: str, owner: str | None) -> Condition:
        """Return the clause as SQL; empty without conditions.

        Args:
            keyword: ``WHERE`` or ``HAVING``.
            owner: the only table; ``None`` where there are several.

        Raises:
            InvalidQuery: a quoted column stands without its table although there are several.
        """
        if not self.parts:
            return Condition("")
        text = self.parts[0][1].text + "".join(f" {word} {each.text}" for word, each in self.parts[1:])
        params = tuple(param for _, each in self.parts for param in each.params)
        return Condition(f" {keyword} {owned(text, owner)}", params)


def owned(text: str, owner: str | None) -> str:
    """Return a condition's text with the table in front of each quoted column that stands alone.

    Raises:
        InvalidQuery: there are several tables, so that the column's table is not known.
    """
    if OWNER not in text:
        return text
    if owner is None:
        raise InvalidQuery("a quoted column stands alone beside a join", hint="say whose it is: alias.name")
    return text.replace(OWNER, f"{owner}.")


NONE: Final = Conditions()
"""No condition."""
