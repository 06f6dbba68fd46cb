"""Shows a report as a page of Markdown.

Text of users stays text: it becomes no markup, and nothing on which a terminal would act.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from epicvc.actions.dates.scheduling import DAY, Timetable
from epicvc.actions.history.status import State, Status
from epicvc.actions.origin.words import since
from epicvc.actions.report.contents import Report
from epicvc.actions.report.metrics import Figures, Metrics
from epicvc.actions.report.quality import Quality, Score
from epicvc.actions.shared.questions import Question
from epicvc.base.jsonio import dumps_text
from epicvc.merge.threeway import ABSENT, Value

TITLE: Final = "# Sync report"
_EPICS: Final = 100
_CONFLICTS: Final = 100
_COMMITS: Final = 50
_LOSSES: Final = 20
_SCHEDULED: Final = 50
_FAILURES: Final = 10
_WARNINGS: Final = 10
_LONG: Final = 120
_ENTITIES: Final = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
_SCORES: Final = ("consistency", "completeness", "accuracy")


def to_markdown(report: Report) -> str:
    """Return the page of a report."""
    parts = (
        _head(report),
        _out_of_sync(report.status),
        _conflicts(report.conflicts, report.sides),
        _quality(report.quality),
        _history(report),
        _runs(report.metrics),
        _schedule(report.schedule),
    )
    lines = [line for part in parts for line in part]
    lines += _section("Warnings", [f"- {text(warning)}" for warning in report.warnings])
    return "\n".join(lines) + "\n"


def _head(report: Report) -> Iterator[str]:
    status = report.status
    where = f"branch {text(status.branch)}" if status.branch else "HEAD is detached"
    at = f"at {status.head.hex()[:12]}" if status.head else "no commit yet"
    waiting = sum(epic.state is not State.SYNCED for epic in status.epics)
    state = "in sync" if status.in_sync else f"{waiting:,} out of sync"
    if not status.has_database:
        state = "no database is configured"
    scores = ", ".join(f"{name} {_score(getattr(report.quality, name))}" for name in _SCORES)
    yield from (TITLE, "", f"Made {_time(report.made)}; history and runs since {_time(report.since)}.", "")
    yield f"- {where}, {at}; {'nothing' if status.clean else 'something'} changed since"
    yield f"- last sync: {_time(report.last_sync) if report.last_sync else 'never'}"
    yield f"- epics: {report.quality.epics:,}, {state}"
    yield f"- conflicts: {len(report.conflicts):,}"
    yield f"- quality: {scores}"
    if status.merging is not None:
        yield f"- the {status.merging.command} of {text(status.merging.name)} is not finished"
    if status.unfinished is not None:
        yield f"- an interrupted {text(status.unfinished)} is finished by the next command that writes"


def _out_of_sync(status: Status) -> list[str]:
    waiting = [epic for epic in status.epics if epic.state is not State.SYNCED]
    rows = [
        (epic.id, epic.path or "", epic.files.value, epic.db.value, epic.state.value, str(len(epic.fields)))
        for epic in waiting[:_EPICS]
    ]
    lines = _table(("epic", "file", "files since HEAD", "database since HEAD", "state", "fields"), rows)
    return _section("Out of sync", lines + _more(len(waiting) - len(rows), "epic"))


def _conflicts(found: Sequence[Question], sides: tuple[str, str]) -> list[str]:
    rows = []
    for question in found[:_CONFLICTS]:
        conflict, origins = question.conflict, question.origins
        label = str(conflict.label)
        rows.append((label, sides[0], _value(conflict.ours), since("", origins.ours)))
        rows.append(("", sides[1], _value(conflict.theirs), since("", origins.theirs)))
        rows.append(("", "agreed", _value(conflict.base), since("", origins.base)))
    lines = _table(("field", "side", "value", "since"), [(*row[:3], row[3].removeprefix(", ")) for row in rows])
    return _section("Conflicts", lines + _more(len(found) - _CONFLICTS, "conflict"))


def _quality(found: Quality) -> list[str]:
    scores: list[tuple[str, Score]] = [(name, getattr(found, name)) for name in _SCORES]
    lines = _table(
        ("score", "percent", "good", "of"),
        [(name, _score(score), f"{score.good:,}", f"{score.total:,}") for name, score in scores],
    )
    for name, score in scores:
        if score.places:
            rows = [(str(loss.label), loss.why, f"{loss.points:,}") for loss in score.losses[:_LOSSES]]
            lines += ["", f"What costs {name}:", "", *_table(("place", "what", "fields"), rows)]
            lines += _more(score.places - len(rows), "place")
    return _section("Quality of the data", lines)


def _history(report: Report) -> list[str]:
    rows = [
        (
            _time(commit.time),
            commit.id.hex()[:12],
            commit.author,
            commit.kind.value,
            ", ".join(report.names.get(commit.id.hex(), ())),
            commit.message.split("\n", 1)[0],
        )
        for commit in report.commits[:_COMMITS]
    ]
    lines = _table(("time", "commit", "author", "kind", "names", "message"), rows)
    return _section("History", (lines or ["Nothing was committed."]) + _more(len(report.commits) - len(rows), "commit"))


def _runs(found: Metrics) -> list[str]:
    rows = [_figures(command, part) for command, part in found.commands]
    if len(rows) > 1 and found.synchronising.runs:
        rows.insert(0, _figures("sync, pull, push", found.synchronising))
    head = ("command", "runs", "success", "conflict rate", "epics", "average", "median", "95 %")
    lines = _table(head, rows) or ["None is recorded."]
    failures = [
        (one.command, one.error or "bug", str(one.exit), f"{one.count:,}", _time(one.last))
        for one in found.failures[:_FAILURES]
    ]
    if failures:
        lines += ["", "Failures:", "", *_table(("command", "error", "exit", "times", "last"), failures)]
        lines += _more(len(found.failures) - len(failures), "kind")
    return _section("Runs", lines)


def _figures(name: str, found: Figures) -> tuple[str, ...]:
    rates = (_percent(found.success_rate), _percent(found.conflict_rate))
    times = (_duration(value) for value in (found.average_ms, found.median_ms, found.p95_ms))
    return (name, f"{found.runs:,}", *rates, f"{found.records:,}", *times)


def _schedule(found: Timetable | None) -> list[str]:
    if found is None or not found.epics:
        return []
    critical = sum(epic.critical for epic in found.epics)
    days = float(found.length / DAY)
    path = f"the critical path is {_count(len(found.critical), 'task')} of {_count(critical, 'epic')}"
    lines = [f"{found.start} to {found.end}, {days:,.1f} working days; {path}.", ""]
    chosen = sorted(found.epics, key=lambda epic: not epic.critical)[:_SCHEDULED]
    rows = [
        (
            epic.epic,
            epic.name,
            str(epic.start),
            str(epic.end),
            f"{float(epic.effort) / 60:,.1f} h",
            "yes" if epic.critical else "",
        )
        for epic in sorted(chosen, key=lambda epic: (epic.slot.start, epic.slot.end))
    ]
    lines += _table(("epic", "name", "start", "end", "work", "critical"), rows)
    lines += _more(len(found.epics) - len(rows), "epic")
    if found.warnings:
        lines += ["", *(f"- {text(warning)}" for warning in found.warnings[:_WARNINGS])]
        lines += _more(len(found.warnings) - _WARNINGS, "warning")
    return _section("Schedule", lines)


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", f"## {title}", "", *lines] if lines else []


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a table, or nothing if it has no rows."""
    lines = [_row(map(text, row)) for row in rows]
    return [_row(head), "|" + "---|" * len(head), *lines] if lines else []


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _more(number: int, noun: str) -> list[str]:
    return ["", f"… and {_count(number, f'more {noun}')}."] if number > 0 else []


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _value(value: Value) -> str:
    """Return a value as JSON, shortened if it is long."""
    if value is ABSENT:
        return "-"
    said = dumps_text(value, indent=None, item_sep=", ", key_sep=": ")
    return said if len(said) <= _LONG else f"{said[: _LONG - 1]}…"


def text(said: str) -> str:
    """Return text for a cell or a line, without markup and line ends.

    Characters on which a terminal or a browser would act are replaced.
    """
    shown = "".join(char if char.isprintable() else " " for char in said)
    shown = "".join(_ENTITIES.get(char, char) for char in shown)
    for char in "\\`*_{}[]|#~":
        shown = shown.replace(char, f"\\{char}")
    return shown


def _time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _score(score: Score) -> str:
    """Write a score; of nothing there is none."""
    return _percent(score.percentage) if score.total else "nothing to measure"


def _percent(value: float) -> str:
    return f"{value:g} %"


def _duration(milliseconds: float | None) -> str:
    if milliseconds is None:
        return "-"
    return f"{milliseconds:,.0f} ms" if milliseconds >= 10 else f"{milliseconds:.1f} ms"
