"""``git install``, ``git uninstall`` and ``git doctor``: what is written, and that it is taken back to the byte."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gitrepo import CONFIG, GitRepo, epic, needs_git

from epicvc.gitlink.attributes import block_lines, with_block, without_block
from epicvc.gitlink.git import Git
from epicvc.gitlink.gitconfig import configured_command, wanted

HOOK = ".git/hooks/pre-commit"
ATTRIBUTES = ".gitattributes"


def everything(repo: GitRepo) -> dict[str, tuple[bytes, int]]:
    """Every file of the repository but git's objects and index, with its mode."""
    return {
        path.relative_to(repo.root).as_posix(): (path.read_bytes(), path.stat().st_mode)
        for path in repo.root.rglob("*")
        if path.is_file() and not {"objects", "index", "logs"} & set(path.parts)
    }


def states(repo: GitRepo, code: int = 0) -> dict[str, str]:
    """What ``git doctor`` says, by the names of the parts' places."""
    said = repo.epicvc("git", "doctor", "--json")
    assert said.code == code, said
    return {Path(part["place"]).name: part["state"] for part in json.loads(said.out)["parts"]}


def ok(repo: GitRepo, *arguments: str) -> list[str]:
    """The words that a command says of each part."""
    said = repo.epicvc("git", *arguments, "--json")
    assert said.code == 0, said
    return [part["state"] for part in json.loads(said.out)["parts"]]


PARTS = 6


@needs_git
@pytest.mark.parametrize("attributes", [None, b"", b"*.txt text\n", b"*.txt text", b"a -text\r\n"])
@pytest.mark.parametrize("config", [b"", b"# mine\n[merge]\n\tff = false # here\n", b'[merge "other"]\n\tdriver = x\n'])
def test_a_round_trip_leaves_no_byte_behind(repo: GitRepo, attributes: bytes | None, config: bytes) -> None:
    if attributes is not None:
        repo.write(ATTRIBUTES, attributes)
    with repo.path(".git/config").open("ab") as file:
        file.write(config)
    before = everything(repo)
    assert ok(repo, "install", "--dry-run") == ["written"] * PARTS
    assert everything(repo) == before
    assert ok(repo, "install") == ["written"] * PARTS
    after = everything(repo)
    assert after != before
    assert ok(repo, "install") == ["unchanged"] * PARTS
    assert ok(repo, "uninstall", "--dry-run") == ["removed"] * PARTS
    assert everything(repo) == after
    assert ok(repo, "uninstall") == ["removed"] * PARTS
    assert everything(repo) == before
    assert ok(repo, "uninstall") == ["missing"] * PARTS
    assert everything(repo) == before


@needs_git
def test_doctor_says_what_is_installed_stale_and_missing(repo: GitRepo) -> None:
    assert set(states(repo).values()) == {"missing"}
    ok(repo, "install")
    assert set(states(repo).values()) == {"installed"}
    repo.git("config", "merge.epicvc.driver", "/gone/epicvc merge-driver %O %A %B %L %P || exit 1")
    found = states(repo, code=1)
    assert (found["epicvc"], found["merge.epicvc"], found["diff.epicvc"]) == ("stale", "installed", "stale")
    assert found["pre-commit"] == "stale"
    ok(repo, "install")
    repo.path(HOOK).chmod(0o644)
    repo.git("config", "--unset", "merge.epicvc.recursive")
    repo.edit(ATTRIBUTES, ".json", ".jason")
    assert [name for name, state in states(repo, code=1).items() if state == "stale"] == [
        "merge.epicvc",
        ".gitattributes",
        "pre-commit",
    ]
    assert ok(repo, "install").count("written") == 3
    repo.path(HOOK).unlink()
    assert states(repo)["pre-commit"] == "missing"
    repo.write(".git/info/attributes", "*.json merge=union\n")
    assert states(repo, code=1)[".gitattributes"] == "stale"


@needs_git
def test_a_command_that_is_no_epicvc_is_stale(repo: GitRepo) -> None:
    ok(repo, "install")
    for words in ("/bin/false", "/bin/echo"):
        repo.git("config", "merge.epicvc.driver", f"{words} merge-driver %O %A %B %L %P")
        assert states(repo, code=1)[Path(words).name] == "stale"
    repo.git("config", "merge.epicvc.driver", "'unbalanced merge-driver %O %A %B %L %P")
    assert states(repo, code=1)["merge.epicvc"] == "stale"
    assert "written" in ok(repo, "install")


