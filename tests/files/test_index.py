"""An index says what it was told, whatever was spliced into it, and finds every difference."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from epicvc.files.scan.index import ID_SIZE, NEVER, FileIndex, IndexRow
from epicvc.files.scan.scan import STAT_SIZE, FoundFiles, pack_paths

PATHS = st.dictionaries(st.text("ab/é", min_size=1, max_size=4), st.integers(0, 3), max_size=200)


def found_in(files: dict[str, int]) -> FoundFiles:
    """What a scan finds where these files have these stats."""
    paths = sorted(files)
    return FoundFiles(pack_paths(paths), b"".join(bytes([1 + files[path]]) * STAT_SIZE for path in paths))


def row_of(path: str, stat: bytes) -> IndexRow:
    """A row that shows which file and stat it was made from."""
    blob = path.encode().ljust(ID_SIZE, b"\0")
    return IndexRow(path, stat, blob, f"epic {path}", blob[::-1], stat[0])


def after(index: FileIndex, found: FoundFiles) -> FileIndex:
    """The index brought to what was found."""
    edits = index.edits(found)
    rows = [None if e.found is None else row_of(found.paths[e.found], found.stat(e.found)) for e in edits]
    return index.edited(list(zip(edits, rows, strict=True)))


@given(PATHS, PATHS)
def test_an_edited_index_is_the_index_made_anew(old: dict[str, int], new: dict[str, int]) -> None:
    edited = after(after(FileIndex("x"), found_in(old)), found_in(new))
    assert edited == after(FileIndex("x"), found_in(new))
    assert edited.paths == sorted(new)
    assert edited.epics == [f"epic {path}" for path in sorted(new)]
    for row, path in enumerate(edited.paths):
        expected = row_of(path, bytes([1 + new[path]]) * STAT_SIZE)
        assert (edited.blob(row), edited.core(row), edited.flags[row]) == (expected.blob, expected.core, expected.flags)
    assert edited.edits(found_in(new)) == []


@given(PATHS, PATHS)
def test_edits_are_the_differences(old: dict[str, int], new: dict[str, int]) -> None:
    index, found = after(FileIndex("x"), found_in(old)), found_in(new)
    edits = index.edits(found)
    named = [(index.paths[e.low : e.high], None if e.found is None else found.paths[e.found]) for e in edits]
    assert [(path, here) for (path, here) in named if not path] == [([], p) for p in sorted(new) if p not in old]
    assert [path for path, here in named if here is None] == [[p] for p in sorted(old) if p not in new]
    changed = [p for p in sorted(new) if p in old and old[p] != new[p]]
    assert [path for path, here in named if path and here is not None] == [[p] for p in changed]


def test_a_row_that_is_to_be_looked_at_again() -> None:
    found = found_in({"a": 1, "b": 1})
    index = after(FileIndex("x"), found)
    (edit,) = index.edits(found_in({"a": 1, "b": 2}))
    smudged = index.edited([(edit, row_of("b", NEVER))])
    assert [edit.low for edit in smudged.edits(found)] == [1]


def test_rows_with_a_flag() -> None:
    index = after(FileIndex("x"), found_in({"a": 1, "b": 2, "c": 1}))
    assert list(index.flagged(2)) == [0, 2]
    assert list(index.flagged(9)) == []
