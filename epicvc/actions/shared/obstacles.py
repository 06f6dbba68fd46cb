"""Finds later changes to files that cannot stand beside the files that an undo or redo brings back.

An epic is in one file, and no two files may have names that some system takes for the same one. A renamed file and the
one that comes back have different paths, so that a comparison path by path, as for rows, does not see that they clash.
This module only finds the files; :mod:`epicvc.actions.shared.targets` refuses the operation.
"""

from __future__ import annotations

from epicvc.files.names import collisions
from epicvc.repo.files.filestree import changed_files, epic_id_of
from epicvc.repo.files.tracked import FilesState
from epicvc.store.objects import ObjectId, ObjectSource


def obstacles(source: ObjectSource, now: FilesState, wanted: ObjectId, target: ObjectId) -> list[str]:
    """Return later files that have the epic of a file that comes back, or nearly its name.

    A file that the target has too is no obstacle, since it was beside these files before. So both of two files of one
    epic come back that a rollback had tidied up. The cost depends on the files in which ``wanted`` differs from the
    other two trees; the epics of the present files are known without reading them.

    Args:
        source: the store of the trees and of the bytes of their files.
        now: the present files.
        wanted: the tree after the change is applied to them.
        target: the tree to which the change leads by itself.

    Returns:
        The paths of these files, sorted.
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

    # Each filter leaves few files for the other one to read. The shorter list goes first, since either may hold nearly
    # all files.
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
