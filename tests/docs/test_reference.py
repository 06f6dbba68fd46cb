"""The configuration, labels and names that the documents show are those of the program."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from epicvc.model.labels import Label, parse_label
from epicvc.model.mapping import BUILTIN, Field, Kind, Layer, Rule
from epicvc.plan.policies import POLICIES
from epicvc.repo.config.config import CALCULATED, CONFIG, PRIVATE, PRIVATE_CONFIG, Config, load_config
from tests.docs.conftest import ROOT
from tests.docs.console import Shell, fenced

CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text("utf-8")
LABELS = (ROOT / "docs" / "labels.md").read_text("utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
PERFORMANCE = (ROOT / "docs" / "performance.md").read_text("utf-8")
SHARED, *_ = CONFIGURATION.split("## .epicvc/config")


def rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the table whose heading begins so."""
    body = text.split(f"\n| {heading}", 1)[1].split("\n\n", 1)[0]
    return [re.split(r" \| ", line.strip("| ")) for line in body.splitlines()[2:]]


def loaded(root: Path, text: str) -> Config:
    (root / CONFIG).write_text(text, encoding="utf-8")
    return load_config(root, {})


@pytest.mark.parametrize("text", fenced(SHARED, "toml"))
def test_shared_configuration_loads(tmp_path: Path, text: str) -> None:
    assert loaded(tmp_path, text) != loaded(tmp_path, "[files]\ndir = 'elsewhere'\n")


def test_defaults_are_what_is_shown(tmp_path: Path) -> None:
    shown, nothing = loaded(tmp_path, fenced(SHARED, "toml")[0]), loaded(tmp_path, "")
    assert shown.database is not None
    assert (shown.files, shown.include, shown.exclude) == (nothing.files, nothing.include, nothing.exclude)
    assert (shown.policies, shown.calculated, shown.ignore) == (nothing.policies, nothing.calculated, nothing.ignore)
    assert shown.plan == nothing.plan


def test_mapping_example_says_what_it_seems_to(tmp_path: Path) -> None:
    example = next(block for block in fenced(SHARED, "toml") if "plan_steps" in block)
    mapping = loaded(tmp_path, example).mapping
    assert (mapping.epics.table, mapping.epics.key, mapping.epics.deleted_at) == ("plans", "plan_code", None)
    assert mapping.epics.by_name["summary"].column == "abstract"
    assert "methodology" not in mapping.epics.by_name
    assert mapping.epics.by_name["topics"] == Field("topics", "topics_json", Kind.JSON, Layer.CORE, Rule.SET)
    assert (mapping.tasks.parent, mapping.tasks.sequence) == ("plan_id", "position")
    assert mapping.links is not None
    assert mapping.links.column == "needs"


def test_private_configuration_loads(tmp_path: Path) -> None:
    (tmp_path / PRIVATE).mkdir()
    (text,) = fenced(CONFIGURATION.split("## .epicvc/config")[1], "toml")
    (tmp_path / PRIVATE / PRIVATE_CONFIG).write_text(text, encoding="utf-8")
    database = load_config(tmp_path, {}).database
    assert database is not None
    assert database.path == Path("/srv/app/framework.db")


def test_choices_are_complete() -> None:
    section = CONFIGURATION.split("### [sync]")[1].split("###")[0]
    assert set(re.findall(r"`([a-z_]+)`", section)) >= {*POLICIES, *CALCULATED}
    fields = CONFIGURATION.split("| key of a field")[1].split("\n\n")[0]
    assert all(f"`{kind}`" in fields for kind in [*Kind, *Rule])


def test_built_in_mapping_is_what_is_shown() -> None:
    shown: dict[str, set[str]] = {"epics": set(), "tasks": set()}
    for cell, *_ in rows(CONFIGURATION, "field | column"):
        shown["tasks" if cell.startswith("task ") else "epics"] |= set(re.findall(r"`(\w+)`", cell))
    assert shown["epics"] == {field.name for field in BUILTIN.epics.core} | {"id"}
    assert shown["tasks"] == {*BUILTIN.task_fields, "id"}


