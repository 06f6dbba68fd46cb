"""Which backups a policy keeps, and why. Pure: time comes in as an argument.

The rules are those of restic: each keeps the newest backup of each of the last so many hours, days, weeks,
months or years that have one. The newest backup and tagged ones stay whatever the policy says.
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
    """What to keep.

    Attributes:
        last: so many of the newest.
        hourly: the newest of each of so many hours.
        daily: of days.
        weekly: of weeks.
        monthly: of months.
        yearly: of years.
        within: all that are no older than this before the newest one, as ``1y5m7d2h``.
        tags: those with one of these tags.
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
        """Whether it says nothing."""
        return self == RetentionPolicy()


class Kept(Struct, frozen=True):
    """What is decided of one backup.

    Attributes:
        reasons: why it stays; none: it goes.
    """

    reasons: tuple[str, ...]


class Dated(Struct, frozen=True):
    """What a policy looks at: when a backup was made, and its tags."""

    time: datetime
    tags: tuple[str, ...] = ()


_Period = Callable[[datetime], object]
_PERIODS: Final[tuple[tuple[str, _Period], ...]] = (
    ("hourly", lambda time: (time.date(), time.hour)),
    ("daily", lambda time: time.date()),
    ("weekly", lambda time: time.isocalendar()[:2]),
    ("monthly", lambda time: (time.year, time.month)),
    ("yearly", lambda time: time.year),
)


def decide(backups: Sequence[Dated], policy: RetentionPolicy, now: datetime, zone: tzinfo | None = None) -> list[Kept]:
    """Decide what stays.

    A backup dated later than now stays and counts for nothing: a wrong clock must not push out those that are real.

    Args:
        backups: in any order.
        policy: what to keep.
        now: the time.
        zone: where hours and days begin; local time where not given.

    Returns:
        For each backup, in the same order, why it stays.

    Raises:
        UsageError: the policy is empty, or its duration is none.
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
    """The first of each of so many periods; where there are fewer, the oldest of all too, as a beginning."""
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
    """A time so long before another, as ``1y5m7d2h`` says.

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
    # A day that the month has not is a day of the next one, as restic counts.
    start = time.replace(year=year, month=month + 1, day=1)
    try:
        return start + timedelta(days=time.day - 1 - days, hours=-hours)
    except OverflowError:
        return datetime.min.replace(tzinfo=time.tzinfo)
