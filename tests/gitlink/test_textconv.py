"""What ``git diff`` compares: the text of any JSON, one line a field, which says all that the JSON says."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gitrepo import GitRepo, needs_git

from epicvc.gitlink.textconv import text_of
from epicvc.model.labels import parse_label


def lines(value: object) -> list[str]:
    return text_of(json.dumps(value).encode()).decode().splitlines()


def test_an_epic() -> None:
    tasks = [{"title": "T", "id": "5.2", "n": 1.50}, {"id": 51, "test_specs": {"a": [1, {"c": 2, "b": 3}]}}]
    value = {
        "_metadata": {"by": "me"},
        "epic": {"name": "N", "goals": ["b", "a"], "id": "5", "summary": "one\ntwo\n", "tasks": tasks, "none": None},
    }
    assert lines(value) == [
        '5:goals - "b"',
        '5:goals - "a"',
        '5:id: "5"',
        '5:name: "N"',
        "5:none: null",
        '5:summary | "one"',
        '5:summary | "two"',
        '5:summary | ""',
        '5:tasks/5.2/id: "5.2"',
        "5:tasks/51/id: 51",
        "5:tasks/5.2/n: 1.5",
        '5:tasks/5.2/title: "T"',
        "5:tasks/51/test_specs/a - 1",
        '5:tasks/51/test_specs/a - {"b": 3, "c": 2}',
        '5:@/_metadata/by: "me"',
    ]


def test_formatting_and_order_of_keys_do_not_show() -> None:
    assert text_of(b'{"id":1,"a":[1,2]}') == text_of(b'{ "a": [1,\r\n2],\n"id" : 1 }\n')
    assert text_of(b'\xef\xbb\xbf{"a": "\\u0041"}') == text_of(b'{"a": "A"}')


def test_moving_a_task_moves_one_line() -> None:
    tasks = [{"id": str(number), "title": "T", "n": number} for number in range(5)]
    before, after = (lines({"id": "e", "tasks": found}) for found in (tasks, [*tasks[1:], tasks[0]]))
    assert sorted(before) == sorted(after)
    assert [line for line in before if "/0/id" not in line] == [line for line in after if "/0/id" not in line]


@pytest.mark.parametrize("data", [b"", b"{", b"not JSON", b"\x1b[31m\xff", b"{'a': 1}", b"<<<<<<< ours", b"[" * 99_999])
def test_what_is_no_json_stays_as_it_is(data: bytes) -> None:
    assert text_of(data) == data


def nested(levels: int, key: str, items: int) -> bytes:
    return (f'{{"{key}":' * levels + json.dumps([1] * items) + "}" * levels).encode()


@pytest.mark.parametrize(
    ("levels", "key", "items"), [(3, "k" * 1000, 5000), (100, "k" * 1000, 1), (150, "k" * 20, 5000), (201, "k", 1)]
)
def test_what_is_out_of_all_measure_stays_as_it_is(levels: int, key: str, items: int) -> None:
    data = nested(levels, key, items)
    assert text_of(data) == data


def test_what_is_within_measure_has_labels() -> None:
    assert text_of(nested(199, "k", 1)).startswith(b"/k/k/k/")
    long = text_of(json.dumps({"id": "1", "description": "word\n" * 5000, "goals": [1] * 5000}).encode())
    assert long.count(b"\n") == 10_002


def test_nothing_steers_the_terminal_or_misleads_the_eye() -> None:
    text = lines({"id": "5\x1b[2J", "na\u202eme": "\x1b]0;\x07\u200b\u0085\x7f", "s": "a\r\nb", "deep": ["\ud800"]})
    assert all(line.isprintable() for line in text)
    assert '5\\u001b[2J:s | "a\\r"' in text


@pytest.mark.parametrize("pair", [("1", "1.0"), ("1", '"1"'), ("[]", "{}"), ('["a"]', '"a"'), ('"a\\nb"', '["a", "b"]'),
                                  ('{"a": 1, "a": 2}', '{"a": 2}'), ("NaN", "null"), ("1e2", "100"), ("[[1]]", "[1]"),
                                  ('{"epic": {"id": 1}}', '{"id": 1}'), ('[{"id": 1}]', '[{"id": "1"}]'),
                                  ('[{"id": 1, "id": 2}]', '[{"id": 2}]')])  # fmt: skip
def test_different_values_have_different_texts(pair: tuple[str, str]) -> None:
    one, other = (text_of(text.encode()) for text in pair)
    assert one != other
    wrapped = (text_of(b'{"x": ' + text.encode() + b"}") for text in pair)
    assert len(set(wrapped)) == 2


NAMES = st.sampled_from(["id", "epic", "tasks", "a", "a/b", "~", "", 'x: "y"', "x - ", "x | ", '"', "\\", "\n"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.text(string.printable, max_size=3) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, VALUES)
def test_a_text_says_all_that_the_json_says(one: Any, other: Any) -> None:
    assert (lines(one) == lines(other)) == (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))


@given(st.dictionaries(st.text(min_size=1, max_size=4), st.integers(), min_size=1, max_size=3))
def test_labels_read_back(fields: dict[str, int]) -> None:
    for line in lines({**fields, "id": "5"}):
        label = line.rpartition(": ")[0]
        assert parse_label(json.loads(f'"{label}"')).path[0] in {*fields, "id"}


@needs_git
def test_git_diff_shows_fields(installed: GitRepo) -> None:
    installed.edit("epics/5.json", "Search", "Search all")
    installed.edit("epics/5.json", "two", "2")
    shown = [line for line in installed.git("diff").splitlines() if line[:1] in "+-" and line[1:2] not in "+-"]
    assert shown == ['-5:name: "Search"', '+5:name: "Search all"', '-5:summary | "two"', '+5:summary | "2"']
    assert "5:name" not in installed.git("diff", "--no-textconv")


def test_by_the_command_line(tmp_path: Path) -> None:
    repo = GitRepo(tmp_path)
    repo.write("a.json", "[1, 2]")
    repo.write("raw", b"\xff\x1b")
    assert repo.epicvc("textconv", "a.json").out == " - 1\n - 2\n"
    assert repo.epicvc("-C", str(tmp_path), "textconv", "--", "a.json", at="..").out == " - 1\n - 2\n"
    assert repo.epicvc("textconv", "raw").out.encode(errors="surrogateescape") == b"\xff\x1b"
    assert repo.epicvc("textconv", "none.json").code == 3
    assert repo.epicvc("textconv", ".").code == 6
    assert repo.epicvc("textconv").code == 2
