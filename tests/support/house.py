"""Measures the code base and holds each figure against a limit: ``make check`` runs it.

Where a figure has not reached its goal yet, the limit is its present value: the figure may only get better, and a
change that betters it lowers the limit. ``--list`` names the places that are counted.
"""

from __future__ import annotations

import ast
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

OPENERS = re.compile(r"(What|Whether|Who|How|Where)\b")
"""Words with which no docstring begins, since they put a clause in the place of the thing's name."""

SMALL = 40
"""The number of lines below which a module has to be worth its file."""

POSITIONAL = 5
"""The number of arguments that may be told apart by their order alone."""


@dataclass(frozen=True)
class Limit:
    """The limit and the goal of a figure.

    Attributes:
        figure: the name of the figure.
        limit: the most that the figure may be; for one of which more is better, the least.
        goal: the value that the figure is to reach; the limit itself, where it has been reached.
        more: more is better.
    """

    figure: str
    limit: float
    goal: float
    more: bool = False

    def broken(self, value: float) -> bool:
        """Tell whether a value is beyond the limit."""
        return value < self.limit if self.more else value > self.limit


LIMITS = (
    Limit("modules", 500, 500),
    Limit("lines", 67_600, 64_000),
    Limit("modules in one folder, at most", 20, 20),
    Limit("class names used twice", 5, 5),
    Limit("imports inside functions, outside cli/", 237, 90),
    Limit("docstrings that open with What, Whether, Who, How, Where, in %", 0, 0),
    Limit("calls with more than five positional arguments", 15, 0),
    Limit("modules below 40 lines", 28, 28),
    Limit("files that a sync with an edit on each side executes", 178, 100),
    Limit("files that a status of the same executes", 131, 75),
    Limit("lines of tests to one of code", 0.85, 0.85, more=True),
)


@dataclass
class Found:
    """The counts that were read from the source.

    Attributes:
        lines: the number of lines, by module.
        classes: the modules that define a class, by its name.
        inner_imports: places of imports inside functions.
        docstrings: the number of docstrings.
        opened: places of docstrings that open with one of :data:`OPENERS`.
        long_calls: places of calls with more than :data:`POSITIONAL` positional arguments.
    """

    lines: dict[str, int] = field(default_factory=dict)
    classes: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    inner_imports: list[str] = field(default_factory=list)
    docstrings: int = 0
    opened: list[str] = field(default_factory=list)
    long_calls: list[str] = field(default_factory=list)


def read(package: Path) -> Found:
    """Read every module of a package."""
    found = Found()
    for path in sorted(package.rglob("*.py")):
        name, text = path.relative_to(package).as_posix(), path.read_text("utf-8")
        found.lines[name] = len(text.splitlines())
        _read_module(found, name, ast.parse(text))
    return found


def _read_module(found: Found, name: str, tree: ast.Module) -> None:
    for node, in_function in _walk(tree):
        place = f"{name}:{getattr(node, 'lineno', 1)}"
        if isinstance(node, ast.ClassDef):
            found.classes[node.name].append(name)
        if isinstance(node, ast.Import | ast.ImportFrom) and in_function:
            found.inner_imports.append(place)
        if isinstance(node, ast.Call) and len(node.args) > POSITIONAL and not _is_variadic(node):
            found.long_calls.append(place)
        for text in _docstrings(node):
            found.docstrings += 1
            if OPENERS.match(text):
                found.opened.append(place)


