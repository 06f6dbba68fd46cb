"""Policies for all, for a field, for a kind of list."""

from __future__ import annotations

import pytest

from epicvc.merge.threeway import Chosen, Conflict
from epicvc.model.labels import parse_label
from epicvc.plan.epic import Policy, plan_epic
from epicvc.plan.policies import NEVER_AUTO, Policies

POLICIES = Policies(
    "json_wins",
    {
        ("summary",): NEVER_AUTO,
        ("tasks", "title"): "database_wins",
        ("quality_gates",): "manual",
        ("quality_gates", "x"): "newest_wins",
    },
    {"list": "database_wins", "set": NEVER_AUTO, "tasks": "manual"},
)


@pytest.mark.parametrize(
    ("label", "policy"),
    [
        ("5", "json_wins"),
        ("5:name", "json_wins"),
        ("5:summary", NEVER_AUTO),
        ("5:tasks/1/title", "database_wins"),
        ("5:tasks/title/branch", "json_wins"),
        ("5:tasks", "manual"),
        ("5:tasks/1", "manual"),
        ("5:quality_gates", "manual"),
        ("5:quality_gates/y", "manual"),
        ("5:quality_gates/x/z", "newest_wins"),
        ("5:goals", "database_wins"),
        ("5:tasks/1/test_specs", "database_wins"),
        ("5:labels", NEVER_AUTO),
        ("5:tasks/1/dependencies", NEVER_AUTO),
        ("@other/1/summary", "json_wins"),
    ],
)
def test_the_nearest_policy_counts(label: str, policy: str) -> None:
    place = parse_label(label)
    assert POLICIES.of(place) == policy
    assert POLICIES.whole(place) == (policy == NEVER_AUTO)
    conflict = Conflict(place, "b", "o", "t")
    expected = {"json_wins": Chosen("o"), "database_wins": Chosen("t"), "newest_wins": Chosen("n")}.get(policy)
    assert POLICIES.decide(lambda _: Chosen("n"))(conflict) == expected
    between = POLICIES.decide_between_branches(lambda _: Chosen("n"))(conflict)
    assert between == (Chosen("n") if policy == "newest_wins" else None)


def test_never_auto_is_a_conflict_that_no_policy_decides() -> None:
    policy = Policy(decide=POLICIES.decide(), policies=POLICIES)
    base, files = {"labels": ["a"], "summary": "a\nb"}, {"labels": ["a", "b"], "summary": "A\nb"}
    outcome = plan_epic(POLICIES.mapping, policy, "5", base, files, {"labels": ["a", "c"], "summary": "a\nB"})
    assert [str(conflict.label) for conflict in outcome.conflicts] == ["5:summary", "5:labels"]
    alone = plan_epic(POLICIES.mapping, policy, "5", base, files, base)
    assert alone.db == files and not alone.conflicts


def test_what_was_decided_is_told() -> None:
    policy = Policy(decide=POLICIES.decide(), policies=POLICIES)
    outcome = plan_epic(POLICIES.mapping, policy, "5", {"name": "a"}, {"name": "b"}, {"name": "c"})
    ((conflict, chosen),) = outcome.decided
    assert str(conflict.label) == "5:name" and chosen.reason == "json_wins took the files' value"
