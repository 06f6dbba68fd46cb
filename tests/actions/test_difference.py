"""Differences between files: the same, however little of them is read, and whichever file an epic is in."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterator
from typing import cast

from hypothesis import example, given, settings
from hypothesis import strategies as st
from store.memory import Memory

from epicvc.actions.shared.difference import SideChange, differences, file_changes
from epicvc.base.jsonio import JSON, dumps_text, parse
from epicvc.errors import InvalidJSON
from epicvc.model.diff import Change, Op
from epicvc.model.document import epic_body, natural_key
from epicvc.model.labels import Label
from epicvc.model.mapping import BUILTIN, Layer
from epicvc.model.sharedtasks import without_shared
from epicvc.repo.history.objects import Snapshot
from epicvc.store.objects import ObjectType
from epicvc.store.tree import tree

LABEL = Label("5")

SOME = st.sampled_from([True, True, True, False])
IDS = st.sampled_from(["1", "2", "3", "4", 5, 6, "é", "a/b"])
ODD_IDS = st.sampled_from(["1", 1, 1.0, "", None, True, ["1"]])
SCALARS = cast(
    "st.SearchStrategy[JSON]",
    st.sampled_from([0, 1, 1.0, 1.5, "", "1", "é\n", '"', "\\", "[]", '{"id": "1"}', "tasks", True, None])
    | st.sampled_from(["1.50", "1e400", "123456789012345678901234567890"]).map(lambda number: parse(number.encode())),
)
INNER = SCALARS | st.sampled_from(
    cast("list[JSON]", [[], {}, [[]], [{}], [{"id": "1"}], {"tasks": [{"id": "1"}]}, [1]])
)
TASK = st.fixed_dictionaries({}, optional={"title": INNER, "tasks": INNER, "epic": INNER, "other": INNER})
TASKS = st.lists(st.tuples(IDS, TASK), min_size=2, max_size=6, unique_by=lambda item: str(item[0]))


@st.composite
def some_tasks(draw: st.DrawFn) -> list[JSON]:
    """Tasks with ids, nearly always all different ones."""
    tasks: list[JSON] = [{"id": key, **task} for key, task in draw(TASKS)]
    if not draw(SOME) and not draw(SOME):
        tasks.insert(draw(st.integers(0, len(tasks))), draw(odd_items()))
    return tasks


@st.composite
def odd_items(draw: st.DrawFn) -> JSON:
    if draw(SOME):
        return {"id": draw(ODD_IDS), **draw(TASK)}
    return draw(INNER)


@st.composite
def later(draw: st.DrawFn, tasks: list[JSON]) -> list[JSON]:
    """What somebody made of a list of tasks."""
    result = list(tasks)
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(result)))
        what = draw(st.sampled_from(["edit", "edit", "add", "remove", "move", "twice", "odd"]))
        if what == "add":
            result.insert(at, {"id": draw(IDS), **draw(TASK)})
        elif what == "odd":
            result.insert(at, draw(odd_items()))
        elif at < len(result):
            item = result[at]
            if what == "edit" and isinstance(item, dict):
                result[at] = {**item, **draw(TASK)}
            elif what == "twice":
                result.append(item)
            elif what != "edit":
                del result[at]
                if what == "move":
                    result.insert(draw(st.integers(0, len(result))), item)
    return result


FIELDS = st.fixed_dictionaries({}, optional={"name": INNER, "goals": INNER, "also": some_tasks()})
NO_LIST = st.sampled_from(cast("list[JSON]", [None, [], {}, "", "x", 1, {"id": "1"}]))
FORMS = st.sampled_from(["flat", "flat", "wrapped", "wrapped", "siblings", "copy", "null", "no object"])
STYLES = st.sampled_from(
    [
        {"indent": "  "},
        {"indent": "\t", "ensure_ascii": True, "newline": "\r\n"},
        {"indent": None},
        {"indent": None, "item_sep": ",", "key_sep": ":"},
    ]
)


@st.composite
def texts(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Two versions of a file, of which the second is mostly what somebody made of the first."""
    tasks = draw(some_tasks())
    sides = [tasks, draw(later(tasks)) if draw(SOME) else draw(some_tasks())]
    form, style, fields, siblings = draw(FORMS), draw(STYLES), draw(FIELDS), draw(FIELDS)
    result = []
    for side in sides:
        if not draw(SOME):
            fields = {**fields, **draw(FIELDS)}
        if not draw(SOME) and not draw(SOME):
            form, style, siblings = draw(FORMS), draw(STYLES), draw(FIELDS)
        listed = cast("JSON", side) if draw(SOME) or draw(SOME) else draw(NO_LIST)
        body: dict[str, JSON] = {"id": "5", **fields, "tasks": listed}
        if draw(st.booleans()):
            body = {"tasks": listed, **body}
        value: dict[str, JSON] = body
        if form == "wrapped":
            value = {"epic": body}
        elif form == "siblings":
            value = {"epic": body, "tasks": listed, **siblings}
        elif form == "copy":
            value = {"also": listed, "epic": body}
        elif form in ("null", "no object"):
            value = {"epic": None if form == "null" else 5, **body}
        result.append(dumps_text(value, **style).encode())  # type: ignore[arg-type]
    return result[0], result[1]


def whole(old: bytes, new: bytes) -> list[Change]:
    return list(file_changes(LABEL, parse(old), parse(new)))


@settings(deadline=None, max_examples=300)
@given(texts())
def test_changes_are_those_of_the_whole_files(pair: tuple[bytes, bytes]) -> None:
    reduced = without_shared(*pair)
    if reduced is not None:
        assert repr(list(file_changes(LABEL, *reduced))) == repr(whole(*pair))
        for value, side in zip(reduced, pair, strict=True):
            assert epic_body(value).get("id") == epic_body(cast("dict[str, JSON]", parse(side))).get("id")


