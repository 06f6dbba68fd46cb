"""The code blocks of the description that the Python faces were made from, where it is at hand.

It is no part of the project, so every check of it has a twin that needs nothing.
"""

from __future__ import annotations

import re

import pytest
from support.guard import ROOT

ORIGINAL = ROOT.parent / "shared" / "spec" / "original.md"
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_IMPORT = re.compile(r"^from migration\.(\w+) import", re.MULTILINE)


def blocks(section: str) -> list[str]:
    """The code blocks of one ``##`` section, importing from ``epicvc``."""
    if not ORIGINAL.is_file():
        pytest.skip("the original description is not here (../shared/spec/original.md)")
    text = ORIGINAL.read_text(encoding="utf-8")
    (found,) = [part for part in re.split(r"^(?=## )", text, flags=re.MULTILINE) if section in part.split("\n", 1)[0]]
    return [_IMPORT.sub(r"from epicvc.\1 import", code) for code in _BLOCK.findall(found)]
