"""Every example of ``docs/machine-output.md`` has the keys and types of a real output; no output is missing."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from support.gitrepo import needs_git

from tests.docs.conftest import ROOT
from tests.docs.console import Shell, fenced

EXAMPLES = [json.loads(block) for block in fenced((ROOT / "docs" / "machine-output.md").read_text("utf-8"), "json")]
BY_NAME = ("branches", "tags", "system")
"""Objects whose keys are the user's names."""

# Each line is one command; `epicvc` lines get --json and are looked at.
SESSION = """
mkdir plans && cp -r demo/epics plans && cd plans
epicvc init --db plans.db
epicvc sync
sed -i.orig 's/in under a/in half a/' epics/search.json
sed -i.orig -e 's/Loans between/Inter/' -e 's/Van timetable/Van/' epics/loans.json
sqlite3 plans.db "UPDATE framework_epics SET name = 'Loans' WHERE epic_key = '2'"
sqlite3 plans.db "UPDATE framework_tasks SET title = 'Timetable' WHERE task_key = '2.2'"
epicvc status
epicvc diff
epicvc sync
epicvc resolve 2:name --prefer db
epicvc show
epicvc blame 2:name
epicvc resolve --prefer db
sqlite3 plans.db "UPDATE framework_epics SET goals = replace(goals, 'half a', 'no') WHERE epic_key = '1'"
sed -i.orig 's/in half a/in one/' epics/search.json
epicvc resolve
epicvc resolve --prefer db
epicvc resolve --forget
epicvc commit -m nothing
echo '[plan]' >> epicvc.toml
echo 'holidays = true' >> epicvc.toml
sqlite3 plans.db "UPDATE framework_epics SET duration_description = '10 dias' WHERE epic_key = '1'"
epicvc plan --from 2025-11-12
epicvc plan --schedule --from 2025-11-12
touch epics/draft.json
epicvc enrich
rm epics/draft.json
epicvc checkpoint here
epicvc log
epicvc branch
epicvc tag v1 -q
epicvc tag
sqlite3 plans.db "INSERT INTO task_dependencies (task_id, depends_on_task_key) VALUES (1, '9.9')"
epicvc doctor
epicvc adopt --dry-run
epicvc restore --source HEAD~2 2:name
epicvc restore --at 2999-01-01 --to then
epicvc rollback here
epicvc undo
epicvc switch -c side -q
sed -i.orig 's/"summary": "[^"]*"/"summary": "of the side"/' epics/search.json
epicvc commit -m side
epicvc switch main -q
sed -i.orig 's/"summary": "[^"]*"/"summary": "of main"/' epics/search.json
epicvc commit -m main
epicvc merge side
epicvc status
epicvc merge --abort
printf '{"limits": {"max": 1}}' > base.json
printf '{"limits": {"max": 2}}' > mine.json
printf '{"limits": {"max": 3}}' > yours.json
epicvc merge-file mine.json base.json yours.json
epicvc merge side --prefer ours
epicvc op log
epicvc migrate status
epicvc migrate down
epicvc migrate up --dry-run
epicvc migrate up
epicvc migrate verify
epicvc migrate new "add owner"
sqlite3 plans.db "INSERT INTO task_dependencies (task_id, depends_on_task_key) VALUES (999, '9.9')"
epicvc clean db
epicvc stats
epicvc report
epicvc backup create
epicvc backup create --to elsewhere
epicvc backup list
epicvc backup verify
epicvc backup restore latest
epicvc backup forget --keep-last 1
epicvc gc
epicvc fsck
sqlite3 .epicvc/store.db "DELETE FROM object WHERE type = 3"
epicvc fsck
epicvc show nowhere
git init -q -b main
git add epicvc.toml epics
git commit -q -m plans
epicvc git install
epicvc git doctor
cp epics/search.json epics/again.json
git add epics
epicvc hook pre-commit
epicvc git uninstall
"""


def shape(value: Any) -> Any:
    """The keys and types of a value; ``None`` fits everything, a list is as its elements."""
    if isinstance(value, dict):
        return {
            key: "by name" if key in BY_NAME and isinstance(item, dict) else shape(item) for key, item in value.items()
        }
    if isinstance(value, list):
        return [shape(item) for item in value]
    return None if value is None else type(value).__name__


def fits(example: Any, real: Any) -> bool:
    """Whether a real output's shape is that of an example."""
    if isinstance(example, dict):
        return isinstance(real, dict) and example.keys() == real.keys() and all(fits(example[k], real[k]) for k in real)
    if isinstance(example, list):
        return isinstance(real, list) and all(not example or fits(example[0], item) for item in real)
    return example is None or real is None or example == real


def plain(value: Any) -> Any:
    """A change's values are the user's; what they are is no part of the shape."""
    if isinstance(value, dict):
        return {
            key: None if key in ("old", "new", "base", "ours", "theirs") else plain(item) for key, item in value.items()
        }
    return [plain(item) for item in value] if isinstance(value, list) else value


@pytest.fixture
def outputs(shell: Shell) -> list[Any]:
    commands = [f"{line} --json" if line.startswith("epicvc") else line for line in SESSION.strip().splitlines()]
    results = shell.run(commands)
    found = []
    for command, (code, output) in zip(commands, results, strict=True):
        if command.startswith("epicvc") and output:
            found.append(json.loads(output))
        else:
            assert code == 0, f"{command}\n{output}"
    return found


@needs_git
def test_examples_are_what_is_printed(outputs: list[Any]) -> None:
    real = [(value["format"], shape(plain(value))) for value in outputs]
    documented = [(value["format"], shape(plain(value))) for value in EXAMPLES]
    for name, example in documented:
        assert any(name == other and fits(example, found) for other, found in real), f"no output like {example}"
    for name, found in real:
        assert any(name == other and fits(example, found) for other, example in documented), f"undocumented: {found}"


def test_every_shape_of_the_program_is_documented() -> None:

    used = {
        name
        for path in (ROOT / "epicvc").rglob("*.py")
        for name in re.findall(r'"(epicvc\.[a-z]+/\d+)"', path.read_text(encoding="utf-8"))
    }
    assert used == {example["format"] for example in EXAMPLES}
