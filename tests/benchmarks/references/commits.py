"""A long history in no time: commits.py N puts N empty commits on top of HEAD of the repo in this directory.

A command for each would take longer than everything that is then measured.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from epicvc.repo.history.objects import CommitKind, get_commit, put_commit
from epicvc.repo.history.revisions import HEAD, SYMBOLIC
from epicvc.repo.repository import Repo


def add_commits(repo: Repo, count: int) -> None:
    """Put commits with the state of HEAD on top of it."""
    branch = (repo.store.ref(HEAD) or "").removeprefix(SYMBOLIC)
    before = repo.store.ref(branch)
    assert before is not None
    last = bytes.fromhex(before)
    snapshot = get_commit(repo.store, last).snapshot
    with repo.staging(writable=True) as sink:
        for number in range(count):
            last = put_commit(
                sink,
                parents=(last,),
                snapshot=snapshot,
                author=repo.author,
                time=repo.now(),
                message=f"commit {number}",
                kind=CommitKind.COMMIT,
            )
        with repo.store.transaction() as transaction:
            sink.flush_into(transaction)
            transaction.set_ref(branch, last.hex(), before)


if __name__ == "__main__":
    opened = Repo.open(Path.cwd(), os.environ)
    try:
        add_commits(opened, int(sys.argv[1]))
    finally:
        opened.close()
