"""An epic's file that is restored by itself, among the files of others as they are by now."""

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
    """The files tree with an epic's file as it was, under the name that it had if no other epic's file has it now.

    Args:
        sink: holds the files, and gets the tree.
        files: the tree of the files as they are.
        epic: the epic.
        now: path and blob of its file as it is; ``None`` where it has none.
        then: the same as it was.
        restored: the epics that one command restores as a whole, this one too. Their files give way to each other,
            since each gets its own name back.
    """
    path = None if then is None else _free_path(sink, files, epic, now[0] if now else None, then[0], restored)
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
    # A file that is no epic goes by its path. It is replaced: to bring back what was spoilt is what restoring is for.
    if occupant is None or epic_id_of(source, occupant, then) in {then, *restored}:
        return then
    return now or Namer({key.decode(): "" for key, _ in tree.items(source, files)}).name(epic)


def check_new_names(source: ObjectSource, before: ObjectId, after: ObjectId) -> None:
    """Refuse a files tree with new names that cannot stand beside the others everywhere.

    Args:
        source: holds both trees.
        before: the tree of the files as they are.
        after: the tree that they are to become.

    Raises:
        UnsafeName: some system takes two of the names for one.
    """
    if any(old is None for _, old, _ in changed_files(source, before, after)):
        check_collisions(key.decode() for key, _ in tree.items(source, after))
