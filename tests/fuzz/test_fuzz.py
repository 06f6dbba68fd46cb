"""Whatever is read may be damaged or made to do harm: it ends in an answer, within bounds of memory and time."""

from __future__ import annotations

import json
import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.counts import Tally
from support.guard import GUARD

from fuzz.mutations import BYTES, json_values, mutated
from fuzz.running import SECONDS, run
from fuzz.scene import Scene
from fuzz.targets import TARGETS

QUICK, MANY, PORTION = 200, 20_000, 250
MEMORY = "/dev/shm"
WEIGHTS = sum(target.weight for target in TARGETS.values())


def seeds_of(name: str, inputs: int, first: int) -> range:
    """The seeds of one kind of input, of so many of all kinds."""
    return range(first, first + max(1, round(inputs * TARGETS[name].weight / WEIGHTS)))


PORTIONS = [
    (name, portion)
    for name in TARGETS
    for seeds in [seeds_of(name, MANY, QUICK)]
    for portion in (seeds[at : at + PORTION] for at in range(0, len(seeds), PORTION))
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """In memory where that is possible: the disk is waited for at each of many thousand commits."""
    memory = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory or tmp_path_factory.mktemp("fuzz"), prefix="epicvc-fuzz-") as place:
        yield Scene(Path(place))


@pytest.fixture
def scene(made: Scene, tmp_path: Path, home: Path) -> Iterator[Scene]:
    with GUARD.watching(made.place, tmp_path, home):
        yield made


def check(scene: Scene, name: str, seeds: range, tally: Tally) -> None:
    failures = [f"{name!r}, seed {seed}: {problem}" for seed in seeds for problem in scene.attempt(name, seed)]
    tally({"mutated inputs": len(seeds)})
    assert not failures, "\n".join(["again: PYTHONPATH=tests python -m fuzz NAME SEED", *failures])


@pytest.mark.parametrize("name", TARGETS)
def test_some_inputs(scene: Scene, name: str, tally: Tally) -> None:
    check(scene, name, seeds_of(name, QUICK, 0), tally)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "seeds"), PORTIONS, ids=[f"{name} from {seeds[0]}" for name, seeds in PORTIONS])
def test_many_inputs(scene: Scene, name: str, seeds: range, tally: Tally) -> None:
    check(scene, name, seeds, tally)


# --- the fuzzer itself ---


def test_many_are_as_many_as_is_said() -> None:
    assert sum(len(seeds) for _, seeds in PORTIONS) >= MANY - len(TARGETS)


@pytest.mark.parametrize("kind", [*BYTES, json_values])
def test_the_same_seed_does_the_same_damage(kind: object) -> None:
    data = json.dumps({"id": "1", "tasks": [{"id": "1.1", "n": 5}, {"a": [1, 2]}]}).encode()
    made = [kind(data, random.Random(f"x {seed}")) for _ in range(2) for seed in range(30)]  # type: ignore[operator]
    assert made[:30] == made[30:]
    assert sum(found != data for found in made) > 30
    assert mutated(data, random.Random(5), json_values) == mutated(data, random.Random(5), json_values)


def test_sound_inputs_are_no_failures(scene: Scene) -> None:
    """Or else every damage would be met by a repo that nobody can read."""
    done = scene.undamaged("status", "fsck", "resolve --from answers.json --dry-run", "backup list --from backups")
    assert (done.problems, done.codes) == ([], [0, 0, 0, 0]), done


@pytest.mark.parametrize(
    ("act", "words"),
    [
        ("raise ValueError", "the child itself failed"),
        ("while True: pass", "ended by SIGXCPU, it hangs"),
        ("x = bytearray(500 << 20)", "KiB of memory"),
        ("x = bytearray(9 << 30)", "the child itself failed"),
        ("print('Traceback (most recent call last)')", "traceback"),
        ("import epicvc.__main__ as m; m.main = lambda: 70", "status: exit code 70"),
        ("import epicvc.__main__ as m; m.main = lambda: 130", "status: exit code 130"),
    ],
)
def test_what_is_a_failure_is_seen(act: str, words: str, tmp_path: Path) -> None:
    # What ends by itself may take its time, on a busy machine too.
    done = run(tmp_path, [["status"]], lambda: exec(act), seconds=1 if act.startswith("while") else SECONDS)
    assert any(words in problem for problem in done.problems), done


def test_memory_of_the_tests_before_is_not_counted(tmp_path: Path) -> None:
    held = bytearray(500 << 20)
    done = run(tmp_path, [], lambda: None)
    assert (done.problems, len(held)) == ([], 500 << 20)
