"""``make profile``: what the seconds of one work are spent on, function by function."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.__main__ import scene_of
from tests.benchmarks.scene import Scene, settle
from tests.benchmarks.works import EDITS

SPENT = Path(__file__).with_name("spent.py")
SHOWN = 25


def _edited(scene: Scene) -> Path:
    scene.edit_files(EDITS)
    scene.edit_database(EDITS)
    return scene.synced


def _edited_files(scene: Scene) -> Path:
    scene.edit_files(EDITS)
    return scene.synced


def _once_synced(scene: Scene) -> Path:
    scene.run_in(_edited(scene), "sync")
    return scene.synced


WORKS: dict[str, tuple[Callable[[Scene], Path], tuple[str, ...]]] = {
    "first-sync": (lambda scene: scene.fresh(), ("sync",)),
    "first-commit": (
        lambda scene: scene.without_history(".epicvc", "epicvc.toml"),
        ("init", "--files", "epics", "--db", "framework.db"),
    ),
    "status": (lambda scene: scene.synced, ("status",)),
    "commit": (_edited_files, ("commit", "-m", "edited")),
    "sync": (_edited, ("sync",)),
    "checkout": (_once_synced, ("checkout", "HEAD~1")),
    "diff": (_once_synced, ("diff", "HEAD~1")),
}


def main() -> None:
    """Profile the works that are named, in order: profile EPICS WORK..."""
    count, *names = sys.argv[1:]
    with scene_of(int(count)) as scene:
        for name in names:
            prepare, arguments = WORKS[name]
            repo = prepare(scene)
            settle()
            out = scene.scratch / "spent.json"
            scene.command((sys.executable, str(SPENT), str(out), *arguments), repo).run()
            sys.stdout.write(rendered(name, json.loads(out.read_text("utf-8"))))
            sys.stdout.flush()


def rendered(name: str, found: dict[str, float | dict[str, float]]) -> str:
    """The profile as a table."""
    spent = found["spent"]
    assert isinstance(spent, dict)
    heads = ", ".join(f"{key} {found[key]:.2f} s" for key in ("wall", "main", "threads", "children"))
    lines = [f"\n{name}: {heads}"]
    lines += [f"  {seconds:7.2f} s  {place}" for place, seconds in list(spent.items())[:SHOWN]]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
