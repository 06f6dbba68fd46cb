"""The command ``doctor``: explains irregularities of both sides and the store, and finishes interrupted operations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct, field

from epicvc.actions.care.checking import FsckReport, fsck
from epicvc.actions.origin.words import DATABASE, FILES
from epicvc.actions.restore.parents import row_label
from epicvc.actions.shared.session import Session, look
from epicvc.actions.sync.moving import unique_tasks
from epicvc.actions.sync.survey import EMPTY_SIDE, emptied
from epicvc.database.backend import Stranded
from epicvc.errors import InvalidData, NotAdopted, ReservedName, UnknownOrder
from epicvc.merge.circles import circles
from epicvc.merge.graph import Node
from epicvc.model.document import Core, tasks_of
from epicvc.model.labels import Label
from epicvc.model.mapping import Mapping as DocumentMapping
from epicvc.repo.apply.recovery import recover
from epicvc.repo.documents import Documents
from epicvc.repo.home.trust import is_tracked
from epicvc.repo.repository import Repo


class Finding(Struct, frozen=True):
    """A finding of ``doctor``.

    Attributes:
        level: ``error``, ``warning`` or ``info``.
        kind: the kind of the finding, a word for scripts.
        message: the description.
        hint: the remedy.
    """

    level: str
    kind: str
    message: str
    hint: str = ""


def doctor(repo: Repo, *, repair: bool = False, store: FsckReport | None = None) -> list[Finding]:
    """Examine both sides and the store.

    Args:
        repo: the repo.
        repair: finish an operation that a crash left behind, and remove its temporary files.
        store: the report of an ``fsck`` that has just run; ``None`` to run one.
    """
    findings: list[Finding] = []
    pending = repo.store.pending()
    if repair:
        with repo.lock():
            forward = recover(repo)
        if pending is not None:
            text = "rolled forward" if forward else "rolled back"
            findings.append(Finding("info", "unfinished_operation", f"unfinished `{pending.command}` {text}"))
    elif pending is not None:
        hint = "run `epicvc doctor --repair`, or any command that writes"
        findings.append(Finding("warning", "unfinished_operation", f"`{pending.command}` was interrupted", hint))
    findings += [Finding("error", p.kind, p.message, "run `epicvc fsck`") for p in (store or fsck(repo)).problems]
    findings += _private(repo)
    if not repo.is_adopted:
        return findings
    with look(repo) as session:
        findings += _files(session)
        findings += _database(session)
        if session.reader is not None and not session.working.files.problems:
            findings += _emptied(session)
            findings += _dependencies(session)
    return findings


def _private(repo: Repo) -> Iterator[Finding]:
    if not repo.is_adopted:
        error = NotAdopted(str(repo.config.root))
        yield Finding("warning", error.kind, f"{error.message}: only its history is read", error.hint or "")
    if is_tracked(repo.config.root):
        text = "git tracks .epicvc/: whoever clones this gets the store, and what it says of databases"
        yield Finding("error", "store_tracked", text, "run `git rm -r -q --cached .epicvc`, and commit")


def _files(session: Session) -> Iterator[Finding]:
    for error in session.working.files.problems:
        yield Finding("error", error.kind, error.message, error.hint or "")
    for path, reason in session.working.files.skipped:
        yield Finding("info", "not_tracked", f"{session.repo.config.shown(path)} is not tracked: {reason}")


def _database(session: Session) -> Iterator[Finding]:
    reader = session.reader
    if reader is None:
        yield Finding("warning", "no_database", "there is no database", "name one with --db or in epicvc.toml")
        return
    for table, reason in sorted(reader.left_out().items()):
        text = f"table {table} is not captured: {reason}"
        yield Finding("info", "not_captured", text, "a restore leaves it as it is, and a new database is without it")
    for found in reader.intruders():
        taken = ReservedName(found.kind, found.name, found.table)
        yield Finding("error", taken.kind, taken.message, taken.hint or "")
    stranded: Sequence[Stranded] = ()
    try:
        # the store may hold a schema that was captured before this check existed
        stranded = reader.require_restorable()
    except InvalidData as error:
        yield Finding("error", error.kind, str(error), error.hint or "")
    for one in stranded:
        text = f"trigger {one.trigger} of {one.table} names a table that is not captured or not there: {one.missing}"
        yield Finding(
            "warning", "stranded_trigger", text, "a new database, as from `restore --to`, is without the trigger"
        )
    for table, collation in sorted(reader.unordered().items()):
        known = UnknownOrder(table, collation)
        yield Finding("warning", known.kind, str(known), known.hint or "")
    counts: dict[tuple[str, str], int] = {}
    for fault in reader.faults():
        counts[(fault.table, fault.parent)] = counts.get((fault.table, fault.parent), 0) + 1
    for (table, parent), count in sorted(counts.items()):
        text = f"{count} rows of {table} refer to rows of {parent} that do not exist"
        yield Finding(
            "warning", "orphans", text, "they block nothing; the application can add the parents or delete the rows"
        )
    for info in reader.tables():
        broken = [*reader.broken_checks(info, reader.rows(info.name))]
        if broken:
            first, others = broken[0], len({one.key for one in broken}) - 1
            text = f"{row_label(info.name, first.key)}: {first.words}" + (f", and {others} more rows" if others else "")
            hint = "it blocks nothing but the application's next write of the row"
            yield Finding("warning", "broken_check", text, hint)


def _emptied(session: Session) -> Iterator[Finding]:
    documents = Documents(session.repo, session.working, session.staging, session.reader)
    if (side := emptied(documents)) is not None:
        text = f"the {side} side is empty; {len(documents.entries)} epics were agreed on"
        yield Finding("error", "empty_side", text, EMPTY_SIDE)


class _SideLook(Struct):
    """The tasks of one side.

    Attributes:
        owners: the epics that have a task of each id.
        wanted: the ids on which each task depends, without tasks that depend on none.
    """

    owners: dict[str, list[str]] = field(default_factory=dict)
    wanted: dict[Node, tuple[str, ...]] = field(default_factory=dict)

    def take(self, epic: str, core: Core | None, links: str | None) -> None:
        """Take the tasks of an epic."""
        for task in tasks_of(core or {}):
            key = str(task["id"])
            self.owners.setdefault(key, []).append(epic)
            names = task.get(links) if links else None
            if isinstance(names, list) and names:
                self.wanted[epic, key] = tuple(map(str, names))

    def edges(self) -> dict[Node, list[Node]]:
        """Return the tasks on which each task depends: of its own epic, else of any epic."""
        return {
            node: [
                (epic, name)
                for name in names
                for owners in (self.owners.get(name, ()),)
                for epic in ([node[0]] if node[0] in owners else owners)
            ]
            for node, names in self.wanted.items()
        }


def _dependencies(session: Session) -> Iterator[Finding]:
    """Yield the faults in the dependencies of each side by itself. Dependencies resolve over the whole document set."""
    documents = Documents(session.repo, session.working, session.staging, session.reader)
    links = session.repo.config.mapping.links
    sides = {FILES: _SideLook(), DATABASE: _SideLook()}
    for three in documents.load(sorted({*session.working.files.by_epic, *documents.db_ids()})):
        for side, core in zip(sides.values(), (three.file, three.db), strict=True):
            side.take(three.epic, core, links.field if links else None)
    yield from _dangling(*sides.values())
    found: dict[tuple[Node, ...], list[str]] = {}
    for name, side in sides.items():
        for circle in circles(side.edges()):
            found.setdefault(tuple(circle), []).append(name)
    for nodes, names in sorted(found.items()):
        text = f"tasks depend on each other in a circle: {' -> '.join(map(_shown, nodes))} ({' and '.join(names)})"
        yield Finding("warning", "dependency_cycle", text, "take one of these dependencies away")
    if unique_tasks(documents):
        for key, epics in sorted(sides[FILES].owners.items()):
            if len(epics) > 1:
                places = ", ".join(_shown((epic, key)) for epic in epics)
                text = f"one task id in more than one epic, which the database does not take: {places} ({FILES})"
                yield Finding("warning", "duplicate_task", text, "give one of them another id")


def _dangling(*sides: _SideLook) -> Iterator[Finding]:
    wanted = dict.fromkeys((node, name) for side in sides for node, names in side.wanted.items() for name in names)
    for node, name in sorted(wanted):
        if not any(name in side.owners for side in sides):
            text = f"{_shown(node)} depends on task {name}, which does not exist"
            yield Finding("warning", "dangling_dependency", text, "correct the dependency, or add the task")


def _shown(node: Node) -> str:
    return str(Label(node[0], (DocumentMapping.TASKS, node[1])))
