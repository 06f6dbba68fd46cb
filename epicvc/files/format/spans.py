"""Finds the place of each value in a JSON text.

Only texts that ``jsonio.parse`` has accepted are taken: nothing is checked here, and the values come from the parse.
"""

from __future__ import annotations

import re
from functools import cached_property
from json import JSONDecoder
from typing import NamedTuple

from epicvc.base.jsonio import JSON

_SPACE = re.compile(r"[ \t\n\r]*+")
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"')
_SCALAR = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[-+.\w]++')

_skipped = JSONDecoder(parse_float=bool, parse_int=bool, strict=False).raw_decode
"""Finds the end of a value many times faster than patterns can.

Only the end is used, and not the value that it reads, so that numbers need no exact reading.
"""


class SpanNode:
    """A value and its place; positions count characters.

    The items inside are found only when they are asked for, since most of a file is not edited.
    """

    def __init__(self, text: str, start: int, end: int, content: JSON) -> None:
        self.start = start
        self.end = end
        self.content = content
        self._text = text

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """The members of an object or the items of an array; none of any other value."""
        content = self.content
        if not isinstance(content, (dict, list)):
            return ()
        text, begin = self._text, self.start + 1
        items: list[Item] = []
        pairs = content.items() if isinstance(content, dict) else (("", item) for item in content)
        for key, value in pairs:
            first = colon = at = _skip(text, begin)
            if isinstance(content, dict):
                colon = _end(_STRING, text, first)
                at = _skip(text, _skip(text, colon) + 1)
            node = _node(text, at, value)
            stop = _skip(text, node.end)
            items.append(Item(key, begin, first, colon=colon, value=node, stop=stop))
            begin = stop + 1
        return tuple(items)


class Item(NamedTuple):
    """A member of an object or an item of an array, with the space around it.

    ``text[begin:start]`` is the space after the bracket or comma before, ``text[start:colon]`` the key as
    written, ``text[colon:value.start]`` the colon and the space around it, ``text[value.end:stop]`` the space
    before the comma or bracket at ``stop``. In an array, ``start`` and ``colon`` are where the value starts.
    """

    key: str
    begin: int
    start: int
    colon: int
    value: SpanNode
    stop: int


def spans(text: str, content: JSON) -> SpanNode:
    """Return the places of a document and of everything in it.

    Args:
        text: the document.
        content: the value of the document, with the members of objects in the order of the text.
    """
    return _node(text, _skip(text, 0), content)


def _node(text: str, start: int, content: JSON) -> SpanNode:
    if isinstance(content, (dict, list)):
        return SpanNode(text, start, _skipped(text, start)[1], content)
    return SpanNode(text, start, _end(_SCALAR, text, start), content)


def _skip(text: str, position: int) -> int:
    return _end(_SPACE, text, position)


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    if match is None:
        raise ValueError(f"the text does not fit its parse at {position}")
    return match.end()