def test_environment_variables_are_those_that_are_read() -> None:
    shown = {name for row in rows(CONFIGURATION, "variable |") for name in re.findall(r"`([A-Z_]{4,})`", row[0])}
    source = "".join(path.read_text("utf-8") for path in (ROOT / "epicvc").rglob("*.py"))
    assert set(re.findall(r"\"(EPICVC_[A-Z_]+|NO_COLOR)\"", source)) == shown


@pytest.mark.parametrize("row", rows(LABELS, "label | names"), ids=lambda row: row[0].strip("`"))
def test_labels_read_back(row: list[str]) -> None:
    text = row[0].strip("`")
    assert str(parse_label(text)) == text


@pytest.mark.parametrize("row", rows(LABELS, "epic | path"), ids=lambda row: row[2].strip("`"))
def test_escapes(row: list[str]) -> None:
    epic, path, text = row
    label = Label(epic.strip("`"), tuple(re.findall(r"`([^`]+)`", path)))
    assert str(label) == text.strip("`")
    assert parse_label(text.strip("`")) == label


def test_revisions_resolve(shell: Shell) -> None:
    shown = [name for row in rows(LABELS, "revision | names") for name in re.findall(r"`([^`]+)`", row[0])]
    setup = [
        "epicvc init --files demo/epics --db plans.db",
        "epicvc sync",
        "epicvc tag v1",
        "epicvc checkpoint before-review",
    ]
    # Ids, a merge's parent and a time before this one depend on the repo.
    names = [name for name in shown if name not in ("3f2a9c", "HEAD^2", "A..B") and "2025" not in name]
    assert {"HEAD~2", "@{1}", "before-review"} <= set(names)
    now = "epicvc show '@{2999-01-01T00:00:00}'"
    commands = [*setup, *(f"epicvc show '{name}'" for name in names), "epicvc log HEAD~1..HEAD", now]
    for command, (code, output) in zip(commands, shell.run(commands), strict=True):
        assert code == 0, f"{command}\n{output}"


def test_keys_beside_the_epic_are_named_as_documented(shell: Shell) -> None:
    commands = [
        "epicvc init --files demo/epics --db plans.db",
        "epicvc sync",
        'sed -i.orig \'s/"revision": 3/"revision": 4/\' demo/epics/search.json',
        "epicvc diff --json",
    ]
    assert '"label": "1:@/_metadata/revision"' in shell.run(commands)[-1][1]


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(epicvc\.[\w.]+)`", ARCHITECTURE + PERFORMANCE))))
def test_names_of_modules_exist(name: str) -> None:
    if name == "epicvc.toml":
        return
    module, rest = name, []
    while True:
        try:
            found = importlib.import_module(module)
            break
        except ModuleNotFoundError:
            module, _, last = module.rpartition(".")
            rest.insert(0, last)
    for attribute in rest:
        found = getattr(found, attribute)


def test_every_room_is_described() -> None:
    rooms = {p.stem for p in (ROOT / "epicvc").iterdir() if not p.name.startswith(("_", "py.typed"))}
    assert {room for room in rooms if f"`epicvc.{room}`" not in ARCHITECTURE} == set()


MAP = (ROOT / "docs" / "map.md").read_text("utf-8")


def test_every_folder_is_on_the_map_and_no_other() -> None:
    """In the tree each line is indented by two below the folder that holds it."""
    found, way = set(), [""]
    for line in MAP.split("```")[1].strip().splitlines()[1:]:
        depth = (len(line) - len(line.lstrip())) // 2
        names = re.match(r"\s*((?:\w+/ *)+)", line)
        if names and depth < 8:  # what stands further right goes on with the line above
            found |= {"/".join([*way[1:depth], name]) for name in names[1].replace("/", " ").split()}
            way[depth:] = [names[1].replace("/", " ").split()[-1]]
    inner = {f"database/sqlite/{name}" for name in ("restore", "schema", "pages")}  # named in a line of their own
    package = ROOT / "epicvc"
    assert {path.parent.relative_to(package).as_posix() for path in package.rglob("__init__.py")} - {
        "."
    } == found | inner


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([\w/]+\.py)`", MAP))))
def test_modules_on_the_map_exist(name: str) -> None:
    assert (ROOT / "epicvc" / name).is_file()
