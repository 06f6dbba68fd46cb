"""The form of rows: what a row of one state of a merge says in the columns that the merged tables have.

A migration on one branch changes the columns of a table, and the rows of the other states lack what it added and
have what it took away. Before anything is compared, every row is read in the merged table's form: a renamed column
under its new name, an added one with its default, a dropped one left out. A column counts as renamed only where that
is proven; what the other branch wrote into one that is gone is never dropped in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct, field

from epicvc.database.backend import Reader
from epicvc.database.rowcodec import SQLValue, decode_row
from epicvc.database.tables import ColumnInfo, TableInfo
from epicvc.database.values import literal_default
from epicvc.errors import Refused
from epicvc.model.labels import Label
from epicvc.repo.rows import NamedRow
from epicvc.services.difference import key_text
from epicvc.services.originwords import OURS, THEIRS
from epicvc.services.threeway.changes import RowChange, Rows
from epicvc.services.threeway.states import State

_NAMED = 3
"""How many rows a message names."""


class Form(Struct, frozen=True):
    """How rows of one table in one state are read as rows of the merged table.

    Attributes:
        sources: the merged columns that the state has, each with the state's own name for it.
        added: what stands in merged columns that the state lacks; those whose default is computed are left out.
        dropped: the state's columns that the merged table lacks, with what a row has there by default.
        key: the rows of both are keyed by the same columns.
    """

    sources: dict[str, str]
    added: NamedRow = field(default_factory=dict)
    dropped: dict[str, SQLValue] = field(default_factory=dict)
    key: bool = True

    def read(self, row: NamedRow) -> NamedRow:
        """A row in the merged form."""
        return {name: row[own] for name, own in self.sources.items() if own in row} | self.added


Forms = Mapping[str, Form]
"""By table, for those whose form is not the merged one's."""


def forms_between(reader: Reader, base: State, final: State) -> Forms:
    """How rows of the base's schema are read in another schema.

    Args:
        reader: reads definitions.
        base: a state with the schema that changed.
        final: a state with the schema that it became.
    """
    if base.captured is None or final.captured is None:
        return {}
    result = {}
    for old in base.captured.schema.tables:
        new = final.captured.table(old.name)
        if new is not None and (old.columns, old.key, old.sql) != (new.columns, new.key, new.sql):
            found = _form(reader, base, final, old, new)
            if found.dropped or found.added or not found.key or [*found.sources] != [*old.columns]:
                result[old.name] = found
    return result


def _form(reader: Reader, base: State, final: State, old: TableInfo, new: TableInfo) -> Form:
    before, after = ({column.name: column for column in reader.columns_by(info)} for info in (old, new))
    renamed = dict(_renamed(base, final, old, new, before, after))
    sources = {name: own for name in new.columns if (own := renamed.get(name, name)) in old.columns}
    gone = [name for name in old.columns if name not in sources.values()]
    return Form(
        sources,
        {name: value for name in new.columns if name not in sources for value in _default(after.get(name))},
        {name: next(_default(before.get(name)), None) for name in gone},
        tuple(sources.get(name) for name in new.key) == old.key,
    )


def _default(column: ColumnInfo | None) -> Iterator[SQLValue]:
    """What a row has in a column that nothing was written into, where that can be told."""
    if column is None or column.default is None:
        yield None
    elif (value := literal_default(column.default)) is not None:
        yield int(value) if isinstance(value, bool) else value


def _renamed(
    base: State,
    final: State,
    old: TableInfo,
    new: TableInfo,
    before: Mapping[str, ColumnInfo],
    after: Mapping[str, ColumnInfo],
) -> Iterator[tuple[str, str]]:
    """The renamed columns: the name now and the name before."""
    for place, (was, now) in enumerate(zip(old.columns, new.columns, strict=False)):
        if was in new.columns or now in old.columns or was not in before or now not in after:
            continue
        defaults = {value for column in (before[was], after[now]) for value in _default(column)} | {None}
        if before[was].type.casefold() == after[now].type.casefold() and _proven(
            base, final, old, new, place, defaults
        ):
            yield now, was


def _proven(base: State, final: State, old: TableInfo, new: TableInfo, place: int, defaults: set[SQLValue]) -> bool:
    """Whether all rows that nobody touched have the same value there, and one of them a value of its own."""
    common = [(old.columns.index(name), new.columns.index(name)) for name in old.columns if name in new.columns]
    seen = False
    for was, now in _pairs(base.rows_of(old.name), final.rows_of(new.name)):
        one = decode_row(was)
        other = one if was == now else decode_row(now)
        if one is not other and any(not _same(one[here], other[there]) for here, there in common):
            continue
        if not _same(one[place], other[place]):
            return False
        seen = seen or one[place] not in defaults
    return seen


def _pairs(one: Iterator[tuple[bytes, bytes]], other: Iterator[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """The rows that both have, both being sorted by key."""
    there = next(other, None)
    for key, row in one:
        while there is not None and there[0] < key:
            there = next(other, None)
        if there is not None and there[0] == key:
            yield row, there[1]


def _same(one: SQLValue, other: SQLValue) -> bool:
    return type(one) is type(other) and one == other


def require_no_loss(base: State, ours: State, theirs: State, changed: Mapping[str, Rows]) -> None:
    """Stop where a branch wrote what the merged tables have no place for.

    Args:
        base: the state that both come from.
        ours: one branch.
        theirs: the other.
        changed: by branch and table, the rows that it changed, as the trees have them.

    Raises:
        Refused: it did.
    """
    for who, other, state in ((OURS, THEIRS, ours), (THEIRS, OURS, theirs)):
        for table, form in state.forms.items():
            rows = changed[who].get(table)
            if rows:
                _require_place(base, state, table, form, rows, who, other)


def _require_place(
    base: State, state: State, table: str, form: Form, rows: Mapping[bytes, RowChange], who: str, other: str
) -> None:
    lost: dict[str, list[str]] = {}
    written = False
    for key, change in rows.items():
        new, old = state.as_captured(table, change.new), base.as_captured(table, change.old)
        written |= new is not None
        for name, default in form.dropped.items() if new is not None else ():
            if not _same((new or {}).get(name), default if old is None else old.get(name)):
                lost.setdefault(name, []).append(str(Label(table, (key_text(key),), table=True)))
    if written and not form.key:
        raise Refused(
            f"@{table}: {other} changed the columns of its key, and {who} changed rows of it",
            hint="bring both branches to one schema with a migration, commit, and merge again",
        )
    for name, labels in lost.items():
        shown = ", ".join(labels[:_NAMED]) + (f" and {len(labels) - _NAMED} more" if len(labels) > _NAMED else "")
        raise Refused(
            f"@{table}: {other} dropped the column {name}, or renamed it without proof, and {who} wrote it in {shown}",
            hint="bring both branches to one schema with a migration, commit, and merge again",
        )
