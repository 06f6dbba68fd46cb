"""Work that is linear and nothing else: linear.py N writes and reads N values of JSON, 200 at a time."""

from __future__ import annotations

import json
import sys

PORTION = 200


def work(count: int) -> int:
    """Write and read values; how many characters they have."""
    size = 0
    for start in range(0, count, PORTION):
        text = json.dumps([{"id": f"t{k}", "title": f"Task {k}"} for k in range(start, min(start + PORTION, count))])
        size += len(text) + len(json.loads(text))
    return size


if __name__ == "__main__":
    work(int(sys.argv[1]))
