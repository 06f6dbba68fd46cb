"""Draws the resolver: a state and a size give lines of text. Pure; every line fits the width.

On a wide terminal the three versions stand side by side, on a narrow one below each other. Everything that colours say
is said by marks where there are no colours.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace
from rich.text import Text

from epicvc.actions.resolve.choices import Pick, can_pick, has_items, is_order, overlaps
from epicvc.actions.shared.questions import Question
from epicvc.merge.threeway import ABSENT
from epicvc.plan.moves.moves import is_place
from epicvc.ui.resolver.help import HELP
from epicvc.ui.resolver.state import Mode, ResolverState, ResolverView, said
from epicvc.ui.resolver.values import excerpt, styled, wrap
from epicvc.ui.resolver.versions import Look, beside, stacked, when
from epicvc.ui.text import count

BESIDE_FROM = 78
"""The number of columns from which three versions stand side by side."""

_LEAST = (20, 8)
_LEAST_BODY = 3


def screen(state: ResolverState, look: Look) -> list[Text]:
    """Return the whole screen, exactly as high as the terminal and at most as wide."""
    look = replace(look, width=max(look.width, _LEAST[0]), height=max(look.height, _LEAST[1]))
    top, body, bottom = _parts(state, look)
    room = _room(look, top, bottom)
    start = _start(state, body, room)
    shown = body.lines[start : start + room]
    if len(body.lines) > room:
        _tell_more(shown, start, len(body.lines), room, look)
    shown += [Text()] * (room - len(shown))
    lines = [*top, *shown, *bottom]
    for line in lines:
        line.truncate(look.width, overflow="crop")
    return lines[: look.height]


def fit(state: ResolverState, look: Look) -> ResolverState:
    """Return the state with its scroll position limited to the last screen of text."""
    if state.mode in (Mode.ITEMS, Mode.SUMMARY):
        return state
    top, body, bottom = _parts(state, look)
    room = _room(look, top, bottom)
    return replace(state, scroll=min(state.scroll, max(len(body.lines) - room, 0)))


def document(state: ResolverState, look: Look) -> list[Text]:
    """Return everything without a window, for a terminal that only prints lines. Numbers stand for the cursor."""
    stacked = replace(state, view=ResolverView.STACKED, cursor=-1)
    top, body, bottom = _parts(replace(stacked, message=""), replace(look, numbers=True))
    return [*top, *body.lines, *(line for line in bottom if line.plain.strip())]


class _Body(Struct):
    """The part of the screen that scrolls. The lines from ``first`` to ``last`` must be visible."""

    lines: list[Text]
    first: int = 0
    last: int = 0


def _parts(state: ResolverState, look: Look) -> tuple[list[Text], _Body, list[Text]]:
    bodies = {Mode.ASK: _ask, Mode.ITEMS: _items, Mode.SUMMARY: _summary, Mode.HELP: _help}
    body = bodies[state.mode](state, look)
    return _head(state, look), body, _foot(state, look)


def _room(look: Look, top: list[Text], bottom: list[Text]) -> int:
    """Return the number of lines that are left for the body. On the lowest screens the line of keys gives way."""
    return max(max(look.height, _LEAST[1]) - len(top) - len(bottom), _LEAST_BODY)


def _start(state: ResolverState, body: _Body, room: int) -> int:
    if state.mode in (Mode.ASK, Mode.HELP):
        return min(state.scroll, max(len(body.lines) - room, 0))
    if len(body.lines) <= room:
        return 0
    middle = (body.first + body.last + 1) // 2 - room // 2
    start = max(min(middle, len(body.lines) - room), 0)
    return min(start, body.first)


def _tell_more(shown: list[Text], start: int, total: int, room: int, look: Look) -> None:
    """Replace the first and last line by the number of lines beyond, where there are any."""
    up, down = ("^", "v") if look.plain else ("↑", "↓")
    if start:
        shown[0] = Text(f" {up} {count(start + 1, 'more line')}", "dim")
    if start + room < total:
        shown[-1] = Text(f" {down} {count(total - start - room + 1, 'more line')}", "dim")


# Head and foot


def _head(state: ResolverState, look: Look) -> list[Text]:
    number = len(state.questions)
    answered = number - state.open
    if state.mode is Mode.SUMMARY:
        left, right = " resolve: summary", f"{answered} of {number} answered "
    elif state.mode is Mode.HELP:
        left, right = " resolve: help", "arrows scroll, other keys go back "
    else:
        left, right = f" resolve: {state.at + 1} of {number}", f"{answered} answered "
    gap = max(look.width - len(left) - len(right), 1)
    title = Text(left + " " * gap + right, "title")
    if state.mode not in (Mode.ASK, Mode.ITEMS):
        return [title]
    label = Text(" ").append(look.text(str(state.question.conflict.label)), "label")
    label.append(look.dot + _what(state.question), "dim")
    return [title, label, Text(look.rule * look.width, "dim")]


def _what(question: Question) -> str:
    """Return in words the kind of place that a conflict is about."""
    conflict, spec = question.conflict, question.spec
    if is_order(conflict):
        return "the order of the tasks"
    if is_place(conflict):
        moved = ABSENT not in (conflict.ours, conflict.theirs)
        return "where the task is" if moved else "the task moved on one side, and removed on the other"
    if ABSENT in (conflict.ours, conflict.theirs) and conflict.base is not ABSENT:
        return "removed on one side, changed on the other"
    if can_pick(conflict):
        what = "list" if has_items(conflict) else "text"
        return f"{what}, {count(len(overlaps(conflict)), 'overlap')}"
    return spec.kind.value if spec.kind is not None else "value"


def _foot(state: ResolverState, look: Look) -> list[Text]:
    lines = [Text(look.rule * look.width, "dim")]
    if state.mode is Mode.ASK:
        lines.append(_answer(state, look))
    lines.append(Text(" " + look.text(state.message), "message"))
    return [*lines, *_keys(state, look)]


def _answer(state: ResolverState, look: Look) -> Text:
    answer = state.answer
    line = styled(" answer: ", "dim")
    if answer is None:
        return line.append("open", "conflict")
    how = said(answer.how, state.sides)
    before = state.remembered.get(state.question.conflict.label)
    if before is not None and before.chosen == answer.chosen:
        how = f"as {before.author} settled it {when(before.time)}"
    line.append(look.text(how), "good").append(": ", "dim")
    return line.append(excerpt(answer.chosen.value, look.width - line.cell_len - 1, plain=look.plain))


def _keys(state: ResolverState, look: Look) -> list[Text]:
    ours, theirs = state.keys
    sides = [(ours, state.sides[0]), (theirs, state.sides[1]), ("b", "base")]
    arrows = "^v" if look.plain else "↑↓"
    if state.mode is Mode.HELP:
        return [Text()]
    if state.mode is Mode.SUMMARY:
        found = [("y", "apply"), ("enter", "change it"), (arrows, "move"), ("u", "undo"), ("q", "leave, keeping these")]
    elif state.mode is Mode.ITEMS:
        found = [("space", "take or not"), (arrows, "move"), *sides, ("a", "all")]
        found += [("J K", "carry"), ("enter", "done"), ("esc", "back")]
    else:
        found = list(sides)
        if can_pick(state.question.conflict):
            found += [("a", "both"), ("i", "items" if has_items(state.question.conflict) else "lines")]
        found += [("e", "edit"), ("s", "skip"), ("u", "undo"), ("g", "summary"), ("q", "leave")]
    lines = [Text(" ")]
    for key, word in [*found, ("?", "help")]:
        part = styled(key, "key").append(" " + word)
        if lines[-1].cell_len + part.cell_len + 1 > look.width and lines[-1].cell_len > 1:
            lines.append(Text(" "))
        lines[-1].append_text(part).append("  ")
    return lines


# Asking


def _ask(state: ResolverState, look: Look) -> _Body:
    wide = look.width >= BESIDE_FROM if state.view is ResolverView.AUTO else state.view is ResolverView.BESIDE
    return _Body((beside if wide else stacked)(state, state.question, look))


# Items, summary, help


def _items(state: ResolverState, look: Look) -> _Body:
    body = _Body([])
    if not state.picks:
        body.lines.append(Text("   nobody has an item here", "dim"))
    names = {True: state.sides[0], False: state.sides[1]}
    wide = max(map(len, (*names.values(), "both"))) + 2
    for number, pick in enumerate(state.picks):
        here = number == state.cursor
        if here:
            body.first = len(body.lines)
        mark = _mark(pick, state.sides)
        line = _pointer(number, look, here=here)
        line.append("[x] " if pick.taken else "[ ] ", "good" if pick.taken else "dim")
        line.append("! " if pick.group is not None else "  ", "conflict")
        line.append(f"{mark:<{wide}} ", "added" if mark[:1] == "+" else "removed" if mark[:1] == "-" else "dim")
        text = pick.piece if isinstance(pick.piece, str) else excerpt(pick.piece, 10_000)
        item = Text(look.text(text), ("label" if here else "") if pick.taken else "dim")
        body.lines += wrap(item, look.width - 1, line)
        if here:
            body.last = len(body.lines) - 1
    return body


def _pointer(number: int, look: Look, *, here: bool) -> Text:
    if look.numbers:
        return styled(f"{number + 1:>3} ", "key")
    return styled(" > " if here else "   ", "key")


def _mark(pick: Pick, sides: tuple[str, str]) -> str:
    """Return the mark of an item: the sides that added or removed it."""
    if not pick.base:
        return "+ " + ("both" if pick.ours and pick.theirs else sides[0] if pick.ours else sides[1])
    if pick.ours and pick.theirs:
        return ""
    return "- " + ("both" if not (pick.ours or pick.theirs) else sides[1] if pick.ours else sides[0])


def _summary(state: ResolverState, look: Look) -> _Body:
    labels = [look.text(str(question.conflict.label)) for question in state.questions]
    wide = min(max(map(len, labels)), max(look.width // 2 - 4, 10))
    body = _Body([Text()])
    for number, (question, label) in enumerate(zip(state.questions, labels, strict=True)):
        answer = state.answers.get(question.conflict.label)
        line = _pointer(number, look, here=number == state.cursor)
        short = label if len(label) <= wide else "…" + label[-wide + 1 :] if not look.plain else label[-wide:]
        line.append(f"{short:<{wide}}  ", "label" if number == state.cursor else "")
        if answer is None:
            line.append("open", "conflict").append(f"  {_kept(state)}", "dim")
        else:
            line.append(f"{said(answer.how, state.sides):<12} ", "good")
            line.append(excerpt(answer.chosen.value, look.width - line.cell_len - 1, plain=look.plain), "dim")
        if number == state.cursor:
            body.first = body.last = len(body.lines)
        body.lines.append(line)
    if state.open:
        left = f"{count(state.open, 'conflict')} will stay open: {_kept(state)}"
        body.lines += [Text(), *wrap(Text(left, "dim"), look.width - 1, Text(" "))]
    return body


def _kept(state: ResolverState) -> str:
    """Return what happens to a conflict that stays open: a sync touches neither side, a merge keeps ours until then."""
    return "both sides keep their own" if state.sides[0] == "files" else f"{state.sides[0]} stays until it is settled"


def _help(state: ResolverState, look: Look) -> _Body:
    lines = [Text()]
    for key, text in _help_entries(state):
        lines += wrap(Text(text), look.width - 1, styled(f" {key:<12} ", "key" if text else "label"))
    return _Body(lines)


def _help_entries(state: ResolverState) -> Iterable[tuple[str, str]]:
    ours, theirs = state.keys
    for key, text in HELP:
        yield key.format(ours=ours, theirs=theirs), text.format(ours=state.sides[0], theirs=state.sides[1])
