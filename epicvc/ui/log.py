"""Draws history, names and operations as lists."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from epicvc.model.labels import escape
from epicvc.ui.terminal import Console, line
from epicvc.ui.text import printable, shown

if TYPE_CHECKING:
    from epicvc.actions.origin.blaming import Blamed
    from epicvc.base.jsonio import JSON
    from epicvc.repo.history.objects import Commit
    from epicvc.store.file.records import Operation
    from epicvc.store.objects import ObjectId

_NAMES = 48
_EXCERPT = 40


def local(time: datetime) -> str:
    """Return a time in the form that people here read."""
    from epicvc.repo.history.objects import in_local_zone  # imported here: lists of names are drawn without it

    return in_local_zone(time).strftime("%Y-%m-%d %H:%M:%S %z")


def draw_log(
    console: Console,
    commits: Iterable[Commit],
    names: dict[str, list[str]],
    head: ObjectId | None,
    branch: str | None,
    *,
    oneline: bool,
) -> None:
    """Draw commits, newest first."""
    for commit in commits:
        marks = list(names.get(commit.id.hex(), []))
        if commit.id == head:
            marks.insert(0, f"HEAD -> {branch}" if branch else "HEAD")
        if oneline:
            suffix = f" ({', '.join(map(printable, marks))})" if marks else ""
            first = printable(commit.message.splitlines()[0] if commit.message else "")
            console.print(line((commit.id.hex()[:12], "changed"), (suffix, "moved"), " ", first))
        else:
            draw_commit(console, commit, marks)


def draw_commit(console: Console, commit: Commit, marks: list[str]) -> None:
    """Draw one commit's head."""
    suffix = f" ({', '.join(map(printable, marks))})" if marks else ""
    kind = "" if commit.kind.value == "commit" else f"  [{commit.kind.value}]"
    console.print(line((f"commit {commit.id.hex()}", "changed"), (suffix, "moved"), (kind, "dim")))
    if len(commit.parents) > 1:
        console.print(line("Merge:  ", " ".join(parent.hex()[:12] for parent in commit.parents)))
    console.print(line("Author: ", printable(commit.author)))
    console.print(line("Date:   ", local(commit.time)))
    console.print()
    for text in commit.message.splitlines():
        console.print(line("    ", printable(text)))
    console.print()


def draw_refs(console: Console, refs: dict[str, str], current: str | None) -> None:
    """Draw branches or tags."""
    for name, commit in sorted(refs.items()):
        mark = "* " if name == current else "  "
        console.print(line(mark, (printable(name), "good" if name == current else ""), " ", (commit[:12], "dim")))


def draw_operations(console: Console, operations: Iterable[Operation]) -> None:
    """Draw the operation log."""
    for operation in operations:
        time = local(datetime.fromisoformat(operation.time))
        console.print(
            line(
                (operation.id[:12], "changed"), f"  {time}  ", printable(operation.user), "  ",
                (printable(operation.command), "label"), "  ", printable(operation.description),
            )
        )  # fmt: skip


def draw_blame(console: Console, found: Iterable[Blamed]) -> None:
    """Draw the last author of each field, one field a line."""
    fields = list(found)
    authors = [printable(item.origin.author or "") for item in fields]
    labels = [item.label for item in fields]
    names = [printable(str(label) if label.table else "/".join(map(escape, label.path))) for label in labels]
    wide, long = (max(map(len, texts), default=0) for texts in (authors, names))
    for item, author, name in zip(fields, authors, names, strict=True):
        origin = item.origin
        mark = origin.commit.hex()[:12] if origin.commit else "uncommitted"
        when = local(origin.time)[:16] if origin.time else ""
        console.print(
            line(
                (f"{mark:<12}", "changed"), f"  {when:<16}  {author:<{wide}}  {origin.side:<5}  ",
                (f"{name:<{min(long, _NAMES)}}", "label"), "  ", (_excerpt(item.value), "dim"),
            )
        )  # fmt: skip


def _excerpt(value: JSON) -> str:
    return "" if value is None else shown(value, _EXCERPT)
