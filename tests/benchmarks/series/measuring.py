"""Measures series: each size on ground of its own, in turns with the reference.

What else the machine does only adds time, so that the least of several runs counts. A series that grows too fast is
measured again before that is believed.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.benchmarks.measure import Command
from tests.benchmarks.scene import REFERENCES
from tests.benchmarks.series.ground import Ground
from tests.benchmarks.series.values import NOTHING, TIMES, Grown, Series

_AGAIN: Final = 2
"""How often a series is measured once more that grows too fast."""

_REFERENCE: Final = 15_000
"""What the reference works on at the smallest size: about 0.025 seconds."""

_REFERENCE_RUNS: Final = 2


def measure(series: Series, scratch: Path) -> Grown:
    """Measure a series at all its sizes.

    Args:
        series: it.
        scratch: a directory for what is made.
    """
    found = _measured(series, scratch)
    for _ in range(_AGAIN):
        if found.holds:
            break
        found = found.least(_measured(series, scratch))
    return found


def _measured(series: Series, scratch: Path) -> Grown:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(scratch),
        "EPICVC_STATE_DIR": str(scratch / "state"),
        "LC_ALL": "C.UTF-8",
        "TMPDIR": str(scratch),
        "EPICVC_AUTHOR": "bench",
    }
    seconds, reference = {}, {}
    for times in (NOTHING, *TIMES):
        size = times * series.size
        seconds[size] = _seconds(series, scratch, size, environment)
        linear = Command((sys.executable, str(REFERENCES / "linear.py"), str(times * _REFERENCE)), scratch, environment)
        reference[size] = min(linear.run().cpu for _ in range(_REFERENCE_RUNS))
    return Grown(series, seconds, reference)


def _seconds(series: Series, scratch: Path, size: int, environment: Mapping[str, str]) -> float:
    """Processor time of the command on an input of a size, which is gone afterwards."""
    directory = Path(tempfile.mkdtemp(dir=scratch))
    try:
        return series.prepare(Ground(directory, environment), size).run().cpu
    finally:
        shutil.rmtree(directory)
