"""The Python examples of the documents run; what they claim is asserted in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.conftest import ROOT
from tests.docs.console import fenced

DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))
EXAMPLES = [(path.name, code) for path in DOCUMENTS for code in fenced(path.read_text("utf-8"), "python")]


@pytest.mark.parametrize(("document", "code"), EXAMPLES)
def test_example_runs(document: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code, document, "exec"), {})
