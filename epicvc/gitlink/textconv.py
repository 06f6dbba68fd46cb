"""The text of a JSON file that ``git diff`` compares: one line a field, named by its label.

``5:name: "Search"`` is a value; ``5:goals - "Fast"`` an item of a list; ``5:summary | "one line"`` a line of a text
that has several. Lists of objects with ids go by id: first the ids in the order of the list, then the fields of each,
so that moving a task moves one line. Members come sorted. The text hides formatting and the order of keys, and nothing
else. Two files that say different things have different texts; duplicate keys and the digits of a number count too.

Reads leniently, unlike :mod:`epicvc.base.jsonio`, since nothing is written from what is read here. A file that is no
JSON has no labels, and stays as it is. The module imports next to nothing, since git starts it for each version of each
file.
"""

from __future__ import annotations

from json import loads
from json.encoder import encode_basestring

from epicvc.base.depth import require_shallow
from epicvc.model.naming import SIBLINGS, escape, escape_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    Parsed: TypeAlias = "_Members | list[Parsed] | _Bare | str | bool | None"
    Keyed: TypeAlias = "list[tuple[str, _Members]]"

_BOM = b"\xef\xbb\xbf"
_WRAPPER = "epic"
_MAX_LABEL = 4096
_ROOM, _LEAST_ROOM = 16, 65_536


class _Members:
    """An object as its members in the order of the text, repeated keys included."""

    __slots__ = ("all",)

    def __init__(self, members: list[tuple[str, Parsed]]) -> None:
        self.all = members

    def sorted(self) -> list[tuple[str, Parsed]]:
        """Return the members by name."""
        return sorted(self.all, key=lambda member: member[0])

    def get(self, name: str) -> Parsed:
        """Return the last value of this name, as parsers take it; ``None`` where there is none."""
        return next((value for key, value in reversed(self.all) if key == name), None)


class _Bare(str):
    """A number as it is written, NaN and infinities included."""

    __slots__ = ()


def text_of(data: bytes) -> bytes:
    """Return the text of a file, in UTF-8.

    Returns the very bytes where they are no JSON, or JSON that is out of all measure: nested more than 200 levels deep,
    with a label of more than 4,096 characters, or with a text of more than 16 times the bytes and 64 KB. Each line
    names its whole path, which is no help where it is all there is to see.
    """
    try:
        return _text(_read(data), _LEAST_ROOM + _ROOM * len(data))
    except ValueError:
        return data


def _text(value: Parsed, room: int) -> bytes:
    """Return the lines as one text.

    Raises:
        ValueError: the text would be out of all measure.
    """
    lines = []
    for line in _document(value):
        room -= len(line) + 1
        if room < 0:
            raise ValueError("longer than anybody would read")
        lines.append(line + "\n")
    return "".join(lines).encode()


def _read(data: bytes) -> Parsed:
    """Return the value that a text says.

    Raises:
        ValueError: the text is no JSON.
    """
    require_shallow(data)
    text = data.removeprefix(_BOM).decode()
    value: Parsed = loads(text, object_pairs_hook=_Members, parse_int=_Bare, parse_float=_Bare, parse_constant=_Bare)
    return value


def _document(value: Parsed) -> Iterator[str]:
    inner = value.get(_WRAPPER) if isinstance(value, _Members) else None
    body = inner if isinstance(inner, _Members) else value
    key = _key(body) if isinstance(body, _Members) else None
    if key is None or not isinstance(body, _Members) or not isinstance(value, _Members):
        yield from _lines("", value)
        return
    root = _shown(escape_root(key)) + ":"
    yield from _members(root, body)
    if body is not value:
        beside = _Members([member for member in value.all if member[1] is not inner])
        yield from _lines(root + SIBLINGS, beside)


def _members(prefix: str, members: _Members) -> Iterator[str]:
    for name, value in members.sorted():
        yield from _lines(prefix + _shown(escape(name)), value)


def _lines(label: str, value: Parsed) -> Iterator[str]:
    if len(label) > _MAX_LABEL:
        raise ValueError("a label longer than anybody would read")
    if isinstance(value, _Members) and value.all:
        yield from _members(label + "/", value)
    elif isinstance(value, list) and value:
        keyed = _keyed(value)
        if keyed is None:
            yield from (f"{label} - {_on_one_line(item)}" for item in value)
        else:
            yield from _by_id(label, keyed)
    elif isinstance(value, str) and "\n" in value:
        yield from (f"{label} | {_quoted(line)}" for line in value.split("\n"))
    else:
        yield f"{label}: {_on_one_line(value)}"


def _keyed(items: list[Parsed]) -> Keyed | None:
    """Return the objects of a list by their ids; ``None`` unless all items are objects with an id of their own."""
    keyed = [(key, item) for item in items if isinstance(item, _Members) and (key := _key(item)) is not None]
    return keyed if len(keyed) == len(items) == len({key for key, _ in keyed}) else None


def _by_id(label: str, keyed: Keyed) -> Iterator[str]:
    places = [(f"{label}/{_shown(escape(key))}", item) for key, item in keyed]
    for place, item in places:
        yield f"{place}/id: {_on_one_line(item.get('id'))}"
    for place, item in sorted(places, key=lambda found: found[0]):
        yield from _members(place + "/", _without_id(item))


def _without_id(item: _Members) -> _Members:
    """Return the members without the one that ``get`` takes for the id."""
    last = max(at for at, (name, _) in enumerate(item.all) if name == "id")
    return _Members([member for at, member in enumerate(item.all) if at != last])


def _key(members: _Members) -> str | None:
    """Return the text that identifies an object by its id; a number counts, as in :mod:`epicvc.model.document`."""
    found = members.get("id")
    if isinstance(found, _Bare):
        if found.removeprefix("-").isdigit():
            return str(found)
        from epicvc.base.jsonio import number  # imported late: hardly any id has a fraction
        from epicvc.model.document import item_key

        return item_key(number(found)) if found[-1].isdigit() else None
    return found if isinstance(found, str) and found else None


def _on_one_line(value: Parsed) -> str:
    """Return a value as JSON, its members sorted."""
    if isinstance(value, _Bare):
        return value
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, _Members):
        return "{" + ", ".join(f"{_quoted(name)}: {_on_one_line(item)}" for name, item in value.sorted()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_on_one_line, value)) + "]"
    return "null" if value is None else "true" if value else "false"


def _quoted(text: str) -> str:
    return f'"{_shown(text)}"'


def _shown(text: str) -> str:
    """Return a text as it stands between quotes in JSON.

    Characters that could steer a terminal or mislead the eye are escaped.
    """
    body: str = encode_basestring(text)[1:-1]
    return body if body.isprintable() else "".join(char if char.isprintable() else _escaped(char) for char in body)


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
