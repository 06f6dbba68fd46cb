"""Reads days and strategies as callers write them."""

from __future__ import annotations

import datetime
from typing import TypeAlias

from epicvc.dates.settings import DateBaseStrategy
from epicvc.errors import UsageError

Day: TypeAlias = datetime.date | str


def read_day(day: object) -> datetime.date:
    """Return the date that a date, a time or an ISO date as a text says.

    Raises:
        UsageError: ``day`` is none of these.
    """
    if isinstance(day, datetime.datetime):
        return day.date()
    if isinstance(day, datetime.date):
        return day
    try:
        return datetime.date.fromisoformat(day)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise UsageError(f"{day!r} is no date", hint="write it as 2025-08-18") from error


def read_strategy(strategy: object) -> DateBaseStrategy:
    """Return the strategy that is given as itself or by its value.

    Raises:
        UsageError: ``strategy`` is none.
    """
    try:
        return DateBaseStrategy(strategy)
    except ValueError as error:
        names = ", ".join(item.value for item in DateBaseStrategy)
        raise UsageError(f"{strategy!r} is no strategy", hint=f"there are {names}") from error
