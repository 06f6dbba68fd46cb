"""What a command imports before it answers: its start is most of what it costs. No test here is timed."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time

import pytest
from support.gitrepo import GitRepo, epic, needs_git
from support.guard import ROOT
from support.repos import EpicRepo

HEAVY = {
    "typing",
    "re",
    "pathlib",
    "json",
    "dataclasses",
    "inspect",
    "hashlib",
    "sqlite3",
    "tomllib",
    "msgspec",
    "typer",
    "rich",
    "epicvc.errors",
    "epicvc.repo.repository",
}
VERSION = {"__future__", "gc", "epicvc", "epicvc.__main__", "epicvc.cli", "epicvc.cli.stdio"}
PROBE = """
import sys
sys.path.insert(0, sys.argv.pop(1))
before = set(sys.modules)
sys.argv[0] = "epicvc"
from epicvc.__main__ import main
code = main()
found = sorted(set(sys.modules) - before)
import json
print(json.dumps([code, found]))
"""


def imported(repo: EpicRepo, *arguments: str) -> set[str]:
    """The modules that a command imports beyond those of the bare interpreter."""
    command = [sys.executable, "-c", PROBE, str(ROOT), *arguments]
    done = subprocess.run(command, cwd=repo.root, capture_output=True, text=True, check=True, timeout=60)
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0
    return set(modules)


def test_version(made: EpicRepo) -> None:
    assert imported(made, "--version") <= VERSION


def test_help(made: EpicRepo) -> None:
    """Beside the command line library, nothing of what commands work with, and nothing that draws."""
    found = imported(made, "--help")
    assert "typer" in found
    assert not found & {"rich", "json", "hashlib", "sqlite3", "tomllib", "msgspec", "epicvc.base.jsonio", "epicvc.repo"}


def test_the_script_that_is_installed_imports_nothing_first(made: EpicRepo) -> None:
    script = [sys.executable, "-X", "importtime", str(ROOT / "bin" / "epicvc"), "--version"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    bare = subprocess.run([*script[:3], "-c", "pass"], capture_output=True, text=True, check=True, timeout=60)
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("epicvc ")
    assert modules_in(done.stderr) - modules_in(bare.stderr) <= VERSION


def modules_in(report: str) -> set[str]:
    """The modules in what ``-X importtime`` says."""
    return {line.rsplit("|", 1)[1].strip() for line in report.splitlines()}


NEVER = {
    "typer",
    "rich",
    "holidays",
    "deepdiff",
    "dataclasses",
    "difflib",
    "statistics",
    "logging",
    "concurrent.futures",
    "subprocess",
    "shutil",
    "tempfile",
    "ctypes",
    "epicvc.cli.line.app",
    "epicvc.cli.output.machine",
    "msgspec.inspect",
    "textwrap",
}
"""What no command needs that finds nothing to do."""

WRITING = {
    "epicvc.repo.apply.apply",
    "epicvc.repo.apply.recovery",
    "epicvc.base.publish",
    "epicvc.database.sqlite.writer",
}
WRITING |= {"epicvc.database.documents.push", "epicvc.actions.sync.sync"}
SIDES = {
    "epicvc.repo.files.filesside",
    "epicvc.repo.rows.dbside",
    "epicvc.database.sqlite.backend",
    "epicvc.store.staging",
}
MERGING = {"epicvc.merge.threeway", "epicvc.plan.epic", "epicvc.base.jsonio"}
ROWS = {"epicvc.repo.rows.rows", "epicvc.database.documents.values"}
CONFIGURATION = {"tomllib", "epicvc.plan.policies", "epicvc.dates.settings"}
OBJECTS = {"hashlib", "json", "backports.zstd", "compression.zstd", "epicvc.repo.history.objects"}
CARRYING_OUT = {
    *(
        f"epicvc.database.documents.{name}"
        for name in ("changes", "fingerprint", "parcels", "push", "rowproof", "rowwrites")
    ),
    *(f"epicvc.files.{name}" for name in ("names", "format.rewrite", "format.spans", "format.style")),
    *(
        f"epicvc.repo.{name}"
        for name in ("apply.apply", "apply.interrupted", "apply.placing", "rows.spool", "files.workers")
    ),
    *(f"epicvc.actions.sync.{name}" for name in ("decisions", "filedrafts", "newepics", "operations", "portions")),
    *(f"epicvc.actions.sync.{name}" for name in ("graph", "job", "work")),
    *(f"epicvc.actions.{name}" for name in ("shared.commits", "shared.targets", "restore.undoing")),
    *("epicvc.merge.graph", "epicvc.base.publish", "epicvc.database.sqlite.writer", "epicvc.store.file.transaction"),
}
"""What checks and writes, once something is out of sync."""
SETTLING = {f"epicvc.actions.origin.{name}" for name in ("trail", "words", "tracing")}
SETTLING |= {f"epicvc.actions.{name}" for name in ("decide.newest", "decide.memory", "shared.questions")} | {"heapq"}
NOTHING_TO_SYNC = CARRYING_OUT | SETTLING | {"epicvc.store.file.records", "json", "tomllib", "weakref"}
UNREAD = {"epicvc.plan.epic", "epicvc.database.query", "epicvc.repo.history.mergebase", "weakref"}


def test_the_modules_that_are_not_needed_exist() -> None:
    named = NEVER | WRITING | SIDES | MERGING | ROWS | CONFIGURATION | OBJECTS | NOTHING_TO_SYNC | UNREAD
    assert [name for name in named if name.startswith("epicvc.") and importlib.util.find_spec(name) is None] == []


@pytest.mark.parametrize(
    ("words", "unneeded"),
    [
        (("branch",), WRITING | SIDES | MERGING | OBJECTS | CONFIGURATION),
        (("tag",), WRITING | SIDES | MERGING | OBJECTS | CONFIGURATION),
        (("log", "-n", "1"), WRITING | SIDES | MERGING | CONFIGURATION | {"json"}),
        (("op", "log", "-n", "1"), WRITING | SIDES | MERGING),
        (("status",), WRITING | {"tomllib", "epicvc.store.file.transaction"}),
        (("diff",), WRITING | ROWS | CONFIGURATION | {"epicvc.store.file.transaction", *UNREAD}),
        (("commit", "-m", "nothing"), {"epicvc.plan.epic", "epicvc.database.query", "epicvc.database.sqlite.writer"}),
        (("sync",), {"tomllib", "epicvc.database.sqlite.writer"}),
    ],
)
def test_commands_that_have_nothing_to_do(made: EpicRepo, words: tuple[str, ...], unneeded: set[str]) -> None:
    made.ok("sync")
    made.ok("commit", "-m", "all", "--allow-empty")
    found = imported(made, *words)
    assert not found & NEVER
    assert not found & unneeded, found & unneeded


@pytest.mark.parametrize("words", [("sync",), ("pull",), ("push",), ("sync", "--dry-run"), ("push", "--dry-run")])
def test_a_synchronisation_that_finds_nothing(made: EpicRepo, words: tuple[str, ...]) -> None:
    """It surveys, and imports nothing of what settles a conflict, checks or writes."""
    made.ok("sync")
    time.sleep(0.12)  # until stamps are old enough to be trusted
    made.ok("sync")
    found = imported(made, *words)
    assert not found & NEVER
    assert not found & NOTHING_TO_SYNC, found & NOTHING_TO_SYNC


@pytest.mark.parametrize(("words", "module"), [(("branch",), "refs"), (("op", "log"), "operations"), (("gc",), "care")])
def test_only_the_module_of_the_command(made: EpicRepo, words: tuple[str, ...], module: str) -> None:
    found = {name for name in imported(made, *words) if name.startswith("epicvc.cli.commands.")}
    assert found == {f"epicvc.cli.commands.{module}"}


@pytest.mark.parametrize(
    "words", [("status",), ("diff",), ("log",), ("sync",), ("commit", "-m", "a"), ("checkpoint", "a")]
)
def test_work_is_done_without_the_command_line_library(made: EpicRepo, words: tuple[str, ...]) -> None:
    made.ok("commit", "-m", "all")
    made.sql("UPDATE framework_epics SET summary = 'of two sides'")
    assert not imported(made, *words) & {"typer", "rich", "epicvc.cli.line.app"}


def test_a_diff_does_not_open_a_database_that_is_remembered(made: EpicRepo) -> None:
    made.ok("commit", "-m", "all")
    time.sleep(0.12)  # until its stamp is old enough to be trusted
    made.ok("diff")
    reading = {"epicvc.database.sqlite.reader", "epicvc.database.sqlite.rows", "epicvc.database.sqlite.schema.schema"}
    assert not imported(made, "diff") & reading
    made.sql("UPDATE framework_epics SET summary = 'of two sides'")
    assert imported(made, "diff") >= reading
    assert "of two sides" in made.run("diff").out


def test_a_process_that_looks_at_the_files_begins_at_once() -> None:
    """It is forked while nothing is imported, so that it imports by itself what it needs."""
    probe = (
        "import sys; before = set(sys.modules); import epicvc.files.scan.looking; "
        "print(*sorted(set(sys.modules) - before))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", probe]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    others = {name for name in done.stdout.split() if not name.startswith("epicvc")}
    assert others <= {"__future__", "struct", "_struct"}


def test_what_is_remembered_is_found_without_json(made: EpicRepo) -> None:
    """And a diff, which opens no database, knows nothing of rows either."""
    made.ok("commit", "-m", "all")
    time.sleep(0.12)
    made.ok("diff")
    made.ok("status")
    assert not imported(made, "status") & {"json", "tomllib"}
    assert not imported(made, "diff") & {"json", "tomllib", "epicvc.database.backend", "epicvc.database.tables"}


def test_toml_is_parsed_where_the_configuration_is_another(made: EpicRepo) -> None:
    config = made.root / "epicvc.toml"
    made.ok("branch")
    assert "tomllib" not in imported(made, "branch")
    config.write_bytes(config.read_bytes() + b"# another\n")
    assert "tomllib" in imported(made, "branch")
    assert "tomllib" not in imported(made, "branch")


def test_status_that_is_remembered(made: EpicRepo) -> None:
    time.sleep(0.12)
    made.process("status", "--porcelain")
    assert not imported(made, "status", "--porcelain") & HEAVY


def test_textconv(made: EpicRepo) -> None:
    (file,) = list(made.directory.rglob("*.json"))[:1]
    assert not imported(made, "textconv", str(file)) & (HEAVY - {"re", "json"})


def under_git(made: EpicRepo) -> GitRepo:
    """The repo with its files committed to git."""
    git = GitRepo(made.root)
    git.git("init", "-q")
    git.git("add", "epicvc.toml", "epics")
    git.git("-c", "user.name=x", "-c", "user.email=x", "commit", "-q", "-m", "x")
    return git


@needs_git
def test_hook_where_no_epic_is_staged(made: EpicRepo) -> None:
    git = under_git(made)
    git.write("notes", "")
    git.git("add", "notes")
    found = imported(made, "hook", "pre-commit")
    assert not found & (HEAVY - {"re", "epicvc.errors"}), found & HEAVY


NO_USE = {"typer", "typing_extensions", "rich", "sqlite3", "hashlib", "holidays", "deepdiff"}
OF_A_REPO = {"epicvc.repo.config.config", "epicvc.repo.repository", "epicvc.actions", "epicvc.store", "epicvc.database"}


@needs_git
def test_hook_where_an_epic_is_staged(made: EpicRepo) -> None:
    git = under_git(made)
    (file,) = list(made.directory.rglob("*.json"))[:1]
    file.write_bytes(file.read_bytes() + b"\n")
    git.git("add", "epics")
    found = imported(made, "hook", "pre-commit")
    assert "epicvc.gitlink.checking" in found
    unwanted = NO_USE | OF_A_REPO | {"pathlib", "unicodedata", "epicvc.files.format.spans"}
    assert not found & unwanted, found & unwanted


def test_merge_driver(made: EpicRepo) -> None:
    git = GitRepo(made.root)
    for name, value in {"base": epic(), "ours": epic(name="Ours"), "theirs": epic(goals=[])}.items():
        git.write(name, value)
    found = imported(made, "merge-driver", "base", "ours", "theirs", "7", "epics/5.json")
    assert git.read("ours") == epic(name="Ours", goals=[])
    unwanted = NO_USE | OF_A_REPO | {"epicvc.plan.epic", "epicvc.plan.moves.moves", "tomllib"}
    assert not found & unwanted, found & unwanted


def test_msgspec_at_a_lower_price_is_msgspec() -> None:
    """Nothing is left behind: typing_extensions can be imported by whoever needs it."""
    code = (
        "import sys; from epicvc.base.lean import import_msgspec; import_msgspec(); import_msgspec(); "
        "assert 'msgspec' in sys.modules; assert 'typing_extensions' not in sys.modules; import typing_extensions; "
        "import typing, msgspec; S = msgspec.defstruct('S', [('a', typing.Annotated[int, msgspec.Meta(ge=0)])]); "
        "assert msgspec.json.decode(b'{\"a\": 1}', type=S).a == 1"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_parts_of_msgspec_that_nobody_used_are_there() -> None:
    """Whether they are asked for as parts, by a function of theirs, or as modules."""
    code = (
        "import sys; from epicvc.base.lean import import_msgspec; import_msgspec(); import msgspec; "
        "assert not {'msgspec.inspect', 'msgspec._json_schema', 'msgspec.yaml', 'textwrap'} & {*sys.modules}; "
        "assert msgspec.toml.decode(b'a = 1') == {'a': 1}; assert callable(msgspec.yaml.decode); "
        "assert msgspec.json.schema(int) == {'type': 'integer'}; assert msgspec.json.schema_components([int])[0]; "
        "assert isinstance(msgspec.inspect.type_info(int), msgspec.inspect.IntType); "
        "import msgspec.inspect; assert msgspec.inspect.__spec__.origin.endswith('inspect.py')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_uuid_at_a_lower_price_is_uuid() -> None:
    """Nothing is left behind: platform can be imported by whoever needs it, and ids are made as ever."""
    code = (
        "import sys; from epicvc.base.lean import import_msgspec; import_msgspec(); "
        "assert 'uuid' in sys.modules; assert 'platform' not in sys.modules; import platform, uuid, msgspec; "
        "assert platform.machine(); assert uuid._LINUX == (platform.system() == 'Linux'); uuid.getnode(); "
        "one = uuid.uuid4(); assert msgspec.json.decode(msgspec.json.encode(one), type=uuid.UUID) == one"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_status_in_earnest(made: EpicRepo) -> None:
    assert not imported(made, "status", "--porcelain") & {"typer", "rich", "holidays", "deepdiff", "difflib"}


OF_A_PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
import epicvc
named = sorted(set(sys.modules) - before)
epicvc.BidirectionalSync(db_path="framework.db", json_dir="epics").sync_all_epics()
print(json.dumps([named, sorted(set(sys.modules) - before)]))
"""


def test_a_program_that_synchronises(made: EpicRepo) -> None:
    """The package is names; a call that finds nothing to do imports what the command does, and nothing for others."""
    made.ok("sync")
    done = subprocess.run(
        [sys.executable, "-c", OF_A_PROGRAM, str(ROOT)],
        cwd=made.root,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    named, used = json.loads(done.stdout)
    assert set(named) <= {"__future__", "epicvc"}
    rooms = ("care", "report.quality", "resolve", "merge", "restore.restoring", "shared.commits")
    others = ("epicvc.cli", "epicvc.ui", "epicvc.repo.apply.apply", *(f"epicvc.actions.{name}" for name in rooms))
    assert [name for name in used if name.startswith(others)] == []
    assert not set(used) & {"typer", "rich", "holidays", "sqlalchemy"}