@needs_git
def test_a_hook_of_somebody_else_is_kept(repo: GitRepo) -> None:
    hook = repo.path(HOOK)
    repo.write(HOOK, "#!/bin/sh\necho theirs >&2\nexit 1\n")
    hook.chmod(0o750)
    before = everything(repo)
    said = repo.epicvc("git", "install")
    assert said.code == 5
    assert "hook pre-commit || exit" in said.err
    assert everything(repo) == before
    assert ok(repo, "uninstall") == ["kept", *["missing"] * (PARTS - 1)]
    assert "other" in states(repo).values()
    assert ok(repo, "install", "--no-hook") == ["written"] * (PARTS - 2)
    assert hook.read_bytes() == before[HOOK][0]
    ok(repo, "install", "--chain")
    assert states(repo)["pre-commit"] == "installed"
    repo.write("x", "x")
    repo.git("add", "x")
    assert "theirs" in repo.run_git("commit", "-m", "x").err
    hook.with_name("pre-commit.before-epicvc").write_text("#!/bin/sh\nexit 0\n")
    repo.git("commit", "-m", "x")
    repo.write("epics/6.json", "{")
    repo.git("add", "-A")
    assert "epics/6.json:1:2" in repo.run_git("commit", "-m", "x").err
    hook.with_name("pre-commit.before-epicvc").write_bytes(before[HOOK][0])
    ok(repo, "uninstall")
    assert everything(repo)[HOOK] == before[HOOK]
    assert not hook.with_name("pre-commit.before-epicvc").exists()


@needs_git
def test_a_hook_that_calls_epicvc_by_hand_counts(repo: GitRepo) -> None:
    text = "#!/bin/sh\nmake lint || exit\nepicvc hook pre-commit || exit\n"
    repo.write(HOOK, text)
    assert ok(repo, "install").count("unchanged") == 1
    assert states(repo)["pre-commit"] == "installed"
    ok(repo, "uninstall")
    assert repo.path(HOOK).read_text() == text


@needs_git
def test_a_hook_that_is_a_link_is_left_alone(repo: GitRepo) -> None:
    repo.write("shared-hook", "#!/bin/sh\n")
    repo.path(HOOK).symlink_to("../../shared-hook")
    for flags in ((), ("--chain",)):
        assert repo.epicvc("git", "install", *flags).code == 5
    assert repo.path(HOOK).is_symlink()


@needs_git
def test_a_shared_directory_of_hooks_is_left_alone(repo: GitRepo, tmp_path: Path) -> None:
    repo.git("config", "core.hooksPath", str(tmp_path / "hooks"))
    for flags in ((), ("--chain",)):
        said = repo.epicvc("git", "install", *flags)
        assert (said.code, "core.hooksPath" in said.err) == (5, True)
    assert not (tmp_path / "hooks").exists()
    assert len(ok(repo, "install", "--no-hook")) == PARTS - 2
    assert states(repo)["pre-commit"] == "missing"


@needs_git
def test_attributes_that_are_committed_stay(installed: GitRepo) -> None:
    assert "kept" in ok(installed, "uninstall")
    assert installed.git("status", "--porcelain") == ""
    assert [state for state in states(installed).values() if state != "missing"] == ["installed"]
    clone = GitRepo(installed.root.parent / "clone")
    installed.git("clone", "-q", ".", str(clone.root))
    assert ok(clone, "install").count("unchanged") == 1
    assert clone.git("status", "--porcelain") == ""


@needs_git
def test_patterns_of_tracked_files(repo: GitRepo) -> None:
    ok(repo, "install")
    repo.write("epicvc.toml", CONFIG + 'include = ["plans/*.plan", "**/[A] b.json", "x.json", "all/**"]\n')
    assert states(repo, code=1)[".gitattributes"] == "stale"
    ok(repo, "install")
    names = {"plans/a.plan": True, "plans/deep/a.plan": False, "y/[A] b.json": True, "A b.json": False, "x.json": True,
             "y/x.json": False, "all/deep/y": True}  # fmt: skip
    for name, tracked in names.items():
        found = repo.git("check-attr", "merge", "--", f"epics/{name}")
        assert found.endswith("merge: epicvc\n") is tracked, found


