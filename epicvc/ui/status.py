"""Draws the status: reasons for each state, and the next step to take."""

from __future__ import annotations

from epicvc.actions.history.status import EpicStatus, Since, State, Status
from epicvc.actions.shared.mergestate import what_next
from epicvc.ui.terminal import Console, line
from epicvc.ui.text import count, printable
from epicvc.ui.unreadable import draw_waiting

_ARROW = {State.FILES_AHEAD: "files -> db", State.DB_AHEAD: "files <- db", State.CONFLICT: "conflict"}
_OP = {"add": "added", "remove": "removed", "replace": "changed"}
_FIELDS = 8
_EPICS = 20


def draw_status(console: Console, found: Status, *, verbose: bool = False) -> None:
    """Draw a status."""
    where = f"on branch {found.branch}" if found.branch else "HEAD is detached"
    head = f"at {found.head.hex()[:12]}" if found.head else "no commit yet"
    console.print(line((printable(where), "label"), f", {head}"))
    if found.unfinished:
        text = f"an interrupted `{found.unfinished}` is finished by the next command that writes"
        console.print(line((text, "conflict")))
    if found.merging:
        state = found.merging
        left = f"{count(len(state.conflicts), 'conflict')} left" if state.conflicts else "all conflicts are settled"
        console.print(line((f"the {state.command} of {printable(state.name)} is not finished: {left}", "conflict")))
        for conflict in state.conflicts if verbose else state.conflicts[:_FIELDS]:
            console.print(line("  ", (f"{'conflict':<12}", "conflict"), printable(str(conflict.label))))
    if not found.has_database:
        console.print(line(("no database is configured; name one with --db or in epicvc.toml", "changed")))
    _draw_sync(console, found, verbose=verbose)
    _draw_changes(console, found, verbose=verbose)
    for path, reason in found.skipped:
        console.print(line((f"not tracked: {printable(path)} ({reason})", "dim")))
    _draw_next(console, found)


def _draw_sync(console: Console, found: Status, *, verbose: bool) -> None:
    _draw_unreadable(console, found, verbose=verbose)
    _draw_mapping(console, found)
    behind = [epic for epic in found.epics if epic.state not in (State.SYNCED, State.INVALID)]
    if not behind:
        if found.errors:
            return
        if found.has_database:
            console.print(line(("files and database are in sync", "good")))
        return
    console.print()
    console.print(line(("out of sync", "label")))
    shown = behind if verbose else behind[:_EPICS]
    for epic in shown:
        _draw_fields(console, epic, verbose=verbose)
    if len(shown) < len(behind):
        console.print(line((f"  … and {count(len(behind) - len(shown), 'more epic')}", "dim")))


def _draw_mapping(console: Console, found: Status) -> None:
    if found.new_mapping:
        places = f"{count(len(found.new_mapping), 'place')} {'differs' if len(found.new_mapping) == 1 else 'differ'}"
        text = f"the mapping is not the one that both sides agreed under: {places} by that alone"
        console.print(line((text, "conflict")))


def _draw_unreadable(console: Console, found: Status, *, verbose: bool) -> None:
    if not found.errors:
        return
    console.print()
    console.print(line(("cannot be read", "label")))
    shown = found.errors if verbose else found.errors[:_EPICS]
    for bad in shown:
        console.print(line("  ", (f"{'invalid':<12}", "conflict"), printable(bad.error.message)))
    if len(shown) < len(found.errors):
        console.print(line((f"  … and {len(found.errors) - len(shown)} more", "dim")))
    draw_waiting(console, found.waiting, verbose=verbose)


def _draw_fields(console: Console, epic: EpicStatus, *, verbose: bool) -> None:
    shown = epic.fields if verbose else epic.fields[:_FIELDS]
    for item in shown:
        style = "conflict" if item.state is State.CONFLICT else "changed"
        label = printable(str(item.label))
        note = "  (the whole epic)" if not item.label.path else ""
        console.print(line("  ", (f"{_ARROW[item.state]:<12}", style), label, (note, "dim")))
    if len(shown) < len(epic.fields):
        console.print(
            line((f"              … and {count(len(epic.fields) - len(shown), 'more field')} of {epic.id}", "dim"))
        )


def _draw_changes(console: Console, found: Status, *, verbose: bool) -> None:
    if found.clean:
        console.print(line(("nothing changed since the last commit", "good")))
        return
    console.print()
    console.print(line(("changed since the last commit", "label")))
    for side in ("files", "db"):
        touched = [(epic, getattr(epic, side)) for epic in found.epics if getattr(epic, side) is not Since.UNCHANGED]
        for since in (Since.MODIFIED, Since.ADDED, Since.DELETED):
            names = [_name(epic, side) for epic, what in touched if what is since]
            if names:
                listed = ", ".join(names if verbose else names[:_FIELDS])
                more = f" and {len(names) - _FIELDS} more" if not verbose and len(names) > _FIELDS else ""
                console.print(line(f"  {side:<6}{since.value:<10}", listed, (more, "dim")))
    for number, change in enumerate(found.schema):
        if number == _FIELDS and not verbose:
            more = count(len(found.schema) - number, "more definition")
            console.print(line(("  schema … and " + more, "dim")))
            break
        name = printable(f"{change.kind} {change.name}".rstrip())
        console.print(line(f"  schema {name} ", (_OP[change.op], "dim")))
    for table in found.tables:
        counts = " ".join(
            f"{sign}{number}"
            for sign, number in (("+", table.added), ("~", table.modified), ("-", table.deleted))
            if number
        )
        console.print(line(f"  table {printable(table.name)} ", (counts, "dim")))


def _name(epic: EpicStatus, side: str) -> str:
    if side == "files" and epic.path:
        return printable(f"{epic.id} ({epic.path})")
    return printable(epic.id)


def _draw_next(console: Console, found: Status) -> None:
    console.print()
    if found.merging:
        text = f"next: {what_next(found.merging).replace('`', '')}"
    elif found.emptied:
        text = f"the {found.emptied} side is empty: epicvc rollback HEAD, or epicvc sync --allow-empty-side to mean it"
    elif found.new_mapping:
        text = "next: correct [mapping] in epicvc.toml, or epicvc sync --new-mapping to mean it"
    elif found.errors:
        text = f"next: correct what cannot be read ({count(len(found.errors), 'place')}); `epicvc sync` does the rest"
    elif found.conflicts:
        text = f"next: epicvc resolve   ({count(len(found.conflicts), 'conflict')})"
    elif not found.in_sync:
        text = "next: epicvc sync   (epicvc sync --dry-run to look first)"
    elif not found.clean:
        text = "next: epicvc commit -m MESSAGE   (epicvc diff to look first)"
    else:
        return
    console.print(line((text, "label")))
