"""The Python examples of the documents run; what they claim is asserted in them."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.docs.conftest import ROOT
from tests.docs.console import fenced

DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))
EXAMPLES = [(path.name, code) for path in DOCUMENTS for code in fenced(path.read_text("utf-8"), "python")]


class _Cached:
    """A function under ``st.cache_data``: remembers, hands out copies, and forgets when told to."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._known: dict[tuple[Any, ...], bytes] = {}

    def __call__(self, *arguments: Any) -> Any:
        if arguments not in self._known:
            self._known[arguments] = pickle.dumps(self._function(*arguments))
        return pickle.loads(self._known[arguments])

    def clear(self) -> None:
        self._known.clear()


def _streamlit() -> ModuleType:
    """As much of Streamlit as the examples use; the real one has half a gigabyte of needs."""
    module = ModuleType("streamlit")
    module.cache_data = lambda **_: _Cached  # type: ignore[attr-defined]
    for name in ("header", "metric"):
        setattr(module, name, lambda *_: None)
    return module


@pytest.mark.parametrize(("document", "code"), EXAMPLES)
def test_example_runs(document: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "sqlalchemy" in code:
        pytest.importorskip("sqlalchemy")
    monkeypatch.setitem(sys.modules, "streamlit", _streamlit())
    monkeypatch.chdir(tmp_path)
    exec(compile(code, document, "exec"), {})
