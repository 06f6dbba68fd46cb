"""Branches and tags: creates, renames, lists and removes names of commits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from epicvc.errors import NotFound, Refused, UsageError
from epicvc.repo.history.revisions import BRANCHES, CHECKPOINTS, HEAD, SYMBOLIC, TAGS, check_ref_name
from epicvc.repo.repository import Repo

if TYPE_CHECKING:
    from epicvc.actions.restore.restoring import Arrival


def branches(repo: Repo) -> dict[str, str]:
    """Return the commits of all branches, by name."""
    return {name.removeprefix(BRANCHES): value for name, value in repo.store.refs(BRANCHES).items()}


def tags(repo: Repo) -> dict[str, str]:
    """Return the commits of all tags, by name."""
    return {name.removeprefix(TAGS): value for name, value in repo.store.refs(TAGS).items()}


def names_by_commit(repo: Repo) -> dict[str, list[str]]:
    """Return the tags and checkpoints of each commit."""
    result: dict[str, list[str]] = {}
    for space in (TAGS, CHECKPOINTS):
        for name, value in sorted(repo.store.refs(space).items()):
            result.setdefault(value, []).append(name.removeprefix(space))
    return result


def require_branch(repo: Repo, name: str) -> None:
    """Make sure that a branch exists.

    Raises:
        NotFound: the branch does not exist.
    """
    if repo.store.ref(BRANCHES + name) is None:
        raise NotFound(f"no branch {name}", hint=f"see `epicvc branch`, or make it with `epicvc switch -c {name}`")


@contextmanager
def _moving(repo: Repo, command: str, description: str, *, dry_run: bool) -> Iterator[dict[str, str | None]]:
    """Collect refs to move in the block, and move them as one operation. Neither side is read.

    The checks in the block run under the lock: of two commands that want the same name, only one finds it free.
    """
    from epicvc.repo.apply.apply import record_refs
    from epicvc.repo.apply.recovery import recover

    refs: dict[str, str | None] = {}
    if dry_run:
        yield refs
        return
    with repo.lock():
        recover(repo)
        yield refs
        record_refs(repo, command, description, refs)


def create_branch(
    repo: Repo, name: str, revision: str | None, *, switch: bool = False, force: bool = False, dry_run: bool = False
) -> Arrival:
    """Make a branch at a revision.

    Raises:
        UsageError: the name is not allowed, or is taken.
        NotFound: the revision does not exist.
        Refused: the branch is the current one, which cannot move without both sides.
    """
    from epicvc.actions.restore.restoring import Arrival
    from epicvc.actions.shared.mergestate import require_no_merge

    ref = BRANCHES + check_ref_name(name)
    with _moving(repo, "switch" if switch else "branch", f"branch {name}", dry_run=dry_run) as refs:
        if switch:
            require_no_merge(repo)
        _require_free(repo, name, force=force, switch=switch)
        refs[ref] = repo.revisions.resolve(revision or HEAD).hex()
        if switch:
            refs[HEAD] = SYMBOLIC + ref
    return Arrival(repo.revisions.head(), repo.revisions.branch(), 0, changed_database=False)


def delete_branch(repo: Repo, name: str, *, force: bool = False, dry_run: bool = False) -> None:
    """Remove a branch. Its commits stay until ``gc`` runs.

    Raises:
        NotFound: the branch does not exist.
        Refused: the branch is the current one, or HEAD does not contain its commits.
    """
    with _moving(repo, "branch", f"branch --delete {name}", dry_run=dry_run) as refs:
        require_branch(repo, name)
        if repo.revisions.branch() == name:
            raise Refused(f"{name} is the current branch", hint="switch to another one first")
        head = repo.revisions.head()
        tip = repo.revisions.resolve(BRANCHES + name)
        if not force and (head is None or tip not in repo.revisions.ancestors(head)):
            raise Refused(
                f"branch {name} has commits that HEAD does not have", hint="mean it with --force; `undo` brings it back"
            )
        refs[BRANCHES + name] = None


def rename_branch(repo: Repo, old: str | None, new: str, *, force: bool = False, dry_run: bool = False) -> str:
    """Rename a branch. The current branch stays current under its new name.

    Args:
        repo: the repo.
        old: the branch; the current one by default.
        new: the name.
        force: replace another branch that has the name.
        dry_run: only say what would happen.

    Returns:
        The name that the branch had.

    Raises:
        UsageError: the name is not allowed, or is taken.
        NotFound: the branch does not exist, or HEAD is at no branch.
        Refused: the name is that of the current branch, which would be replaced.
    """
    ref = BRANCHES + check_ref_name(new)
    with _moving(repo, "branch", f"branch --move {f'{old} ' if old else ''}{new}", dry_run=dry_run) as refs:
        current = repo.revisions.branch()
        name = old or current
        if name is None:
            raise NotFound("HEAD is at no branch", hint=f"say which: `epicvc branch -m OLD {new}`")
        if name != current:  # a current branch without a commit exists in HEAD alone
            require_branch(repo, name)
        if name != new:
            _require_free(repo, new, force=force)
            commit = repo.store.ref(BRANCHES + name)
            refs.update({BRANCHES + name: None, ref: commit} if commit else {})
            if name == current:
                refs[HEAD] = SYMBOLIC + ref
    return name


def _require_free(repo: Repo, name: str, *, force: bool, switch: bool = False) -> None:
    if repo.store.ref(BRANCHES + name) is None:
        return
    if not force:
        hint = f"`epicvc switch {name}` goes there" if switch else "move it with --force"
        raise UsageError(f"there is a branch {name} already", hint=hint)
    if repo.revisions.branch() == name:
        raise Refused(f"{name} is the current branch", hint="`epicvc rollback` moves it, and both sides with it")


def previous_branch(repo: Repo) -> str:
    """Return the present name of the branch that was current before this one.

    Raises:
        NotFound: there was no such branch, or HEAD was at no branch.
    """
    names: dict[str, str] = {}  # the names of renamed branches, old to new
    for operation in repo.store.operations():
        before, after = operation.before.refs, operation.after.refs
        renamed = _renamed(before, after)
        if renamed:
            names[renamed[0]] = names.get(renamed[1], renamed[1])
        elif before.get(HEAD) not in (None, after.get(HEAD)):
            value = before[HEAD]
            if not value.startswith(SYMBOLIC):
                raise NotFound(
                    f"HEAD was at {value[:12]} before, which is no branch", hint=f"`epicvc checkout {value[:12]}`"
                )
            name = value.removeprefix(SYMBOLIC + BRANCHES)
            return names.get(name, name)
    raise NotFound("no other branch was the current one before", hint="see `epicvc branch`")


def _renamed(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the old and the new name of the branch that an operation renamed, or ``None``."""
    gone = [name for name in before if name.startswith(BRANCHES) and name not in after]
    come = [name for name in after if name.startswith(BRANCHES) and before.get(name) != after[name]]
    if len(gone) == len(come) == 1 and before[gone[0]] == after[come[0]]:
        return gone[0].removeprefix(BRANCHES), come[0].removeprefix(BRANCHES)
    return None


def create_tag(repo: Repo, name: str, revision: str | None, *, force: bool = False, dry_run: bool = False) -> str:
    """Give a commit a tag, and return the commit.

    Raises:
        UsageError: the name is not allowed, or is taken.
        NotFound: the revision does not exist.
    """
    ref = TAGS + check_ref_name(name)
    with _moving(repo, "tag", f"tag {name}", dry_run=dry_run) as refs:
        if repo.store.ref(ref) is not None and not force:
            raise UsageError(f"there is a tag {name} already", hint="move it with --force")
        commit = repo.revisions.resolve(revision or HEAD).hex()
        refs[ref] = commit
    return commit


def delete_tag(repo: Repo, name: str, *, dry_run: bool = False) -> None:
    """Remove a tag.

    Raises:
        NotFound: the tag does not exist.
    """
    with _moving(repo, "tag", f"tag --delete {name}", dry_run=dry_run) as refs:
        if repo.store.ref(TAGS + name) is None:
            raise NotFound(f"no tag {name}", hint="see `epicvc tag`")
        refs[TAGS + name] = None
