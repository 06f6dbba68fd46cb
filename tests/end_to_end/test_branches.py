"""Names of branches, and the way back to the one before, as git has them."""

from __future__ import annotations

from support.branches import commit, fork, two_branches
from support.repos import EpicRepo


def _current(repo: EpicRepo) -> tuple[str | None, list[str]]:
    said = repo.json("branch")
    return said["current"], sorted(said["branches"])


def test_a_branch_gets_another_name(made: EpicRepo) -> None:
    fork(made)
    head = made.head()
    made.ok("branch", "-m", "main", "trunk")
    assert _current(made) == ("theirs", ["theirs", "trunk"])
    made.ok("branch", "-m", "review")
    assert _current(made) == ("review", ["review", "trunk"])
    assert made.head() == head
    assert made.json("status")["clean"]
    made.ok("undo")
    assert _current(made) == ("theirs", ["theirs", "trunk"])
    made.ok("redo")
    assert _current(made) == ("review", ["review", "trunk"])


def test_what_a_branch_cannot_be_called(made: EpicRepo) -> None:
    fork(made)
    made.refused(2, "branch", "-m", "main", naming="main")
    made.refused(2, "branch", "-m", "main", "a..b", naming="a..b")
    made.refused(3, "branch", "-m", "no-such", "other", naming="no-such")
    made.refused(5, "branch", "-m", "main", "theirs", "--force", naming="theirs")
    made.refused(2, "branch", "-m", naming="rename")
    made.refused(2, "branch", "-m", "-d", "main", naming="rename")
    made.ok("checkout", "HEAD")
    made.ok("checkout", made.head())
    made.refused(3, "branch", "-m", "other", naming="no branch")
    with made.unchanged():
        made.ok("branch", "-m", "main", "other", "--dry-run")
    assert _current(made) == (None, ["main", "theirs"])
    made.ok("branch", "-m", "main", "theirs", "--force")
    assert _current(made) == (None, ["theirs"])


def test_back_to_the_branch_before(made: EpicRepo) -> None:
    made.refused(3, "switch", "-", naming="before")
    two_branches(made, lambda body: body.update(name="Theirs"), lambda body: body.update(name="Ours"))
    epic = made.facts.epic
    made.ok("switch", "-")
    assert (_current(made)[0], made.body(epic)["name"]) == ("theirs", "Theirs")
    commit(made)  # what moves no HEAD is no switch
    made.ok("tag", "here")
    with made.unchanged():
        made.ok("switch", "-", "--dry-run")
    made.ok("switch", "-")
    assert (_current(made)[0], made.body(epic)["name"], made.epic_row(epic)["name"]) == ("main", "Ours", "Ours")
    made.ok("switch", "-")
    assert _current(made)[0] == "theirs"


def test_back_to_a_branch_that_has_another_name_now_or_is_gone(made: EpicRepo) -> None:
    fork(made)
    made.ok("branch", "-m", "main", "trunk")
    made.ok("branch", "-m", "trunk", "stem")
    made.ok("branch", "-m", "review")  # of the current branch: HEAD is elsewhere, and was not before
    made.ok("switch", "-")
    assert _current(made)[0] == "stem"
    made.ok("branch", "-d", "review")
    made.refused(3, "switch", "-", naming="review")
    made.ok("checkout", made.head())
    made.ok("switch", "-c", "new")
    made.refused(3, "switch", "-", naming=made.head()[:12])
