"""What a scan says does not depend on what was remembered before it."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store.memory import Memory

from epicvc.repo.config.config import Config
from epicvc.repo.files import filereading
from epicvc.repo.files.filesside import CACHE, FilesSide
from epicvc.repo.files.tracked import FilesState
from epicvc.repo.history.base import put_mapping
from epicvc.store.objects import ObjectId

NAMES = ("a.json", "b.json", "b/c.json", "b-d.json", "e.json")
CONTENTS = (
    *(json.dumps({"epic": {"id": epic, "name": name}}) for epic in ("1", "2", "3") for name in ("x", "y")),
    json.dumps({"id": "[EPIC-ID]", "name": "template"}),
    json.dumps({"id": "4", "planned_start_date": "2025-01-01"}),
    "{broken",
)
STEP = st.dictionaries(st.sampled_from(NAMES), st.sampled_from((*CONTENTS, None)), max_size=3)


class Place:
    """A files directory, and the store that its scans fill."""

    def __init__(self, root: Path) -> None:
        self.config = Config(root, root / "epics")
        self.config.files.mkdir()
        self.config.private.mkdir()
        self.store = Memory()
        self.mapping = put_mapping(self.store, self.config.mapping)
        self.clock = 1_700_000_000_000_000_000

    def scan(self, known: ObjectId | None = None) -> FilesState:
        """Scan as a command does."""
        return FilesSide(self.config, self.mapping).scan(self.store, known)

    def scan_anew(self, known: ObjectId | None = None) -> FilesState:
        """Scan with nothing remembered, and leave what is remembered as it is."""
        cache = self.config.private / CACHE
        before = cache.read_bytes() if cache.exists() else None
        cache.unlink(missing_ok=True)
        state = self.scan(known)
        if before is not None:
            cache.write_bytes(before)
        return state

    def edit(self, changes: dict[str, str | None]) -> None:
        """Write and remove files; times are later than any before and long past."""
        for path, content in changes.items():
            target = self.config.files / path
            target.unlink(missing_ok=True)
            if content is not None:
                target.parent.mkdir(exist_ok=True)
                target.write_text(content, encoding="utf-8")
                self.clock += 1_000_003
                os.utime(target, ns=(self.clock, self.clock))


def facts(state: FilesState) -> object:
    """Everything that a scan says."""
    views = [list(view.items()) for view in (state.files, state.by_epic)]
    return state.root, views, [str(problem) for problem in state.problems], state.skipped


@pytest.fixture(name="long_ago")
def _long_ago() -> Iterator[None]:
    """Files are looked at long after they were written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filereading, "clock_ns", lambda _: time.time_ns() + 10**10)
        yield


@given(st.lists(STEP, min_size=1, max_size=6), st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_scan_is_the_scan_made_anew(long_ago: None, steps: list[dict[str, str | None]], committed: bool) -> None:
    """Invalid files, templates and epics in two files included, with and without a commit that has other files."""
    with tempfile.TemporaryDirectory() as directory:
        place = Place(Path(directory))
        known = None
        for step in steps:
            place.edit(step)
            expected = facts(place.scan_anew(known))
            found = place.scan(known)
            assert facts(found) == expected
            assert facts(place.scan(known)) == expected
            if committed:
                known = found.root


def test_what_is_remembered_is_not_read(tmp_path: Path, long_ago: None) -> None:
    place = Place(tmp_path)
    place.edit({"a.json": CONTENTS[0], "t.json": CONTENTS[6]})
    first = place.scan()
    puts = place.store.puts
    assert facts(place.scan(first.root)) == facts(first)
    assert place.store.puts == puts
    place.edit({"a.json": CONTENTS[1]})
    place.scan(first.root)
    assert place.store.puts == puts + 2  # the file and the tree


def test_what_may_still_change_is_read_again(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.edit({"a.json": CONTENTS[0]})  # just now, by the file system's clock
    first = place.scan()
    puts = place.store.puts
    place.scan(first.root)
    assert place.store.puts == puts + 1


def test_a_tree_that_the_store_lost_is_made_again(tmp_path: Path, long_ago: None) -> None:
    place = Place(tmp_path)
    place.edit({"a.json": CONTENTS[0], "t.json": CONTENTS[6], "b.json": CONTENTS[2]})
    first = facts(place.scan())
    place.store.objects.clear()
    assert facts(place.scan()) == first
    assert len(place.store.objects) == 4  # the two files, their tree, and the empty one that they are compared with
