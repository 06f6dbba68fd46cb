"""Edits a file so that its formatting stays: takes the old bytes and the new value, and returns the new bytes.

Whatever did not change stays byte for byte: key order, indentation, escapes, notation of numbers, spacing. The
alternative, to parse and to serialise again, buries a change of one field in noise: real files do not survive it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from epicvc.base.jsonio import JSON, equal, parse
from epicvc.files.format.align import align
from epicvc.files.format.spans import Item, SpanNode, spans
from epicvc.files.format.style import Style, line_margin, notation_of, render_key, render_value, style_of, usual


def rewrite(raw: bytes, target: JSON, content: JSON = None) -> bytes:
    """Return the file with a new value.

    Args:
        raw: the file as it is.
        target: the value that the file is to have. The order of its keys matters only for the places of new members.
        content: the value that ``parse`` returned for the file, where the caller has it. Parts of it that are objects
            of the target too are not compared.

    Returns:
        Bytes that parse to the target (numbers by value, the same keys).

    Raises:
        InvalidJSON: the file is no JSON.
    """
    if content is None:
        content = parse(raw)
    text = raw.decode()
    return _Editor(text, spans(text, content)).document(target).encode()


class _Slot(NamedTuple):
    """One item of the new container: its text, and the old item that it comes from; ``None`` if it is new."""

    text: str
    source: Item | None


class _Editor:
    def __init__(self, text: str, root: SpanNode) -> None:
        self.text, self.root = text, root

    @cached_property
    def style(self) -> Style:
        return style_of(self.text, self.root)

    @cached_property
    def notation(self) -> Style:
        return notation_of(self.text)

    def document(self, target: JSON) -> str:
        margin = line_margin(self.text, self.root.start)
        return self.text[: self.root.start] + self.value(self.root, target, margin) + self.text[self.root.end :]

    def value(self, node: SpanNode, target: JSON, margin: str | None) -> str:
        """Return the new text of a value; ``margin`` is as in ``render_value``."""
        if target is node.content:
            return self.text[node.start : node.end]
        if isinstance(target, dict) and isinstance(node.content, dict) and target and node.items:
            return self.members(node, target)
        if isinstance(target, list) and isinstance(node.content, list) and target and node.items:
            return self.array(node, target)
        if isinstance(target, (dict, list)):
            keep = type(target) is type(node.content) and not target and not node.items
        else:
            keep = equal(node.content, target)
        return self.text[node.start : node.end] if keep else self.rendered(target, margin)

    def rendered(self, value: JSON, margin: str | None) -> str:
        return render_value(value, self.style if isinstance(value, (dict, list)) else self.notation, margin)

    def members(self, node: SpanNode, target: dict[str, JSON]) -> str:
        known = {item.key for item in node.items}
        layout = _Layout(self, node)
        first: list[_Slot] = []
        added = {key: list[_Slot]() for key in known}  # the new members behind each known key in the target's order
        run = first
        for key, value in target.items():
            if key in known:
                run = added[key]
            else:
                name = render_key(key, self.style) + layout.usual_colon
                run.append(_Slot(name + self.rendered(value, layout.margin(None)), None))
        slots = first
        for item in node.items:
            if item.key in target:
                name = self.text[item.start : item.value.start]
                slots.append(_Slot(name + self.value(item.value, target[item.key], layout.margin(item)), item))
                slots += added[item.key]
        return layout.compose(slots)

    def array(self, node: SpanNode, target: list[JSON]) -> str:
        layout = _Layout(self, node)
        sources = align([item.value.content for item in node.items], target)
        slots: list[_Slot] = []
        for value, index in zip(target, sources, strict=True):
            item = None if index is None else node.items[index]
            margin = layout.margin(item)
            if item is None:
                slots.append(_Slot(self.rendered(value, margin), None))
            else:
                slots.append(_Slot(self.value(item.value, value, margin), item))
        return layout.compose(slots)


class _Layout:
    """The spacing of the items in a container that is not empty."""

    def __init__(self, editor: _Editor, node: SpanNode) -> None:
        self.editor, self.text, self.node = editor, editor.text, node

    def compose(self, slots: Sequence[_Slot]) -> str:
        """Return the container with these items. A new item is spaced as its other items are."""
        first, last = self.node.items[0], self.node.items[-1]
        written = [self.text[self.node.start]]
        for index, (text, source) in enumerate(slots):
            if index == 0:
                lead = self.lead(first)
            else:
                lead = self.usual_lead if source is None or source is first else self.lead(source)
            written += (lead, text)
            if index < len(slots) - 1:
                written += (self.usual_trail if source is None or source is last else self.trail(source), ",")
        written += (self.trail(last), self.text[self.node.end - 1])
        return "".join(written)

    def margin(self, item: Item | None) -> str | None:
        """Return the indentation of the line on which an item starts; ``None`` to keep all of it on that line."""
        lead = self.usual_lead if item is None else self.lead(item)
        return lead.rpartition("\n")[2] if "\n" in lead else self.margin_within_line

    def lead(self, item: Item) -> str:
        return self.text[item.begin : item.start]

    def trail(self, item: Item) -> str:
        return self.text[item.value.end : item.stop]

    @cached_property
    def usual_lead(self) -> str:
        first = self.lead(self.node.items[0])
        return usual(map(self.lead, self.node.items[1:]), first if "\n" in first else self.editor.style.item_gap)

    @cached_property
    def usual_trail(self) -> str:
        return usual(map(self.trail, self.node.items[:-1]), "")

    @cached_property
    def usual_colon(self) -> str:
        return usual((self.text[i.colon : i.value.start] for i in self.node.items), self.editor.style.key_sep)

    @cached_property
    def margin_within_line(self) -> str | None:
        spread = any("\n" in self.text[i.value.start : i.value.end] for i in self.node.items)
        return line_margin(self.text, self.node.start) if spread else None
