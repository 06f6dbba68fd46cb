"""Labels: what is written can be read back, and what cannot be a label is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.errors import UsageError
from epicvc.model.labels import Label, Selection, escape, parse_label, unescape

tricky = st.text(alphabet="~/:@01234a", max_size=6)
names = st.text(max_size=6) | tricky
roots = names.filter(bool)


@given(names)
def test_an_escaped_name_reads_back(name: str) -> None:
    escaped = escape(name)
    assert escaped and "/" not in escaped
    assert unescape(escaped) == name


@given(names, names)
def test_two_names_are_never_written_alike(one: str, other: str) -> None:
    assert (escape(one) == escape(other)) == (one == other)


@given(st.builds(Label, roots, st.lists(names, max_size=4).map(tuple), st.booleans()))
def test_a_label_reads_back(label: Label) -> None:
    assert parse_label(str(label)) == label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("5", Label("5")),
        ("5:name", Label("5", ("name",))),
        ("5:tasks/5.1a/title", Label("5", ("tasks", "5.1a", "title"))),
        ("5:quality_gates/a~1b~0c", Label("5", ("quality_gates", "a/b~c"))),
        ("5:quality_gates/~4", Label("5", ("quality_gates", ""))),
        ("a~2b:name", Label("a:b", ("name",))),
        ("~3home", Label("@home")),
        ("5:@/_metadata/author", Label("5", ("@", "_metadata", "author"))),
        ("@users", Label("users", table=True)),
        ("@users/7/name", Label("users", ("7", "name"), table=True)),
    ],
)
def test_labels_are_written_as_documented(text: str, label: Label) -> None:
    assert parse_label(text) == label
    assert str(label) == text


@pytest.mark.parametrize("text", ["", "5:", ":", ":name", "/", "5/name", "5:name/", "@", "@/", "@/a", "@users/"])
def test_what_cannot_be_a_label_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no label") as caught:
        parse_label(text)
    assert caught.value.hint


@given(st.text(alphabet="~/:@ab0", max_size=8))
def test_any_text_is_a_label_or_refused(text: str) -> None:
    try:
        label = parse_label(text)
    except UsageError:
        return
    assert label.root
    assert parse_label(str(label)) == label


def test_a_label_covers_itself_and_what_lies_below() -> None:
    tasks = Label("5", ("tasks",))
    assert tasks.covers(tasks) and tasks.covers(tasks.child("1")) and Label("5").covers(tasks)
    assert not tasks.covers(Label("5")) and not tasks.covers(Label("5", ("tasks2",)))
    assert not Label("6").covers(tasks) and not Label("5", table=True).covers(tasks)


def test_an_empty_selection_is_about_everything() -> None:
    everything = Selection()
    assert everything.all and everything.epics() is None
    assert everything.selects(Label("5")) and everything.touches(Label("5", ("a",)))


def test_a_selection_touches_what_stands_above_but_selects_what_stands_below() -> None:
    chosen = Selection.of(["5:tasks/1", "6", "@users/7"])
    assert not chosen.all
    assert chosen.epics() == frozenset({"5", "6"})
    assert chosen.selects(Label("5", ("tasks", "1", "title"))) and chosen.selects(Label("6", ("name",)))
    assert not chosen.selects(Label("5", ("tasks",))) and chosen.touches(Label("5", ("tasks",)))
    assert not chosen.touches(Label("5", ("name",))) and not chosen.touches(Label("7"))