@settings(deadline=None, max_examples=300)
@given(texts(), st.data())
def test_damaged_files_are_told_from_sound_ones(pair: tuple[bytes, bytes], data: st.DataObject) -> None:
    """Only where both versions are damaged may the one find what the other does not."""
    piece = st.sampled_from([b"", b'"', b",", b"[", b"]", b"{}", b'{"id": "1"}', b'"tasks": [],', b"\xff", b"\\", b"1"])
    sides = []
    for side in pair:
        start = data.draw(st.integers(0, len(side)))
        end = data.draw(st.integers(start, min(len(side), start + 3)))
        sides.append(side[:start] + data.draw(piece) + side[end:] if data.draw(st.booleans()) else side)
    reduced = without_shared(*sides)
    if reduced is None:
        return
    sound = [is_sound(side) for side in sides]
    assert sound[0] == sound[1]
    if all(sound):
        assert repr(list(file_changes(LABEL, *reduced))) == repr(whole(*sides))


def is_sound(data: bytes) -> bool:
    try:
        parse(data)
    except InvalidJSON:
        return False
    return True


# --- which file an epic is in ---

State = dict[str, bytes]

CONTENTS = st.sampled_from(
    [
        *(
            b'{"epic": {"id": "%d", "name": "%b", "tasks": [{"id": "1"}, {"id": "2", "n": %d}]}}' % (epic, name, number)
            for epic in (1, 2)
            for name in (b"a", b"b")
            for number in (1, 2)
        ),
        b'{"id": 1,   "name": "a"}',
        b'{"id": "no/id"}',
        b'{"name": "no id"}',
        b'{"id": "1", "id": "1"}',
        b"null",
        b'"a text"',
        b"\xff",
    ]
)
STATES = st.dictionaries(st.sampled_from(["1", "a.json", "b.json", "c.json", "no/id"]), CONTENTS, max_size=4)


def stored(sink: Memory, state: State) -> Snapshot:
    items = [(path.encode(), sink.put(ObjectType.BLOB, data)) for path, data in sorted(state.items())]
    return Snapshot(tree.build(sink, items), None, tree.EMPTY, tree.EMPTY)


def plainly(old: State, new: State) -> Iterator[tuple[str, Op, JSON, JSON]]:
    """What differs, from all files at once."""
    sides: list[dict[str, tuple[str, JSON]]] = [{}, {}]
    for path in sorted({*old, *new}):
        if old.get(path) != new.get(path):
            for state, epics in zip((old, new), sides, strict=True):
                if path in state:
                    epic, value = plain_epic(path, state[path])
                    epics[epic] = (path, value)
    for epic in sorted({*sides[0], *sides[1]}):
        path, was = sides[0].get(epic, ("", None))
        new_path, now = sides[1].get(epic, ("", None))
        changes = list(file_changes(Label(epic), was, now))
        if not changes and path != new_path:
            changes = [Change(Label(epic), Op.MOVE, path, new_path)]
        yield from ((str(change.label), change.op, change.old, change.new) for change in changes)


def plain_epic(path: str, data: bytes) -> tuple[str, JSON]:
    if not is_sound(data):
        return path, data.decode("utf-8", "backslashreplace")
    value = parse(data)
    key = natural_key(epic_body(value).get("id")) if isinstance(value, dict) else None
    return key or path, value


def found(old: State, new: State) -> list[SideChange]:
    sink = Memory()
    return list(differences(sink, BUILTIN, stored(sink, old), stored(sink, new), side="files"))


EPIC = b'{"id": "1", "name": "%b", "tasks": [{"id": "1"}, {"id": "2"}]}'


@settings(deadline=None, max_examples=300)
@given(STATES, STATES)
@example({"a.json": EPIC % b"a"}, {"a.json": EPIC % b"b", "b.json": EPIC % b"c"})  # copied
@example({"a.json": EPIC % b"a", "b.json": EPIC % b"c"}, {"a.json": EPIC % b"b"})  # two files before
@example({"a.json": EPIC % b"a", "b.json": EPIC % b"b"}, {"a.json": EPIC % b"c", "b.json": EPIC % b"d"})  # always two
@example({"a.json": EPIC % b"a", "b.json": b"{}"}, {"a.json": EPIC % b"b", "b.json": EPIC % b"a"})
def test_each_epic_differs_between_the_last_files_that_have_it(old: State, new: State) -> None:
    changes = [(str(c.change.label), c.change.op, c.change.old, c.change.new) for c in found(old, new)]
    assert repr(changes) == repr(list(plainly(old, new)))


def test_a_file_that_moved_is_one_change() -> None:
    changes = found({"a.json": EPIC % b"a"}, {"b.json": EPIC % b"a"})
    assert changes == [SideChange("files", Change(Label("1"), Op.MOVE, "a.json", "b.json"), Layer.EXTRA)]


def peak(files: int) -> int:
    """How much memory it takes at most to compare so many files."""
    texts = [
        dumps_text({"id": str(at), "tasks": [{"id": str(n)} for n in range(300)]}, indent=None) for at in range(files)
    ]
    sink = Memory()
    states = [
        stored(sink, {f"{at}.json": text.replace("[", start).encode() for at, text in enumerate(texts)})
        for start in ("[", '[{"id": "new"}, ', '[ {"id": "newer"},\n')
    ]
    tracemalloc.start()
    try:
        for before, after in itertools.pairwise(states):
            for change in differences(sink, BUILTIN, before, after, side="files"):
                assert change.change.label.path[0] == "tasks"
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_documents_are_not_kept() -> None:
    assert peak(40) < 2 * peak(4)
