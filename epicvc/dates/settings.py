"""The settings by which dates are planned, as a value.

The module is light, since the configuration imports it, and every command imports the configuration.
"""

from __future__ import annotations

from datetime import date
from enum import Enum
from typing import Final

from msgspec import Struct

DAYS: Final = "days"
BUSINESS_DAYS: Final = "business_days"


class DateBaseStrategy(Enum):
    """The rule by which the start date is reckoned."""

    IMMEDIATE = "immediate"
    """The reference day."""
    NEXT_MONDAY = "next_monday"
    """The first Monday after the reference day; on a Monday the following one."""
    NEXT_WORKDAY = "next_workday"
    """The first working day after the reference day."""
    CUSTOM_DATE = "custom_date"
    """A date that is given."""


class Settings(Struct, frozen=True):
    """The settings by which dates are planned. Two equal settings plan alike.

    Attributes:
        strategy: the rule that gives the start.
        business_days: weekends do not count.
        holidays: holidays do not count.
        country: ISO code of the country whose weekends and holidays apply.
        subdivision: a state or province of the country.
        categories: holidays that count besides the public ones, as ``optional``.
        custom_date: the start under ``CUSTOM_DATE``.
    """

    strategy: DateBaseStrategy = DateBaseStrategy.NEXT_MONDAY
    business_days: bool = False
    holidays: bool = False
    country: str = "BR"
    subdivision: str | None = None
    categories: tuple[str, ...] = ()
    custom_date: date | None = None
