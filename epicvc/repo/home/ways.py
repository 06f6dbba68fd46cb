"""Checks the way to a place that the user named and that something is written into.

A clone or an archive brings symbolic links, and a link on the way would have epicvc write wherever it leads. So a link
that lies in the repo, or in the git work tree around it, is refused. A link elsewhere is the user's own, as ``/tmp`` is
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
        path: the place. Its last name may not exist yet; if it does, it may be no such link either.
        root: the directory of the repo, or that in which the command was started.

    Raises:
        LinkInTheWay: such a link is on the way.
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
    """Return the place that a path leads to. A link that may have come with a repo must not lead out of it.

    Args:
        path: the path.
        root: the directory of the repo, or that in which the command was started.

    Raises:
        LinkInTheWay: such a link leads out of the work tree.
    """
    target, top = Path(os.path.realpath(path)), _top(root)
    if target != top and top not in target.parents:
        require_own_way(path, root)
    return target


def _top(root: Path) -> Path:
    """Return the top of the git work tree around a directory, else the directory; symbolic links are followed."""
    home = Path(os.path.realpath(root))
    return next((place for place in (home, *home.parents) if os.path.lexists(place / _GIT)), home)
