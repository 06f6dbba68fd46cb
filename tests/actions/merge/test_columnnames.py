"""Which column is which after a migration: by name, unless values say otherwise."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from epicvc.actions.merge.snapshots.columnnames import Column, Values, match_columns

TYPES = {"id": "INT", "n": "INT"}
ROWS: list[Values] = [(1, "a1", "b1", "c1", 7), (2, "a2", "b2", "c2", 8), (3, "a3", "b3", "c3", 9)]
BEFORE = ["id", "a", "b", "c", "n"]


def _columns(names: Sequence[str]) -> list[Column]:
    return [Column(name, TYPES.get(name, "TEXT")) for name in names]


def _match(after: Sequence[str], was: Sequence[str], rows: Sequence[Values] = ROWS) -> dict[str, str]:
    """The matches where each column after holds what that column before held; ``-`` holds nothing."""
    places = [BEFORE.index(name) if name in BEFORE else None for name in was]
    pairs = [(row, [None if place is None else row[place] for place in places]) for row in rows]
    return match_columns(_columns(BEFORE), _columns(after), lambda: pairs)


MIGRATIONS = {
    "nothing": (BEFORE, BEFORE),
    "added": ([*BEFORE, "d"], [*BEFORE, "-"]),
    "dropped": (["id", "a", "c", "n"], ["id", "a", "c", "n"]),
    "renamed": (["id", "x", "b", "c", "n"], BEFORE),
    "renamed in letters alone": (["id", "A", "b", "c", "n"], BEFORE),
    "two renamed": (["id", "x", "y", "c", "n"], BEFORE),
    "renamed and added": (["id", "x", "b", "c", "n", "d"], [*BEFORE, "-"]),
    "renamed behind a dropped one": (["id", "b", "z", "n"], ["id", "b", "c", "n"]),
    "renamed beside a dropped one": (["id", "a", "z", "n"], ["id", "a", "c", "n"]),
    "names exchanged": (["id", "b", "a", "c", "n"], BEFORE),
    "names passed round": (["id", "c", "a", "b", "n"], BEFORE),
    "the name of a dropped one": (["id", "a", "c", "n"], ["id", "b", "c", "n"]),
    "renamed, and its name given to a new one": (["id", "x", "b", "c", "n", "a"], [*BEFORE, "-"]),
    "moved": (["n", "c", "id", "b", "a"], ["n", "c", "id", "b", "a"]),
}


@pytest.mark.parametrize("name", MIGRATIONS)
def test_columns_are_found_again(name: str) -> None:
    after, was = MIGRATIONS[name]
    assert _match(after, was) == {now: own for now, own in zip(after, was, strict=True) if own != "-"}


def test_a_rename_beside_another_type_is_not_proven() -> None:
    after = [Column("id", "INT"), Column("x", "BLOB"), *_columns(BEFORE)[2:]]
    found = match_columns(_columns(BEFORE), after, lambda: [(row, row) for row in ROWS])
    assert found == {name: name for name in ("id", "b", "c", "n")}


@pytest.mark.parametrize("value", [None, "usual"])
def test_a_rename_that_only_defaults_speak_for_is_not_proven(value: str | None) -> None:
    before = [Column("id", "INT"), Column("a", "TEXT", ("usual",)), Column("n", "INT")]
    after = [before[0], Column("x", "TEXT", (None,)), before[2]]
    found = match_columns(before, after, lambda: [((1, value, 5), (1, value, 5))])
    assert found == {"id": "id", "n": "n"}


def test_a_rename_is_proven_by_the_rows_that_nobody_touched() -> None:
    after = ["id", "x", "b", "c", "n"]

    def found(edited: Values) -> dict[str, str]:
        pairs = [(row, row) for row in ROWS[1:]] + [(ROWS[0], edited)]
        return match_columns(_columns(BEFORE), _columns(after), lambda: pairs)

    assert found((1, "new", "b1", "c1", 0))["x"] == "a"
    assert "x" not in found((1, "new", "b1", "c1", 7))


def test_names_that_were_exchanged_without_proof_are_neither() -> None:
    """Values say that it was so, and one row contradicts: taking the columns by name would be wrong as well."""
    pairs = [(row, row) for row in ROWS[1:]] + [(ROWS[0], (1, "new", "newer", "c1", 7))]
    found = match_columns(_columns(BEFORE), _columns(["id", "b", "a", "c", "n"]), lambda: pairs)
    assert found == {name: name for name in ("id", "c", "n")}


def test_rewritten_values_do_not_take_a_column_its_name() -> None:
    """A migration that drops one column and rewrites another."""
    pairs = [(row, (row[0], "new", row[3], row[4])) for row in ROWS]
    found = match_columns(_columns(BEFORE), _columns(["id", "a", "c", "n"]), lambda: pairs)
    assert found == {name: name for name in ("id", "a", "c", "n")}


def test_columns_of_an_empty_table_go_by_their_names() -> None:
    assert _match(["id", "b", "a", "n"], ["id", "b", "a", "n"], []) == {name: name for name in ("id", "b", "a", "n")}


def test_a_column_that_was_only_edited_says_which_rows_were_touched() -> None:
    """All its values are others, which is no doubt about its name: no other column has them."""
    before = [Column("id", "INT"), Column("n", "INT", (0,)), Column("a", "TEXT")]
    after = [*before[:2], Column("x", "TEXT")]
    pairs: list[tuple[Values, Values]] = [((1, 2, "a1"), (1, 7, "new")), ((2, 0, "a2"), (2, 0, "a2"))]
    assert match_columns(before, after, lambda: pairs) == {"id": "id", "n": "n", "x": "a"}
