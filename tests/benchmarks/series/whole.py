"""Series of whole repos: many epics, a long history, a long plan."""

from __future__ import annotations

from tests.benchmarks.measure import Command
from tests.benchmarks.series.ground import Ground, task
from tests.benchmarks.series.values import Series

_TASKS = 10
"""Tasks of an epic."""


def _epics(ground: Ground, n: int) -> None:
    for k in range(n):
        found = [task(0, id=f"{k}.{t}", estimate_minutes=60 + t) for t in range(_TASKS)]
        ground.epic(str(k), found, duration_description=f"{1 + k % 9} days")


def schedule(ground: Ground, n: int) -> Command:
    """Tasks that depend on each other in one chain, with the start of another at each."""
    found = [task(k, estimate_minutes=60 + k % 7, dependencies=[f"t{k - 1}"] if k else []) for k in range(n)]
    ground.epic(tasks=found)
    ground.initialise()
    return ground.epicvc("plan", "--schedule")


def enrich(ground: Ground, n: int) -> Command:
    """Epics, for the first time."""
    _epics(ground, n)
    ground.initialise()
    return ground.epicvc("enrich", "-q")


def enrich_large(ground: Ground, n: int) -> Command:
    """One epic, for the first time."""
    ground.epic(tasks=[task(k, estimate_minutes=60) for k in range(n)], duration_description="3 weeks")
    ground.initialise()
    return ground.epicvc("enrich", "-q")


def fsck(ground: Ground, n: int) -> Command:
    """The store of epics."""
    _epics(ground, n)
    ground.initialise()
    return ground.epicvc("fsck")


def log(ground: Ground, n: int) -> Command:
    """Commits, all of them."""
    ground.epic()
    ground.initialise()
    ground.commit(n)
    return ground.epicvc("log")


def fsck_history(ground: Ground, n: int) -> Command:
    """The store of a long history."""
    ground.epic()
    ground.initialise()
    ground.commit(n)
    return ground.epicvc("fsck")


ROWS = (
    Series("schedule", "`plan --schedule` of a chain of n tasks", 500, schedule),
    Series("enrich", "`enrich` of n epics", 40, enrich),
    Series("enrich-large", "`enrich` of one epic of n tasks", 500, enrich_large),
    Series("fsck", "`fsck` of n epics", 50, fsck),
    Series("fsck-history", "`fsck` of n commits", 1000, fsck_history),
    Series("log", "`log` of n commits", 1000, log),
)
