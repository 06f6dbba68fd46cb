"""The least that enriching can take: parse_write.py EPICS OUT.

Parses every file with the JSON library that epicvc uses and writes what it parsed to another directory, by the
library's fastest means. Calculates nothing, asks no database, and would write everything again the next time.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec


def copy(epics: Path, out: Path) -> None:
    """Parse and write all files."""
    for path in sorted(epics.rglob("*.json")):
        target = out / path.relative_to(epics)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(msgspec.json.encode(msgspec.json.decode(path.read_bytes())))


if __name__ == "__main__":
    copy(Path(sys.argv[1]), Path(sys.argv[2]))
