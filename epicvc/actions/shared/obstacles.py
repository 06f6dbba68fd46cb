"""What somebody did to files since a change and that cannot stand beside what its inverse brings back.

An epic lives in one file, and no two files have names that some system takes for one. A file that was renamed has
another path than the one which an inverse brings back, so comparing path by path, as is done for rows, does not see
the two meet. This finds the files; it changes nothing, and refusing is for :mod:`epicvc.actions.shared.targets`.
"""

from __future__ import annotations

from epicvc.files.names import collisions
from epicvc.repo.files.filestree import changed_files, epic_id_of
from epicvc.repo.files.tracked import FilesState
from epicvc.store.objects import ObjectId, ObjectSource


def obstacles(source: ObjectSource, now: FilesState, wanted: ObjectId, target: ObjectId) -> list[str]:
    """The files made or changed since that have the epic of a file that is about to come, or nearly its name.

    What the target has too is no obstacle: it was beside these files then. So two files of one epic that a rollback
    brought in order come back both. The price goes with the files in which ``wanted`` differs from the other two; which
    epics are in the files that are there now is known without reading them.

    Args:
        source: holds the trees, and the bytes of files that they name.
        now: the files as they are.
        wanted: the tree that laying the change onto them makes.
        target: the tree that the change leads to by itself.

    Returns:
        Their paths, sorted.
    """
    arriving = [(path, old, new) for path, old, new in changed_files(source, now.root, wanted) if new is not None]
    if not arriving:
        return []
    since = [(path, then) for path, then, new in changed_files(source, target, wanted) if new is not None]
    return sorted({*_same_epic(source, now, arriving, since), *_same_name(arriving, since)})


def _same_epic(
    source: ObjectSource,
    now: FilesState,
    arriving: list[tuple[str, ObjectId | None, ObjectId]],
    since: list[tuple[str, ObjectId | None]],
) -> list[str]:
    found = [(path, epic, then) for path, then in since if (epic := now.files[path].epic) is not None]

    def is_new_there(path: str, epic: str, then: ObjectId | None) -> bool:
        return then is None or epic_id_of(source, then, path) != epic

    # Either leaves little of the other to be read, so the fewer go first: each may be nearly all files.
    if len(found) < len(arriving):
        found = [file for file in found if is_new_there(*file)]
    coming = {epic_id_of(source, new, path) for path, _, new in arriving} if found else set[str]()
    return [path for path, epic, then in found if epic in coming and is_new_there(path, epic, then)]


def _same_name(
    arriving: list[tuple[str, ObjectId | None, ObjectId]], since: list[tuple[str, ObjectId | None]]
) -> set[str]:
    made = {path for path, then in since if then is None}
    appearing = [path for path, old, _ in arriving if old is None]
    if not made or not appearing:
        return set()
    return {path for clash in collisions([*made, *appearing]) for path in (clash.path, clash.other) if path in made}
