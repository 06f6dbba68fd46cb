"""The same works by another commit of the project, side by side: what has become slower, and what quicker.

Both commits do each work in turn, each first as often as the other, in repos of their own that were made from one load.
References of other tools are left out: what counts is the ratio of the two.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from tests.benchmarks import report
from tests.benchmarks.measure import CommandFailed, Sample, median
from tests.benchmarks.results import Row
from tests.benchmarks.scene import Scene
from tests.benchmarks.works import BY_NAME, GROUPS

SLOWER = 1.1
"""From how many times of the other commit on a work counts as slower."""


class NoHistory(Exception):
    """There is no such commit here: not a clone, a shallow one, or another name."""


@dataclass
class Pair:
    """A work as both commits do it.

    Attributes:
        row: the work.
        now: each run of the code as it is.
        then: each run of the other commit.
        sizes: bytes that the work left, of now and of then, where it is about a size.
        note: why there is nothing to compare.
    """

    row: Row
    now: list[Sample] = field(default_factory=list)
    then: list[Sample] = field(default_factory=list)
    sizes: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Times of the other commit, by wall time or by size."""
        if self.sizes[0] and self.sizes[1]:
            return self.sizes[0][-1] / self.sizes[1][-1]
        if not self.now or not self.then:
            return None
        return median(self.now).wall / median(self.then).wall

    @property
    def cpu_ratio(self) -> float | None:
        """The same by processor time."""
        if not self.now or not self.then or not median(self.then).cpu:
            return None
        return median(self.now).cpu / median(self.then).cpu

    def cells(self) -> list[str]:
        """Return the pair as a line of the table."""
        if self.ratio is None:
            return [self.row.work, "–", "–", "–", "–", self.note or "not measured"]
        verdict = "slower" if self.ratio > SLOWER else "as quick" if self.ratio > 1 / SLOWER else "quicker"
        if self.sizes[0]:
            now, then = (f"{side[-1] / 1e6:,.1f} MB" for side in self.sizes)
            return [self.row.work, now, then, f"{self.ratio:.2f}×", "–", verdict.replace("quick", "small")]
        now, then = (report.seconds(median(side).wall) for side in (self.now, self.then))
        cpu = "–" if self.cpu_ratio is None else f"{self.cpu_ratio:.2f}×"
        return [self.row.work, now, then, f"{self.ratio:.2f}×", cpu, verdict]


def built(root: Path, revision: str, kept: Path) -> tuple[str, Path]:
    """Build another commit in an environment of its own, once.

    Args:
        root: the project.
        revision: the commit, as git names it.
        kept: where builds stay.

    Returns:
        Its short name, and its ``epicvc``.

    Raises:
        NoHistory: there is no such commit here.
    """
    asked = ("git", "-C", str(root), "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if shutil.which("git") is None or (found := subprocess.run(asked, capture_output=True, text=True)).returncode:
        raise NoHistory(f"there is no commit {revision} here")
    name = found.stdout.strip()[:12]
    place = kept / f"commit-{name}"
    script = place / ".venv" / "bin" / "epicvc"
    if not script.exists():
        shutil.rmtree(place, ignore_errors=True)
        archive = subprocess.run(("git", "-C", str(root), "archive", name), capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(place, filter="data")
        subprocess.run((sys.executable, "-m", "venv", str(place / ".venv")), check=True)
        pip = (str(place / ".venv" / "bin" / "python"), "-m", "pip", "--disable-pip-version-check")
        subprocess.run((*pip, "install", "--quiet", "--editable", str(place)), check=True)
    return name, script


def compare(now: Scene, then: Scene, wanted: Collection[str], runs: int, told: Callable[[str], None]) -> Iterator[Pair]:
    """Have both commits do the wanted works in turn.

    Args:
        now: where the code as it is works.
        then: where the other commit does.
        wanted: names of rows.
        runs: how often each of them does each work.
        told: is told how far it is.

    Yields:
        One pair for each wanted row. Those that no commit got to are the last.
    """
    missing = {name: Pair(BY_NAME[name]) for name in BY_NAME if name in wanted}
    for group in GROUPS:
        pairs: dict[str, Pair] = {}
        try:
            for scene in chain.from_iterable((now, then) if turn % 2 else (then, now) for turn in range(runs)):
                for result in group(scene, wanted, 1):
                    pair = pairs.setdefault(result.row.name, Pair(result.row))
                    (pair.now if scene is now else pair.then).extend(result.ours)
                    if result.size is not None:
                        pair.sizes[scene is then].append(result.size)
        except CommandFailed as failure:  # it would fail in the next turn too
            told(f"{'now' if scene is now else 'then'}: {failure}")
            for pair in pairs.values():
                pair.note = "one of them cannot do it"
        for name, pair in pairs.items():
            told(f"{name}: {' '.join(pair.cells()[3:])}")
            missing.pop(name, None)
            yield pair
    yield from missing.values()


HEAD = ("work", "now", "then", "ratio", "by cpu", "is")
