"""The works of the table, each with its reference. A group shares what it has to set up.

A group is a function from a scene, the wanted rows and a number of runs to results; what no wanted row needs is not
set up. Every command runs once unmeasured, so that the page cache and the bytecode of both are warm.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import sqlite3
from collections.abc import Callable, Collection, Iterator
from functools import partial

from tests.benchmarks.measure import Command, Sample
from tests.benchmarks.results import Result, Row
from tests.benchmarks.scene import REFERENCES, Scene, settle, size_of

MEGABYTE = 1_000_000

PYTHON = "`python -c pass`"
DUMP = "`git status` + `sqlite3 .dump \\| sha256sum`"
RESTIC = "`restic backup`, nothing changed"
RESTIC_EDITED = "`restic backup` after the same"
SYNC = "`epicvc sync`, in sync"
SQLDIFF = "`sqldiff` against a copy with 10 rows changed"
BARE_INSERT = "orjson + bare `executemany` of the same rows"
PARSE_WRITE = "parse and write the same files with msgspec"
GIT_COMMIT = "`git add` + `git commit` of the files"
GIT_ADD = "`.git` with the files alone after `git add`"
HELLO = "lazy Typer 0.28 hello"
HELP = "`epicvc --help`"
BRANCH = "`epicvc branch`, small repo"
MERGED = 100

ROWS = (
    Row("version", "`--version`", PYTHON, 1.5),
    Row("import", "`import epicvc` in a program", PYTHON, 1.3),
    Row("porcelain", "`status --porcelain`, small repo", PYTHON, 5, 4),
    Row("textconv", "`textconv`, one epic", PYTHON, 5, 4),
    Row("merge-driver", "`merge-driver`, one epic", PYTHON, 5, 4),
    Row("hook", "`hook`, one epic staged", PYTHON, 5, 4),
    Row("hook-idle", "`hook`, no epic staged", PYTHON, 5, 4),
    Row("help", "`--help`", HELLO, 1.5, 1.1),
    Row("branch", "`branch`, small repo", HELLO, 1.5, 1.1),
    Row("log", "`log -n 1`, small repo", HELLO, 1.5, 1.1),
    Row("small-status", "`status`, small repo, in sync", HELLO, 1.5, 1.1),
    Row("small-diff", "`diff`, small repo, no difference", HELLO, 1.5, 1.1),
    Row("small-commit", "`commit`, small repo, nothing to commit", HELLO, 1.5, 1.1),
    Row("small-sync", "`sync`, small repo, in sync", HELLO, 1.5, 1.1),
    Row("status", "clean `status`", DUMP, 0.4, 0.15),
    Row("call", "`sync_all_epics()`, in sync, in a program that runs", SYNC, 1.1),
    Row("program", "a program that calls it once", SYNC, 2),
    Row("first-commit", "first `commit` of both sides", GIT_COMMIT, 1.2, 0.5),
    Row("commit", "`commit` after editing 10 files", RESTIC, 0.6, 0.2),
    Row("backup", "incremental `backup create` after editing 10 files", RESTIC_EDITED, 0.3),
    Row("sync", "`sync` after 10 edits in files, 10 in the database", SQLDIFF, 4, 1),
    Row("first-sync", "first `sync` into an empty database", BARE_INSERT, 2.5, 1.3),
    Row("checkout", "`checkout HEAD~1` after 10 + 10 changes", "the `sync` that made them", 2, 1),
    Row("merge", f"`merge`, {MERGED} epics changed on each branch, half of them on both", BRANCH, 1, unit="s beyond"),
    Row("merge-10", "`merge`, 10 epics changed on each branch, half of them on both", BRANCH, 0.4, unit="s beyond"),
    Row("revert", f"`revert` of a commit of {MERGED} epics, half of them changed since", BRANCH, 1, unit="s beyond"),
    Row("diff", "`diff HEAD~1` after 10 changes", HELP, 1.5, 1.1),
    Row("enrich", "`enrich` of all epics, for the first time", PARSE_WRITE, 1.5, 1),
    Row("store", "store after the first commit of both sides", GIT_ADD, 1.5, 0.6, "bytes"),
    Row("memory", "peak memory of any of these", "-", 400 * MEGABYTE, 150 * MEGABYTE, "bytes"),
)
BY_NAME = {row.name: row for row in ROWS}
EDITS = 10

Wanted = Collection[str]


def start_up(scene: Scene, wanted: Wanted, runs: int) -> Iterator[Result]:
    """Commands whose work is nothing beside their start."""
    bare = scene.python("-c", "pass")
    hello = scene.python(str(REFERENCES / "hello.py"))
    typer = importlib.metadata.version("typer")
    note = "" if typer.startswith("0.28.") else f"Typer {typer}"
    commands = {
        "version": (("--version",), bare),
        "porcelain": (("status", "--porcelain"), bare),
        "textconv": (("textconv", "epics/000/epico_1.json"), bare),
        "help": (("--help",), hello),
        "branch": (("branch",), hello),
        "log": (("log", "-n", "1"), hello),
        "small-status": (("status",), hello),
        "small-diff": (("diff",), hello),
        "small-commit": (("commit", "-m", "nothing"), hello),
        "small-sync": (("sync",), hello),
    }
    if "import" in wanted:
        ours = scene.python("-c", "import epicvc")
        warm(ours, bare)
        yield Result(BY_NAME["import"], *scene.interleave(5 * runs, ours.run, bare.run))
    for name, (arguments, reference) in commands.items():
        if name in wanted:
            row = BY_NAME[name]
            ours = scene.epicvc(*arguments, repo=scene.small)
            warm(ours, reference)
            yield Result(
                row, *scene.interleave(5 * runs, ours.run, reference.run), note=note if reference is hello else ""
            )


def by_git(scene: Scene, wanted: Wanted, runs: int) -> Iterator[Result]:
    """What git starts for a file or a commit."""
    bare = scene.python("-c", "pass")
    if "merge-driver" in wanted:
        base, ours, theirs = scene.three_versions()
        fresh = ours.read_bytes()
        driver = scene.epicvc("merge-driver", str(base), str(ours), str(theirs), "7", "epic.json")

        def merge() -> Sample:
            ours.write_bytes(fresh)
            return driver.run()

        merge()
        assert ours.read_bytes() not in (fresh, theirs.read_bytes())
        yield Result(BY_NAME["merge-driver"], *scene.interleave(5 * runs, merge, bare.run))
    for name, staged in (("hook", True), ("hook-idle", False)):
        if name in wanted:
            hook = scene.epicvc("hook", "pre-commit", repo=scene.under_git(name, staged=staged))
            warm(hook, bare)
            yield Result(BY_NAME[name], *scene.interleave(5 * runs, hook.run, bare.run))


def warm(*commands: Command) -> None:
    """Run each once."""
    for command in commands:
        command.run()


def first_sync(scene: Scene, wanted: Wanted, runs: int) -> Iterator[Result]:
    """Ten thousand epics into an empty database, and the least that this can take."""
    if "first-sync" not in wanted:
        return
    if scene.alone:
        yield Result(BY_NAME["first-sync"], [scene.run_in(scene.fresh(), "sync") for _ in range(runs)])
        return
    schema = scene.scratch / "schema.sql"
    schema.write_text(_schema_of(scene), encoding="utf-8")
    target = scene.scratch / "bare.db"
    script = str(REFERENCES / "bare_insert.py")
    reference = scene.python(script, str(scene.files / "epics"), str(schema), str(target))
    warm(reference)
    ours, theirs = scene.interleave(runs, lambda: scene.run_in(scene.fresh(), "sync"), reference.run)
    made = counts(scene.files / "framework.db")
    if made != counts(target):
        raise AssertionError(f"the reference does other work: {counts(target)} rows, not {made}")
    target.unlink()
    yield Result(BY_NAME["first-sync"], ours, theirs)


def _schema_of(scene: Scene) -> str:
    database = sqlite3.connect(scene.fresh() / "framework.db")
    found = database.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
    sql = ";\n".join(text for (text,) in found)
    database.close()
    return sql + ";\n"


def counts(path: object) -> tuple[int, ...]:
    """How many epics, tasks and dependencies a database has, and how much text is in the tasks' plain columns."""
    database = sqlite3.connect(str(path))
    numbers = database.execute("""
        SELECT (SELECT count(*) FROM framework_epics), (SELECT count(*) FROM framework_tasks),
               (SELECT count(*) FROM task_dependencies),
               (SELECT sum(length(title || description || coalesce(risk, '')) + estimate_minutes + story_points)
                FROM framework_tasks),
               (SELECT sum(json_array_length(coalesce(acceptance_criteria, '[]'))) FROM framework_tasks)
    """).fetchone()
    database.close()
    return tuple(numbers)


