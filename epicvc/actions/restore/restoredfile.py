"""Restores the file of one epic among the present files of others."""

from __future__ import annotations

from collections.abc import Collection

from epicvc.files.names import Namer, check_collisions
from epicvc.repo.files.filestree import changed_files, epic_id_of, update_files
from epicvc.store.objects import ObjectId, ObjectSink, ObjectSource
from epicvc.store.tree import tree


def restore_file(
    sink: ObjectSink,
    files: ObjectId,
    epic: str,
    now: tuple[str, ObjectId] | None,
    then: tuple[str, ObjectId] | None,
    restored: Collection[str],
) -> ObjectId:
    """Return the files tree with the former file of an epic.

    It has its former name if no other epic's file has it now.

    Args:
        sink: the store of the files; it takes the tree.
        files: the tree of the present files.
        epic: the epic.
        now: the path and blob of its present file; ``None`` without one.
        then: the path and blob of its former file; ``None`` without one.
        restored: the epics that one command restores as a whole, including this one. Their files may replace each
            other, since each gets its own name back.
    """
    path = (
        None
        if then is None
        else _free_path(sink, files, epic, now=now[0] if now else None, then=then[0], restored=restored)
    )
    changes: list[tuple[str, ObjectId | None]] = []
    if now is not None and now[0] != path:
        changes.append((now[0], None))
    if path is not None and then is not None:
        changes.append((path, then[1]))
    return update_files(sink, files, changes)


def _free_path(
    source: ObjectSource, files: ObjectId, epic: str, now: str | None, then: str, restored: Collection[str]
) -> str:
    occupant = tree.get(source, files, then.encode())
    # A file that is no epic goes by its path. It is replaced, since a restore must bring back a spoilt file.
    if occupant is None or epic_id_of(source, occupant, then) in {then, *restored}:
        return then
    return now or Namer({key.decode(): "" for key, _ in tree.items(source, files)}).name(epic)


def check_new_names(source: ObjectSource, before: ObjectId, after: ObjectId) -> None:
    """Refuse a files tree with new names that cannot stand beside the others on every system.

    Args:
        source: the store of both trees.
        before: the tree of the present files.
        after: the tree of the files afterwards.

    Raises:
        UnsafeName: some system takes two of the names for the same one.
    """
    if any(old is None for _, old, _ in changed_files(source, before, after)):
        check_collisions(key.decode() for key, _ in tree.items(source, after))
