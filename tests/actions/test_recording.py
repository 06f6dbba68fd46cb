"""However a run ends it is recorded, with the exit code that the command line would have."""

from __future__ import annotations

from pathlib import Path

import pytest

from epicvc.actions.report.recording import recorded
from epicvc.errors import DatabaseLocked, NotFound, UsageError
from epicvc.repo.runs import FILE, Counts, kept_runs


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (NotFound("nowhere"), 3, "not_found"),
        (DatabaseLocked("framework.db", 10), 6, DatabaseLocked("framework.db", 10).kind),
        (KeyboardInterrupt(), 130, None),
        (BrokenPipeError(), 0, None),
        (ZeroDivisionError(), 70, None),
        (SystemExit(5), 70, None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_is_recorded_and_goes_on(tmp_path: Path, error: BaseException, code: int, kind: str | None) -> None:
    with pytest.raises(type(error)) as raised, recorded(tmp_path, "sync"):
        raise error
    assert raised.value is error
    (run,) = kept_runs(tmp_path)
    assert (run.command, run.exit, run.error) == ("sync", code, kind)
    assert run.interrupted == (code == 130)


def test_a_mistake_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError), recorded(tmp_path, "sync"):
        raise UsageError("no such thing")
    assert not (tmp_path / FILE).exists()


def test_what_was_counted(tmp_path: Path) -> None:
    with recorded(tmp_path, "sync") as recording:
        recording.exit, recording.counts = 1, Counts(3, 2, 1, 4)
    (run,) = kept_runs(tmp_path)
    assert (run.exit, run.records, run.to_files, run.to_db, run.conflicts) == (1, 3, 2, 1, 4)
    assert run.succeeded


def test_without_a_repo_there_is_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with recorded(None, "migrate up") as recording:
        recording.counts = Counts(1)
    assert not list(tmp_path.iterdir())
