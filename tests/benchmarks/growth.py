"""What grows with the number of epics and what with the size of a change: the daily works, without references."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from tests.benchmarks.measure import Sample, median
from tests.benchmarks.scene import Scene
from tests.benchmarks.works import EDITS

CHANGES = (1, 10, 100, 1000)
"""Sizes of a change: edits in files, and as many in the database."""

FIRST = "first `sync` into an empty database"
Report = Callable[[str], object]


def works(edits: int) -> dict[str, Callable[[Scene], Sample]]:
    """The works after ``edits`` edits on each side that have any, in the order in which they follow one another."""

    def commit(scene: Scene) -> Sample:
        scene.edit_files(edits)
        return scene.run_in(scene.synced, "commit", "-m", "edited")

    def sync(scene: Scene) -> Sample:
        scene.run_in(scene.synced, "sync")
        scene.edit_files(edits)
        scene.edit_database(edits)
        return scene.run_in(scene.synced, "sync")

    def porcelain(scene: Scene) -> Sample:
        scene.run_in(scene.synced, "status", "--porcelain")
        return scene.run_in(scene.synced, "status", "--porcelain")

    def checkout(scene: Scene) -> Sample:
        done = scene.run_in(scene.synced, "checkout", "HEAD~1")
        scene.run_in(scene.synced, "switch", "main")
        return done

    return {
        "clean `status`": lambda scene: scene.run_in(scene.synced, "status"),
        "clean `status --porcelain`, asked again": porcelain,
        "`commit` after edits in files": commit,
        "`diff HEAD~1` after that": lambda scene: scene.run_in(scene.synced, "diff", "HEAD~1"),
        "`sync` after edits on both sides": sync,
        "`checkout HEAD~1` after that": checkout,
    }


def by_size(scene: Scene, runs: int, tell: Report) -> list[dict[str, Any]]:
    """All works at one number of epics."""
    rows = [_row(FIRST, scene, EDITS, [scene.run_in(scene.fresh(), "sync")])]
    return rows + list(_measured(scene, EDITS, runs, tell))


def by_change(scene: Scene, runs: int, tell: Report) -> list[dict[str, Any]]:
    """The works that depend on the change, for each size of it."""
    rows: list[dict[str, Any]] = []
    for edits in CHANGES:
        if edits * 10 <= scene.count:  # a change, not another load
            rows += [row for row in _measured(scene, edits, runs, tell) if not row["work"].startswith("clean")]
    return rows


def _measured(scene: Scene, edits: int, runs: int, tell: Report) -> Iterator[dict[str, Any]]:
    measured: dict[str, list[Sample]] = {}
    for turn in range(runs + (runs > 1)):
        for name, work in works(edits).items():
            sample = work(scene)
            if turn or runs == 1:  # of several, the first is not measured
                measured.setdefault(name, []).append(sample)
    for name, samples in measured.items():
        tell(f"{scene.count} epics, {edits} edits, {name}: {median(samples).wall:.2f} s")
        yield _row(name, scene, edits, samples)


def _row(name: str, scene: Scene, edits: int, samples: Sequence[Sample]) -> dict[str, Any]:
    return {"work": name, "epics": scene.count, "edits": edits, **asdict(median(samples))}
