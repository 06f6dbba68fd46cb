"""The table, on the terminal and in the documentation. Everything in it comes from the JSON beside it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sqlite3
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.benchmarks.results import BEYOND
from tests.benchmarks.series import table as series

FORMAT = "epicvc.bench/1"
DOCS = Path(__file__).resolve().parents[2] / "docs"
_HEAD = ("work", "epicvc", "cpu", "peak", "reference", "takes", "cpu", "ratio", "by cpu", "bar", "beyond", "holds")

_INTRODUCTION = """# Benchmarks

Written by `make bench`; the figures are also in `benchmarks.json`, run by run. Each work is measured against a
reference in the same run, in turns, so that what else the machine does hits both. Times are medians of wall time,
*cpu* is user and system time over all threads, *peak* the most memory of any run. *ratio* is epicvc's wall time (or
size) over the reference's, and is what the bar is about; *by cpu* is the same of processor time, which tells what
is the program's from what else the machine was doing (its load average). A bar with a plus is about the processor time
beyond the reference's. A bar that does not hold says **missed**.
`make bench N=1000` measures a smaller load, `make bench ROWS=status,sync` some rows; with `KEEP=1` these are written
here too, and say when they were measured. `make bench GROWTH=1000,10000` measures what grows with the epics, and
`make bench SERIES=all` whether anything grows faster than n log n. `make bench AGAINST=HEAD~10` measures the rows by
another commit of the project, side by side. What the time goes to, and what it would take to
go further, is in [Performance](performance.md).
"""


_SERIES = """## Nothing above n log n

