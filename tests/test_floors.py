"""The lowest versions that ``pyproject.toml`` allows, with which ``make soak`` runs the quick tests."""

from __future__ import annotations

import tomllib

import pytest
from support.floors import floors
from support.guard import ROOT


def test_every_requirement_has_a_lowest_version() -> None:
    found = list(floors(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))))
    assert all("==" in line for line in found)
    assert {"holidays==0.82", "msgspec==0.21"} <= set(found)
    assert any(line.startswith("backports.zstd==1.3; python_version") for line in found)


@pytest.mark.parametrize("requirement", ["rich", "rich<16", "rich==13.9"])
def test_a_requirement_without_one_is_refused(requirement: str) -> None:
    with pytest.raises(ValueError, match="rich"):
        list(floors({"project": {"dependencies": [requirement]}, "dependency-groups": {"test": []}}))
