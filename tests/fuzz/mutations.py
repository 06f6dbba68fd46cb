"""What is done to a sound input: damage of bytes, and values that are wrong on purpose. Chance is given."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import Any

Mutation = Callable[[bytes, random.Random], bytes]

LARGEST = 4_000_000
"""Bytes of an input. What grows with larger ones is measured, not tried here: many are tried for their shapes."""

DEPTHS = (3, 199, 201, 999, 5000, 100_000)
WORDS = (
    b"null",
    b"true",
    b"-1",
    b"0",
    b"1e999",
    b"-0.0",
    b"9" * 25,
    b"9" * 5000,
    b"1" + b"0" * 400 + b".5",
    b"NaN",
    b'""',
    b'"\\ud800"',
    b'"\\u0000"',
    b'"../../x"',
    b'"/etc/passwd"',
    b'"a\\nb"',
    b"[]",
    b"{}",
    b"[[]]",
    b'{"id": "1"}',
    b"\xff\xfe",
    b"\0",
    b"\xef\xbb\xbf",
    b"'",
    b'"',
    b"\\",
    b"]",
    b"}",
    b"[",
    b"{",
    b"#",
    b"=",
    b"\n",
    b"\r",
    b"2026-02-30",
    b"0001-01-01T00:00:00Z",
    b"inf",
    b"'; DROP TABLE framework_epics; --",
    "\u202e\x1b[2J".encode(),
)
KEYS = ("id", "epic", "tasks", "dependencies", "name", "version", "", "a/b~c", "__class__", "_metadata", "duration")


def _place(data: bytes, chance: random.Random) -> int:
    return chance.randrange(len(data) + 1)


def _span(data: bytes, chance: random.Random) -> tuple[int, int]:
    first, second = sorted((_place(data, chance), _place(data, chance)))
    return first, min(second, first + chance.choice((1, 4, 32, 256, len(data))))


def flip(data: bytes, chance: random.Random) -> bytes:
    """Turn one to four bits over."""
    damaged = bytearray(data or b"\0")
    for _ in range(chance.randint(1, 4)):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def truncate(data: bytes, chance: random.Random) -> bytes:
    """Cut off the end."""
    return data[: _place(data, chance)]


def remove(data: bytes, chance: random.Random) -> bytes:
    """Take a block out."""
    start, end = _span(data, chance)
    return data[:start] + data[end:]


def swap(data: bytes, chance: random.Random) -> bytes:
    """Exchange two blocks."""
    one, two, three, four = sorted(_place(data, chance) for _ in range(4))
    return data[:one] + data[three:four] + data[two:three] + data[one:two] + data[four:]


def repeat(data: bytes, chance: random.Random) -> bytes:
    """Repeat a block."""
    start, end = _span(data, chance)
    times = chance.choice((1, 2, 10, 1000))
    times = min(times, 2_000_000 // max(end - start, 1) + 1)
    return data[:end] + data[start:end] * times + data[end:]


def insert(data: bytes, chance: random.Random) -> bytes:
    """Put a word in, or in the place of a block."""
    start, end = _span(data, chance)
    return data[:start] + chance.choice(WORDS) + data[chance.choice((start, end)) :]


def noise(data: bytes, chance: random.Random) -> bytes:
    """Overwrite a block with any bytes."""
    start, end = _span(data, chance)
    return data[:start] + chance.randbytes(end - start) + data[end:]


def numbers(data: bytes, chance: random.Random) -> bytes:
    """Make a number huge, negative or a fraction."""
    found = list(re.finditer(rb"\d+", data))
    if not found:
        return insert(data, chance)
    match = chance.choice(found)
    number = chance.choice((b"-" + match[0], b"9" * 20, b"9" * 5000, b"0", b"1e400", b"0.1", match[0] + b"0" * 18))
    return data[: match.start()] + number + data[match.end() :]


def deepen(data: bytes, chance: random.Random) -> bytes:
    """Put a value inside many containers, in any place where a value may stand."""
    depth = chance.choice(DEPTHS)
    opening, closing = chance.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"{a=", b"}")))
    places = [match.end() for match in re.finditer(rb"[:=\[,] ?", data)] or [0]
    at = chance.choice(places)
    ends = closing * depth if chance.random() < 0.8 else b""
    return data[:at] + opening * depth + b"1" + ends + chance.choice((b"", b",")) + data[at:]


BYTES: tuple[Mutation, ...] = (flip, truncate, remove, swap, repeat, insert, noise, numbers, deepen)
"""Damage of any bytes."""


def strange(chance: random.Random) -> Any:
    """A value that is not expected."""
    depth = chance.choice((1, 5, 150, 198))
    deep: Any = "x"
    for _ in range(depth):
        deep = [deep] if chance.random() < 0.5 else {"a": deep}
    return chance.choice(
        (
            None,
            True,
            False,
            0,
            -1,
            1.5,
            10**30,
            -(2**63) - 1,
            2**63,
            1e300,
            "",
            "x",
            "\0",
            "\ud7ff\u202e\x1b[31m",
            "a\nb",
            "é" * 3000,
            "9" * 400,
            "../../etc",
            "/",
            [],
            {},
            [[]],
            [None],
            ["1", "1"],
            [1, "1"],
            {"id": "1"},
            [{"id": "1"}],
            [{"id": "1"}, {"id": "1"}],
            {"": ""},
            {"id": {"id": []}},
            list(range(300)),
            deep,
            "0" * 64,
            "2026-02-30",
            "0001-01-01T00:00:00.000000Z",
            "9999-12-31T23:59:59.999999Z",
            "HEAD",
            "5:tasks/1",
            "~",
            "1e5",
        )
    )


def change_value(value: Any, chance: random.Random) -> Any:
    """A JSON value in which something is of another type, gone, doubled, elsewhere or under another key."""
    places: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, dict | list):
            found = inner.items() if isinstance(inner, dict) else enumerate(inner)
            places += [(inner, key) for key, _ in found]
            waiting += inner.values() if isinstance(inner, dict) else inner
    if not places or chance.random() < 0.05:
        return strange(chance)
    container, key = chance.choice(places)
    how = chance.randrange(6)
    if how == 0:
        del container[key]
    elif how == 1:
        other, other_key = chance.choice(places)
        container[key] = json.loads(json.dumps(other[other_key]))
    elif how == 2 and isinstance(container, dict):
        container[chance.choice(KEYS)] = container.pop(key)
    elif how == 3 and isinstance(container, list):
        container += container * chance.choice((1, 3, 50))
    elif how == 4:
        container[key] = [container[key]] * chance.choice((1, 2))
    else:
        container[key] = strange(chance)
    return value


def json_values(data: bytes, chance: random.Random) -> bytes:
    """Sound JSON that says something else."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return insert(data, chance)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        value = change_value(value, chance)
    return json.dumps(value, ensure_ascii=chance.random() < 0.3, indent=chance.choice((None, 2))).encode(
        "utf-8", "surrogatepass"
    )


