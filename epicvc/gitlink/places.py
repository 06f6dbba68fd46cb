"""Finds the place in a file where something stands, for messages that editors can jump to."""

from __future__ import annotations

from epicvc.base.jsonio import JSON
from epicvc.files.format.spans import Item, SpanNode, spans
from epicvc.model.document import WRAPPER, natural_key
from epicvc.model.labels import parse_label


def place_of(data: bytes, value: JSON, label: str | None) -> tuple[int, int]:
    """Return the line and column, both from 1, of the thing that a label names.

    Where the file has no such thing, they are those of the innermost thing around it.

    Args:
        data: an epic's file.
        value: the value that it says.
        label: a place in the epic; ``None`` for the file as a whole.
    """
    text = data.decode()
    node = spans(text, value)
    start = node.start
    if label is not None:
        body = _named(node, WRAPPER)
        if body is not None and isinstance(body.value.content, dict):
            node, start = body.value, body.value.start
        for name in parse_label(label).path:
            item = _named(node, name)
            if item is None:
                break
            node, start = item.value, item.start
    return text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)


def _named(node: SpanNode, name: str) -> Item | None:
    """Return a member by its name, or an object of a list by its id; the last one of several."""
    return next((item for item in reversed(node.items) if _name(node, item) == name), None)


def _name(node: SpanNode, item: Item) -> str | None:
    if isinstance(node.content, dict):
        return item.key
    inner = item.value.content
    return natural_key(inner.get("id")) if isinstance(inner, dict) else None
