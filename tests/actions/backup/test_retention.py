"""What a policy keeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.actions.backup.retention import Dated, RetentionPolicy, decide
from epicvc.errors import UsageError

NOW = datetime(2025, 8, 17, 12, tzinfo=UTC)
DAILY = [Dated(NOW - timedelta(days=number)) for number in range(400)]


def kept(backups: list[Dated], policy: RetentionPolicy) -> list[int]:
    """The positions of those that stay."""
    return [at for at, found in enumerate(decide(backups, policy, NOW, UTC)) if found.reasons]


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        (RetentionPolicy(last=3), [0, 1, 2]),
        (RetentionPolicy(daily=3), [0, 1, 2]),
        (RetentionPolicy(hourly=3), [0, 1, 2]),
        (RetentionPolicy(weekly=3), [0, 7, 14]),  # a Sunday, and the two before
        (RetentionPolicy(monthly=3), [0, 17, 48]),  # 31 July, 30 June
        (RetentionPolicy(yearly=9), [0, 229, 399]),  # 31 December, and the oldest for a beginning
        (RetentionPolicy(within="2d"), [0, 1]),
        (RetentionPolicy(within="1m1d1h"), list(range(33))),
        (RetentionPolicy(last=1, weekly=2), [0, 7]),
        (RetentionPolicy(tags=("no",)), [0]),
    ],
)
def test_rules(policy: RetentionPolicy, wanted: list[int]) -> None:
    assert kept(DAILY, policy) == wanted


def test_reasons() -> None:
    backups = [Dated(NOW, ("release",)), Dated(NOW - timedelta(hours=1)), Dated(NOW + timedelta(days=1))]
    found = decide(backups, RetentionPolicy(last=1, hourly=2, yearly=2), NOW, UTC)
    assert [each.reasons for each in found] == [
        ("tag release", "newest", "last", "hourly", "yearly"),
        ("hourly", "oldest yearly"),
        ("dated in the future",),
    ]


def test_an_empty_policy_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing is said"):
        decide(DAILY, RetentionPolicy(), NOW)


@pytest.mark.parametrize("text", ["", "5", "3w", "1d1m", "-1d", "1d ", "x"])
def test_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match="no duration"):
        decide(DAILY, RetentionPolicy(within=text), NOW)


def test_a_duration_before_all_time() -> None:
    assert len(kept(DAILY, RetentionPolicy(within="9999y"))) == len(DAILY)


policies = st.builds(
    RetentionPolicy,
    last=st.integers(0, 4),
    hourly=st.integers(0, 4),
    daily=st.integers(0, 4),
    weekly=st.integers(0, 4),
    monthly=st.integers(0, 4),
    yearly=st.integers(0, 4),
    within=st.sampled_from([None, "1d", "2m", "1y"]),
).filter(lambda policy: not policy.empty)
moments = st.integers(-5_000_000, 50_000_000).map(lambda seconds: NOW - timedelta(seconds=seconds))
backups = st.lists(st.builds(Dated, moments, st.sampled_from([(), (), (), ("t",)])), max_size=40)


@given(backups, policies)
def test_newest_tagged_and_future_ones_stay(found: list[Dated], policy: RetentionPolicy) -> None:
    stays = set(kept(found, policy))
    real = [at for at, backup in enumerate(found) if backup.time <= NOW]
    assert stays >= {at for at, backup in enumerate(found) if backup.tags or backup.time > NOW}
    if real:
        assert max(found[at].time for at in real) in {found[at].time for at in stays}


@given(backups, policies, st.integers(1, 10**9))
def test_one_of_the_future_evicts_nobody(found: list[Dated], policy: RetentionPolicy, seconds: int) -> None:
    future = Dated(NOW + timedelta(seconds=seconds))
    assert kept([*found, future], policy)[:-1] == kept(found, policy)


@given(backups, policies)
def test_forgetting_again_forgets_no_more_of_what_rules_chose(found: list[Dated], policy: RetentionPolicy) -> None:
    stays = [found[at] for at in kept(found, policy)]
    again = [stays[at] for at in kept(stays, policy)]
    assert {backup.time for backup in again} == {backup.time for backup in stays}


@given(backups, policies)
def test_no_rule_keeps_more_than_it_says(found: list[Dated], policy: RetentionPolicy) -> None:
    reasons = [reason for each in decide(found, policy, NOW, UTC) for reason in each.reasons]
    for name in ("last", "hourly", "daily", "weekly", "monthly", "yearly"):
        assert sum(reason in (name, f"oldest {name}") for reason in reasons) <= getattr(policy, name)
