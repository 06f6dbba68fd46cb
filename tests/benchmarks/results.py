"""What was measured, against what was wanted. Values only; they travel as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from tests.benchmarks.measure import Sample, median

BEYOND = "s beyond"


@dataclass(frozen=True)
class Row:
    """A work to measure and its reference.

    Attributes:
        name: what ``ROWS=`` calls it.
        work: what epicvc does.
        reference: what it is measured against.
        bar: the most that epicvc may take, in times of the reference (or in ``unit``, without a reference).
        beyond: where it is as good as it can get; ``None`` where the bar is that already.
        unit: ``s`` or ``bytes``; ``s beyond``: the bar is in seconds of processor time beyond the reference, which is
            then a start that every command has.
    """

    name: str
    work: str
    reference: str
    bar: float
    beyond: float | None = None
    unit: str = "s"

    def judge(self, value: float | None) -> str:
        """Which of the two a value reaches."""
        if value is None:
            return "-"
        if value > self.bar:
            return "missed"
        return "beyond" if self.beyond is not None and value <= self.beyond else "bar"


@dataclass
class Result:
    """A measured row.

    Attributes:
        row: the row.
        ours: each run of epicvc.
        theirs: each run of the reference.
        size: bytes that epicvc takes, for rows of ``bytes``.
        their_size: bytes that the reference takes.
        note: what is missing, or what else has to be known.
    """

    row: Row
    ours: list[Sample] = field(default_factory=list)
    theirs: list[Sample] = field(default_factory=list)
    size: int | None = None
    their_size: int | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Times of the reference, by wall time or size."""
        if self.size is not None:
            return self.size / self.their_size if self.their_size else None
        if not self.ours or not self.theirs:
            return None
        return median(self.ours).wall / median(self.theirs).wall

    @property
    def cpu_ratio(self) -> float | None:
        """Times of the reference, by processor time."""
        if not self.ours or not self.theirs or not median(self.theirs).cpu:
            return None
        return median(self.ours).cpu / median(self.theirs).cpu

    @property
    def excess(self) -> float | None:
        """Seconds of processor time beyond the reference's."""
        return median(self.ours).cpu - median(self.theirs).cpu if self.ours and self.theirs else None

    @property
    def verdict(self) -> str:
        """``beyond``, ``bar``, ``missed``; ``-`` where there is nothing to judge."""
        if self.row.unit == BEYOND:
            return self.row.judge(self.excess)
        value = self.ratio
        if self.row.unit == "bytes" and self.their_size is None and self.size is not None:
            value = float(self.size)
        return self.row.judge(value)

    def as_json(self) -> dict[str, Any]:
        """As it is written."""
        value: dict[str, Any] = {**asdict(self.row), "verdict": self.verdict, "ratio": self.ratio, "note": self.note}
        if self.row.unit == "bytes":
            return {**value, "epicvc": self.size, "measured_against": self.their_size}
        if self.row.unit == BEYOND:
            value |= {"excess": self.excess}
        else:
            value |= {"cpu_ratio": self.cpu_ratio, "cpu_verdict": self.row.judge(self.cpu_ratio)}
        for name, samples in (("epicvc", self.ours), ("measured_against", self.theirs)):
            value[name] = {**asdict(median(samples)), "runs": [asdict(s) for s in samples]} if samples else None
        return value
