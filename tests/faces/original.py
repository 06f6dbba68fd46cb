"""The code blocks of the description that the Python faces were made from, where it is at hand.

It is no part of the project: what runs is ``promised_calls.md``, which is compared with it where it can be.
"""

from __future__ import annotations

import re

import pytest
from support.guard import ROOT

ORIGINAL = ROOT.parent / "shared" / "spec" / "original.md"
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_IMPORT = re.compile(r"^from migration\.(\w+) import", re.MULTILINE)


def blocks() -> list[str]:
    """All of its code blocks, importing from ``epicvc``."""
    if not ORIGINAL.is_file():
        pytest.skip("the description is not here (../shared/spec/original.md)")
    return [_IMPORT.sub(r"from epicvc.\1 import", code) for code in _BLOCK.findall(ORIGINAL.read_text("utf-8"))]