@needs_git
def test_where_there_is_nothing_to_install_into(repo: GitRepo, tmp_path: Path) -> None:
    plain = GitRepo(tmp_path / "plain")
    plain.root.mkdir()
    assert plain.epicvc("git", "install").code == 3
    plain.write("epicvc.toml", CONFIG)
    plain.write("epics/5.json", epic())
    said = plain.epicvc("git", "doctor", GIT_CEILING_DIRECTORIES=str(tmp_path))
    assert (said.code, "not a git repository" in said.err) == (3, True)
    repo.write("epicvc.toml", '[files]\ndir = "none"\n')
    assert repo.epicvc("git", "install").code == 3
    repo.write("epicvc.toml", '[files]\ndir = "inner"\n')
    repo.git("init", "-q", "inner")
    assert repo.epicvc("git", "install").code == 5
    assert repo.epicvc("git", "install", PATH="/nowhere").code == 6


@needs_git
def test_from_a_linked_worktree_and_below(repo: GitRepo) -> None:
    repo.git("worktree", "add", "-q", "../linked")
    linked = GitRepo(repo.root.parent / "linked")
    said = linked.epicvc("-C", "linked/epics", "git", "install", at="..")
    assert (said.code, said.out) == (0, "")
    assert linked.path(ATTRIBUTES).exists()
    assert repo.path(HOOK).exists()
    assert states(repo)["pre-commit"] == "installed"
    assert linked.epicvc("git", "uninstall", "-q").err == ""
    assert not repo.path(HOOK).exists()


@needs_git
def test_a_command_with_odd_words(tmp_path: Path) -> None:
    repo = GitRepo.made(tmp_path / "repo")
    command = ["/opt/100% ours/epi'cvc", "-m", "%O"]
    for section, values in wanted(command).items():
        for key, value in values.items():
            repo.git("config", f"{section}.{key}", value)
    assert configured_command(Git(repo.root)) == command


@needs_git
def test_an_epicvc_in_an_odd_place_is_found_by_git(repo: GitRepo) -> None:
    place = repo.root.parent / "100% $HOME 'odd'" / "epicvc"
    place.parent.mkdir()
    place.write_text(f"#!{sys.executable}\nimport sys\nfrom epicvc.__main__ import main\nsys.exit(main())\n")
    place.chmod(0o755)
    done = repo._run([str(place), "git", "install"], {})
    assert done.code == 0, done
    assert set(states(repo).values()) == {"installed"}
    repo.commit()
    repo.git("switch", "-q", "-c", "side")
    repo.edit("epics/5.json", "Search", "Theirs")
    repo.commit()
    repo.git("switch", "-q", "main")
    repo.edit("epics/5.json", "Fetch", "Get")
    assert '+5:goals - "Get"' in repo.git("diff")
    repo.git("commit", "-q", "-a", "-m", "through the hook")
    repo.git("merge", "-q", "--no-edit", "side")
    assert (repo.read("epics/5.json")["name"], repo.read("epics/5.json")["goals"]) == ("Theirs", ["Find", "Get"])


@needs_git
def test_a_block_in_the_files_directory_is_moved_to_the_top(repo: GitRepo) -> None:
    lines = "*.json diff=epicvc merge=epicvc\n# End of what `epicvc git install` wrote\n"
    old = "# Written by `epicvc git install`, with this file\n" + lines
    repo.write("epics/.gitattributes", old)
    repo.commit()
    assert states(repo, code=1)[".gitattributes"] == "stale"
    said = repo.epicvc("git", "doctor")
    assert "epics/.gitattributes has it, where not every git sees it; `git install` moves it here" in said.out
    ok(repo, "install")
    assert not repo.path("epics/.gitattributes").exists()
    assert set(states(repo).values()) == {"installed"}
    repo.commit()
    assert "kept" in ok(repo, "uninstall")


