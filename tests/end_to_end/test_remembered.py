"""What is remembered of both sides changes no answer: after anything that happens to them, it is as if nothing were."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from support.repos import EpicRepo

from epicvc.repo import agreed
from epicvc.repo.files import filesside
from epicvc.repo.rows import dbcache

CACHES = (filesside.CACHE, dbcache.FILE, agreed.FILE)
Step = Callable[[EpicRepo, random.Random], object]


def status(repo: EpicRepo) -> Any:
    """What both sides are, and what a synchronisation would do."""
    return repo.json("status"), repo.run("diff", "--json").out, repo.run("sync", "--dry-run", "--json").out


def in_earnest(repo: EpicRepo) -> Any:
    """The same with nothing remembered; what was is there again afterwards."""
    private = repo.root / ".epicvc"
    kept = {name: (private / name).read_bytes() for name in CACHES if (private / name).exists()}
    for name in kept:
        (private / name).unlink()
    answer = status(repo)
    for name in CACHES:
        (private / name).unlink(missing_ok=True)
        if name in kept:
            (private / name).write_bytes(kept[name])
    return answer


def retitle_in_file(repo: EpicRepo, chance: random.Random) -> None:
    text = f"f{chance.randrange(3)}"
    repo.rewrite(chance.choice((repo.facts.epic, repo.facts.other)), lambda body: body["tasks"][0].update(title=text))


def rename_in_database(repo: EpicRepo, chance: random.Random) -> None:
    epic = chance.choice((repo.facts.epic, repo.facts.other))
    repo.sql("UPDATE framework_epics SET name = ? WHERE epic_key = ?", f"d{chance.randrange(3)}", epic)


def rename_on_both_sides(repo: EpicRepo, chance: random.Random) -> None:
    """To the same, so that only the base has to follow."""
    name = f"b{chance.randrange(3)}"
    repo.rewrite(repo.facts.epic, lambda body: body.update(name=name))
    repo.sql("UPDATE framework_epics SET name = ? WHERE epic_key = ?", name, repo.facts.epic)


def default_in_database(repo: EpicRepo, chance: random.Random) -> None:
    """A value that reads as absent where the base has none."""
    points = chance.choice((1, 2, 5))
    repo.sql("UPDATE framework_tasks SET story_points = ? WHERE task_key = ?", points, repo.facts.tasks[1])


def audit(repo: EpicRepo, chance: random.Random) -> None:
    """A row that belongs to no epic."""
    text = str(chance.random())
    repo.sql(f"UPDATE {repo.facts.table} SET {repo.facts.column} = ? WHERE rowid = ?", text, int(repo.facts.row))


def add_file(repo: EpicRepo, chance: random.Random) -> None:
    epic = {"epic": {"id": "900", "name": f"new {chance.randrange(2)}", "tasks": []}}
    (repo.directory / "new.json").write_text(json.dumps(epic), encoding="utf-8")


def move_file(repo: EpicRepo, chance: random.Random) -> None:
    path = repo.path(repo.facts.own[1])
    path.rename(path.with_name(f"moved{chance.randrange(9)}.json"))


def delete_row(repo: EpicRepo, _: random.Random) -> None:
    repo.sql("UPDATE framework_epics SET status = 'deleted' WHERE epic_key = ?", repo.facts.own[0])


def command(*words: str) -> Step:
    def run(repo: EpicRepo, _: random.Random) -> None:
        assert repo.run(*words).code in (0, 1, 3, 5), words

    return run


STEPS: tuple[Step, ...] = (
    retitle_in_file,
    retitle_in_file,
    rename_in_database,
    rename_in_database,
    default_in_database,
    rename_on_both_sides,
    audit,
    add_file,
    move_file,
    delete_row,
    command("commit", "-m", "x"),
    command("sync"),
    command("push"),
    command("pull"),
    command("undo"),
    command("checkout", "--discard-changes", "HEAD~1"),
    command("switch", "--discard-changes", "main"),
    command("gc"),
)


@pytest.mark.parametrize("seed", range(6))
def test_status_does_not_depend_on_what_is_remembered(made: EpicRepo, seed: int) -> None:
    chance = random.Random(f"remembered {seed}")
    for _ in range(14):
        step = chance.choice(STEPS)
        step(made, chance)
        if chance.random() < 0.5:
            time.sleep(0.03)  # so that something settles
        expected = in_earnest(made)
        assert status(made) == expected, step
        assert status(made) == expected, step


def test_a_base_that_moves_alone(made: EpicRepo) -> None:
    rename_on_both_sides(made, random.Random(1))
    made.ok("commit", "-m", "the same on both sides")
    made.ok("sync")
    assert made.json("status")["in_sync"]
    made.ok("undo")
    head = made.head()
    made.ok("sync")
    assert made.head() != head


def test_damaged_memory_is_made_again(made: EpicRepo) -> None:
    private = made.root / ".epicvc"
    rename_in_database(made, random.Random(1))
    time.sleep(0.12)
    expected = status(made)
    for name in CACHES:
        whole = (private / name).read_bytes()
        for damage in (b"", whole[:-1], whole[: len(whole) // 2] + b"\xff" + whole[len(whole) // 2 + 1 :]):
            (private / name).write_bytes(damage)
            assert status(made) == expected
            assert (private / name).read_bytes() != damage


def test_a_clean_status_reads_no_document(made: EpicRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    time.sleep(0.12)
    first = status(made)

    def read_anyway(*_: object) -> None:
        raise AssertionError("a document was read")

    monkeypatch.setattr("epicvc.repo.documents.read_epics", read_anyway)
    monkeypatch.setattr("epicvc.repo.documents.core_id", read_anyway)
    monkeypatch.setattr("epicvc.repo.files.filereading.parse", read_anyway)
    monkeypatch.setattr("epicvc.repo.files.filestree.parse", read_anyway)
    assert made.json("status") == first[0]
    assert first[0]["clean"] and first[0]["in_sync"]
