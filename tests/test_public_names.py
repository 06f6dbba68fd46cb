"""The names that import from ``epicvc``: found when asked for, and nothing loaded before."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import epicvc

SOURCE = Path(epicvc.__file__)
PAIRS = [(home, name) for home, names in epicvc._HOMES.items() for name in names]


@pytest.mark.parametrize(("module", "name"), PAIRS, ids=[name for _, name in PAIRS])
def test_each_name_is_that_of_its_module(module: str, name: str) -> None:
    assert getattr(epicvc, name) is getattr(importlib.import_module(module), name)
    assert name in dir(epicvc)


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(SOURCE.read_text("utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    imported = {
        (node.module, alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    }
    assert imported == set(PAIRS)


def test_importing_the_package_loads_nothing_else() -> None:
    code = "import sys, epicvc; epicvc.__version__; print([m for m in sys.modules if m.startswith('epicvc.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        epicvc.nothing  # noqa: B018
