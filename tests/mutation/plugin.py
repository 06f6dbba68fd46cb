"""A pytest plugin with two jobs: notes which test runs which function, or puts a mutant in the place of a module."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

import pytest

NOTES = "EPICVC_MUTATION_NOTES"
"""Where to note which test runs which functions of the modules."""

MODULE, SOURCE = "EPICVC_MUTATION_MODULE", "EPICVC_MUTATION_SOURCE"
"""The module to put a mutant in the place of, and the file that has its source."""

MODULES = "EPICVC_MUTATION_MODULES"
"""The files to note functions of, one a line."""


class _Loader(importlib.abc.SourceLoader):
    def __init__(self, path: str, source: Path) -> None:
        self._path, self._source = path, source

    def get_filename(self, fullname: str) -> str:
        return self._path

    def get_data(self, path: str | bytes | os.PathLike[str]) -> bytes:
        return self._source.read_bytes()

    def path_mtime(self, path: str) -> float:
        raise OSError  # no bytecode of a mutant is kept, and none of the module is taken


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> Any:
        if fullname != os.environ[MODULE]:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        assert spec is not None and spec.origin is not None
        loader = _Loader(spec.origin, Path(os.environ[SOURCE]))
        return importlib.util.spec_from_file_location(fullname, spec.origin, loader=loader)


if MODULE in os.environ:
    assert os.environ[MODULE] not in sys.modules
    sys.meta_path.insert(0, _Finder())


class _Noting:
    """Notes the functions that each test calls."""

    def __init__(self, notes: Path, files: frozenset[str]) -> None:
        self._notes = notes
        self._files = files
        self._seen: set[CodeType] = set()

    def _called(self, frame: FrameType, _event: str, _argument: object) -> None:
        if frame.f_code.co_filename in self._files:
            self._seen.add(frame.f_code)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._seen.clear()
        began = time.perf_counter()
        sys.settrace(self._called)
        yield
        sys.settrace(None)
        functions = sorted({(code.co_filename, code.co_firstlineno) for code in self._seen})
        if functions:
            with self._notes.open("a") as notes:
                notes.write(json.dumps([item.nodeid, time.perf_counter() - began, functions]) + "\n")


def pytest_configure(config: pytest.Config) -> None:
    """Begin to note, where that is asked for."""
    if NOTES in os.environ:
        files = frozenset(os.environ[MODULES].splitlines())
        worker = os.environ.get("PYTEST_XDIST_WORKER", "")
        config.pluginmanager.register(_Noting(Path(os.environ[NOTES] + worker), files))
