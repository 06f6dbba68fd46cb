"""git's merge driver for JSON files: returns the bytes to write over ``%A``, and the conflicts. Pure.

git starts it for a file that both branches changed, with three temporary files; ``%A`` is ours and takes the result.
The merge is that of ``merge-file``. It also copes with what only git brings along: a base that is empty because both
branches added the file, files with a byte order mark, and ancestors.

**Ancestors.** Branches that were merged crosswise have several merge bases, and git first merges these with each other,
to get one base. A conflict there must not be settled by ours. Ours would become the base, and the other branch's
different value would look like the only change. So there the older value stays, and the merge proper finds the
conflict.
"""

from __future__ import annotations

from epicvc.errors import InvalidJSON
from epicvc.merge.threeway import preferring, undecided
from epicvc.plan.file.filemerge import FileMerge, merge_files

_BOM = b"\xef\xbb\xbf"


def drive(ours: bytes, base: bytes, theirs: bytes, path: str) -> FileMerge:
    """Merge a file's three versions.

    Args:
        ours: the current branch's version.
        base: the version that both come from; empty where both branches added the file.
        theirs: the other branch's version.
        path: the file, for messages.

    Returns:
        The result, with ours where something conflicts.

    Raises:
        InvalidJSON: a version is no strict JSON.
    """
    return _merge(ours, base, theirs, path, None)


def drive_ancestors(ours: bytes, base: bytes, theirs: bytes) -> bytes:
    """Merge a file's versions in two merge bases.

    Where these conflict, or where one of the versions is no JSON, the base's value stays.
    """
    try:
        merged = _merge(ours, base, theirs, "", "base")
    except InvalidJSON:
        return base
    return base if merged.conflicts else merged.data


def _merge(ours: bytes, base: bytes, theirs: bytes, path: str, prefer: str | None) -> FileMerge:
    names = (f"{path} (ours)", f"{path} (base)", f"{path} (theirs)")
    mine, old, other = (raw.removeprefix(_BOM) for raw in (ours, base, theirs))
    decide = preferring(prefer) if prefer else undecided
    merged = merge_files(mine, old.strip() and old, other, decide, names)
    marked = theirs if ours.startswith(_BOM) == base.startswith(_BOM) and base else ours
    return FileMerge(_BOM + merged.data, merged.conflicts) if marked.startswith(_BOM) else merged
