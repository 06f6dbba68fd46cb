from __future__ import annotations

from pathlib import Path

import pytest

from epicvc.database.sqlite.backend import SQLiteBackend
from epicvc.database.sqlite.pages import marking

from .conformance import BackendConformance, NewBackend
from .helpers import run_script


class TestSQLite(BackendConformance):
    @pytest.fixture(autouse=True)
    def any_size(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(marking, "WORTH_MARKING", 0)

    @pytest.fixture(params=["delete", "wal"])
    def new_backend(self, tmp_path: Path, request: pytest.FixtureRequest) -> NewBackend:
        def make(name: str, **options: object) -> SQLiteBackend:
            path = tmp_path / f"{name}.db"
            backend = SQLiteBackend(path, **options)  # type: ignore[arg-type]
            if not backend.exists():
                backend.create()
                run_script(path, f"PRAGMA journal_mode={request.param}")
            return backend

        return make
