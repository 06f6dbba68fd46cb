"""What tells n log n from more, and that every series can be measured."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benchmarks import __main__, report
from tests.benchmarks.series import measuring, table
from tests.benchmarks.series.rows import BY_NAME, ROWS
from tests.benchmarks.series.values import NOTHING, Grown, Series

SERIES = Series("x", "a work", 500, lambda ground, _: ground.epicvc("--version"))


def grown(price: Callable[[int], float], linear: float = 0.05) -> Grown:
    seconds = {size: 0.1 + (price(size) if size else 0) for size in (NOTHING, *SERIES.sizes)}
    reference = {size: 0.02 + linear * size / 500 for size in (NOTHING, *SERIES.sizes)}
    return Grown(SERIES, seconds, reference)


@pytest.mark.parametrize(
    ("price", "holds"),
    [
        (lambda n: n / 4000, True),
        (lambda n: n * math.log(n) / 32_000, True),
        (lambda n: n / 8000 + (n / 4000) ** 2, False),
        (lambda n: (n / 4000) ** 2, False),
        (lambda n: (n / 4000) ** 3, False),
        (lambda _: 0.3, True),
        (lambda _: 0.0, True),
        (lambda n: 2.0 if n == 4000 else 0.0, False),
    ],
)
def test_what_grows_too_fast(price: Callable[[int], float], holds: bool) -> None:
    assert grown(price).holds is holds
    assert table.cells([grown(price).as_json()])[1][-1] == ("yes" if holds else "**above n log n**")


def test_a_slow_machine_is_no_growth() -> None:
    """Both grow alike, as when the caches of a processor are too small for either."""
    slow = Grown(
        SERIES,
        {NOTHING: 0.1, 500: 0.2, 1000: 0.35, 2000: 0.8, 4000: 2.1},
        {NOTHING: 0.0, 500: 0.05, 1000: 0.13, 2000: 0.35, 4000: 1.0},
    )
    assert slow.holds
    assert slow.ratio == pytest.approx(8 / (1.0 / 0.13))


def test_the_least_of_two_counts() -> None:
    one, other = grown(lambda n: n / 4000 + (n == 4000)), grown(lambda n: n / 4000 + (n == 1000))
    assert not one.holds
    assert one.least(other).holds


@pytest.mark.parametrize(("found", "code"), [(grown(lambda n: n / 4000), 0), (grown(lambda n: (n / 4000) ** 2), 1)])
def test_the_run_says_what_is_above(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, found: Grown, code: int
) -> None:
    monkeypatch.setattr(__main__, "KEPT", tmp_path)
    monkeypatch.setattr(measuring, "measure", lambda *_: found)
    written: list[str] = []
    monkeypatch.setattr(report, "write_series", lambda rows, order: written.extend(row["name"] for row in rows))
    assert __main__.measure_series(["undo"], keep=True) == code
    assert written == ["x"]
    assert __main__.measure_series(["undo"], keep=False) == code
    assert written == ["x"]
    assert ("above n log n: a work" in capsys.readouterr().out) is bool(code)


def test_series_have_names_of_their_own() -> None:
    assert len(BY_NAME) == len(ROWS)


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_NAME)
def test_a_series_can_be_measured(name: str, tmp_path: Path) -> None:
    series = BY_NAME[name]
    for number, size in enumerate((NOTHING, 3)):
        measured = Series(name, series.work, 1, lambda ground, _, size=size: series.prepare(ground, size))  # type: ignore[misc]
        assert measuring._seconds(measured, tmp_path, number, {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}) > 0
    assert not list(tmp_path.glob("tmp*"))
