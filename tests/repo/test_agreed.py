"""What is remembered of documents that agree counts only where it can be read whole."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from epicvc.repo.agreed import Agreement, load_agreement, save_agreement
from epicvc.repo.history.objects import DatabaseState, Snapshot

STATE = Snapshot(b"f" * 32, DatabaseState(b"s" * 32, b"t" * 32), b"b" * 32, b"m" * 32)


def remembered() -> Agreement:
    return Agreement.of("basis", STATE, {"1": b"1" * 32, "2": b"2" * 32}, ["2"])


def test_round_trip(tmp_path: Path) -> None:
    assert load_agreement(tmp_path) is None
    save_agreement(tmp_path, remembered())
    assert load_agreement(tmp_path) == remembered()


@pytest.mark.parametrize(
    "wrong",
    [
        {"packed_epics": b"\x92\xa1\xff\xa12"},
        {"packed_epics": b""},
        {"packed_epics": msgspec.msgpack.encode(["1", "1"])},
        {"cores": b"1" * 63},
        {"cores": b""},
    ],
)
def test_what_does_not_fit_is_forgotten(wrong: dict[str, bytes], tmp_path: Path) -> None:
    save_agreement(tmp_path, msgspec.structs.replace(remembered(), **wrong))
    assert load_agreement(tmp_path) is None
