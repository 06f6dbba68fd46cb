"""How deep anything may be nested: the same number wherever it is read, whatever the interpreter would take."""

from __future__ import annotations

import contextlib
import json
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from epicvc.actions.enrich.enriched import read_original, read_parts
from epicvc.base.cachefile import CacheFile
from epicvc.base.depth import (
    TooDeep,
    _depth,
    _without_texts,
    decode,
    require_shallow,
    require_shallow_toml,
    require_shallow_value,
    too_deep,
)
from epicvc.base.limits import MAX_DEPTH
from epicvc.database.rowcodec import decode_row
from epicvc.database.tables import Schema
from epicvc.errors import DamagedObject, DamagedStore, InvalidConfig, InvalidData, InvalidJSON
from epicvc.files.scan.index import FileIndex
from epicvc.gitlink.textconv import text_of
from epicvc.repo.agreed import Agreement
from epicvc.repo.config import configcache
from epicvc.repo.config.tomlfile import parse_toml
from epicvc.repo.history.backups import read_record
from epicvc.repo.history.base import get_mapping
from epicvc.repo.history.objects import Commit, CommitKind, get_snapshot
from epicvc.repo.plans import load_plans
from epicvc.repo.rows.dbcache import DatabaseCache
from epicvc.repo.rows.dbmark import MarkedState
from epicvc.store.file.records import read_operation
from epicvc.store.objects import ObjectId, ObjectType

TEXTS = st.text('{}[]"\\,:n\u00e9', max_size=8)
VALUES = st.recursive(
    TEXTS | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=20
)
DEPTHS = (MAX_DEPTH + 1, 400, 950, 5000, 100_000)
"""Just too deep; what some interpreters read, and what none does."""


def nested(depth: int, inside: str = "1") -> str:
    return "[" * depth + inside + "]" * depth


def counted(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(counted, value.values()), default=0)
    return 1 + max(map(counted, value), default=0) if isinstance(value, list) else 0