def first_commit(scene: Scene, wanted: Wanted, runs: int) -> Iterator[Result]:
    """Taking both sides for the first time, and what it takes on disk."""
    if "first-commit" not in wanted and "store" not in wanted:
        return

    def ours() -> Sample:
        repo = scene.without_history(".epicvc", "epicvc.toml")
        return scene.run_in(repo, "init", "--files", "epics", "--db", "framework.db")

    def reference() -> Sample:
        repo = scene.without_history(".git")
        settle()
        return scene.shell("git add epics && git commit -q -m load", repo).run()

    mine, theirs = scene.interleave(runs if "first-commit" in wanted else 1, ours, reference)
    if "first-commit" in wanted:
        yield Result(BY_NAME["first-commit"], mine, theirs)
    if "store" in wanted:
        repo = scene.without_history(".git")
        scene.shell("git add epics", repo).run()
        sizes = size_of(repo / ".epicvc" / "store.db"), size_of(repo / ".git")
        scene.shell("git commit -q -m load", repo).run()
        yield Result(BY_NAME["store"], size=sizes[0], their_size=sizes[1])


def looking(scene: Scene, wanted: Wanted, runs: int) -> Iterator[Result]:
    """A status where nothing changed."""
    if "status" not in wanted:
        return
    reference = scene.shell("git status && sqlite3 framework.db .dump | sha256sum", scene.still)
    ours = scene.epicvc("status", repo=scene.synced)
    for _ in range(2):  # the first may only then begin to trust what was written last
        warm(ours, reference)
        settle()
    yield Result(BY_NAME["status"], *scene.interleave(2 * runs, ours.run, reference.run))


