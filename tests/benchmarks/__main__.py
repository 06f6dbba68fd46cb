"""``python -m tests.benchmarks``: measure, print the table, write it to the documentation."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks import report
from tests.benchmarks.scene import Scene, size_of
from tests.benchmarks.works import BY_NAME, ROWS, measure

KEPT = Path(__file__).resolve().parents[2] / ".bench"
"""Where loads are kept; `make clean` removes it."""


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--epics", type=int, default=10_000, help="how large the load is")
    parser.add_argument("--rows", default="", help=f"some of {','.join(BY_NAME)}")
    parser.add_argument("--runs", type=int, default=3, help="how often each work is measured")
    found = parser.parse_args()
    found.rows = [name for name in found.rows.split(",") if name] or list(BY_NAME)
    unknown = set(found.rows) - set(BY_NAME)
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(BY_NAME)}")
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


def main() -> None:
    """Measure what the command line asks for."""
    asked = parsed()
    load = load_of(asked.epics)
    KEPT.mkdir(exist_ok=True)
    results = []
    with tempfile.TemporaryDirectory(dir=KEPT, prefix="run-") as scratch:
        for result in measure(Scene(Path(scratch), load, asked.epics), asked.rows, asked.runs):
            results.append(result)
            sys.stderr.write(f"{result.row.name}: {result.verdict}\n")
    order = [row.name for row in ROWS]
    results.sort(key=lambda result: order.index(result.row.name))
    rows = [result.as_json() for result in results]
    sys.stdout.write(report.plain(rows) + "\n")
    if set(asked.rows) == set(BY_NAME):
        facts = {"epics": asked.epics, "tasks": tasks_in(load), "bytes": size_of(load)}
        report.write_figures(report.describe(facts, rows, asked.runs))


if __name__ == "__main__":
    main()