@given(VALUES)
@example(['\\"[', "\\\\", '"[', "]"])
def test_strings_are_not_counted(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        assert _depth(_without_texts(text.encode())) == counted(value)


@pytest.mark.parametrize(("form", "levels"), [("[%s]", 1), ('["\\\\\\"[", %s]', 1), ('{"]": 1, "a": [%s]}', 2)])
def test_the_limit_is_exact(form: str, levels: int) -> None:
    text = "1"
    for _ in range(MAX_DEPTH // levels):
        text = form % text
    assert not too_deep(text.encode())
    assert too_deep((form % text).encode())


def test_much_of_what_is_flat_is_counted_quickly() -> None:
    """In time that goes with the text: laid out level by level this one would have 400 MB."""
    deep = nested(MAX_DEPTH, ",".join(["1"] * 2_000_000)).encode()
    require_shallow(deep)
    require_shallow(json.dumps(["[" * 50] * 100_000).encode())


def test_values_are_counted_too() -> None:
    value: Any = 1
    for level in range(MAX_DEPTH):
        value = [value] if level % 2 else {"a": value, "b": 2}
    require_shallow_value(value)
    with pytest.raises(TooDeep, match=f"more than {MAX_DEPTH} levels"):
        require_shallow_value([value])


# --- every place where something is read ---


class Held:
    """A store that holds one object under any name."""

    def __init__(self, text: str) -> None:
        self._payload = text.encode()

    def get(self, _: ObjectId, __: ObjectType) -> bytes:
        return self._payload


def _toml(text: str) -> None:
    parse_toml(text.encode(), "epicvc.toml")


def _commit(message: str) -> Commit:
    return Commit(b"\0" * 32, (), b"\0" * 32, "a", datetime.now(UTC), message, CommitKind.BACKUP)


def _operation(before: str) -> None:
    view = '{"refs": {}, "snapshot": null}'
    read_operation("store.db", ("0" * 32, "t", "sync", "d", "u", before, view, None, None))


READERS: dict[str, tuple[Callable[[int], object], type[Exception]]] = {
    "array of a configuration": (lambda depth: _toml(f"x = {nested(depth)}"), InvalidConfig),
    "inline table of a configuration": (lambda depth: _toml("x = " + "{a=" * depth + "1" + "}" * depth), InvalidConfig),
    "dotted key of a configuration": (lambda depth: _toml(".".join("a" * depth) + " = 1"), InvalidConfig),
    "quoted key of a configuration": (
        lambda depth: _toml(" . ".join(['"a.b"', "'c'"] * (depth // 2 + 1)) + " = 1"),
        InvalidConfig,
    ),
    "header of a configuration": (lambda depth: _toml(f"[{'.'.join('a' * depth)}]\nb = 1"), InvalidConfig),
    "snapshot": (lambda depth: get_snapshot(Held(f'{{"version": 1, "files": {nested(depth)}}}'), b""), DamagedObject),
    "mapping": (lambda depth: get_mapping(Held(f'{{"version": 1, "x": {nested(depth)}}}'), b""), DamagedObject),
    "backup": (lambda depth: read_record(_commit(f'x\n\n{{"kind": {nested(depth)}}}')), DamagedObject),
    "operation": (lambda depth: _operation(f'{{"refs": {nested(depth)}, "snapshot": null}}'), DamagedStore),
    "schema": (lambda depth: Schema.from_json_bytes(f'{{"x": {nested(depth)}}}'.encode()), InvalidData),
    "original of an enriched file": (
        lambda depth: read_original(f'{{"epic": {{"id": "1", "x": {nested(depth)}}}}}'.encode(), "a.json"),
        InvalidJSON,
    ),
}


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_too_deep_is_refused_by_its_depth(reader: str, depth: int) -> None:
    read, error = READERS[reader]
    if "configuration" in reader:
        depth = min(depth, 10_000)  # a configuration is no longer than that
    with pytest.raises(error, match=f"nested more than {MAX_DEPTH} levels deep"):
        read(depth)


@pytest.mark.parametrize(
    "form", ["x = [%s]", "x = '''\n[%s'''", '"[[%s" = 1', "# [%s", 'x = "\\"[%s"', "x = '\\'#[%s\n"]
)
def test_brackets_in_texts_and_comments_of_a_configuration_are_no_depth(form: str) -> None:
    inside = "1, " * 300 if form.endswith("]") else "[" * 300
    _toml(form % inside)


@pytest.mark.parametrize(
    "text", ["-" * 99_000, "a." * 49_000, '"' * 99_000, "'" * 99_000, "[" * 99_000, "a .\t" * 24_000]
)
def test_counting_takes_time_with_the_length(text: str) -> None:
    """And not with its square, which for these would be a quarter of a minute."""
    began = time.process_time()
    with contextlib.suppress(TooDeep):
        require_shallow_toml(text.encode())
    assert time.process_time() - began < 2


def test_a_configuration_may_be_as_deep_as_the_limit() -> None:
    for text in (f"x = {nested(MAX_DEPTH - 1)}", ".".join("a" * MAX_DEPTH) + " = 1"):
        require_shallow_value(parse_toml(text.encode(), "epicvc.toml"))


@pytest.mark.parametrize("depth", DEPTHS)
def test_what_only_saves_work_is_as_good_as_none(depth: int, tmp_path: Path) -> None:
    (tmp_path / "plans.json").write_text(f'{{"format": 1, "epics": {{}}, "x": {nested(depth)}}}')
    assert load_plans(tmp_path) == {}
    assert read_parts(f'{{"epic": {{}}, "calculated_fields": {{}}, "metadata": {nested(depth)}}}'.encode()) is None
    text = nested(depth).encode()
    assert text_of(text) == text


@pytest.mark.parametrize("kind", [FileIndex, Agreement, DatabaseCache, MarkedState, tuple[int, bytes, bytes]])
@pytest.mark.parametrize("depth", DEPTHS)
def test_a_cache_holds_what_its_type_says(kind: type[Any], depth: int, tmp_path: Path) -> None:
    """However deep: what a type does not name is not gone through."""
    file = CacheFile("test", 1, kind, light=True)
    deep = b"\x91" * depth + b"\x01"
    for body in (deep, b"\x81\xa1x" + deep, b"\x93\x01\xc4\x00" + deep):
        data = b"test\x01" + body
        (tmp_path / "cache").write_bytes(data + zlib.crc32(data).to_bytes(4, "big"))
        assert file.load(tmp_path / "cache") is None


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_row_holds_no_row(depth: int) -> None:
    with pytest.raises(InvalidData, match="damaged row"):
        decode_row(b"\x91" * depth + b"\x01")


@pytest.mark.parametrize("said", [{"a": {"b": [1, 2.5, "c", True]}}, {}])
def test_a_configuration_is_recalled_as_it_was_said(said: dict[str, Any], tmp_path: Path) -> None:
    configcache.remember(tmp_path, b"text", said)
    assert configcache.recall(tmp_path, b"text") == said
    assert configcache.recall(tmp_path, b"other") is None


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 2**63, datetime.now(UTC)])
def test_what_json_cannot_say_of_a_configuration_is_not_kept(value: object, tmp_path: Path) -> None:
    configcache.remember(tmp_path, b"text", {"a": [value]})
    assert configcache.recall(tmp_path, b"text") is None


def test_our_own_json_is_read_into_a_type() -> None:
    assert decode(b'{"a": 1}', dict[str, int]) == {"a": 1}
    for text in (b'{"a": "b"}', b"{", nested(MAX_DEPTH + 1).encode(), b"\xff"):
        with pytest.raises(ValueError, match=r".+"):
            decode(text, dict[str, int])
    assert issubclass(msgspec.DecodeError, ValueError)