Written by `make bench SERIES=all`: what a command costs as its one input grows to 1, 2, 4 and 8 times *n*, in seconds
of processor time beyond the *start*, which is the same command with next to nothing to do. *steps* are the times from
each size to the next. *to the reference* is by how many times more it grew from 2 to 8 times *n* than work that is
linear and was measured in turns with it (writing and reading JSON); what n log n has, and 1.3 times that for what
else the machine does, is the limit. A work that is above it is measured up to three times, and then the run ends with
exit code 1. {at}, {cores} cores, load average {load_average}, python {python}.
"""


def machine() -> dict[str, Any]:
    """What measured: hardware and versions, no names."""
    return {
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "load_average": round(os.getloadavg()[1], 1),
        "system": platform.system(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "typer": version("typer"),
        **{name: _version(command) for name, command in _PROGRAMS.items()},
    }


_PROGRAMS = {"git": ("git", "--version"), "restic": ("restic", "version"), "sqlite3": ("sqlite3", "--version")}


def _version(command: tuple[str, ...]) -> str | None:
    if shutil.which(command[0]) is None:
        return None
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return next((word for word in said if word[0].isdigit()), None)


def describe(load: dict[str, Any], rows: list[dict[str, Any]], runs: int) -> dict[str, Any]:
    """One run as it is written."""
    return {**load, "at": datetime.now(UTC).strftime("%Y-%m-%d"), "runs": runs, "machine": machine(), "rows": rows}


def table(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """The cells, headings first."""
    return [_HEAD, *map(_cells, rows)]


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    shown = _megabytes if row["unit"] == "bytes" else seconds
    ours, theirs = row["epicvc"], row["measured_against"]
    beyond = row["unit"] == BEYOND
    absolute = beyond or (row["unit"] == "bytes" and row["ratio"] is None)
    limit = shown if absolute else _times
    verdict = f"**{row['verdict']}**" if row["verdict"] == "missed" else row["verdict"]
    if row.get("cpu_verdict", row["verdict"]) != row["verdict"]:
        verdict += f" (by cpu: {row['cpu_verdict']})"
    return (
        row["work"],
        *_figures(ours, shown),
        row["reference"],
        *_figures(theirs, shown)[:2],
        "–" if beyond else _times(row["ratio"]),
        f"+{shown(row['excess'])}" if beyond and row["excess"] is not None else _times(row.get("cpu_ratio")),
        f"≤ {'+' if beyond else ''}{limit(row['bar'])}",
        f"≤ {limit(row['beyond'])}" if row["beyond"] is not None else "–",
        "; ".join(filter(None, (verdict, row["note"], _own_time(row)))),
    )


def _own_time(row: dict[str, Any]) -> str:
    return f"{row['at']}, load average {row['load_average']}" if "at" in row else ""


def _figures(measured: Any, shown: Any) -> tuple[str, str, str]:
    if isinstance(measured, dict):
        return shown(measured["wall"]), shown(measured["cpu"]), _megabytes(measured["peak"])
    return (shown(measured) if measured is not None else "–"), "–", "–"


def seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def _megabytes(value: float) -> str:
    return f"{value / 1e6:.0f} MB" if value >= 1e7 else f"{value / 1e6:.2f} MB"


def _times(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}×"


def plain(cells: list[tuple[str, ...]]) -> str:
    """A table for a terminal."""
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)


def markdown(cells: list[tuple[str, ...]]) -> str:
    """The table for a page."""
    head, *body = cells
    lines = [head, tuple("---" for _ in head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def read_figures() -> dict[str, Any]:
    """What was measured before."""
    path = DOCS / "benchmarks.json"
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if found.get("format") == FORMAT:
            return found
    return {"format": FORMAT, "loads": []}


def write_figures(run: dict[str, Any]) -> None:
    """Put a run in the place of the last one with the same load, and write the page anew."""
    figures = read_figures()
    others = [load for load in figures["loads"] if load["epics"] != run["epics"]]
    figures["loads"] = sorted([*others, run], key=lambda load: -load["epics"])
    _write(figures)


def keep_rows(run: dict[str, Any], order: list[str]) -> None:
    """Put some rows in the place of those of the last run with the same load; each says when it was measured.

    Args:
        run: what was measured.
        order: the names of all rows.
    """
    figures = read_figures()
    (load,) = (load for load in figures["loads"] if load["epics"] == run["epics"])
    own = {"at": run["at"], "load_average": run["machine"]["load_average"]}
    rows = {row["name"]: row for row in load["rows"]} | {row["name"]: {**row, **own} for row in run["rows"]}
    load["rows"] = [rows[name] for name in order if name in rows]
    _write(figures)


def _write(figures: dict[str, Any]) -> None:
    (DOCS / "benchmarks.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    write_page(figures)


def write_page(figures: dict[str, Any]) -> None:
    """Write the page of these figures."""
    (DOCS / "benchmarks.md").write_text(page(figures), encoding="utf-8")


def write_growth(part: str, rows: list[dict[str, Any]], runs: int) -> None:
    """Put what grows in the place of the last such measurement: by size that of the same loads, by change the whole."""
    figures = read_figures()
    growth = figures.setdefault("growth", {"by_size": [], "by_change": []})
    measured = {row["epics"] for row in rows}
    kept = [row for row in growth[part] if part == "by_size" and row["epics"] not in measured]
    facts = {"at": datetime.now(UTC).strftime("%Y-%m-%d"), "runs": runs, "machine": machine()}
    growth.update({**facts, part: sorted([*kept, *rows], key=lambda row: row["epics"])})
    _write(figures)


def write_series(rows: list[dict[str, Any]], order: list[str]) -> None:
    """Put series in the places of their last measurements.

    Args:
        rows: what was measured.
        order: the names of all series; others are not kept.
    """
    figures = read_figures()
    known = {row["name"]: row for row in (*figures.get("series", {"rows": ()})["rows"], *rows)}
    kept = [known[name] for name in order if name in known]
    figures["series"] = {"at": datetime.now(UTC).strftime("%Y-%m-%d"), "machine": machine(), "rows": kept}
    _write(figures)


def growth_tables(growth: dict[str, Any]) -> str:
    """What grows with the epics, and what with the change."""
    sizes = {row["epics"] for row in growth["by_change"]}
    return _growth_table(growth["by_size"], "epics", "epics") + "".join(
        f"\nThe same at {epics:,} epics, by the number of edits in files, and as many in the database:\n\n"
        + _growth_table(growth["by_change"], "edits", "edits")
        for epics in sizes
    )


def _growth_table(rows: list[dict[str, Any]], key: str, noun: str) -> str:
    sizes = sorted({row[key] for row in rows})
    cells = {(row["work"], row[key]): row for row in rows}
    lines = [("work", *(f"{size:,} {noun}" for size in sizes))]
    for work in dict.fromkeys(row["work"] for row in rows):
        found = [cells.get((work, size)) for size in sizes]
        lines.append((work, *(_grown(row) if row else "–" for row in found)))
    return markdown(lines) + "\n"


def _grown(row: dict[str, Any]) -> str:
    return f"{seconds(row['wall'])}, cpu {seconds(row['cpu'])}, {_megabytes(row['peak'])}"


def page(figures: dict[str, Any]) -> str:
    """The whole page."""
    parts = [_INTRODUCTION]
    for load in figures["loads"]:
        facts = ", ".join(f"{name} {value}" for name, value in load["machine"].items() if value is not None)
        parts.append(
            f"## {load['epics']:,} epics\n\n{load['bytes'] / 1e6:.0f} MB of JSON, {load['tasks']:,} tasks. "
            f"{load['at']}, {load['runs']} runs (start-up five times, status twice as many), on: {facts}.\n"
        )
        parts.append(markdown(table(load["rows"])) + "\n")
    growth = figures.get("growth")
    if growth:
        parts.append(
            "## Growth\n\nThe daily works after 10 edits, or 10 on each side: wall time, processor time, peak memory. "
            f"{growth['at']}, medians of {growth['runs']} runs.\n"
        )
        parts.append(growth_tables(growth))
    if "series" in figures:
        parts.append(_SERIES.format(**figures["series"], **figures["series"]["machine"]))
        parts.append(markdown(series.cells(figures["series"]["rows"])) + "\n")
    return "\n".join(parts)
