"""What the seconds of a command are spent on: spent.py OUT ARGUMENTS runs epicvc and writes a profile as JSON.

Samples by processor time, so that a busy machine does not show: every 2 ms the main thread's time since the last sample
goes to the innermost function of ours on its stack, with all that it calls elsewhere. The interpreter lets a signal in
only where a function is entered or a loop turns: what C code takes in between goes to the next such place.
What other threads and child processes took is told apart from it.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType

EVERY_S = 0.002


def main() -> int:
    """Run the command and write what it took."""
    out = Path(sys.argv.pop(1))
    sys.argv[0] = "epicvc"
    began = time.perf_counter()
    spent: Counter[str] = Counter()
    last = 0.0

    def sample(_number: int, frame: FrameType | None) -> None:
        nonlocal last
        now = time.thread_time()
        spent[_place(frame)] += now - last  # type: ignore[assignment]
        last = now

    signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    from epicvc.__main__ import main as run

    code = run()
    signal.setitimer(signal.ITIMER_PROF, 0)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = {
        "wall": time.perf_counter() - began,
        "main": time.thread_time(),
        "threads": time.process_time() - time.thread_time(),
        "children": children.ru_utime + children.ru_stime,
        "spent": dict(spent.most_common()),
    }
    out.write_text(json.dumps(found), encoding="utf-8")
    return code


def _place(frame: FrameType | None) -> str:
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if "importlib" in name:
            return "imports"
        if name.startswith("epicvc."):
            return f"{name.removeprefix('epicvc.')}.{frame.f_code.co_qualname}".replace(".<locals>", "")
        frame = frame.f_back
    return "the interpreter"


if __name__ == "__main__":
    sys.exit(main())
