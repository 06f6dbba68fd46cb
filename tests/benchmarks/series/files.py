"""Series of merged, cleaned and converted files."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.measure import Command
from tests.benchmarks.series.ground import Ground, Task, task, tasks
from tests.benchmarks.series.values import Series


def _merge(ground: Ground, base: Any, ours: Any, theirs: Any) -> Command:
    versions = {"ours.json": ours, "base.json": base, "theirs.json": theirs}
    names = [ground.write(name, {"id": "1", "name": "n", "tasks": found}) for name, found in versions.items()]
    return ground.epicvc("merge-file", "-p", *names)


def _renamed(found: list[Task], prefix: str) -> list[Task]:
    return [{**one, "id": prefix + one["id"]} for one in found]


def replaced(ground: Ground, n: int) -> Command:
    """All tasks are others."""
    base = tasks(range(n))
    others = [{"id": f"r{k}", "title": f"other {k}", "description": f"other {k}"} for k in range(n)]
    return _merge(ground, base, others, base)


def renamed(ground: Ground, n: int) -> Command:
    """All ids are others in ours."""
    base = tasks(range(n))
    return _merge(ground, base, _renamed(base, "r"), base)


def renamed_and_retitled(ground: Ground, n: int) -> Command:
    """All ids are others in ours, and all titles in theirs."""
    base = tasks(range(n))
    return _merge(ground, base, _renamed(base, "r"), [{**one, "title": f"new {one['title']}"} for one in base])


def alike(ground: Ground, n: int) -> Command:
    """All tasks say the same, and both sides gave all of them other ids."""
    base = [{"id": f"t{k}", "title": "T", "description": "D"} for k in range(n)]
    return _merge(ground, base, _renamed(base, "o"), _renamed(base, "p"))


def nearly_alike(ground: Ground, n: int) -> Command:
    """All tasks say nearly the same, and both sides gave all of them other ids."""
    base = [{"id": f"t{k}", "title": "T", "description": "D", "risk": f"risk {k}"} for k in range(n)]
    return _merge(ground, base, _renamed(base, "o"), _renamed(base, "p"))


def added(ground: Ground, n: int) -> Command:
    """Both sides add tasks in one place."""
    first, last = task(-1), task(-2)
    versions = [[first, *tasks(range(start, start + n)), last] for start in (0, n)]
    return _merge(ground, [first, last], *versions)


def reordered(ground: Ground, n: int) -> Command:
    """Ours has all tasks the other way round, theirs has other titles."""
    base = tasks(range(n))
    return _merge(ground, base, base[::-1], [{**one, "title": f"new {one['title']}"} for one in base])


def clean(ground: Ground, n: int) -> Command:
    """A file with comments and commas that are too many."""
    lines = ",\n".join(f'  {{"id": "t{k}", "title": "Task {k}", }} // number {k}' for k in range(n))
    text = '{"id": "1", "name": "n", "tasks": [\n' + lines + "\n]}\n"
    ground.epic()
    ground.initialise()
    (ground.directory / "epics" / "1.json").write_text(text, encoding="utf-8")
    return ground.epicvc("clean", "files", "--dry-run")


def textconv(ground: Ground, n: int) -> Command:
    """A list a hundred levels deep, below keys that are as long as it."""
    value: Any = [1] * (100 * n)
    for _ in range(100):
        value = {"k" * n: value}
    return ground.epicvc("textconv", ground.write("deep.json", {"id": "1", "name": "n", "x": value}))


def excluded(ground: Ground, n: int) -> Command:
    """A pattern of as many ``**/a/`` as n says, and files below a hundred directories that are called so."""
    deep = ground.directory / "epics" / "/".join("a" * 100)
    deep.mkdir(parents=True)
    for k in range(300):
        (deep / f"{k}.json").write_text(f'{{"id": "{k}", "name": "z"}}\n', encoding="utf-8")
    pattern = "**/a/" * n + "b"
    settings = f'[files]\ndir = "epics"\nexclude = ["{pattern}"]\n[database]\nurl = "p.db"\n'
    (ground.directory / "epicvc.toml").write_text(settings, encoding="utf-8")
    ground.run("init", "-q")
    return ground.epicvc("status", "--porcelain")


ROWS = (
    Series("replaced", "`merge-file`, all tasks replaced", 400, replaced),
    Series("renamed", "`merge-file`, all task ids renamed by ours", 250, renamed),
    Series("retitled", "`merge-file`, ids renamed by ours, titles by theirs", 250, renamed_and_retitled),
    Series("alike", "`merge-file`, all tasks alike, all renamed on both", 250, alike),
    Series("nearly-alike", "`merge-file`, tasks nearly alike, all renamed on both", 250, nearly_alike),
    Series("added", "`merge-file`, both add n tasks in one place", 250, added),
    Series("reordered", "`merge-file`, ours reverses n tasks, theirs changes them", 250, reordered),
    Series("clean", "`clean files`, n comments and commas", 500, clean),
    Series("textconv", "`textconv`, a list of 100 n below 100 keys of length n", 250, textconv),
    Series("exclude", "`status`, `exclude` of n × `**/a/`, 300 files below 100 directories", 2, excluded),
)
