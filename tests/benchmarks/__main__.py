"""``python -m tests.benchmarks``: measure, print the table, write it to the documentation."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks import against, growth, report
from tests.benchmarks.scene import Scene, size_of
from tests.benchmarks.series import measuring, table
from tests.benchmarks.series.rows import BY_NAME as SERIES
from tests.benchmarks.works import BY_NAME, ROWS, measure

KEPT = Path(__file__).resolve().parents[2] / ".bench"
"""Where loads are kept; `make clean` removes it."""


ALL = ("all", "1")
"""What ``--series`` takes for all of them."""


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--epics", type=int, default=10_000, help="how large the load is")
    parser.add_argument("--rows", default="", help=f"some of {','.join(BY_NAME)}")
    parser.add_argument("--growth", default="", help="instead of the table: loads of these sizes, as in 1000,10000")
    parser.add_argument("--series", default="", help=f"instead of the table: all, or some of {','.join(SERIES)}")
    parser.add_argument("--against", default="", help="instead of the table: the rows by another commit, side by side")
    parser.add_argument("--page", action="store_true", help="measure nothing; write the page anew from the JSON")
    parser.add_argument("--keep", action="store_true", help="put the rows among those measured before")
    parser.add_argument("--runs", type=int, default=3, help="how often each work is measured")
    found = parser.parse_args()
    found.rows = [name for name in found.rows.split(",") if name] or list(BY_NAME)
    unknown = set(found.rows) - set(BY_NAME)
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(BY_NAME)}")
    found.series = list(SERIES) if found.series in ALL else [name for name in found.series.split(",") if name]
    unknown = set(found.series) - set(SERIES)
    if unknown:
        parser.error(f"no such series: {', '.join(sorted(unknown))}; there are {', '.join(SERIES)}")
    if found.epics < 10 or found.runs < 1:
        parser.error("--epics is 10 or more, --runs 1 or more")
    return found


def load_of(count: int) -> Path:
    """The load, made by another process: see :mod:`tests.benchmarks.measure` on memory."""
    make = "import sys; from pathlib import Path; from tests.benchmarks.load import kept_load; "
    make += "print(kept_load(int(sys.argv[1]), Path(sys.argv[2])))"
    said = subprocess.run(
        [sys.executable, "-c", make, str(count), str(KEPT)], check=True, capture_output=True, text=True
    )
    return Path(said.stdout.strip())


def tasks_in(load: Path) -> int:
    """How many tasks a load has: every one has one title."""
    found = subprocess.run(["grep", "-rhoc", '"title": "', str(load)], check=True, capture_output=True, text=True)
    return sum(map(int, found.stdout.split()))


def main() -> int:
    """Measure what the command line asks for; the exit code."""
    asked = parsed()
    KEPT.mkdir(exist_ok=True)
    if asked.page:
        report.write_page(report.read_figures())
    elif asked.series:
        return measure_series(asked.series, keep=asked.keep)
    elif asked.against:
        measure_against(asked)
    elif asked.growth:
        measure_growth([int(size) for size in asked.growth.split(",")], asked.runs)
    else:
        measure_table(asked)
    return 0


def measure_series(names: list[str], *, keep: bool) -> int:
    """What grows faster than n log n; 1 where anything does."""
    rows = []
    with tempfile.TemporaryDirectory(dir=KEPT, prefix="series-") as scratch:
        for name in names:
            found = measuring.measure(SERIES[name], Path(scratch))
            rows.append(found.as_json())
            tell(f"{name}: {'n log n' if found.holds else 'ABOVE n log n'}")
    sys.stdout.write(report.plain(table.cells(rows)) + "\n")
    if keep or set(names) == set(SERIES):
        report.write_series(rows, list(SERIES))
    above = [row["work"] for row in rows if not row["holds"]]
    for work in above:
        sys.stdout.write(f"above n log n: {work}\n")
    return int(bool(above))


def measure_table(asked: argparse.Namespace) -> None:
    """Every row against its reference."""
    results = []
    with scene_of(asked.epics) as scene:
        for result in measure(scene, asked.rows, asked.runs):
            results.append(result)
            tell(f"{result.row.name}: {result.verdict}")
        facts = {"epics": asked.epics, "tasks": tasks_in(scene.load), "bytes": size_of(scene.load)}
    order = [row.name for row in ROWS]
    results.sort(key=lambda result: order.index(result.row.name))
    rows = [result.as_json() for result in results]
    sys.stdout.write(report.plain(report.table(rows)) + "\n")
    run = report.describe(facts, rows, asked.runs)
    if set(asked.rows) == set(BY_NAME):
        report.write_figures(run)
    elif asked.keep:
        report.keep_rows(run, order)


def measure_against(asked: argparse.Namespace) -> None:
    """Every row by another commit too; says why where there is none."""
    try:
        name, script = against.built(KEPT.parent, asked.against, KEPT)
    except against.NoHistory as reason:
        sys.stdout.write(f"skipped: {reason}\n")
        return
    lines = [against.HEAD]
    with scene_of(asked.epics, alone=True) as now, scene_of(asked.epics, script, alone=True) as then:
        wanted = set(asked.rows) - {"memory"}
        lines += [tuple(pair.cells()) for pair in against.compare(now, then, wanted, asked.runs, tell)]
    sys.stdout.write(f"then: {name}, {asked.epics:,} epics, {asked.runs} runs of each\n{report.plain(lines)}\n")


def measure_growth(sizes: list[int], runs: int) -> None:
    """The daily works at several sizes, each written when done; at the middle one, for changes of several sizes."""
    for size in sorted(sizes):
        with scene_of(size) as scene:
            report.write_growth("by_size", growth.by_size(scene, runs, tell), runs)
            if len(sizes) > 1 and size == sorted(sizes)[(len(sizes) - 1) // 2]:
                report.write_growth("by_change", growth.by_change(scene, runs, tell), runs)
    sys.stdout.write(report.growth_tables(report.read_figures()["growth"]))


@contextmanager
def scene_of(count: int, script: Path | None = None, *, alone: bool = False) -> Iterator[Scene]:
    """A scene that is gone afterwards."""
    load = load_of(count)
    with tempfile.TemporaryDirectory(dir=KEPT, prefix="run-") as scratch:
        yield Scene(Path(scratch), load, count, script, alone=alone)


def tell(text: str) -> None:
    """Say how far it is, to who waits."""
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
