"""The README's tutorial runs as it stands, and all documents' links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from support.gitrepo import needs_git

from tests.docs.conftest import ROOT
from tests.docs.console import Shell, fenced, matches, steps

DOCUMENTS = sorted(
    str(path.relative_to(ROOT)) for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]
)
_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")


def test_tutorial_runs_and_shows_what_it_says(shell: Shell, document: Callable[[str], str]) -> None:
    blocks = fenced(document("README.md"), "console")
    assert len(list(steps(blocks))) > 20
    shell.follow(blocks)


def test_tour_of_migrations_runs_and_shows_what_it_says(shell: Shell, document: Callable[[str], str]) -> None:
    text = document("docs/migrations.md")
    shell.follow(fenced(text, "console"))
    example = fenced(text, "python")[0]
    scope: dict[str, object] = {}
    exec(compile(example, "docs/migrations.md", "exec"), scope)
    assert scope["runner"].get_current_version() == "003"  # type: ignore[attr-defined]


def test_tour_of_backups_runs_and_shows_what_it_says(shell: Shell, document: Callable[[str], str]) -> None:
    shell.follow(fenced(document("docs/backups.md"), "console"))


@needs_git
def test_tour_of_git_runs_and_shows_what_it_says(shell: Shell, document: Callable[[str], str]) -> None:
    shell.follow(fenced(document("docs/git.md"), "console"))


def test_everyday_commands_exist(document: Callable[[str], str]) -> None:
    table = document("README.md").split("## Everyday commands")[1].split("\n## ")[0]
    documented = set(re.findall(r"^## epicvc (\w+)", document("docs/commands.md"), re.MULTILINE))
    used = set(re.findall(r"`epicvc (\w+)", table)) - {"COMMAND"}
    assert used
    assert used <= documented


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in _LINK.findall(text):
        if target.startswith(("http:", "https:")):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / name).parent / path if path else ROOT / name
        assert file.exists(), f"{name} links to {target}"
        if anchor:
            assert anchor in anchors(file), f"{name} links to {target}"


def anchors(file: Path) -> set[str]:
    """The anchors that headings get."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE):
        kept = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(kept.replace(" ", "-"))
    return found


def test_the_matcher_matches() -> None:
    assert matches("a … c", "a b c")
    assert matches("a\n…\nz", "a\nb\nc\nz")
    assert not matches("a … c", "a b\n c")
    assert not matches("a", "b")
    assert not matches("a", "a\nb")
