"""Ways in which a repository can be made hostile: all that git carries, and what somebody may write into it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

Way: TypeAlias = Callable[[Path, Path], None]
"""Makes the repository at the first path hostile; its user has an epic repo of their own at the second."""


def tracked_store(root: Path, victim: Path) -> None:
    """It brings a store and a private configuration, which names the user's database."""
    (root / ".epicvc" / ".gitignore").unlink()
    (root / ".epicvc" / "config").write_text(f'[database]\nurl = "{victim}/framework.db"\n')


def only_configuration(root: Path, victim: Path) -> None:
    """It brings the configuration alone, for whoever runs ``init``."""
    tracked_store(root, victim)
    (root / ".epicvc" / "store.db").unlink()


def linked_store(root: Path, victim: Path) -> None:
    """Its private directory is the user's."""
    shutil.rmtree(root / ".epicvc")
    (root / ".epicvc").symlink_to(victim / ".epicvc")


def linked_private_file(root: Path, victim: Path) -> None:
    """A file of its private directory is one of the user's."""
    tracked_store(root, victim)
    (root / ".epicvc" / "stat").symlink_to(victim / "framework.db")


def _in_place_of(*names: str, what: str) -> Way:
    def make(root: Path, victim: Path) -> None:
        for name in names:
            place = root / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            else:
                place.unlink(missing_ok=True)
            place.symlink_to(victim / what)

    return make


def _configured(old: str, new: str) -> Way:
    def make(root: Path, victim: Path) -> None:
        config = root / "epicvc.toml"
        text = config.read_text()
        assert old in text
        config.write_text(text.replace(old, new.replace("VICTIM", str(victim))))

    return make


def _database(url: str) -> Way:
    return _configured('url = "framework.db"', f'url = "{url}"')


WITH_A_STORE: Final[dict[str, Way]] = {
    way.__name__: way for way in (tracked_store, only_configuration, linked_store, linked_private_file)
}
"""They bring a private directory; nothing goes on before that is gone."""

WITHOUT: Final[dict[str, Way]] = {
    "enriched": _in_place_of("epics/enriched", what="epics"),
    "epics": _in_place_of("epics", what="epics"),
    "a directory of epics": _in_place_of("epics/beds", what="epics"),
    "epics in it": _in_place_of("epics/garden.json", "epics/new.json", what="epics/garden.json"),
    "migrations": _in_place_of("migrations", what="epics"),
    "a migration": _in_place_of("migrations/001_new.sql", what="framework.db"),
    "epicvc.toml": _in_place_of("epicvc.toml", what="epicvc.toml"),
    "the database": _in_place_of("framework.db", what="framework.db"),
    "its journal": _in_place_of("framework.db-journal", "framework.db-wal", "own.db-journal", what="framework.db"),
    "attributes": _in_place_of(".gitattributes", "epics/.gitattributes", what="epicvc.toml"),
    "what is written to": _in_place_of("out", "elsewhere", "log", what="epics"),
    "an absolute database": _database("VICTIM/framework.db"),
    "a database beside": _database("../victim/framework.db"),
    "a server": _database("postgresql://user@127.0.0.1:9/plans"),
    "files beside": _configured('dir = "epics"', 'dir = "../victim/epics"'),
    "absolute files": _configured('dir = "epics"', 'dir = "VICTIM/epics"'),
}
"""Links in place of what is read and written, and places that the configuration names."""
