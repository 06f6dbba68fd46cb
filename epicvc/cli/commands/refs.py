"""``branch``, ``switch`` and ``tag``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from epicvc.cli.line.parameters import Argument, Option, examples
from epicvc.cli.settings import Context, complete_refs, repo_of, settings_of

if TYPE_CHECKING:
    from epicvc.repo.repository import Repo

Name = Annotated[str | None, Argument(metavar="[NAME]", help="The name; without it, list.")]
Needed = Annotated[
    str, Argument(metavar="BRANCH", help="The branch; - for the one before this.", autocompletion=complete_refs)
]
Revision = Annotated[
    str | None, Argument(metavar="[REV]", help="Where; HEAD by default.", autocompletion=complete_refs)
]
Delete = Annotated[bool, Option("--delete", "-d", help="Remove it.")]
Move = Annotated[bool, Option("--move", "-m", help="Rename NAME to REV, or the current branch to NAME.")]
Force = Annotated[bool, Option("--force", "-f", help="Even if it exists, or is not merged.")]
Create = Annotated[bool, Option("--create", "-c", help="Make the branch at HEAD first.")]
Discard = Annotated[bool, Option("--discard-changes", help="Overwrite what no commit has.")]
DryRun = Annotated[bool, Option("--dry-run", "-n", help="Only say what would happen.")]


@examples("epicvc branch", "epicvc branch review HEAD~1", "epicvc branch -m later")
def branch(
    context: Context,
    name: Name = None,
    revision: Revision = None,
    delete: Delete = False,
    move: Move = False,
    force: Force = False,
    dry_run: DryRun = False,
) -> int:
    """List branches, make one, rename one, or remove one."""
    from epicvc.actions.restore import refs
    from epicvc.errors import UsageError
    from epicvc.ui.log import draw_refs

    settings, repo = settings_of(context), repo_of(context)
    if move and (delete or name is None):
        raise UsageError("what is to be renamed?", hint="epicvc branch -m [OLD] NEW")
    if delete and (name is None or revision is not None):
        raise UsageError("branch -d takes one branch", hint="epicvc branch -d NAME")
    if name is None:
        if not settings.json:
            draw_refs(settings.console(), refs.branches(repo), repo.revisions.branch())
    elif move:
        old, new = (None, name) if revision is None else (name, revision)
        old = refs.rename_branch(repo, old, new, force=force, dry_run=dry_run)
        settings.say(f"branch {old} {'would be' if dry_run else 'is'} {new} now")
    elif delete:
        refs.delete_branch(repo, name, force=force, dry_run=dry_run)
        settings.say(f"{'would remove' if dry_run else 'removed'} branch {name}")
    else:
        refs.create_branch(repo, name, revision, force=force, dry_run=dry_run)
        settings.say(f"branch {name} {'would be' if dry_run else 'is'} at {_at(repo, revision)}")
    if settings.json:
        from epicvc.cli.output import machine

        settings.emit(machine.branches(refs.branches(repo), repo.revisions.branch()))
    return 0


@examples("epicvc switch main", "epicvc switch -c review", "epicvc switch -")
def switch(
    context: Context, name: Needed, create: Create = False, discard_changes: Discard = False, dry_run: DryRun = False
) -> int:
    """Make a branch the current one, both sides included."""
    from epicvc.actions.restore import restoring
    from epicvc.cli.commands.states import tell_arrival

    arrival = restoring.switch(repo_of(context), name, create=create, discard=discard_changes, dry_run=dry_run)
    return tell_arrival(context, arrival, "switch", dry_run=dry_run)


@examples("epicvc tag", "epicvc tag v1 HEAD~2", "epicvc tag -d v1")
def tag(
    context: Context,
    name: Name = None,
    revision: Revision = None,
    delete: Delete = False,
    force: Force = False,
    dry_run: DryRun = False,
) -> int:
    """List tags, name a commit, or remove a name."""
    from epicvc.actions.restore import refs
    from epicvc.errors import UsageError
    from epicvc.ui.log import draw_refs

    settings, repo = settings_of(context), repo_of(context)
    if delete and (name is None or revision is not None):
        raise UsageError("tag -d takes one tag", hint="epicvc tag -d NAME")
    if name is None:
        if not settings.json:
            draw_refs(settings.console(), refs.tags(repo), None)
    elif delete:
        refs.delete_tag(repo, name, dry_run=dry_run)
        settings.say(f"{'would remove' if dry_run else 'removed'} tag {name}")
    else:
        refs.create_tag(repo, name, revision, force=force, dry_run=dry_run)
        settings.say(f"tag {name} {'would be' if dry_run else 'is'} {_at(repo, revision)}")
    if settings.json:
        from epicvc.cli.output import machine

        settings.emit(machine.tags(refs.tags(repo)))
    return 0


def _at(repo: Repo, revision: str | None) -> str:
    return repo.revisions.resolve(revision or "HEAD").hex()[:12]
