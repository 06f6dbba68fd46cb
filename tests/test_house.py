"""The figures of the house: each is counted right, and each limit can be broken."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.house import LIMITS, Limit, read, table

SOURCE = '''"""Whether this opens well."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import json


class Twice:
    """Right."""

    attribute: int
    """How it is told."""


def call():
    import json

    call(1, 2, 3, 4, 5, 6)
    call(1, 2, 3, 4, 5, x=6)
    print(1, 2, 3, 4, 5, 6)
'''


def test_what_is_counted(tmp_path: Path) -> None:
    (tmp_path / "rooms").mkdir()
    (tmp_path / "one.py").write_text(SOURCE)
    (tmp_path / "rooms" / "two.py").write_text("class Twice:\n    pass\n")
    found = read(tmp_path)
    assert found.lines == {"one.py": 21, "rooms/two.py": 2}
    assert found.classes == {"Twice": ["one.py", "rooms/two.py"]}
    assert found.inner_imports == ["one.py:17"]
    assert found.long_calls == ["one.py:19"]
    assert (found.docstrings, found.opened) == (3, ["one.py:1", "one.py:9"])


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.figure)
def test_every_limit_can_be_broken(limit: Limit) -> None:
    values = {one.figure: one.limit for one in LIMITS}
    assert not any("BROKEN" in line for line in table(values))
    values[limit.figure] += -0.1 if limit.more else 0.1
    broken = [line.split("  ")[0] for line in table(values) if "BROKEN" in line]
    assert broken == [limit.figure]
