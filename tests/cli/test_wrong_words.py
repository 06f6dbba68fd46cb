"""Words, flags and labels that match nothing: exit 2 or 3, one or two lines, and the same verdict as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from support.repos import NO_FACTS, EpicRepo

from epicvc.cli.line.parameters import Argument, Option, parameters_of
from epicvc.cli.line.table import EPICVC, Family, function_of

Words = tuple[str, ...]


def commands(family: Family = EPICVC, before: Words = ()) -> Iterator[tuple[Words, Callable[..., int]]]:
    """Every command, with its words."""
    for name, entry in family.commands.items():
        if isinstance(entry, Family):
            yield from commands(entry, (*before, name))
        else:
            yield (*before, name), function_of(entry, name)


def families(family: Family = EPICVC, before: Words = ()) -> Iterator[Words]:
    for name, entry in family.commands.items():
        if isinstance(entry, Family):
            yield (*before, name)
            yield from families(entry, (*before, name))


FREE = {"textconv": ("FILE",), "merge-driver": ("a", "b", "c", "7", "d"), "hook": ("pre-commit",)}
"""What git calls, with arguments that the command line library has nothing against."""


def needed(command: Callable[..., int]) -> Words:
    """Words for everything that a command requires."""
    found: list[str] = []
    for parameter in parameters_of(command):
        if parameter.required:
            found += [parameter.declared.names[0], "x"] if isinstance(parameter.declared, Option) else ["1"]
    return tuple(found)


def malformed() -> Iterator[Words]:
    """What no command line can mean, whatever is there."""
    for words, command in commands():
        yield (*words, "--no-such-flag")
        yield (*words, *needed(command), "--json=1")
        many = False
        for parameter in parameters_of(command):
            declared = parameter.declared
            many |= isinstance(declared, Argument) and parameter.many
            if isinstance(declared, Argument):
                if parameter.required and words[0] not in FREE:
                    yield words
                continue
            flag = declared.names[0]
            if parameter.type is bool:
                yield (*words, *needed(command), f"{flag}=x")
                continue
            yield (*words, *needed(command), flag)
            if parameter.type is str:
                yield (*words, *needed(command), f"{flag}=")
            if parameter.type is int:
                yield (*words, *needed(command), flag, "many")
                yield (*words, *needed(command), flag, "1.5")
        if not many:
            yield (*words, *needed(command), *(["one"] * 9))
    for family in families():
        yield family
        yield (*family, "nonsense")
    yield ("nonsense",)
    for flag in ("-C", "--db", "--log-file", "--color"):
        yield ("status", f"{flag}=" if flag != "-C" else flag, *([""] if flag == "-C" else []))
    yield ("status", "--color", "pink")
    yield ("--db", "", "status")


NO_LABEL = (":x", "1:", "1:name/", "@", "@/x", "", "a/b")
UNKNOWN = ("77", "77:name", "1:nope", "1:name/x/y", "1:tasks/9.9", "1:tasks/9.9/title", "1:tasks/1.1/nope", "1:@/nope")
ROWS = ("@nope", "@framework_tasks/99", "@framework_tasks/1/nope", "@framework_tasks/1/title/x")


def of_labels() -> Iterator[Words]:
    """Labels that name nothing, or something of the wrong kind."""
    for label in NO_LABEL:
        for words in (
            ("sync",),
            ("pull",),
            ("push",),
            ("blame",),
            ("restore",),
            ("show", "HEAD"),
            ("commit", "-m", "x"),
        ):
            yield (*words, label)
        yield ("resolve", label, "--prefer", "db")
    for label in UNKNOWN:
        for name in ("sync", "pull", "push", "diff", "blame", "restore"):
            yield (name, label)
        yield ("diff", "HEAD~1", "HEAD", label)
        yield ("show", "HEAD", label)
        yield ("sync", "--dry-run", "1", label)
        yield ("commit", "-m", "x", label)
        yield ("resolve", label)
        yield ("resolve", label, "--prefer", "db")
        yield ("resolve", "--set", f"{label}=1")
        yield ("resolve", "--forget", label)
    for label in ROWS:
        for words in (("sync",), ("pull",), ("push",), ("commit", "-m", "x"), ("resolve",)):
            yield (*words, label)
        for words in (("diff",), ("show", "HEAD"), ("restore",), ("blame",)):
            yield (*words, label)
    yield ("sync", "@framework_tasks")
    yield ("commit", "-m", "x", "1:name")
    yield ("commit", "-m", "x", "@framework_tasks")


def of_names() -> Iterator[Words]:
    """Names of other things."""
    for words in (
        ("checkout",),
        ("rollback",),
        ("switch",),
        ("merge",),
        ("revert",),
        ("cherry-pick",),
        ("show",),
        ("log",),
        ("undo",),
    ):
        yield (*words, "no-such")
    for words in (("tag", "new"), ("branch", "new"), ("restore", "1", "--source"), ("op", "restore")):
        yield (*words, "no-such")
    yield from (("branch", "-d"), ("tag", "-d"), ("branch", "-d", "no-such"), ("tag", "-d", "no-such"))
    yield from (("branch", "-m"), ("switch", "-c", "main"), ("branch", "main"), ("branch", "a", "b", "-d"))
    yield from (("tag", "-d", "a", "HEAD"), ("checkpoint", "a..b"), ("branch", "-m", "no-such", "other"))
    yield from (("migrate", "down", "--count", "99"), ("migrate", "down", "99"), ("migrate", "up", "99"))
    yield ("migrate", "status", "--dir", "no-such")
    yield from (("enrich", "--to", ".epicvc"), ("enrich", "--to", ".epicvc/x"), ("enrich", "77"), ("plan", "77"))
    yield from (("--db", "epics", "status"), ("--db", "epics", "sync"), ("clean", "db", "--tasks-in", "epics"))
    yield from (("-C", "no-such", "status"), ("-C", "framework.db", "status"), ("sync", "--policy", "mine"))
    yield from (("diff", "--side", "both"), ("checkout", "HEAD", "--side", "both"), ("merge", "HEAD", "--prefer", "me"))
    yield from (("backup", "verify", "no-such"), ("backup", "restore", "no-such"), ("backup", "forget", "no-such"))
    yield from (("stats", "--command", "no-such"), ("stats", "--since", "no-such"), ("plan", "--from", "no-such"))
    yield from (("enrich", "--from", "no-such"), ("restore", "--at", "no-such", "--in-place"), ("hook", "pre-such"))
    yield from (("merge-file", "no-such", "no-such", "no-such"), ("textconv", "no-such"))


CONFLICTING: tuple[Words, ...] = (
    ("branch", "-d", "-m", "x"),
    ("resolve", "--replay", "--forget"),
    ("resolve", "--replay", "--prefer", "db"),
    ("resolve", "1:name", "--set", "1:name=1"),
    ("migrate", "down", "001", "--count", "1"),
    ("merge", "--abort", "--continue"),
    ("merge", "HEAD", "--abort"),
    ("revert", "HEAD", "--continue"),
    ("cherry-pick", "HEAD", "--continue"),
    ("restore", "--at", "2025-01-01", "--to", "x", "--in-place"),
    ("restore", "--at", "2025-01-01"),
    ("restore", "--at", "2025-01-01", "--source", "HEAD", "--in-place"),
    ("restore", "1", "--to", "x", "--in-place"),
    ("restore",),
    ("revert", "HEAD", "--mainline", "3"),
    ("cherry-pick", "HEAD", "--mainline", "3"),
)


def by_command(lines: Iterable[Words]) -> dict[str, list[Words]]:
    """Command lines by their first word that is a command: one repo is enough for all of one."""
    found: dict[str, list[Words]] = {}
    for words in sorted(set(lines)):
        name = next((word for word in words if word in EPICVC.commands), "no command")
        found.setdefault(name, []).append(words)
    return found


@pytest.fixture
def plot(tmp_path: Path) -> EpicRepo:
    """Two epics in sync."""
    repo = EpicRepo(tmp_path / "plot", NO_FACTS)
    repo.directory.mkdir(parents=True)
    tasks = '[{"id": "1.1", "title": "Dig"}, {"id": "1.2", "title": "Plant"}]'
    (repo.directory / "1.json").write_text(f'{{"epic": {{"id": "1", "name": "Plot", "tasks": {tasks}}}, "who": "me"}}')
    (repo.directory / "2.json").write_text('{"id": "2", "name": "Shed"}')
    repo.ok("init", "--db", "framework.db")
    repo.ok("sync")
    return repo


def wrong(repo: EpicRepo, words: Words, codes: tuple[int, ...]) -> str | None:
    """What is not as it must be in the answer to a command line that cannot be meant, or names what is not there."""
    said, answer = repo.run(*words), repo.run("--json", *words)
    if said.code not in codes or said.out:
        return f"{words}: {said}"
    first, *rest = said.err.splitlines() or [""]
    if not first.startswith("epicvc: ") or len(rest) > 1 or any(not line.startswith("  hint: ") for line in rest):
        return f"{words}: {said.err!r}"
    if (answer.code, answer.err) != (said.code, "") or answer.value["message"] != first.removeprefix("epicvc: "):
        return f"{words}: {said} {answer}"
    return None


MALFORMED = by_command(malformed())
UNMATCHED = by_command([*of_labels(), *of_names(), *CONFLICTING])


@pytest.mark.parametrize("name", MALFORMED)
def test_what_cannot_be_meant(plot: EpicRepo, name: str) -> None:
    with plot.unchanged():
        faults = [wrong(plot, words, (2,)) for words in MALFORMED[name]]
    assert [fault for fault in faults if fault] == []


@pytest.mark.parametrize("name", UNMATCHED)
def test_what_matches_nothing(plot: EpicRepo, name: str) -> None:
    with plot.unchanged():
        faults = [wrong(plot, words, (2, 3)) for words in UNMATCHED[name]]
    assert [fault for fault in faults if fault] == []


def test_a_place_without_changes_is_no_mistake(plot: EpicRepo) -> None:
    with plot.unchanged():
        for words in (
            ("sync", "1:goals"),
            ("sync", "1:tasks"),
            ("sync", "1:tasks/1.1/risk"),
            ("pull", "1:planned_start_date"),
            ("diff", "1:@/who"),
            ("diff", "1:status"),
            ("diff", "1:tasks/1.1"),
            ("diff", "@framework_tasks/1/title"),
            ("show", "HEAD~1", "1:tasks/1.2/title"),
            ("restore", "1:name"),
            ("restore", "@framework_tasks/1"),
            ("resolve",),
        ):
            plot.ok(*words)


def test_who_asks_for_nothing_is_told_what_there_is(plot: EpicRepo) -> None:
    said = plot.run()
    assert said.code == 2
    assert "Commands:" in said.out + said.err
