"""``checkout``, ``restore``, ``checkpoint`` and ``rollback``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from epicvc.cli.line.parameters import Argument, Option, examples
from epicvc.cli.settings import Context, complete_refs, repo_of, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from epicvc.actions.restore.exporting import Exported
    from epicvc.actions.restore.restoring import Arrival
    from epicvc.database.backend import Stranded
    from epicvc.model.labels import Selection
    from epicvc.repo.repository import Repo
    from epicvc.store.objects import ObjectId

Revision = Annotated[str, Argument(metavar="REV", help="A revision.", autocompletion=complete_refs)]
Side = Annotated[str | None, Option("--side", metavar="files|db", help="Only this side; HEAD stays.")]
Discard = Annotated[bool, Option("--discard-changes", help="Overwrite what no commit has.")]
DryRun = Annotated[bool, Option("--dry-run", "-n", help="Only say what would happen.")]
Name = Annotated[str, Argument(metavar="NAME", help="The checkpoint's name.")]
Force = Annotated[bool, Option("--force", help="Move a checkpoint of this name.")]
Labels = Annotated[
    list[str] | None, Argument(metavar="[LABEL]...", help="What to restore: 5, 5:tasks/5.1a/title, @table/key.")
]
Source = Annotated[str, Option("--source", "-s", metavar="REV", help="Take it from this revision.")]
At = Annotated[str | None, Option("--at", metavar="TIME", help="The last commit at or before this time.")]
To = Annotated[Path | None, Option("--to", metavar="DIR", help="Write that state, or epics, into a new directory.")]
WithParents = Annotated[
    bool, Option("--with-parents", help="Bring the rows along that restored ones refer to and that are gone.")
]
InPlace = Annotated[bool, Option("--in-place", help="Bring both sides here to that state.")]


@examples("epicvc checkout HEAD~1", "epicvc checkout --side db before-review")
def checkout(
    context: Context, revision: Revision, side: Side = None, discard_changes: Discard = False, dry_run: DryRun = False
) -> int:
    """Bring both sides to a commit's state; a commit that is no branch detaches HEAD."""
    from epicvc.actions.restore import restoring

    arrival = restoring.checkout(repo_of(context), revision, side=side, discard=discard_changes, dry_run=dry_run)
    return tell_arrival(context, arrival, "checkout", dry_run=dry_run)


@examples(
    "epicvc restore --source HEAD~2 5:tasks/5.1a/title",
    "epicvc restore --at 2025-08-17T10:00 --to /tmp/then",
    "epicvc restore 5",
)
def restore(
    context: Context,
    labels: Labels = None,
    source: Source = "HEAD",
    at: At = None,
    to: To = None,
    in_place: InPlace = False,
    side: Side = None,
    with_parents: WithParents = False,
    dry_run: DryRun = False,
) -> int:
    """Restore an epic, a task, a field or a row from a commit; or everything from a point in time."""
    from epicvc.actions.restore import picking, restoring
    from epicvc.errors import UsageError
    from epicvc.model.labels import Selection
    from epicvc.repo.history.revisions import parse_when
    from epicvc.ui.text import count

    settings = settings_of(context)
    repo = repo_of(context)
    if at is not None:
        if labels or (to is None) == (not in_place):
            raise UsageError("--at restores everything", hint="add --to DIR or --in-place, and no labels")
        found = repo.revisions.at(parse_when(at))
        if to is not None:
            return _export(context, repo, found.id, settings.start() / to, dry_run=dry_run)
        arrival = restoring.rollback(repo, found.id.hex(), command="restore", dry_run=dry_run)
        return tell_arrival(context, arrival, "restore", dry_run=dry_run)
    if not labels:
        raise UsageError("say what to restore", hint="labels, or --at TIME with --to DIR or --in-place")
    if to is not None:
        if in_place or with_parents or side == "db":
            raise UsageError("--to writes files of epics and nothing else", hint="leave the other flag out")
        return _export_epics(context, repo, source, Selection.of(labels), settings.start() / to, dry_run=dry_run)
    picked = picking.pick(repo, source, Selection.of(labels), side=side, with_parents=with_parents, dry_run=dry_run)
    if settings.json:
        commit = repo.revisions.resolve(source)
        from epicvc.cli.output import machine

        settings.emit(
            machine.restore(
                commit, picked.files, database=picked.database, parents=picked.parents if with_parents else None
            )
        )
    else:
        verb = "would restore" if dry_run else "restored"
        parts = [count(picked.files, "file")] if picked.files else []
        parts += ["rows of the database"] if picked.database else []
        settings.say(f"{verb} {' and '.join(parts)}" if parts else "nothing to restore: it is so already")
        for parent in picked.parents:
            settings.say(f"  with {parent}")
    return 0


