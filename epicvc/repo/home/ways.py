"""The way to a place that the user named, and that something is written into.

A clone or an archive brings symbolic links, and one on the way would have epicvc write wherever it leads. So a link
that lies in the repo, or in the git work tree around it, is refused; a link elsewhere is the user's own, as ``/tmp`` is
one on some systems.
"""

from __future__ import annotations

import os
from pathlib import Path

from epicvc.errors import LinkInTheWay

_GIT = ".git"


def require_own_way(path: Path, root: Path) -> None:
    """Refuse a place behind a link that may have come with a repo.

    Args:
        path: the place; its last name may be missing, and counts.
        root: the directory of the repo, or where the command was started.

    Raises:
        LinkInTheWay: one is on the way.
    """
    top = _top(root)
    here = Path(path.absolute().anchor)
    for name in path.absolute().parts[1:]:
        if name == os.pardir:
            here = here.parent
            continue
        place = here / name
        if not place.is_symlink():
            here = place
        elif here == top or top in here.parents:
            raise LinkInTheWay(
                str(place), hint="a clone could have brought it; name the place that it leads to instead"
            )
        else:
            here = Path(os.path.realpath(place))


def followed(path: Path, root: Path) -> Path:
    """What a path leads to; a link that may have come with a repo is followed as long as it stays in there.

    Args:
        path: the path.
        root: the directory of the repo, or where the command was started.

    Raises:
        LinkInTheWay: a link leads out.
    """
    target, top = Path(os.path.realpath(path)), _top(root)
    if target != top and top not in target.parents:
        require_own_way(path, root)
    return target


def _top(root: Path) -> Path:
    """The top of the git work tree that a directory is in, else the directory; symbolic links followed."""
    home = Path(os.path.realpath(root))
    return next((place for place in (home, *home.parents) if os.path.lexists(place / _GIT)), home)
