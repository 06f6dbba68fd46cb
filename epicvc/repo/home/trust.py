"""Judges a store that is not on the user's list at its place: it was moved, copied, or came with a clone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from epicvc.errors import EpicvcError, NotAdopted, NotFound, Refused
from epicvc.repo.home import stores
from epicvc.repo.home.place import PRIVATE, STORE
from epicvc.store.store import Store

LISTED: Final = "listed"
MOVED: Final = "moved"
COPIED: Final = "copied"
UNKNOWN: Final = "unknown"

# The work tree may have come from somebody else: nothing in it may have git start a program, or show git another repo.
_GIT: Final = ("git", "-c", "safe.bareRepository=explicit", "-c", "core.fsmonitor=false", "ls-files", "-z", "--")
_PATIENCE_S: Final = 30.0


class Standing(Struct, frozen=True):
    """The judgement of a store by the user's list.

    Attributes:
        kind: :data:`LISTED`, :data:`MOVED`, :data:`COPIED` or :data:`UNKNOWN`.
        store_id: the store's id.
        other: the former directory of a moved store, or the original of a copied one.
    """

    kind: str
    store_id: str
    other: str | None = None


def standing_of(root: Path, environment: Mapping[str, str], *, vouched: bool = False) -> Standing:
    """Compare a store with the user's list. Nothing of the store is read but its id.

    Args:
        root: the directory of the repo.
        environment: environment variables.
        vouched: whether the user says that the store is theirs. Then another user may own its file, and it is recovered
            from a crash.

    Raises:
        Unavailable: the list cannot be read.
        EpicvcError: the store cannot be opened.
    """
    listed = stores.id_at(environment, os.fspath(root))
    store_id = _id_at(root, frozen=not vouched, any_owner=vouched)
    if listed == store_id:
        return Standing(LISTED, store_id)
    places, here = stores.ids_by_place(environment), os.path.realpath(root)
    others = [place for place, known in places.items() if known == store_id and place != here]
    for place in others:
        if _still_has(Path(place), store_id):
            return Standing(COPIED, store_id, place)
    return Standing(MOVED, store_id, others[0]) if others else Standing(UNKNOWN, store_id)


def require_known(root: Path, environment: Mapping[str, str], *, history: bool) -> str | None:
    """Decide on a store that is not listed at its place. A moved store is listed at its new place.

    Args:
        root: the directory of the repo.
        environment: environment variables.
        history: whether the caller asks for the store's history only.

    Returns:
        One sentence for the user about a moved store; ``None`` where only the history of the store may be read.

    Raises:
        NotAdopted: the store is a copy, not known or tracked by git, and more than its history is asked for.
        EpicvcError: the store or the list cannot be read.
    """
    standing = standing_of(root, environment)
    if standing.kind == MOVED and standing.other is not None and not is_tracked(root):
        stores.enter(environment, str(root), standing.store_id, instead_of=standing.other)
        return f"the repo was moved here from {standing.other}"
    if not history:
        raise NotAdopted(str(root), standing.other if standing.kind == COPIED else None)
    return None


def is_tracked(root: Path) -> bool:
    """Return whether git tracks a repo's private directory, so that everybody who clones the repo gets it."""
    # Inside a hook, git's own variables would point to the repo that the hook is run for.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            (*_GIT, PRIVATE), cwd=root, env=environment, capture_output=True, timeout=_PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False  # without git there is no clone that could have brought it
    return done.returncode == 0 and bool(done.stdout)


def require_untracked(root: Path) -> None:
    """Refuse a private directory that git tracks.

    Raises:
        Refused: git tracks it.
    """
    if is_tracked(root):
        raise Refused(
            f"git tracks {root / PRIVATE}, so that it may be anybody's",
            hint=f"if it is yours, run `git rm -r -q --cached {PRIVATE}` first; else remove it and run `epicvc init`",
        )


def _id_at(root: Path, *, any_owner: bool, frozen: bool = True) -> str:
    with Store.open(root / PRIVATE / STORE, frozen=frozen, any_owner=any_owner) as store:
        return store.repo_id


def _still_has(place: Path, store_id: str) -> bool:
    """Return whether a store is still where it was. In doubt it is."""
    try:
        return _id_at(place, any_owner=True) == store_id
    except NotFound:
        return False
    except EpicvcError:
        return True