def toml_values(data: bytes, chance: random.Random) -> bytes:
    """Sound TOML, mostly, with another value."""
    found = list(re.finditer(rb"= *(.+)", data))
    if not found:
        return insert(data, chance)
    match = chance.choice(found)
    value = chance.choice(
        (
            b"1",
            b"-1",
            b"true",
            b'""',
            b"[]",
            b"{}",
            b"[1]",
            b'["a", 1]',
            b"1.5",
            b"nan",
            b"1979-05-27",
            b"[[[]]]",
            b"'a\\b'",
            b'"../x"',
            b'"/x"',
            b'"a\\u0000b"',
            b'"' + b"a" * 300 + b'"',
            b'"' + b"a/" * 3000 + b'"',
            b'"**/a/**/a/**/a/b"',
            b'"postgresql://a:b@c/d"',
            b'"sqlite:////x"',
            b'"."',
            b'".epicvc"',
            b"9" * 5000,
            b"{a = {b = 1}}",
            b'"epics"',
        )
    )
    return data[: match.start(1)] + value + data[match.end(1) :]


def mutated(data: bytes, chance: random.Random, *sound: Mutation) -> bytes:
    """An input damaged in one way, seldom in several; where there are sound ways, half of the time by one of these."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        kinds = sound if sound and chance.random() < 0.5 else BYTES
        found = chance.choice(kinds)(data, chance)
        data = found if len(found) <= LARGEST else data
    return data
