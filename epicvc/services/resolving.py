"""``resolve``: settle conflicts without a terminal, by side or by value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

from epicvc.errors import InvalidField, NotFound, UsageError
from epicvc.jsonio import JSON
from epicvc.merge.threeway import ABSENT, Chosen, Conflict, Value, same
from epicvc.model.document import Core, misfit, read_file_epic, tasks_of
from epicvc.model.labels import Label, Selection
from epicvc.model.mapping import Mapping
from epicvc.plan import Policy
from epicvc.plan.plan import decide_labels
from epicvc.repo.repository import Repo
from epicvc.services.questions import ResolveReport
from epicvc.services.status import read_status
from epicvc.services.sync import synchronise

PREFERENCES = ("files", "db", "base")


@dataclass(frozen=True)
class Resolution:
    """What a user wants for the conflicts at or below a label; ``None`` is every conflict."""

    label: Label | None
    choose: Callable[[Conflict], Chosen]


def prefer(side: str) -> Callable[[Conflict], Chosen]:
    """Take the value of ``files``, ``db`` or ``base``.

    Raises:
        UsageError: there is no such side.
    """
    picks: dict[str, Callable[[Conflict], Value]] = {
        "files": lambda conflict: conflict.ours,
        "db": lambda conflict: conflict.theirs,
        "base": lambda conflict: conflict.base,
    }
    if side not in picks:
        raise UsageError(f"--prefer takes {', '.join(PREFERENCES)}, not {side!r}")
    pick = picks[side]
    return lambda conflict: Chosen(pick(conflict))


def set_value(value: JSON) -> Callable[[Conflict], Chosen]:
    """Take a given value; null removes the field."""
    return lambda _: Chosen(ABSENT if value is None else value)


def _if_still(chosen: Chosen, seen: Conflict, conflict: Conflict) -> Chosen | None:
    """What was chosen for a conflict, while it still is the one that was seen; an edit since leaves it open."""
    pairs = ((seen.base, conflict.base), (seen.ours, conflict.ours), (seen.theirs, conflict.theirs))
    return chosen if all(same(*pair) for pair in pairs) else None


def resolve(repo: Repo, resolutions: list[Resolution], *, dry_run: bool = False) -> ResolveReport:
    """Settle conflicts; everything else stays as it is.

    Raises:
        NotFound: a label names no conflict.
        InvalidField: a given value does not fit its field.
    """
    before = read_status(repo).conflicts
    chosen: list[tuple[Label, Callable[[Conflict], Chosen | None]]] = []
    for resolution in resolutions:
        matches = [c for c in before if resolution.label is None or resolution.label.covers(c.label)]
        if resolution.label is not None and not matches:
            raise NotFound(f"{resolution.label} is no conflict", hint="see `epicvc status`")
        for conflict in matches:
            settled = _fitting(repo.config.mapping, conflict, resolution.choose(conflict))
            chosen.append((conflict.label, partial(_if_still, settled, conflict)))
    report = ResolveReport(left=before)
    if not chosen:
        return report
    labels = tuple(dict.fromkeys(label for label, _ in chosen))
    policy = Policy(selection=Selection(labels), decide=decide_labels(chosen), policies=repo.config.policies)
    done = synchronise(repo, policy, command="resolve", dry_run=dry_run, message=f"resolve {_named(labels)}")
    report.commit = done.commit
    left = {conflict.label for conflict in done.conflicts}
    report.settled = [label for label in labels if label not in left]
    report.left = [*(conflict for conflict in before if conflict.label not in labels), *done.conflicts]
    return report


def _named(labels: tuple[Label, ...]) -> str:
    shown = " ".join(map(str, labels[:3]))
    return shown if len(labels) <= 3 else f"{shown} and {len(labels) - 3} more"


def _fitting(mapping: Mapping, conflict: Conflict, chosen: Chosen) -> Chosen:
    """The chosen value as a core has it; refused, before anything else is done, where no column could hold it.

    Raises:
        InvalidField: it does not fit its field.
        InvalidFile: it is no epic or no task.
    """
    value, path = chosen.value, conflict.label.path
    if value is ABSENT:
        return chosen
    if not path:
        return Chosen(cast("JSON", _core(mapping, conflict.label.root, value)))
    if len(path) == 2 and path[0] == Mapping.TASKS:
        task = {**value, "id": path[1]} if isinstance(value, dict) else value
        (whole,) = tasks_of(_core(mapping, conflict.label.root, {Mapping.TASKS: [task]}))
        return Chosen(cast("JSON", whole))
    columns = mapping.tasks if len(path) == 3 and path[0] == Mapping.TASKS else mapping.epics
    spec = columns.by_name.get(path[-1]) if len(path) in (1, 3) else None
    problem = misfit(value, spec.kind) if spec is not None else None
    if problem:
        raise InvalidField(str(conflict.label), problem)
    return chosen


def _core(mapping: Mapping, epic: str, value: JSON) -> Core:
    whole = {**value, "id": epic} if isinstance(value, dict) else value
    return read_file_epic(whole, mapping, "--set").core
