"""The edit that keeps formatting: what it says, and what it leaves alone."""

from __future__ import annotations

import copy
import difflib
import json
import random
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from epicvc.base.jsonio import JSON, dumps_canonical, equal, parse
from epicvc.errors import InvalidJSON
from epicvc.files.format.rewrite import rewrite
from epicvc.files.format.spans import SpanNode, spans
from epicvc.files.format.style import Style, detect_style, render

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "real" / "epics"
SPACES = ["", " ", "\n", "\r\n", "\t", "\n    ", " \n\n  "]

KEYS = st.sampled_from(["id", "name", "tasks", "é", "a/b", 'q"', "", "\u2028"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from([0.5, 1e22, 1e-7, Decimal("1e400"), Decimal("0.10000000000000000001"), 10**30])
    | st.sampled_from(["", "a", "ação", "a/b", "\\", '"', "\n", "😀", "x" * 50])
)
VALUES: st.SearchStrategy[JSON] = st.recursive(
    cast("st.SearchStrategy[JSON]", SCALARS),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)
STYLES = st.builds(
    Style,
    indent=st.sampled_from([None, "", "  ", "    ", "\t"]),
    newline=st.sampled_from(["\n", "\r\n"]),
    final_newline=st.booleans(),
    ensure_ascii=st.booleans(),
    escape_slash=st.booleans(),
    key_sep=st.sampled_from([": ", ":", " : "]),
    item_gap=st.sampled_from(["", " "]),
    inline_array=st.sampled_from([0, 12, 60]),
    inline_object=st.sampled_from([0, 30]),
)


def same(a: JSON, b: JSON) -> bool:
    """Equal by value, with the same keys."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return equal(a, b)


def wild(value: JSON, rng: random.Random) -> str:
    """The value with spaces, escapes and notations of numbers that no serialiser would choose."""

    def space() -> str:
        return rng.choice(SPACES)

    def string(text: str) -> str:
        plain = json.dumps(text, ensure_ascii=rng.random() < 0.5)
        return plain.replace("/", "\\/") if rng.random() < 0.5 else plain.replace("a", "\\u0061")

    def write(item: JSON) -> str:
        if isinstance(item, dict):
            members = [f"{space()}{string(k)}{space()}:{space()}{write(v)}{space()}" for k, v in item.items()]
            return "{" + (",".join(members) or space()) + "}"
        if isinstance(item, list):
            return "[" + (",".join(f"{space()}{write(v)}{space()}" for v in item) or space()) + "]"
        if isinstance(item, str):
            return string(item)
        if isinstance(item, int) and not isinstance(item, bool):
            return f"{item}{rng.choice(['', '.0', 'e0', 'E+00'])}"
        return dumps_canonical(item).decode()

    return space() + write(value) + space()


@st.composite
def raws(draw: st.DrawFn, values: st.SearchStrategy[JSON] = VALUES) -> bytes:
    """Files in an orderly style or in none."""
    value = draw(values)
    if draw(st.booleans()):
        return render(value, draw(STYLES))
    return wild(value, random.Random(draw(st.integers(0, 1000)))).encode()


def places(node: SpanNode) -> list[SpanNode]:
    return [node, *(found for item in node.items for found in places(item.value))]


def containers(value: JSON) -> list[dict[str, JSON] | list[JSON]]:
    if not isinstance(value, (dict, list)):
        return []
    children = value.values() if isinstance(value, dict) else value
    return [value, *(found for child in children for found in containers(child))]


@st.composite
def mutated(draw: st.DrawFn, value: JSON) -> JSON:
    """The value with some members and items changed, removed, added and moved."""
    result = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 4))):
        found = containers(result)
        if not found:
            return draw(VALUES)
        container = draw(st.sampled_from(found))
        if isinstance(container, dict):
            key = draw(KEYS)
            if draw(st.booleans()):
                container.pop(key, None)
            else:
                container[key] = draw(VALUES)
        else:
            change = draw(st.sampled_from(["insert", "pop", "set", "move"]))
            place = draw(st.integers(0, max(0, len(container) - 1)))
            if change == "insert":
                container.insert(place, draw(VALUES))
            elif container:
                item = container.pop(place)
                if change != "pop":
                    where = place if change == "set" else draw(st.integers(0, len(container)))
                    container.insert(where, draw(VALUES) if change == "set" else item)
    return result


@given(raws())
def test_nothing_changed_nothing_written(raw: bytes) -> None:
    assert rewrite(raw, parse(raw)) == raw


@given(raws(), VALUES)
def test_it_says_the_target(raw: bytes, target: JSON) -> None:
    assert same(parse(rewrite(raw, target)), target)


@given(st.data())
@settings(max_examples=300)
def test_it_says_a_mutation(data: st.DataObject) -> None:
    raw = data.draw(raws())
    target = data.draw(mutated(parse(raw)))
    written = rewrite(raw, target)
    assert same(parse(written), target)
    assert rewrite(written, target) == written


@given(raws(), st.data())
def test_a_changed_scalar_changes_only_its_own_bytes(raw: bytes, data: st.DataObject) -> None:
    content = parse(raw)
    root = spans(raw.decode(), content)
    leaves = [node for node in places(root) if not isinstance(node.content, (dict, list))]
    assume(leaves)
    index = data.draw(st.integers(0, len(leaves) - 1))
    new: JSON = data.draw(cast("st.SearchStrategy[JSON]", SCALARS))
    seen = -1

    def changed(value: JSON) -> JSON:
        nonlocal seen
        if isinstance(value, dict):
            return {key: changed(member) for key, member in value.items()}
        if isinstance(value, list):
            return [changed(item) for item in value]
        seen += 1
        return new if seen == index else value

    target = changed(content)
    # Of two equal items one may take the other's place and text; an item with a new id is a new item.
    assume(not any(_repeats(c) for c in containers(content) + containers(target)))
    assume(not _renames(content, target))
    written = rewrite(raw, target).decode()
    text, leaf = raw.decode(), leaves[index]
    assert written.startswith(text[: leaf.start])
    assert written.endswith(text[leaf.end :])


def _repeats(value: JSON) -> bool:
    return isinstance(value, list) and len(set(map(dumps_canonical, value))) < len(value)


def _renames(old: JSON, new: JSON) -> bool:
    if isinstance(old, dict) and isinstance(new, dict):
        return not same(old.get("id"), new.get("id")) or any(_renames(old[key], new[key]) for key in old)
    return isinstance(old, list) and isinstance(new, list) and any(map(_renames, old, new))


MEMBERS: st.SearchStrategy[JSON] = st.dictionaries(KEYS, VALUES, min_size=1, max_size=5)


@given(raws(MEMBERS), VALUES, st.integers(0, 5))
def test_a_member_added_and_removed_leaves_no_trace(raw: bytes, value: JSON, place: int) -> None:
    content = parse(raw)
    assert isinstance(content, dict)
    members = list(content.items())
    members.insert(place, ("new", value))
    added = rewrite(raw, dict(members))
    assert list(_object(added)) == [key for key, _ in members]
    assert rewrite(added, content) == raw


def _object(raw: bytes) -> dict[str, JSON]:
    value = parse(raw)
    assert isinstance(value, dict)
    return value


TASKS: st.SearchStrategy[JSON] = st.lists(st.dictionaries(KEYS, VALUES, max_size=3), max_size=5).map(
    lambda tasks: [{**task, "id": f"t{index}"} for index, task in enumerate(tasks)]
)


@given(raws(TASKS), st.randoms(use_true_random=False))
def test_moved_tasks_keep_their_text(raw: bytes, rng: random.Random) -> None:
    content = parse(raw)
    assert isinstance(content, list)
    shuffled = content[:]
    rng.shuffle(shuffled)
    written = rewrite(raw, shuffled)
    before, after = spans(raw.decode(), content), spans(written.decode(), parse(written))
    old = {dumps_canonical(i.value.content): raw.decode()[i.value.start : i.value.end] for i in before.items}
    for item in after.items:
        assert written.decode()[item.value.start : item.value.end] == old[dumps_canonical(item.value.content)]
    assert same(parse(rewrite(written, content)), content)


@given(raws(TASKS), st.dictionaries(KEYS, VALUES, max_size=3), st.integers(0, 5))
def test_a_task_added_and_removed_leaves_no_trace(raw: bytes, task: dict[str, JSON], place: int) -> None:
    content = parse(raw)
    assert isinstance(content, list)
    assume(content)
    added = rewrite(raw, [*content[:place], {**task, "id": "new"}, *content[place:]])
    assert rewrite(added, content) == raw


@given(VALUES, STYLES)
def test_render_says_the_document(value: JSON, style: Style) -> None:
    raw = render(value, style)
    assert same(parse(raw), value)
    assert raw.endswith(style.newline.encode()) == style.final_newline
    assert not style.ensure_ascii or raw.isascii()


# --- by example ---


def edit(raw: str, target: JSON) -> str:
    return rewrite(raw.encode(), target).decode()


@pytest.mark.parametrize(
    ("raw", "target", "expected"),
    [
        ('{"a": 1.0, "b": 2}', {"a": 1, "b": 3}, '{"a": 1.0, "b": 3}'),
        ('{"a": 1, "b": 2}', {"b": 2}, '{"b": 2}'),
        ('{"a": 1, "b": 2}', {"a": 1}, '{"a": 1}'),
        ('{"a":1,"b":2}', {"a": 1, "c": [1, 2], "b": 2}, '{"a":1,"c":[1,2],"b":2}'),
        ('{ "a" : 1 }', {"a": 1, "b": 2}, '{ "a" : 1, "b" : 2 }'),
        ("[1, 2, 3]", [2, 3], "[2, 3]"),
        ("[1, 2, 3]", [1, 3], "[1, 3]"),
        ("[1, 2, 3]", [3, 1, 2], "[3, 1, 2]"),
        ("[ 1 ]", [1, 2], "[ 1, 2 ]"),
        ("[ ]", [], "[ ]"),
        ("[1]", [], "[]"),
        ("[]", [1, {"a": 2}], '[\n  1,\n  {\n    "a": 2\n  }\n]'),
        ('{"a": []}', {"a": [1]}, '{"a": [1]}'),
        ('{"a":{}}', {"a": {"b": 1}}, '{"a":{"b":1}}'),
        ('{\n  "a": []\n}\n', {"a": [1]}, '{\n  "a": [\n    1\n  ]\n}\n'),
        ('{\r\n\t"a": 1\r\n}', {"a": 1, "b": {"c": 2}}, '{\r\n\t"a": 1,\r\n\t"b": {\r\n\t\t"c": 2\r\n\t}\r\n}'),
        ('{\n  "a": "\\u00e9",\n  "b": 1\n}', {"a": "é", "b": "ã"}, '{\n  "a": "\\u00e9",\n  "b": "\\u00e3"\n}'),
        ('{"a": "x\\/y", "b": 1}', {"a": "x\\y/", "b": "/"}, '{"a": "x\\\\y\\/", "b": "\\/"}'),
        ('{"a": "\\u000b/é"}', {"a": "ã/"}, '{"a": "ã/"}'),
        ('{"a": null}', {}, "{}"),
        ('{"a": 1}', {"a": 1, "b": None}, '{"a": 1, "b": null}'),
        ('{"a": 1\n,"b": 2\n}', {"a": 1, "b": 2, "c": 3}, '{"a": 1\n,"b": 2\n,"c": 3\n}'),
        ('[{\n  "id": 1\n}, {\n  "id": 2\n}]', [{"id": 2}, {"id": 3}], '[{\n  "id": 2\n}, {\n  "id": 3\n}]'),
        ('{"n": 1e400, "m": 0.10}', {"n": Decimal("1e400"), "m": 0.1}, '{"n": 1e400, "m": 0.10}'),
        ("1", True, "true"),
        (" 1 \n", {"a": 1}, ' {\n   "a": 1\n } \n'),
    ],
    ids=range(26),
)
def test_examples(raw: str, target: JSON, expected: str) -> None:
    assert edit(raw, target) == expected


def test_only_the_changed_item_of_a_list_is_touched() -> None:
    raw = '{\n  "goals": [\n    "a\\u0301",\n    "b",\n    "c"\n  ]\n}'
    assert edit(raw, {"goals": ["a\u0301", "B", "c"]}) == raw.replace('"b"', '"B"')
    assert edit(raw, {"goals": ["a\u0301", "new", "b", "c"]}) == raw.replace('"b"', '"new",\n    "b"')
    assert edit(raw, {"goals": ["a\u0301", "b"]}) == raw.replace(',\n    "c"', "")
    assert edit(raw, {"goals": ["c", "a\u0301", "b"]}) == '{\n  "goals": [\n    "c",\n    "a\\u0301",\n    "b"\n  ]\n}'


def test_a_field_inside_an_item_without_id() -> None:
    raw = '[\n  {"x": 1, "y": [1,2]},\n  {"x": 2, "y": []}\n]'
    assert edit(raw, [{"x": 1, "y": [1, 2]}, {"x": 3, "y": []}]) == raw.replace('"x": 2', '"x": 3')


def test_tasks_with_equal_ids_go_by_position() -> None:
    raw = '[{"id": 1, "a": 1}, {"id": 1, "a": 2}]'
    assert edit(raw, [{"id": 1, "a": 1}, {"id": 1, "a": 3}]) == raw.replace('"a": 2', '"a": 3')


def test_long_lists_take_no_quadratic_time() -> None:
    numbers: list[JSON] = list(range(5000))
    target: list[JSON] = [-1, *numbers[:2000], -2, *numbers[2001:], -3]
    raw = json.dumps(numbers).encode()
    assert parse(rewrite(raw, target)) == target


def test_invalid_files_are_refused() -> None:
    for raw in (b"{", b"\xff", b'{"a": 1, "a": 2}'):
        with pytest.raises(InvalidJSON):
            rewrite(raw, {})


# --- style ---


@given(st.lists(STYLES, max_size=1), st.integers(1, 3))
def test_a_style_is_recognised(styles: list[Style], copies: int) -> None:
    document: JSON = {"epic": {"id": "5", "name": "ação/x", "tasks": [{"id": "5.1", "t": [], "n": {"k": [1, 2]}}] * 2}}
    for style in styles:
        raw = render(document, style)
        assert render(document, detect_style([raw] * copies)) == raw


def test_the_prevailing_style_wins() -> None:
    document: JSON = {"a": [1, 2], "é": {"b": "x"}}
    two, tab = Style(indent="  ", final_newline=False), Style(indent="\t", ensure_ascii=True, newline="\r\n")
    found = detect_style([render(document, s) for s in (two, tab, two)])
    assert found == two
    assert detect_style([]) == Style()
    assert detect_style([b"{}", b"[]"]).indent == "  "


def test_files_without_evidence_do_not_vote() -> None:
    ascii_only, escaped = b'{\n  "a": 1\n}\n', b'{\n  "a": "\\u00e9"\n}\n'
    assert detect_style([ascii_only, ascii_only, escaped]).ensure_ascii


# --- whole epics ---


def epic(number: int) -> JSON:
    tasks: list[JSON] = [
        {
            "id": f"{number}.{task}",
            "title": f"Tarefa {task}: integração/validação",
            "estimate_minutes": 15 * task,
            "deliverables": [f"reports/análise_{task}.md"],
            "acceptance_criteria": ["Cobertura ≥ 90%", "Sem regressões em produção"],
            "dependencies": [f"{number}.{task - 1}"] if task > 1 else [],
        }
        for task in range(1, 6)
    ]
    goals: list[JSON] = ["Manter 2 chamadas de API", "Tornar comportamento previsível", "Produzir matriz"]
    return {
        "epic": {"id": str(number), "name": "Ação", "goals": goals, "labels": ["tdd", "warnings"], "tasks": tasks},
        "_metadata": {"version": 1.0},
    }


TWINS = {
    "two spaces": Style(final_newline=False),
    "short lists on one line": Style(inline_array=30),
    "escaped": Style(ensure_ascii=True, escape_slash=True, indent="    "),
    "windows": Style(newline="\r\n", indent="\t"),
    "one line": Style(indent=None, key_sep=":", item_gap=""),
}
SAMPLES = {name: render(epic(n), style) for n, (name, style) in enumerate(TWINS.items())}


def read_sample(name: str) -> bytes:
    if name in SAMPLES:
        return SAMPLES[name]
    path = REAL / name
    if not path.exists():
        pytest.skip(f"the real epics are not here: {path} is missing")
    return path.read_bytes()


samples = pytest.mark.parametrize("name", [*SAMPLES, *(f"epico_{n}.json" for n in (0, 3, 5, 6, 7))])


def lines_changed(old: bytes, new: bytes) -> tuple[list[str], list[str]]:
    diff = list(difflib.ndiff(old.decode().splitlines(True), new.decode().splitlines(True)))
    return [d[2:] for d in diff if d[0] == "-"], [d[2:] for d in diff if d[0] == "+"]


@samples
def test_an_epic_unchanged(name: str) -> None:
    raw = read_sample(name)
    assert rewrite(raw, parse(raw)) == raw


@samples
def test_an_epic_survives_edits(name: str) -> None:
    raw = read_sample(name)
    document = _object(raw)
    one_line = b"\n" not in raw.strip()
    inner = document["epic"]
    assert isinstance(inner, dict)
    tasks = inner["tasks"]
    assert isinstance(tasks, list)
    task = tasks[1]
    assert isinstance(task, dict)

    task["title"] = "Título novo"
    renamed = rewrite(raw, document)
    gone, come = lines_changed(raw, renamed)
    assert one_line or (len(gone) == len(come) == 1 and "title" in gone[0])

    del tasks[2]
    shorter = rewrite(renamed, document)
    gone, come = lines_changed(renamed, shorter)
    assert not come or one_line

    inner["novo"] = {"lista": ["a", "b"], "vazio": []}
    tasks.reverse()
    tasks.insert(1, {"id": "novo", "title": "ç", "deliverables": ["x"]})
    assert same(parse(rewrite(shorter, document)), document)
    assert rewrite(shorter, document).endswith(raw[-3:])


def test_short_lists_on_one_line_survive_no_serialiser() -> None:
    """What a real epic does: hence the edit instead of parsing and serialising."""
    raw = SAMPLES["short lists on one line"]
    text = raw.decode()
    assert json.dumps(json.loads(text), indent=2, ensure_ascii=False) != text.rstrip("\n")
    document = _object(raw)
    inner = document["epic"]
    assert isinstance(inner, dict)
    inner["labels"] = ["tdd", "warnings", "database"]
    inner["reviewers"] = ["ana", "rui"]
    expected = text.replace('["tdd", "warnings"]', '["tdd", "warnings", "database"]')
    old_end = '    ]\n  },\n  "_metadata"'
    expected = expected.replace(old_end, old_end.replace("]\n", '],\n    "reviewers": ["ana", "rui"]\n'))
    assert rewrite(raw, document).decode() == expected
