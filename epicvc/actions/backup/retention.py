"""Decides which backups a policy keeps, with the reasons. Pure: the time comes in as an argument.

The rules are those of restic. Each keeps the newest backup of each of the last so many hours, days, weeks, months or
years that have one. The newest backup and tagged ones stay under every policy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Final

from msgspec import Struct

from epicvc.errors import UsageError

DURATION: Final = re.compile(r"(?:(\d{1,4})y)?(?:(\d{1,4})m)?(?:(\d{1,5})d)?(?:(\d{1,6})h)?")
_YEAR: Final = 12  # months


class RetentionPolicy(Struct, frozen=True):
    """A policy for the backups to keep.

    Attributes:
        last: keep this number of the newest backups.
        hourly: keep the newest backup of each of this number of hours.
        daily: the same for days.
        weekly: the same for weeks.
        monthly: the same for months.
        yearly: the same for years.
        within: keep all that are at most this much older than the newest one, as ``1y5m7d2h``.
        tags: keep those with one of these tags.
    """

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    within: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """The policy has no rule."""
        return self == RetentionPolicy()


class Kept(Struct, frozen=True):
    """The decision about one backup.

    Attributes:
        reasons: the reasons for which it stays; without one it is forgotten.
    """

    reasons: tuple[str, ...]


class Dated(Struct, frozen=True):
    """The facts about a backup that a policy needs: its time and its tags."""

    time: datetime
    tags: tuple[str, ...] = ()


_Period = Callable[[datetime], object]
_PERIODS: Final[tuple[tuple[str, _Period], ...]] = (
    ("hourly", lambda time: (time.date(), time.hour)),
    ("daily", lambda time: time.date()),
    # The year of the ISO week: the week of New Year belongs to one year only.
    ("weekly", lambda time: time.isocalendar()[:2]),
    ("monthly", lambda time: (time.year, time.month)),
    ("yearly", lambda time: time.year),
)


def decide(backups: Sequence[Dated], policy: RetentionPolicy, now: datetime, zone: tzinfo | None = None) -> list[Kept]:
    """Decide which backups stay.

    A backup that is dated later than now stays, and no rule counts it: a wrong clock must not push out real backups.

    Args:
        backups: in any order.
        policy: what to keep.
        now: the current time.
        zone: the time zone in which hours and days begin; ``None`` for local time.

    Returns:
        The decision about each backup, in the same order.

    Raises:
        UsageError: the policy is empty, or its duration is malformed.
    """
    if policy.empty:
        raise UsageError("nothing is said of what to keep", hint="for instance --keep-daily 7 --keep-monthly 12")
    reasons: list[list[str]] = [[f"tag {tag}" for tag in backup.tags] for backup in backups]
    real = [at for at in _newest_first(backups) if backups[at].time <= now]
    for at, backup in enumerate(backups):
        if backup.time > now:
            reasons[at].append("dated in the future")
    if real:
        reasons[real[0]].append("newest")
    for at in real[: policy.last]:
        reasons[at].append("last")
    for name, period in _PERIODS:
        dated = [(at, period(backups[at].time.astimezone(zone))) for at in real]
        for at, oldest in _kept_of(dated, getattr(policy, name)):
            reasons[at].append(f"oldest {name}" if oldest else name)
    if policy.within is not None and real:
        begin = before(backups[real[0]].time, policy.within)
        for at in real:
            if backups[at].time > begin:
                reasons[at].append(f"within {policy.within}")
    return [Kept(tuple(found)) for found in reasons]


def _newest_first(backups: Sequence[Dated]) -> list[int]:
    return sorted(range(len(backups)), key=lambda at: backups[at].time, reverse=True)


def _kept_of(dated: Sequence[tuple[int, object]], wanted: int) -> Iterable[tuple[int, bool]]:
    """Yield the first backup of each of so many periods.

    If there are fewer periods, the oldest backup of all is kept too, as the beginning of the series.
    """
    last: object = None
    for number, (at, period) in enumerate(dated):
        if wanted <= 0:
            return
        if period != last:
            yield at, False
        elif number == len(dated) - 1:
            yield at, True
        else:
            continue
        last = period
        wanted -= 1


def before(time: datetime, text: str) -> datetime:
    """Return the time that lies a duration as ``1y5m7d2h`` before another time.

    Raises:
        UsageError: the text is no duration.
    """
    found = DURATION.fullmatch(text)
    if not text or found is None:
        raise UsageError(f"{text!r} is no duration", hint="write years, months, days and hours as in 1y5m7d2h")
    years, months, days, hours = (int(part or 0) for part in found.groups())
    index = time.year * _YEAR + time.month - 1 - years * _YEAR - months
    if index < _YEAR:
        return datetime.min.replace(tzinfo=time.tzinfo)
    year, month = divmod(index, _YEAR)
    # A day that the month lacks counts as a day of the next month, as in restic.
    start = time.replace(year=year, month=month + 1, day=1)
    try:
        return start + timedelta(days=time.day - 1 - days, hours=-hours)
    except OverflowError:
        return datetime.min.replace(tzinfo=time.tzinfo)
