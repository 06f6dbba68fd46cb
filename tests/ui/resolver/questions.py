"""Conflicts for the resolver's tests: a list, a text, a number, a text of several lines, a removed task, an order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from epicvc.actions.shared.questions import Answer, Origin, Origins, Question, Spec
from epicvc.base.jsonio import JSON
from epicvc.merge.threeway import ABSENT, Conflict, Value
from epicvc.model.labels import Label, parse_label
from epicvc.model.mapping import Kind, Rule
from epicvc.ui.resolver.state import ResolverState, begin

COMMIT = bytes.fromhex("ebe1a3e2c336" + "0" * 52)
LATER = bytes.fromhex("9470078ae824" + "0" * 52)
AGREED = Origin("both", COMMIT, "planner", datetime(2025, 8, 16, 17, 5, tzinfo=UTC))
FRESH = Origin("files", time=datetime(2025, 8, 18, 9, 30, tzinfo=UTC))
BY_DATABASE = Origin("db", LATER, "librarian", datetime(2025, 8, 18, 9, 0, tzinfo=UTC))
ORIGINS = Origins(AGREED, FRESH, BY_DATABASE)


def question(label: str, base: Value, ours: Value, theirs: Value, spec: Spec | None = None) -> Question:
    return Question(Conflict(parse_label(label), base, ours, theirs), ORIGINS, spec or Spec(Kind.TEXT))


TASK: dict[str, JSON] = {
    "id": "1.2",
    "title": "Rank the results",
    "description": "By year, then by title.",
    "estimate_minutes": 180,
    "risk": "Taste differs",
    "mitigation": "Ask readers",
    "branch": "feature/rank",
    "story_points": 3,
    "tdd_phase": "red",
    "dependencies": ["1.1"],
}
GOALS = question(
    "1:goals",
    ["Results in under a second", "Spelling mistakes are forgiven"],
    ["Results in half a second", "Spelling mistakes are forgiven", "Series stand together"],
    ["Results in no time", "Spelling mistakes are forgiven", "Large print is marked"],
    Spec(Kind.JSON, Rule.LIST),
)
NAME = question("2:name", "Loans between branches", "Inter-branch loans between branches", "Loans everywhere")
ESTIMATE = question("1:tasks/1.1/estimate_minutes", 240, 200, 300, Spec(Kind.NUMBER))
SUMMARY = question("3:summary", "one\ntwo\nthree", "one\n2\nthree", "one\nzwei\nthree\nfour")
REMOVED = question("1:tasks/1.2", dict(TASK), {**TASK, "title": "Rank by year"}, ABSENT, Spec())
ORDER = question("1:tasks", ["1.1", "1.2", "1.3"], ["1.2", "1.1", "1.3"], ["1.1", "1.3", "1.2"], Spec())
PLACE = question("1:tasks/1.2", "1:tasks/1.2", "2:tasks/1.2", "3:tasks/1.2", Spec())
GONE = question("1:tasks/1.2", "1:tasks/1.2", "2:tasks/1.2", ABSENT, Spec())
ALL = (GOALS, NAME, ESTIMATE, SUMMARY, REMOVED, ORDER, PLACE, GONE)


def asking(
    *questions: Question,
    answers: Mapping[Label, Answer] | None = None,
    remembered: Mapping[Label, Any] | None = None,
    sides: tuple[str, str] = ("files", "db"),
) -> ResolverState:
    return begin(questions or (GOALS, NAME), sides, answers or {}, remembered or {})
