"""Runs clients at the same time, each in a process of its own: ``python -m concurrency.driver SPECIFICATION``.

The specification is a JSON file: ``{"clients": {NAME: {"kind", "root", ...}}, "form": NAME}``. Histories go to the
directory ``history`` beside it. The program is imported once, before clients are forked.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path

from concurrency.clients import KINDS
from concurrency.forms import FORMS


def main() -> int:
    """Run all clients; 0 when all of them came to their end."""
    specification = Path(sys.argv[1])
    run = specification.parent
    spec = json.loads(specification.read_bytes())
    (run / "history").mkdir()
    _import_everything()
    FORMS[spec.get("form", "as it is")]()
    workers = {}
    for name, client in spec["clients"].items():
        child = os.fork()
        if not child:
            _work(name, client, run)
        workers[child] = client
    failures = 0
    finite = sum("operations" in client for client in workers.values())
    while workers:
        child, status = os.wait()
        client = workers.pop(child)
        failures += status != 0
        finite -= "operations" in client
        if not finite or failures:
            (run / "over").touch()
    return min(failures, 1)


def _import_everything() -> None:
    import pkgutil

    import epicvc

    for module in pkgutil.walk_packages(epicvc.__path__, "epicvc."):
        if not module.name.endswith("__main__"):
            __import__(module.name)


def _work(name: str, client: dict[str, object], run: Path) -> None:
    code = 1
    try:
        KINDS[str(client["kind"])](name, client, run).work()
        code = 0
    except BaseException:  # noqa: BLE001  # a client that fails must say so, and must not go on as the driver
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
