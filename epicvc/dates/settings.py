"""How dates are planned, as a value. Light: the configuration imports it, and with it every command."""

from __future__ import annotations

from datetime import date
from enum import Enum
from typing import Final

from msgspec import Struct

DAYS: Final = "days"
BUSINESS_DAYS: Final = "business_days"


class DateBaseStrategy(Enum):
    """What the start date is reckoned from."""

    IMMEDIATE = "immediate"
    """The reference day."""
    NEXT_MONDAY = "next_monday"
    """The first Monday after the reference day; on a Monday the following one."""
    NEXT_WORKDAY = "next_workday"
    """The first working day after the reference day."""
    CUSTOM_DATE = "custom_date"
    """A date that is given."""


class Settings(Struct, frozen=True):
    """How dates are planned; two equal settings plan alike.

    Attributes:
        strategy: where the start comes from.
        business_days: weekends do not count.
        holidays: holidays do not count.
        country: ISO code of the country whose weekends and holidays they are.
        subdivision: its state or province.
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
