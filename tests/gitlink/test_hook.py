"""The pre-commit hook: what is staged is checked, and nothing else."""

from __future__ import annotations

import json

import pytest
from support.gitrepo import CONFIG, GitRepo, epic, needs_git, task

pytestmark = needs_git

CLEAN = (0, "", "")


def findings(repo: GitRepo, at: str = ".") -> list[str]:
    said = repo.epicvc("hook", "pre-commit", at=at)
    assert said.code == (4 if said.out else 0), said
    return said.out.splitlines()


def staged(repo: GitRepo, name: str, content: object) -> list[str]:
    repo.write(name, content)
    repo.git("add", "-A")
    return findings(repo)


def test_nothing_is_staged(repo: GitRepo) -> None:
    said = repo.epicvc("hook", "pre-commit")
    assert (said.code, said.out, said.err) == CLEAN
    assert staged(repo, "notes.txt", "x") == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("{", "1:2: the text ends too early"),
        ('{"id": 6,\n "name": "a",\n "name": "b"}', '3:2: duplicate key "name"'),
        ('{"id": 6, "n": NaN}', "1:16: 'NaN' is no JSON value"),
        ('{"id": 6,\n "é": 1, "name": 3}', "2:10: 6:name: must be a text"),
        ('{"epic": {"id": 6,\n"tasks": [{"id": "a"},\n {"id": "a"}]}}', "3:2: 6:tasks/a: two tasks have this id"),
        ('{"id": 6, "tasks": [{"id": "a",\n"estimate_minutes": "x"}]}', "2:1: 6:tasks/a/estimate_minutes: must be"),
        ('{"id": 6,\n"tasks": 1}', "2:1: 6:tasks is not a list"),
        ("[]", "1:1: an epic is a JSON object"),
        ('  {"name": "x"}', '1:3: the epic has no "id"'),
        ('{"id": 5}', "1:2: epic 5 is already in epics/5.json; an epic lives in one file"),
    ],
)
def test_each_finding_has_its_place(repo: GitRepo, text: str, place: str) -> None:
    (found,) = staged(repo, "epics/6.json", text)
    assert found.startswith(f"epics/6.json:{place}"), found


def test_what_is_staged_counts_and_not_the_work_tree(repo: GitRepo) -> None:
    repo.write("epics/5.json", "{")
    assert findings(repo) == []
    repo.git("add", "-A")
    repo.write("epics/5.json", epic())
    assert len(findings(repo)) == 1
    repo.path("epics/5.json").unlink()
    assert len(findings(repo)) == 1


def test_only_what_the_commit_brings_in_counts(repo: GitRepo) -> None:
    repo.write("epics/broken.json", "{")
    repo.write("epics/again.json", epic())
    repo.commit("past all hooks")
    assert staged(repo, "epics/6.json", epic(6)) == []
    assert staged(repo, "epics/again.json", epic(name="Again")) == []
    (found,) = staged(repo, "epics/again.json", epic(6))
    assert found == "epics/again.json:2:3: epic 6 is already in epics/6.json; an epic lives in one file"


def test_ids_that_move_between_files(repo: GitRepo) -> None:
    repo.git("mv", "epics/5.json", "epics/search.json")
    assert findings(repo) == []
    assert staged(repo, "epics/5.json", epic(6)) == []
    assert len(staged(repo, "epics/third.json", epic(5))) == 1


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (7, '{"id": "7"}'),
        ("a/é", '{"id": "a\\/\\u00e9"}'),
        ("x", '{"\\u0069d" : "x"}'),
        (0, '{"id": -0}'),
        ("7", '{"id":7,"x":1}'),
    ],
)
def test_an_id_is_found_however_it_is_written(repo: GitRepo, key: object, text: str) -> None:
    repo.write("epics/deep/er/there.json", text)
    repo.commit()
    assert len(staged(repo, "epics/new.json", epic(key))) == 1


