"""The rows that differ between two captured tables: compared once where they are few, again where they are many."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from epicvc.repo.rows import dbside
from epicvc.repo.rows.dbside import RowChange, RowChanges, pack_row
from epicvc.repo.rows.spool import Spool
from epicvc.store.objects import ObjectId, ObjectSource
from epicvc.store.staging import Staging
from epicvc.store.store import Store
from epicvc.store.tree import tree


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Staging]:
    with Store.open(tmp_path / "store.db", create=True) as store, Staging(store, flush_bytes=None) as sink:
        yield sink


@pytest.mark.parametrize(("kept", "compared"), [(1 << 20, 2), (50, 3)])
def test_few_rows_are_compared_once(sink: Staging, monkeypatch: pytest.MonkeyPatch, kept: int, compared: int) -> None:
    monkeypatch.setattr(dbside, "KEPT_BYTES", kept)
    before = tree.build(sink, [(b"%03d" % number, b"row") for number in range(100)])
    long = bytes(dbside.SPILL + 1)
    after = tree.update(sink, before, [(b"001", None), (b"002", b"other"), (b"200", pack_row(sink, long))])
    seen: list[object] = []
    diff = tree.diff

    def comparing(source: ObjectSource, one: ObjectId, other: ObjectId) -> Iterator[object]:
        seen.append(one)
        return diff(source, one, other)

    monkeypatch.setattr(tree, "diff", comparing)
    changes = RowChanges(sink, before, after)
    next(iter(changes))  # who stops early has not seen all
    wanted = [(b"001", b"row", None), (b"002", b"row", b"other"), (b"200", None, long)]
    assert [list(changes), list(changes)] == [wanted, wanted]
    assert len(seen) == compared


def test_many_rows_wait_for_those_who_ask_again(sink: Staging, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(dbside, "KEPT_BYTES", 50)
    before = tree.build(sink, [(b"%03d" % number, b"row") for number in range(100)])
    after = tree.update(sink, before, [(b"%03d" % number, b"other") for number in range(0, 100, 2)])
    changes = RowChanges(sink, before, after)
    wanted = list(changes)
    with closing(Spool[RowChange](tmp_path, tuple)) as spool:
        changes.keep(spool)
        monkeypatch.delattr(tree, "diff")
        assert [list(changes), list(changes)] == [wanted, wanted]


def test_where_all_rows_go_nothing_waits(sink: Staging, tmp_path: Path) -> None:
    before = tree.build(sink, [(b"%03d" % number, b"row") for number in range(100)])
    changes = RowChanges(sink, before, tree.empty(sink))
    with closing(Spool[RowChange](tmp_path, tuple)) as spool:
        changes.keep(spool)
        assert len(spool) == 0
        assert len(list(changes)) == 100
