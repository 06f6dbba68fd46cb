"""Draws differences by epic and field. Without colour, side and direction can still be told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from epicvc.actions.shared.difference import SideChange
from epicvc.base.jsonio import JSON, dumps_canonical
from epicvc.model.diff import Change, Op
from epicvc.model.mapping import Layer, Mapping
from epicvc.model.subsequence import codes
from epicvc.ui.terminal import Console, Line, line
from epicvc.ui.text import count, printable, shown
from epicvc.ui.words import WordMark, is_similar, word_marks

_SIGN = {Op.ADD: "+", Op.REMOVE: "-", Op.REPLACE: "~", Op.MOVE: ">"}
_STYLE = {Op.ADD: "added", Op.REMOVE: "removed", Op.REPLACE: "changed", Op.MOVE: "moved"}
_WIDTH = 88
_DETAILS = 12
_ROWS = 10


def draw_changes(console: Console, changes: Iterable[SideChange], *, verbose: bool = False) -> None:
    """Draw changes grouped by epic, other tables last.

    Args:
        console: the console to draw on.
        changes: the differences.
        verbose: whether every system field and every row is drawn, instead of their counts.
    """
    epics: dict[str, list[SideChange]] = {}
    tables: dict[str, list[SideChange]] = {}
    migrations: dict[str, list[SideChange]] = {}
    for item in changes:
        if item.migration is not None:
            migrations.setdefault(item.migration, []).append(item)
            continue
        group = tables if item.change.label.table else epics
        group.setdefault(item.change.label.root, []).append(item)
    for epic, items in epics.items():
        _draw_epic(console, epic, items, verbose=verbose)
    for table, items in tables.items():
        _draw_table(console, table, items, verbose=verbose)
    for versions, items in sorted(migrations.items()):
        _draw_migration(console, versions, items, verbose=verbose)


def _draw_migration(console: Console, versions: str, items: list[SideChange], *, verbose: bool) -> None:
    """Draw the changes that migrations made, apart from those that people made."""
    noun = "migrations" if "," in versions else "migration"
    console.print(line((f"{noun} {printable(versions)}", "label")))
    definitions = [item for item in items if _is_definition(item)]
    for item in definitions:
        name = "/".join(map(printable, item.change.label.path))
        for text in _details(_head(item.change, name), item.change):
            console.print(text)
    values = [item for item in items if not _is_definition(item)]
    if values and not verbose:
        places = {(item.change.label.table, item.change.label.root, item.change.label.path[:1]) for item in values}
        tables = sorted({root for table, root, _ in places if table})
        epics = {root for table, root, _ in places if not table}
        parts = [count(len(epics), "epic")] if epics else []
        parts += [f"table {printable(name)}" for name in tables]
        console.print(
            line((f"  db    {count(len(values), 'value')} in {', '.join(parts)} (--verbose lists them)", "dim"))
        )
    console.print()
    if values and verbose:
        draw_changes(console, (replace(item, migration=None) for item in values), verbose=True)


def _is_definition(item: SideChange) -> bool:
    return item.change.label.table and not item.change.label.root


def _head(change: Change, name: str) -> Line:
    """Return the beginning of a line about the database."""
    return line("  db    ", (_SIGN[change.op], _STYLE[change.op]), " ", (name, "label"))


def _draw_epic(console: Console, epic: str, items: list[SideChange], *, verbose: bool) -> None:
    console.print(line(("epic ", "label"), (printable(epic), "label")))
    for side in ("files", "db"):
        system = 0
        for item in items:
            if item.side != side:
                continue
            if item.layer is Layer.SYSTEM and not verbose:
                system += 1
                continue
            for text in _change(item):
                console.print(text)
        if system:
            console.print(
                line(f"  {side:<5} ", (f"  {count(system, 'system field')} changed (--verbose shows them)", "dim"))
            )
    console.print()


def _change(item: SideChange) -> Iterator[Line]:
    change = item.change
    name = "/".join(map(printable, change.label.path)) or "the whole epic"
    head = line(f"  {item.side:<5} ", (_SIGN[change.op], _STYLE[change.op]), " ", (name, "label"))
    if item.layer is Layer.EXTRA:
        head.append(" (files only)", "dim")
    elif item.layer is Layer.SYSTEM:
        head.append(" (system)", "dim")
    yield from _details(head, change)


def _details(head: Line, change: Change) -> Iterator[Line]:
    old, new = change.old, change.new
    if change.op is Op.MOVE:
        head.append(f"  moved: was after {_neighbour(old)}, is after {_neighbour(new)}")
        yield head
    elif change.op is not Op.REPLACE:
        value = new if change.op is Op.ADD else old
        head.append("  " + _summary(change, value))
        yield head
    elif isinstance(old, str) and isinstance(new, str):
        yield from _text(head, old, new)
    elif isinstance(old, list) and isinstance(new, list) and not any(isinstance(i, dict | list) for i in old + new):
        yield head
        yield from _list(old, new)
    elif isinstance(old, dict | list) or isinstance(new, dict | list):
        yield head
        yield from _free_form(old, new)
    else:
        head.append(f"  {shown(old)} -> {shown(new)}")
        yield head


def _neighbour(key: JSON) -> str:
    """Return the id of the task before. The first task has none before it."""
    return printable(str(key)) if key else "nothing"


def _summary(change: Change, value: JSON) -> str:
    """Return an added or removed value on one line."""
    if isinstance(value, dict):
        tasks = value.get(Mapping.TASKS)
        title = value.get("name") or value.get("title")
        parts = [shown(title, 60)] if isinstance(title, str) else []
        if isinstance(tasks, list):
            parts.append(f"({count(len(tasks), 'task')})")
        return " ".join(parts) or shown(value, _WIDTH)
    return shown(value, _WIDTH)


def _text(head: Line, old: str, new: str) -> Iterator[Line]:
    if not is_similar(old, new):
        yield head
        yield line("          - ", (shown(old, 2 * _WIDTH), "removed"))
        yield line("          + ", (shown(new, 2 * _WIDTH), "added"))
        return
    head.append("  ")
    for mark, run in word_marks(old, new):
        text = printable(run)
        if mark is WordMark.OLD:
            head.append(f"[-{text}-]", "old")
        elif mark is WordMark.NEW:
            head.append(f"{{+{text}+}}", "new")
        else:
            head.append(text, "dim" if mark is WordMark.GAP else "")
    yield head


def _list(old: list[JSON], new: list[JSON]) -> Iterator[Line]:
    keys = [[dumps_canonical(item) for item in items] for items in (old, new)]
    for tag, i1, i2, j1, j2 in codes(*keys):
        if tag == "equal":
            continue
        for position in range(max(i2 - i1, j2 - j1)):
            was = old[i1 + position] if i1 + position < i2 else None
            now = new[j1 + position] if j1 + position < j2 else None
            if isinstance(was, str) and isinstance(now, str) and is_similar(was, now):
                yield from _text(line(f"          ~ [{j1 + position}]"), was, now)
                continue
            if i1 + position < i2:
                yield line(f"          - [{i1 + position}] ", (shown(was, _WIDTH), "removed"))
            if j1 + position < j2:
                yield line(f"          + [{j1 + position}] ", (shown(now, _WIDTH), "added"))


def _free_form(old: JSON, new: JSON) -> Iterator[Line]:
    """Yield the changes inside a free-form value, found by deepdiff. They are for reading only, not for merging."""
    from deepdiff import DeepDiff

    found = DeepDiff(old, new, verbose_level=2).to_dict()
    shown_lines = 0
    for kind, places in found.items():
        entries = places.items() if isinstance(places, dict) else ((place, None) for place in places)
        for place, detail in entries:
            if shown_lines == _DETAILS:
                yield line(("          … and more", "dim"))
                return
            shown_lines += 1
            yield line(
                f"          {printable(str(place).removeprefix('root'))} ", (_free_detail(kind, detail), "changed")
            )


def _free_detail(kind: str, detail: object) -> str:
    if isinstance(detail, dict) and "old_value" in detail:
        return f"{printable(str(detail['old_value']))} -> {printable(str(detail['new_value']))}"
    sign = "+ " if kind.endswith("added") else "- " if kind.endswith("removed") else ""
    return sign + printable(str(detail))[:_WIDTH]


def _draw_table(console: Console, table: str, items: list[SideChange], *, verbose: bool) -> None:
    if not table:
        console.print(line(("schema", "label")))
    else:
        console.print(line(("table ", "label"), (printable(table), "label")))
    rows: dict[str, list[Change]] = {}
    for item in items:
        rows.setdefault(item.change.label.path[0], []).append(item.change)
    for number, (row, changes) in enumerate(rows.items()):
        if number == _ROWS and not verbose:
            console.print(
                line((f"  db      … and {count(len(rows) - _ROWS, 'more row')} (--verbose shows them)", "dim"))
            )
            break
        for change in changes:
            name = "/".join(map(printable, change.label.path)) or row
            for text in _details(_head(change, name), change):
                console.print(text)
    console.print()