@pytest.mark.parametrize("linked", [epic(6, epic=epic(7)), epic(7, epic="6")])
def test_a_file_that_may_be_either_of_two_epics_is_neither(repo: GitRepo, linked: object) -> None:
    repo.write("epics/linked.json", linked)
    repo.commit("past all hooks")
    assert staged(repo, "epics/7.json", epic(7)) == []
    (found,) = staged(repo, "epics/again.json", linked)
    assert found.startswith("epics/again.json:1:1: ")
    assert "already in" not in found


def test_an_id_inside_a_text_is_none(repo: GitRepo) -> None:
    repo.write("epics/5.json", '{"id": 5, "name": "{\\"id\\": 7}", "tasks": [{"id": "7"}]}')
    repo.commit()
    assert staged(repo, "epics/new.json", epic(7)) == []


def test_names(repo: GitRepo) -> None:
    repo.write("epics/deep/9.json", epic(9))
    repo.commit()
    assert staged(repo, "epics/con.json", epic(7))[0].endswith("unsafe name: a reserved name on Windows")
    repo.git("rm", "-qf", "--cached", "epics/con.json")
    repo.path("epics/con.json").unlink()
    repo.write("epics/DEEP/8.json", epic(8))
    found = staged(repo, "epics/deep/9.JSON", epic(10))
    reason = "its directory is the same as that of 'epics/deep/9.json' on some operating systems"
    assert found == [f"epics/DEEP/8.json:1:1: unsafe name: {reason}"]


def test_what_is_no_epic_is_not_looked_at(repo: GitRepo) -> None:
    names = ["package.json", "epics/enriched/5.json", "epics/.hidden/x.json", "epics/notes.txt", "epics/.x.json"]
    for name in names:
        assert staged(repo, name, "{") == []
    assert staged(repo, "epics/template.json", '{"id": "[EPIC-ID]"}') == []
    repo.path("epics/link.json").symlink_to("nowhere")
    repo.git("add", "-A")
    assert findings(repo) == []
    assert staged(repo, "epics/real.json", "{") != []


def test_the_configuration_that_is_staged_counts(repo: GitRepo) -> None:
    assert staged(repo, "plans/a.plan", "{") == []
    wider = CONFIG.replace("epics", "plans") + 'include = ["**/*.plan"]\nexclude = ["old/**"]\n'
    repo.write("epicvc.toml", wider)
    assert findings(repo) == []
    repo.git("add", "-A")
    assert len(findings(repo)) == 1
    repo.write("epicvc.toml", "this is no TOML")
    assert len(findings(repo)) == 1
    repo.write("plans/old/b.plan", "{")
    repo.git("add", "plans")
    assert len(findings(repo)) == 1
    repo.git("add", "-A")
    said = repo.epicvc("hook", "pre-commit")
    assert (said.code, "epicvc.toml" in said.err) == (4, True)


def test_a_mapping_counts(repo: GitRepo) -> None:
    assert len(staged(repo, "epics/6.json", epic(6, methodology=3))) == 1
    assert staged(repo, "epicvc.toml", CONFIG + "[mapping.epics.fields]\nmethodology = false\n") == []


def test_a_configuration_that_is_not_tracked_is_taken_from_the_work_tree(repo: GitRepo) -> None:
    repo.write(".gitignore", "epicvc.toml\n")
    repo.git("rm", "-q", "--cached", "epicvc.toml")
    repo.commit()
    assert staged(repo, "inner/epics/x.json", "{") == []
    repo.write("inner/epicvc.toml", CONFIG)
    assert len(findings(repo)) == 1
    repo.path("inner/epicvc.toml").unlink()
    repo.path("epicvc.toml").unlink()
    assert staged(repo, "epics/6.json", "{") == []


def test_before_the_first_commit(tmp_path: object) -> None:
    repo = GitRepo.made(tmp_path / "new")  # type: ignore[operator]
    assert staged(repo, "epics/5.json", epic()) == []
    assert staged(repo, "epics/6.json", epic(5)) != []


def test_several_epic_repos_in_one_repository(repo: GitRepo) -> None:
    repo.write("other/epicvc.toml", '[files]\ndir = "."\n')
    repo.write("other/5.json", epic())
    repo.git("add", "-A")
    assert findings(repo) == []
    assert len(staged(repo, "other/deep/6.json", "{")) == 1


