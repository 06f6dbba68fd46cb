"""Reads the holidays and weekends of a country from the ``holidays`` package, a year at a time.

The package is imported when the first country is asked for, since the import takes a tenth of a second. Its data change
between releases, so its version is kept with whatever its answers decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from epicvc.errors import InvalidData, UsageError

if TYPE_CHECKING:
    from holidays import HolidayBase

PUBLIC: Final = "public"


class CountryDays(Struct, frozen=True):
    """The holidays of one year of a country, and its working days on weekends.

    Attributes:
        holidays: the names of the holidays, by day.
        workdays: days of a weekend on which people work, as China and Hungary have them.
    """

    holidays: Mapping[date, str]
    workdays: frozenset[date]


class Country:
    """The holidays and weekends of a country.

    Args:
        code: the country's code in ISO 3166-1, as ``BR``.
        subdivision: a state or province, as ``SP``; ``None`` for the days that hold in the whole country.
        categories: kinds of holidays besides the public ones that count, as ``optional`` (in Brazil: Carnival,
            Corpus Christi).

    Raises:
        UsageError: the package does not know the country, the subdivision or the category.
    """

    def __init__(self, code: str, subdivision: str | None = None, categories: Iterable[str] = ()) -> None:
        self.code, self.subdivision = code, subdivision
        self.categories = tuple(dict.fromkeys((PUBLIC, *categories)))
        self._known = _entity(code, subdivision, self.categories, None)
        self._years: dict[int, CountryDays] = {}

    @property
    def version(self) -> str:
        """The release of the ``holidays`` package that knows these days."""
        return holidays_release()

    def __str__(self) -> str:
        return f"{self.code}-{self.subdivision}" if self.subdivision else self.code

    def year(self, year: int) -> CountryDays:
        """Return the holidays and working weekend days of a year.

        Raises:
            InvalidData: the package knows nothing of this year.
        """
        if year not in self._years:
            self._years[year] = self._read(year)
        return self._years[year]

    def weekend(self, first: date) -> frozenset[int]:
        """Return the days of rest among the seven days from ``first``, by weekday."""
        week = (date.fromordinal(first.toordinal() + number) for number in range(7))
        return frozenset(day.weekday() for day in week if self.rests(day))

    def rests(self, day: date) -> bool:
        """Return whether a day belongs to a weekend."""
        return self._known.is_weekend(day)

    def _read(self, year: int) -> CountryDays:
        known = self._known
        if not known.start_year <= year <= known.end_year:
            raise InvalidData(
                f"the holidays of {self} are known from {known.start_year} to {known.end_year}, not for {year}",
                hint="correct the duration or the date, or plan without holidays",
            )
        # The package puts a holiday that is observed in the year before into the year after.
        around = range(max(year - 1, known.start_year), min(year + 1, known.end_year) + 1)
        found = _entity(self.code, self.subdivision, self.categories, around)
        return CountryDays(
            {day: found[day] for day in sorted(found) if day.year == year},
            frozenset(day for day in found.weekend_workdays if day.year == year),
        )


@lru_cache(maxsize=64)
def country(code: str, subdivision: str | None, categories: tuple[str, ...]) -> Country:
    """Return the country of these arguments, as one object each, so that its years are read once.

    Raises:
        UsageError: see :class:`Country`.
    """
    return Country(code.upper(), subdivision, categories)


@lru_cache(maxsize=1)
def holidays_release() -> str:
    """Return the release of the ``holidays`` package that is installed, without importing its countries."""
    from importlib.metadata import version

    return version("holidays")


def _entity(code: str, subdivision: str | None, categories: tuple[str, ...], years: range | None) -> HolidayBase:
    import holidays

    if code not in holidays.list_supported_countries():
        raise UsageError(f"no holidays are known for the country {code!r}", hint="use its ISO code, for instance BR")
    kind: type[HolidayBase] = getattr(holidays, code)
    if subdivision is not None and subdivision not in (*kind.subdivisions, *kind.subdivisions_aliases):
        raise UsageError(
            f"{code} has no subdivision {subdivision!r}",
            hint=f"it has {', '.join(kind.subdivisions)}" if kind.subdivisions else "it has none",
        )
    for category in categories:
        if category not in kind.supported_categories:
            raise UsageError(
                f"{code} has no holidays of category {category!r}",
                hint=f"it has {', '.join(sorted(kind.supported_categories))}",
            )
    # English where there is a translation: the names must not depend on the machine's language.
    language = "en_US" if "en_US" in kind.supported_languages else kind.default_language
    return holidays.country_holidays(
        code, subdiv=subdivision, years=years, expand=False, language=language, categories=categories
    )