@needs_git
def test_two_epic_repos_in_one_repository(repo: GitRepo) -> None:
    for name in ("one", '[two]* "x"'):
        repo.write(f"{name}/epicvc.toml", CONFIG)
        repo.write(f"{name}/epics/5.json", epic())
        assert repo.epicvc("git", "install", at=name).code == 0
    for name in ("one", '[two]* "x"'):
        answer = repo.git("check-attr", "-z", "merge", "--", f"{name}/epics/deep/5.json")
        assert answer.split("\0")[2] == "epicvc"
        assert repo.epicvc("git", "doctor", at=name).code == 0
    assert "unspecified" in repo.git("check-attr", "merge", "--", "other/epics/5.json")
    repo.epicvc("git", "uninstall", at="one")
    assert repo.path(ATTRIBUTES).read_text().count("merge=epicvc") == 1


@needs_git
def test_a_sparse_checkout_without_the_epics_merges_them(installed: GitRepo) -> None:
    installed.write("other/file", "x")
    installed.commit()
    installed.git("switch", "-q", "-c", "side")
    installed.edit("epics/5.json", "Search", "Theirs")
    installed.commit()
    installed.git("switch", "-q", "main")
    installed.edit("epics/5.json", "Fetch", "Get")
    installed.commit()
    installed.git("sparse-checkout", "set", "other")
    installed.git("merge", "-q", "--no-edit", "side")
    merged = json.loads(installed.git("show", "HEAD:epics/5.json"))
    assert (merged["name"], merged["goals"]) == ("Theirs", ["Find", "Get"])


@needs_git
@pytest.mark.parametrize("ending", ["kill -9 $$", "exit 130", "exit 255"])
def test_whatever_ends_a_driver_one_path_is_in_conflict(repo: GitRepo, ending: str) -> None:
    ok(repo, "install", "--no-hook")
    script = repo.root.parent / "epicvc"
    script.write_text(f"#!/bin/sh\n{ending}\n")
    script.chmod(0o755)
    for section, values in wanted([str(script)]).items():
        for key, value in values.items():
            repo.git("config", f"{section}.{key}", value)
    repo.write("other", "1\n2\n3\n")
    repo.commit()
    repo.git("switch", "-q", "-c", "side")
    repo.edit("epics/5.json", "Search", "Theirs")
    repo.edit("other", "3", "three")
    repo.commit()
    repo.git("switch", "-q", "main")
    repo.edit("epics/5.json", "Fetch", "Get")
    repo.edit("other", "1", "one")
    repo.commit()
    assert repo.run_git("merge", "-q", "side").code == 1
    assert repo.git("status", "--porcelain") == "UU epics/5.json\nM  other\n"
    assert repo.path("other").read_text() == "one\n2\nthree\n"


INTERRUPTED = """
import sys
from epicvc.cli import gitcommands
def interrupted(*_):
    raise KeyboardInterrupt
gitcommands.merge_driver = interrupted
from epicvc.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize("above", [(), ("-C", ".")])
def test_the_merge_driver_ends_with_at_most_128(above: tuple[str, ...]) -> None:
    words = [*above, "merge-driver", "a", "b", "c", "7", "5.json"]
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, *words], capture_output=True)
    assert (done.returncode, b"Traceback" in done.stderr) == (128, False)


TEXTS = st.none() | st.text("ab\n\r# ", max_size=12)


@given(TEXTS)
def test_a_block_leaves_no_byte_behind(text: str | None) -> None:
    lines = block_lines(["**/*.json"], "plans")
    written = with_block(text, lines)
    assert with_block(written, lines) == written
    assert without_block(written) == text
    changed = with_block(written, [*lines, "*.plan merge=epicvc"])
    assert without_block(changed) == text


@given(TEXTS, st.text("ab\n", min_size=1))
def test_what_was_added_after_the_block_stays(text: str | None, more: str) -> None:
    left: Any = without_block(with_block(text, ["x"]) + more)
    assert left.replace("\n", "") == ((text or "") + more).replace("\n", "")
    assert left.endswith(more)


@needs_git
def test_a_store_that_git_tracks_is_told(repo: GitRepo) -> None:
    assert ".epicvc" not in states(repo)
    repo.write(".epicvc/store.db", "x")
    repo.git("add", "-f", ".epicvc/store.db")
    assert states(repo, code=1)[".epicvc"] == "stale"
    said = repo.epicvc("git", "doctor")
    assert (said.code, "git rm -r -q --cached .epicvc" in said.out) == (1, True)
    repo.git("rm", "-r", "-q", "--cached", ".epicvc")
    assert ".epicvc" not in states(repo)
