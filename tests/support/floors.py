"""Prints the lowest versions that ``pyproject.toml`` allows, as constraints for pip.

Needs no package, since it runs before anything is installed.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_FLOOR = re.compile(r"(?P<name>[A-Za-z0-9._-]+)\s*>=\s*(?P<version>[0-9][0-9.]*)(?P<rest>[^;]*)(?P<marker>;.*)?")


def floors(project: dict[str, Any]) -> Iterator[str]:
    """Yield every requirement of the package and its tests, at its lowest version.

    Raises:
        ValueError: a requirement has no lowest version.
    """
    for requirement in [*project["project"]["dependencies"], *project["dependency-groups"]["test"]]:
        found = _FLOOR.fullmatch(requirement)
        if found is None:
            raise ValueError(f"no lowest version in {requirement!r}")
        yield f"{found['name']}=={found['version']}{found['marker'] or ''}"


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in floors(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))))
