"""Tries single inputs again: ``PYTHONPATH=tests python -m fuzz NAME SEED [LAST_SEED]``, or ``all`` for every kind."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from fuzz.scene import Scene
from fuzz.targets import TARGETS


def main() -> int:
    """Print what is wrong, and how long an input took."""
    chosen, first, *last = sys.argv[1:]
    seeds = range(int(first), int(last[0] if last else first) + 1)
    found = 0
    with tempfile.TemporaryDirectory() as place:
        scene = Scene(Path(place))
        for name in TARGETS if chosen == "all" else chosen.split(","):
            began = time.monotonic()
            problems = [f"{name!r}, seed {seed}: {problem}" for seed in seeds for problem in scene.attempt(name, seed)]
            found += len(problems)
            sys.stdout.writelines(f"{problem}\n" for problem in problems)
            each = (time.monotonic() - began) / len(seeds) * 1000
            sys.stdout.write(f"{name}: {len(seeds)} inputs, {each:.0f} ms each\n")
            sys.stdout.flush()
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