def _export(context: Context, repo: Repo, commit: ObjectId, directory: Path, *, dry_run: bool) -> int:
    from epicvc.actions.restore.exporting import export

    return _tell_export(context, export(repo, commit, directory, dry_run=dry_run), commit, directory, dry_run=dry_run)


def _export_epics(
    context: Context, repo: Repo, revision: str, selection: Selection, directory: Path, *, dry_run: bool
) -> int:
    from epicvc.actions.restore.exporting import export_epics

    commit = repo.revisions.resolve(revision)
    exported = export_epics(repo, commit, selection.labels, directory, dry_run=dry_run)
    return _tell_export(context, exported, commit, directory, dry_run=dry_run)


def _tell_export(context: Context, exported: Exported, commit: ObjectId, directory: Path, *, dry_run: bool) -> int:
    from epicvc.ui.text import count

    settings = settings_of(context)
    if settings.json:
        has_database = exported.database is not None
        from epicvc.cli.output import machine

        settings.emit(
            machine.restore(commit, exported.files, database=has_database, to=directory, stranded=exported.stranded)
        )
    else:
        verb = "would write" if dry_run else "wrote"
        parts = [count(exported.files, "file"), *([str(exported.database)] if exported.database else [])]
        settings.say(f"{verb} {' and '.join(parts)} of {commit.hex()[:12]}")
        tell_stranded(context, exported.stranded)
    return 0


@examples("epicvc checkpoint before-review")
def checkpoint(context: Context, name: Name, force: Force = False, dry_run: DryRun = False) -> int:
    """Record both sides under a name that rollback takes."""
    from epicvc.actions.shared import commits

    settings = settings_of(context)
    report = commits.checkpoint(repo_of(context), name, force=force, dry_run=dry_run)
    if settings.json:
        from epicvc.cli.output import machine

        settings.emit(machine.commit(report))
    elif report.commit is None:
        settings.say(f"would record checkpoint {name}")
    else:
        settings.say(f"checkpoint {name} is {report.commit.hex()[:12]}")
    return 0


@examples("epicvc rollback before-review", "epicvc rollback HEAD~1")
def rollback(context: Context, revision: Revision, dry_run: DryRun = False) -> int:
    """Go back to a checkpoint or commit, by a new commit; undo brings back what was there."""
    from epicvc.actions.restore import restoring

    return tell_arrival(
        context, restoring.rollback(repo_of(context), revision, dry_run=dry_run), "rollback", dry_run=dry_run
    )


def tell_arrival(context: Context, arrival: Arrival, command: str, *, dry_run: bool) -> int:
    """Report the state that a command has reached."""
    from epicvc.ui.text import count

    settings = settings_of(context)
    if settings.json:
        from epicvc.cli.output import machine

        settings.emit(machine.arrival(arrival, command))
        return 0
    changed = [count(arrival.changed_files, "file")] if arrival.changed_files else []
    changed += ["the database"] if arrival.changed_database else []
    what = (
        f"{'would change' if dry_run else 'changed'} {' and '.join(changed)}"
        if changed
        else "both sides are there already"
    )
    where = f"on {arrival.branch}" if arrival.branch else "detached"
    settings.say(f"{command}: {what}; HEAD is {arrival.commit.hex()[:12] if arrival.commit else 'nowhere'} ({where})")
    tell_stranded(context, arrival.stranded)
    return 0


def tell_stranded(context: Context, stranded: Iterable[Stranded]) -> None:
    """Report the triggers that were not brought back."""
    for one in stranded:
        settings_of(context).say(
            f"  left out: trigger {one.trigger} of {one.table}, for there is no table {one.missing}"
        )