def calling(scene: Scene, wanted: Wanted, runs: int) -> Iterator[Result]:
    """Programs that synchronise where nothing changed."""
    if not {"call", "program"} & set(wanted):
        return
    script, told = str(REFERENCES / "call.py"), scene.scratch / "told"
    reference = scene.epicvc("sync", repo=scene.synced)
    once = scene.python(script, directory=scene.synced)
    twice = scene.python(script, str(told), directory=scene.synced)

    def call() -> Sample:
        peak = twice.run().peak
        wall, cpu = map(float, told.read_text("utf-8").split())
        return Sample(wall, cpu, peak)

    for _ in range(2):  # the first may only then begin to trust what was written last
        warm(reference, once)
        settle()
    for name, ours in (("call", call), ("program", once.run)):
        if name in wanted:
            yield Result(BY_NAME[name], *scene.interleave(2 * runs, ours, reference.run))


def backing_up(scene: Scene, wanted: Wanted, runs: int) -> Iterator[Result]:
    """Backups that go on from the one before."""
    if "backup" not in wanted:
        return
    result = Result(BY_NAME["backup"])
    reference = scene.shell("restic backup --quiet epics framework.db", scene.synced) if scene.restic else None
    if reference is None:
        result.note = "restic is not installed"
    for turn in range(runs + 1):
        scene.edit_files(EDITS)
        since = ("--since", "latest") if turn else ()
        made = scene.run_in(scene.synced, "backup", "create", "--quiet", *since)
        theirs = reference.run() if reference else None
        if turn:  # the first of both is a full one
            result.ours.append(made)
            result.theirs += [theirs] if theirs else []
    scene.run_in(scene.synced, "sync")
    yield result


def daily(scene: Scene, wanted: Wanted, runs: int) -> Iterator[Result]:
    """What is done after every edit."""
    if {"commit", "diff"} & set(wanted):
        yield from _committing(scene, wanted, runs)
    if {"sync", "checkout"} & set(wanted):
        yield from _syncing(scene, wanted, runs)


def _committing(scene: Scene, wanted: Wanted, runs: int) -> Iterator[Result]:
    commit, diff, backup = Result(BY_NAME["commit"]), Result(BY_NAME["diff"]), None
    if "commit" in wanted and scene.restic:
        backup = scene.shell("restic backup --quiet epics framework.db", scene.still)
        warm(backup, backup)
    elif "commit" in wanted:
        commit.note = "restic is not installed"
    scene.edit_files(EDITS)
    scene.run_in(scene.synced, "commit", "-m", "warm")
    for _ in range(runs):
        if backup is not None:
            commit.theirs.append(backup.run())
        scene.edit_files(EDITS)
        commit.ours.append(scene.run_in(scene.synced, "commit", "-m", "edited"))
        if "diff" in wanted:
            compare, start = (
                partial(scene.run_in, scene.synced, *words) for words in (("diff", "HEAD~1"), ("--help",))
            )
            mine, theirs = scene.interleave(
                2, compare, start
            )  # with a pause before both: after a busy second all is faster
            diff.ours += mine
            diff.theirs += theirs
    scene.run_in(scene.synced, "sync")
    yield from (result for result in (commit, diff) if result.row.name in wanted)


