"""All series, by name."""

from __future__ import annotations

from tests.benchmarks.series import files, sides, whole

ROWS = (*files.ROWS, *sides.ROWS, *whole.ROWS)
BY_NAME = {row.name: row for row in ROWS}