def _walk(tree: ast.AST, in_function: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """Yield every node, and whether it is inside a function.

    Code that only type checkers read is left out.
    """
    yield tree, in_function
    if isinstance(tree, ast.If) and "TYPE_CHECKING" in ast.dump(tree.test):
        return
    inside = in_function or isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for node in ast.iter_child_nodes(tree):
        yield from _walk(node, inside)


def _is_variadic(call: ast.Call) -> bool:
    """Tell whether a call takes any number of things of one kind: a builtin, or a method such as ``join``."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name in {"print", "zip", "max", "min", "chain", "join", "update", "add_row", "line"}


def _docstrings(node: ast.AST) -> Iterator[str]:
    """Yield the docstring of a node, and the strings below attributes in its body."""
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return
    for statement in node.body:
        value = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value


def lines_below(directory: Path) -> int:
    """Count the lines of all modules below a directory."""
    return sum(len(path.read_text("utf-8").splitlines()) for path in directory.rglob("*.py"))


_EXECUTED = """
import json, os, sys
seen = set()
def called(frame, event, _):
    if event == "call" and frame.f_code.co_name != "<module>":
        seen.add(frame.f_code.co_filename)
sys.setprofile(called)
from epicvc.__main__ import main
try:
    code = main()
except SystemExit as end:
    code = end.code
sys.setprofile(None)
print(json.dumps(sorted(seen)), file=sys.stderr)
sys.exit(code)
"""


def executed(package: Path, scratch: Path) -> tuple[list[str], list[str]]:
    """Run one ``sync`` with an edit on each side, and one ``status`` before it.

    Args:
        package: the package that is measured.
        scratch: an empty directory.

    Returns:
        The modules of the package in which a function ran, of the sync and of the status.
    """
    environment = {**os.environ, "PYTHONPATH": str(package.parent), "EPICVC_STATE_DIR": str(scratch / "state")}

    def run(*words: str, code: str = "from epicvc.__main__ import main; main()") -> str:
        command = (sys.executable, "-c", f"import sys; sys.argv = ['epicvc', *sys.argv[1:]]\n{code}", *words)
        done = subprocess.run(command, cwd=scratch, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"epicvc {' '.join(words)}: exit {done.returncode}\n{done.stderr}")
        return done.stderr

    (scratch / "epics").mkdir()
    epic = {"id": "1", "name": "One", "tasks": [{"id": "1.1", "title": "T"}]}
    for number in ("1", "2"):
        (scratch / "epics" / f"{number}.json").write_text(json.dumps({**epic, "id": number}, indent=2))
    run("init", "--db", "p.db")
    run("sync")
    (scratch / "epics" / "1.json").write_text(json.dumps({**epic, "name": "Uno"}, indent=2))
    with sqlite3.connect(scratch / "p.db") as database:
        database.execute("UPDATE framework_epics SET name = 'Due' WHERE epic_key = '2'")
    database.close()
    status, sync = (_modules(run(word, code=_EXECUTED), package) for word in ("status", "sync"))
    return sync, status


def _modules(said: str, package: Path) -> list[str]:
    paths = json.loads(said.strip().splitlines()[-1])
    return [path for path in paths if Path(path).is_relative_to(package)]


def figures(root: Path, package: str = "epicvc") -> tuple[dict[str, float], dict[str, Sequence[str]]]:
    """Measure everything.

    Args:
        root: the project.
        package: the name of its package.

    Returns:
        The figures by name, and for some of them the places that were counted.
    """
    found = read(root / package)
    folders = Counter(os.path.dirname(name) for name in found.lines)
    fullest, most = folders.most_common(1)[0]
    twice = {name: places for name, places in found.classes.items() if len(places) > 1}
    outside = [place for place in found.inner_imports if not place.startswith("cli/")]
    small = [name for name, count in found.lines.items() if count < SMALL and not name.endswith("__init__.py")]
    with tempfile.TemporaryDirectory() as scratch:
        sync, status = executed(root / package, Path(scratch))
    code = sum(found.lines.values())
    values = (
        len(found.lines),
        code,
        most,
        len(twice),
        len(outside),
        round(100 * len(found.opened) / max(found.docstrings, 1), 1),
        len(found.long_calls),
        len(small),
        len(sync),
        len(status),
        round(lines_below(root / "tests") / code, 2),
    )
    names = [limit.figure for limit in LIMITS]
    counted: tuple[Sequence[str], ...] = (
        (),
        (),
        [fullest],
        [f"{name}: {', '.join(places)}" for name, places in sorted(twice.items())],
        outside,
        found.opened,
        found.long_calls,
        small,
        sync,
        status,
        (),
    )
    return dict(zip(names, values, strict=True)), dict(zip(names, counted, strict=True))


def table(values: Mapping[str, float]) -> Iterator[str]:
    """Yield the lines of the table."""
    width = max(len(limit.figure) for limit in LIMITS)
    yield f"{'':{width}}  {'now':>8}  {'limit':>8}  {'goal':>8}"
    for limit in LIMITS:
        value, broken = values[limit.figure], "  BROKEN" if limit.broken(values[limit.figure]) else ""
        yield f"{limit.figure:{width}}  {value:>8,}  {limit.limit:>8,}  {limit.goal:>8,}{broken}"


def main(arguments: Sequence[str]) -> int:
    """Print the table. Returns 1 where a limit is broken."""
    values, counted = figures(ROOT)
    if "--list" in arguments:
        for name, places in counted.items():
            sys.stdout.writelines((f"\n{name}\n", *(f"  {place}\n" for place in places)))
    sys.stdout.writelines(f"{line}\n" for line in table(values))
    return int(any(limit.broken(values[limit.figure]) for limit in LIMITS))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
