"""The ``[plan]`` section of ``epicvc.toml``: settings for planned dates, and their form in a stored plan."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from msgspec.structs import replace

from epicvc.dates.settings import DateBaseStrategy, Settings

KEYS: Final = ("strategy", "start", "business_days", "holidays", "country", "subdivision", "holiday_categories")


def read_settings(section: dict[str, Any]) -> Settings:
    """Return the settings that a table describes. The caller has made sure that its keys are in :data:`KEYS`.

    Raises:
        ValueError: a value is not allowed; the text says why.
    """
    settings = Settings()
    _require(isinstance(section.get("business_days", False), bool), "business_days must be true or false")
    _require(isinstance(section.get("holidays", False), bool), "holidays must be true or false")
    for key in ("country", "subdivision"):
        _require(key not in section or (isinstance(section[key], str) and section[key]), f"{key} must be a text")
    categories = section.get("holiday_categories", [])
    texts = isinstance(categories, list) and all(isinstance(item, str) for item in categories)
    _require(texts, "holiday_categories must be a list of texts")
    strategy = _strategy(section.get("strategy", settings.strategy.value))
    start = section.get("start")
    if start is not None:
        start = _day(start)
    if (strategy is DateBaseStrategy.CUSTOM_DATE) is not (start is not None):
        raise ValueError("start goes with strategy = 'custom_date', and only with it")
    return replace(
        settings,
        strategy=strategy,
        business_days=section.get("business_days", False),
        holidays=section.get("holidays", False),
        custom_date=start,
        country=section.get("country", settings.country),
        subdivision=section.get("subdivision"),
        categories=tuple(categories),
    )


def show_settings(settings: Settings) -> dict[str, Any]:
    """Return settings as a JSON object that :func:`read_settings` reads."""
    found: dict[str, Any] = {
        "strategy": settings.strategy.value,
        "start": settings.custom_date.isoformat() if settings.custom_date else None,
        "business_days": settings.business_days,
        "holidays": settings.holidays,
        "country": settings.country,
        "subdivision": settings.subdivision,
        "holiday_categories": list(settings.categories),
    }
    return {key: value for key, value in found.items() if value is not None}


def _require(holds: bool, reason: str) -> None:
    if not holds:
        raise ValueError(reason)


def _strategy(value: object) -> DateBaseStrategy:
    names = [strategy.value for strategy in DateBaseStrategy]
    if value not in names:
        raise ValueError(f"strategy = {value!r} is none of {', '.join(names)}")
    return DateBaseStrategy(value)


def _day(value: object) -> date:
    # Not a datetime, which is a date too and which TOML has.
    if isinstance(value, date) and type(value) is date:
        return value
    try:
        return date.fromisoformat(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise ValueError(f"start = {value!r} is no date like 2025-08-18") from error