def test_from_a_subdirectory_and_from_elsewhere(repo: GitRepo) -> None:
    found = staged(repo, "epics/6.json", "{")
    assert found == findings(repo, at="epics")
    said = repo.epicvc("-C", "repo", "hook", "pre-commit", at="..")
    assert said.out.splitlines() == found


def test_machine_output(repo: GitRepo) -> None:
    assert json.loads(repo.epicvc("hook", "pre-commit", "--json").out) == {
        "format": "epicvc.hook/1",
        "checked": 0,
        "findings": [],
    }
    repo.write("epics/7.json", epic(7))
    staged(repo, "epics/6\x1b.json", "{")
    said = repo.epicvc("hook", "pre-commit", "--json")
    value = json.loads(said.out)
    assert (said.code, said.err, value["checked"]) == (4, "", 2)
    assert {"path": "epics/6\x1b.json", "line": 1, "column": 2, "message": "the text ends too early"} in value[
        "findings"
    ]
    assert "\x1b" not in repo.epicvc("hook", "pre-commit").out
    assert repo.epicvc("hook", "pre-commit", "-q").err == ""


def test_misuse(repo: GitRepo) -> None:
    assert repo.epicvc("hook", "post-checkout").code == 2
    assert repo.epicvc("hook").code == 2
    said = repo.epicvc("hook", "pre-commit", PATH="/nowhere")
    assert (said.code, "git cannot be run" in said.err) == (6, True)
    said = repo.epicvc("hook", "pre-commit", at="..", GIT_CEILING_DIRECTORIES=str(repo.root.parent))
    assert (said.code, "not a git repository" in said.err) == (3, True)


# By git itself


def test_git_commit_is_refused_while_the_work_tree_is_fine(installed: GitRepo) -> None:
    installed.write("epics/6.json", "{")
    installed.git("add", "-A")
    installed.write("epics/6.json", epic(6))
    said = installed.run_git("commit", "-m", "x")
    assert said.code == 1
    assert "epics/6.json:1:2: the text ends too early" in said.out + said.err
    installed.git("add", "-A")
    installed.write("epics/6.json", "{")
    installed.git("commit", "-m", "x")


def test_partial_commits_and_commit_a(installed: GitRepo) -> None:
    """git gives the hook an index of its own, with what this commit will have."""
    installed.write("epics/6.json", epic(6))
    installed.commit()
    installed.write("epics/5.json", "{")
    installed.edit("epics/6.json", "Search", "Other")
    assert installed.run_git("commit", "-m", "x", "epics/6.json").code == 0
    assert installed.run_git("commit", "-m", "x", "epics/5.json").code == 1
    assert installed.run_git("commit", "-a", "-m", "x").code == 1


def test_a_linked_worktree(installed: GitRepo) -> None:
    installed.git("worktree", "add", "-q", "../linked")
    linked = GitRepo(installed.root.parent / "linked")
    linked.write("epics/6.json", "{")
    linked.git("add", "-A")
    assert linked.run_git("commit", "-m", "x").code == 1
    assert len(findings(linked, at="epics")) == 1
    assert findings(installed) == []


def test_a_clean_merge_that_brings_one_epic_in_twice_is_refused(installed: GitRepo) -> None:
    installed.git("switch", "-q", "-c", "side")
    installed.write("epics/a.json", epic(9))
    installed.commit()
    installed.git("switch", "-q", "main")
    installed.write("epics/b.json", epic(9, tasks=[task("1")]))
    installed.commit()
    said = installed.run_git("merge", "--no-edit", "side")
    assert said.code != 0
    assert "epic 9 is already in epics/b.json" in said.out + said.err


def test_the_hook_stops_where_epicvc_is_gone(installed: GitRepo) -> None:
    hook = installed.path(".git/hooks/pre-commit")
    text = hook.read_text()
    missing = text.replace("[ -x /", "[ -x /gone/")
    assert missing != text
    hook.write_text(missing)
    installed.write("x", "x")
    installed.git("add", "x")
    said = installed.run_git("commit", "-m", "x")
    assert said.code == 1
    assert "it is no longer at" in said.err
