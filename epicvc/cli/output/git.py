"""Machine output of the commands for epics under git. See :mod:`epicvc.cli.output.machine`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from epicvc.gitlink.checking import CheckReport
    from epicvc.gitlink.install import Line

Shape = dict[str, Any]


def staged(report: CheckReport | None) -> Shape:
    """Return the shape ``epicvc.hook/1``."""
    return {
        "format": "epicvc.hook/1",
        "checked": report.checked if report else 0,
        "findings": [found._asdict() for found in report.findings] if report else [],
    }


def parts(lines: Iterable[Line]) -> Shape:
    """Return the shape ``epicvc.git/1``."""
    return {"format": "epicvc.git/1", "parts": [line._asdict() for line in lines]}
