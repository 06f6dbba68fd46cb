"""Series of both sides: what is shown, synchronised and merged."""

from __future__ import annotations

from tests.benchmarks.measure import Command
from tests.benchmarks.series.ground import Ground, Task, task, tasks
from tests.benchmarks.series.values import Series


def _synced(ground: Ground, found: list[Task]) -> None:
    ground.epic(tasks=found)
    ground.initialise()


def _retitle(ground: Ground) -> None:
    ground.execute("UPDATE framework_tasks SET title = 'new ' || title")


# What is shown


def text(ground: Ground, n: int) -> Command:
    """A text, every third line of which changed."""
    ground.epic(summary="\n".join(f"line {k} of the text" for k in range(n)))
    ground.initialise()
    ground.epic(summary="\n".join(f"line {k} of {'another' if k % 3 == 0 else 'the'} text" for k in range(n)))
    return ground.epicvc("diff")


def shown_text(ground: Ground, n: int) -> Command:
    """The same, of a commit."""
    text(ground, n)
    ground.run("commit", "-q", "-m", "text")
    return ground.epicvc("show")


def items(ground: Ground, n: int) -> Command:
    """A list, every third item of which changed."""
    ground.epic(goals=[f"goal {k}" for k in range(n)])
    ground.initialise()
    ground.epic(goals=[f"other goal {k}" if k % 3 == 0 else f"goal {k}" for k in range(n)])
    return ground.epicvc("diff")


def blame(ground: Ground, n: int) -> Command:
    """An epic that came at once."""
    _synced(ground, tasks(range(n)))
    return ground.epicvc("blame", "1")


def blame_changed(ground: Ground, n: int) -> Command:
    """A third of its tasks changed since, and their order was rotated."""
    _synced(ground, tasks(range(n)))
    found = [{**one, "title": f"new {k}"} if k % 3 == 0 else one for k, one in enumerate(tasks(range(n)))]
    ground.epic(tasks=[*found[n // 2 :], *found[: n // 2]])
    ground.run("sync", "-q")
    return ground.epicvc("blame", "1")


# What is synchronised


def _moved(ground: Ground, n: int) -> None:
    ground.epic("2")
    _synced(ground, tasks(range(n)))
    ground.epic()
    ground.epic("2", tasks(range(n)))


def status_moved(ground: Ground, n: int) -> Command:
    """All tasks went to another epic."""
    _moved(ground, n)
    return ground.epicvc("status")


def sync_moved(ground: Ground, n: int) -> Command:
    """All tasks went to another epic."""
    _moved(ground, n)
    return ground.epicvc("sync", "-q", "--allow-mass-delete")


def reversed_rows(ground: Ground, n: int) -> Command:
    """The application changes all tasks and gives them numbers the other way round."""
    _synced(ground, tasks(range(n)))
    _retitle(ground)
    numbers = [(n - k, f"t{k}") for k in range(n)]
    ground.execute("UPDATE framework_tasks SET task_sequence = ? WHERE task_key = ?", numbers)
    return ground.epicvc("sync", "-q")


def added(ground: Ground, n: int) -> Command:
    """Both sides add tasks behind the same one."""
    _synced(ground, [task(-1)])
    ground.epic(tasks=[task(-1), *tasks(range(n))])
    ground.add_rows(range(n, 2 * n))
    return ground.epicvc("sync", "-q")


def _conflicts(ground: Ground, n: int) -> None:
    _synced(ground, tasks(range(n)))
    _retitle(ground)
    ground.epic(tasks=[{**one, "title": f"mine {k}"} for k, one in enumerate(tasks(range(n)))])


def resolve(ground: Ground, n: int) -> Command:
    """A conflict in every task, shown."""
    _conflicts(ground, n)
    return ground.epicvc("resolve", "--json")


def resolve_all(ground: Ground, n: int) -> Command:
    """A conflict in every task, settled."""
    _conflicts(ground, n)
    return ground.epicvc("resolve", "-q", "--prefer", "files")


def undo(ground: Ground, n: int) -> Command:
    """A synchronisation that changed all tasks."""
    _synced(ground, tasks(range(n)))
    _retitle(ground)
    ground.run("sync", "-q")
    return ground.epicvc("undo", "-q")


# What is merged


def _branches(ground: Ground, base: list[Task], ours: list[Task], theirs: list[Task]) -> Command:
    _synced(ground, base)
    ground.run("switch", "-q", "-c", "b")
    ground.epic(tasks=theirs)
    ground.run("sync", "-q")
    ground.run("switch", "-q", "main")
    ground.epic(tasks=ours)
    ground.run("sync", "-q")
    return ground.epicvc("merge", "-q", "b")


def merge_added(ground: Ground, n: int) -> Command:
    """Both branches add tasks in one place."""
    first = [task(-1)]
    return _branches(ground, first, [*first, *tasks(range(n))], [*first, *tasks(range(n, 2 * n))])


def merge_changed(ground: Ground, n: int) -> Command:
    """Each branch changes another field of all tasks, and one turns them round."""
    base = tasks(range(n))
    ours = [{**one, "title": f"new {k}"} for k, one in enumerate(base)]
    return _branches(ground, base, ours, [{**one, "description": f"new {k}"} for k, one in enumerate(base)][::-1])


def merge_moved(ground: Ground, n: int) -> Command:
    """One branch has all tasks in another epic, the other changes them."""
    base = tasks(range(n))
    ground.epic("2")
    _synced(ground, base)
    ground.run("switch", "-q", "-c", "b")
    ground.epic()
    ground.epic("2", base)
    ground.run("sync", "-q", "--allow-mass-delete")
    ground.run("switch", "-q", "main")
    ground.epic(tasks=[{**one, "title": f"new {k}"} for k, one in enumerate(base)])
    ground.run("sync", "-q")
    return ground.epicvc("merge", "-q", "b")


def merge_renamed(ground: Ground, n: int) -> Command:
    """One branch gives all tasks other ids, the other changes them."""
    base = tasks(range(n))
    ours = [{**one, "title": f"new {k}"} for k, one in enumerate(base)]
    return _branches(ground, base, ours, [{**one, "id": f"r{k}"} for k, one in enumerate(base)])


ROWS = (
    Series("diff-text", "`diff` of a text of n lines, every third changed", 1000, text),
    Series("show-text", "`show` of the same", 1000, shown_text),
    Series("diff-list", "`diff` of a list of n, every third changed", 2000, items),
    Series("blame", "`blame` of an epic of n tasks", 150, blame),
    Series("blame-changed", "`blame`, a third of them changed, order rotated", 150, blame_changed),
    Series("status-moved", "`status`, n tasks moved to another epic", 150, status_moved),
    Series("sync-moved", "`sync`, n tasks moved to another epic", 150, sync_moved),
    Series("sync-reversed", "`sync`, the database changes and reverses n tasks", 150, reversed_rows),
    Series("sync-added", "`sync`, both add n tasks in one place", 150, added),
    Series("resolve", "`resolve --json` of n conflicts", 150, resolve),
    Series("resolve-all", "`resolve --prefer` of n conflicts", 150, resolve_all),
    Series("undo", "`undo` of a change of n tasks", 150, undo),
    Series("merge-added", "`merge`, both branches add n tasks in one place", 150, merge_added),
    Series("merge-changed", "`merge`, both change n tasks, one reverses them", 150, merge_changed),
    Series("merge-moved", "`merge`, n tasks moved to another epic, and changed", 150, merge_moved),
    Series("merge-renamed", "`merge`, n tasks renamed on one branch, changed on the other", 100, merge_renamed),
)
