"""``PYTHONPATH=tests python -m mutation``: makes mutants, runs the tests that reach each, prints who survives.

Tests that run a function are found first, in one run that notes them. A mutant is then tried by these alone, the
quickest first, until one fails. Tests that read data from outside the project are not among them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mutation import plugin
from mutation.mutants import Mutant, modules, sample

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "epicvc"

TESTS = (
    "tests/merge",
    "tests/plan",
    "tests/files",
    "tests/actions",
    "tests/repo",
    "tests/gitlink",
    "tests/end_to_end/test_branch_moves.py",
    "tests/end_to_end/test_crashes.py",
    "tests/end_to_end/test_files_that_come_back.py",
    "tests/end_to_end/test_merge.py",
    "tests/end_to_end/test_merge_unreadable.py",
    "tests/end_to_end/test_own_edits.py",
    "tests/end_to_end/test_portions.py",
    "tests/end_to_end/test_rollback.py",
    "tests/end_to_end/test_saved_meanwhile.py",
    "tests/end_to_end/test_unreadable.py",
    "tests/end_to_end/test_unsynced_moves.py",
)
"""Where tests are looked for; slow ones and those on data from outside are left out."""

AT_MOST = 60
"""Tests that try one mutant."""

SECONDS = 120
"""How long they may take: a mutant that never ends is seen by that."""

GOAL = 0.9
"""How many of the mutants are to be killed."""


def noted(scratch: Path, tests: Sequence[str]) -> dict[tuple[str, int], list[tuple[float, str]]]:
    """Run tests once; return which of them, with their seconds, run which function."""
    files = [str(PACKAGE / path) for path in modules(PACKAGE)]
    environment = {plugin.NOTES: str(scratch / "notes"), plugin.MODULES: "\n".join(files)}
    run_pytest(("-n", "auto", "-m", "not slow", "-k", "not real", *tests), environment, None)
    found: dict[tuple[str, int], list[tuple[float, str]]] = defaultdict(list)
    for notes in scratch.glob("notes*"):
        for line in notes.read_text("utf-8").splitlines():
            name, seconds, functions = json.loads(line)
            for path, first in functions:
                found[Path(path).relative_to(PACKAGE).as_posix(), first].append((seconds, name))
    for known in found.values():
        known.sort()
    return found


def run_pytest(arguments: Sequence[str], environment: Mapping[str, str], seconds: float | None) -> int:
    """Run pytest with the plugin; return its exit code, or -1 where it takes too long."""
    command = (sys.executable, "-m", "pytest", "-q", "-p", "mutation.plugin", "-p", "no:cacheprovider", *arguments)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("EPICVC_")}
    given = {**inherited, "PYTHONPATH": str(ROOT / "tests"), **environment}
    try:
        done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return -1
    return done.returncode


def survives(mutant: Mutant, tests: Sequence[str], scratch: Path, number: int) -> bool:
    """Tell whether no test notices a mutant."""
    if not tests:
        return True
    source = scratch / f"mutant{number}.py"
    source.write_bytes(mutant.apply((PACKAGE / mutant.path).read_bytes()))
    module = "epicvc." + mutant.path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    place = scratch / f"tmp{number}"
    place.mkdir()
    environment = {plugin.MODULE: module, plugin.SOURCE: str(source), "TMPDIR": str(place)}
    arguments = ("-x", "-n", "0", "-p", "no:randomly", *tests)
    return run_pytest(arguments, environment, SECONDS) == 0


def main() -> int:
    """Print the survivors and the figure; 1 where too many survive."""
    parser = argparse.ArgumentParser(prog="python -m mutation", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="how many mutants")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    parser.add_argument("--only", default="", help="modules whose path has this in it")
    parser.add_argument("--tests", nargs="*", default=TESTS, help="where tests are looked for")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        scratch = Path(place)
        reached = noted(scratch, asked.tests)
        chosen = [mutant for mutant in sample(PACKAGE, asked.count, asked.seed) if asked.only in mutant.path]

        def tried(numbered: tuple[int, Mutant]) -> bool:
            number, mutant = numbered
            tests = [name for _, name in reached.get((mutant.path, mutant.function), ())[:AT_MOST]]
            alive = survives(mutant, tests, scratch, number)
            if alive:
                sys.stdout.write(f"alive ({len(tests)} tests): {mutant}\n")
                sys.stdout.flush()
            return alive

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            alive = sum(pool.map(tried, enumerate(chosen)))
    killed = len(chosen) - alive
    sys.stdout.write(f"{killed} of {len(chosen)} mutants killed, {killed / max(len(chosen), 1):.0%}\n")
    return int(killed < GOAL * len(chosen))


if __name__ == "__main__":
    sys.exit(main())