def _syncing(scene: Scene, wanted: Wanted, runs: int) -> Iterator[Result]:
    sync, checkout, compare = Result(BY_NAME["sync"]), Result(BY_NAME["checkout"]), None
    if "sync" in wanted and shutil.which("sqldiff") and not scene.alone:
        compare = scene.shell(f"sqldiff framework.db {scene.changed_copy}", scene.still)
        warm(compare)
    elif "sync" in wanted:
        sync.note = "sqldiff is not installed"
    for turn in range(runs + 1):
        scene.edit_files(EDITS)
        scene.edit_database(EDITS)
        made = scene.run_in(scene.synced, "sync")
        back = scene.run_in(scene.synced, "checkout", "HEAD~1") if "checkout" in wanted else None
        if turn:  # the first is not measured
            sync.ours.append(made)
            if compare is not None:
                sync.theirs.append(compare.run())
            if back is not None:
                checkout.ours.append(back)
                checkout.theirs.append(made)
        if back is not None:
            scene.run_in(scene.synced, "switch", "main")
    yield from (result for result in (sync, checkout) if result.row.name in wanted)


def merging(scene: Scene, wanted: Wanted, runs: int) -> Iterator[Result]:
    """Two branches brought together, and a commit taken back: what goes with the changes, beyond the start."""
    sizes = {"merge-10": EDITS, "merge": MERGED}
    for name, changes in sizes.items():
        if name in wanted and 2 * changes <= scene.count:
            yield _merging(scene, BY_NAME[name], changes, runs)
    if "revert" in wanted and scene.count >= 2 * MERGED:
        yield _reverting(scene, runs)


def _merging(scene: Scene, row: Row, changes: int, runs: int) -> Result:
    result, start = Result(row), scene.epicvc("branch", repo=scene.small)
    for turn in range(runs + 1):
        name = scene.two_branches(changes)
        done = scene.run_in(scene.synced, "merge", name)
        if turn:  # the first is not measured
            result.ours.append(done)
            result.theirs.append(start.run())
    return result


def _reverting(scene: Scene, runs: int) -> Result:
    result, start = Result(BY_NAME["revert"]), scene.epicvc("branch", repo=scene.small)
    for turn in range(runs + 1):
        for first, field in ((0, "title"), (MERGED // 2, "description")):
            scene.edit_tasks(range(first, first + MERGED), field)
            scene.run_in(scene.synced, "sync")
        done = scene.run_in(scene.synced, "revert", "HEAD~1")
        if turn:  # the first is not measured
            result.ours.append(done)
            result.theirs.append(start.run())
    return result


def enriching(scene: Scene, wanted: Wanted, runs: int) -> Iterator[Result]:
    """All calculated fields into files of their own."""
    if "enrich" not in wanted:
        return
    out = scene.scratch / "out"
    reference = scene.python(str(REFERENCES / "parse_write.py"), str(scene.synced / "epics"), str(out))
    enrich = scene.epicvc("enrich", "--quiet", "--to", str(out), repo=scene.synced)

    def emptied(command: Command) -> Sample:
        shutil.rmtree(out, ignore_errors=True)
        settle()
        return command.run()

    emptied(enrich)
    yield Result(BY_NAME["enrich"], *scene.interleave(runs, lambda: emptied(enrich), lambda: emptied(reference)))
    shutil.rmtree(out)


Group = Callable[[Scene, Wanted, int], Iterator[Result]]
GROUPS: tuple[Group, ...] = (
    start_up,
    by_git,
    first_sync,
    first_commit,
    looking,
    calling,
    enriching,
    daily,
    backing_up,
    merging,
)


def measure(scene: Scene, wanted: Wanted, runs: int) -> Iterator[Result]:
    """Measure the wanted rows, in the order in which they are cheap to set up."""
    worst, named = 0, ""
    for group in GROUPS:
        for result in group(scene, wanted, runs):
            peak = max((sample.peak for sample in result.ours), default=0)
            if peak > worst:
                worst, named = peak, result.row.work
            yield result
    if "memory" in wanted and worst:
        yield Result(BY_NAME["memory"], size=worst, note=f"the most: {named}")
