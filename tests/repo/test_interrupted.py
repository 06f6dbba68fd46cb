"""An intent that does not say what is left to be done is damage, whatever its checksum says."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from epicvc.errors import DamagedStore
from epicvc.repo.apply.interrupted import finish
from epicvc.store.file.records import Pending, View

DETAILS = dict.fromkeys(("time", "description", "user", "undoes", "redoes"), "")
KNOWN = View({}, "0" * 64)


@pytest.mark.parametrize(
    ("before", "after", "details"),
    [(KNOWN, None, DETAILS), (View(), KNOWN, DETAILS), (KNOWN, View(), DETAILS), (KNOWN, KNOWN, {})]
    + [(KNOWN, KNOWN, {key: "" for key in DETAILS if key != missing}) for missing in DETAILS],
)
def test_a_malformed_intent(before: View, after: View | None, details: dict[str, str]) -> None:
    repo = cast("Any", SimpleNamespace(config=SimpleNamespace(private=Path(".epicvc"))))
    intent = Pending("0" * 32, "sync", database=False, prepared=True, before=before, after=after, details=details)
    with pytest.raises(DamagedStore, match="the unfinished operation is malformed"):
        finish(repo, intent)
