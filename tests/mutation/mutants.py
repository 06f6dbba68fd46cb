"""Finds the conditions of a module, and changes one of them: negated, dropped, or its bound shifted."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOMS = (
    "merge/*.py",
    "plan/**/*.py",
    "repo/apply/apply.py",
    "repo/apply/placing.py",
    "repo/apply/recovery.py",
    "repo/apply/interrupted.py",
    "files/format/*.py",
)
"""Where mutants are made, below ``epicvc``: what decides, what applies and what edits files."""

_OTHER: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


@dataclass(frozen=True)
class Mutant:
    """One change of one condition.

    Attributes:
        path: the module, below ``epicvc``.
        function: the first line of the function that it is in, decorators included.
        line: where the condition begins.
        start: where it begins in the source, in bytes.
        end: where it ends.
        text: what stands there instead.
        was: what stood there.
    """

    path: str
    function: int
    line: int
    start: int
    end: int
    text: str
    was: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {' '.join(self.was.split())}  ->  {' '.join(self.text.split())}"

    def apply(self, source: bytes) -> bytes:
        """Return the source with the change; lines keep their numbers."""
        lost = self.was.count("\n") - self.text.count("\n")
        return source[: self.start] + f"({self.text}{chr(10) * lost})".encode() + source[self.end :]


def mutants_of(root: Path, path: str) -> Iterator[Mutant]:
    """Make every mutant of a module.

    Args:
        root: the package.
        path: the module, below it.
    """
    source = (root / path).read_bytes()
    lines = [0]
    for line in source.splitlines(keepends=True):
        lines.append(lines[-1] + len(line))

    def made(function: ast.AST, node: ast.expr, new: ast.expr) -> Mutant:
        start = lines[node.lineno - 1] + node.col_offset
        end = lines[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        was = source[start:end].decode()
        return Mutant(path, first_line(function), node.lineno, start, end, ast.unparse(new), was)

    for function, node in _inside_functions(ast.parse(source)):
        for old, new in _changes(node):
            yield made(function, old, new)


def first_line(function: ast.AST) -> int:
    """Return the line on which a function's code begins, as ``co_firstlineno`` has it."""
    assert isinstance(function, ast.FunctionDef)
    return min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])


def _inside_functions(tree: ast.AST, function: ast.AST | None = None) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Give every node in the body of a function with the innermost one; asserts promise nothing to anyone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Assert) or (function is not None and node in getattr(function, "decorator_list", ())):
            continue
        if function is not None:
            yield function, node
        inner = node if isinstance(node, ast.FunctionDef) else function
        yield from _inside_functions(node, inner)


def _changes(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Give each change of a node: what goes, and what comes."""
    if isinstance(node, ast.If | ast.IfExp | ast.While) and not isinstance(node.test, ast.UnaryOp | ast.Compare):
        yield node.test, ast.UnaryOp(ast.Not(), node.test)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node, node.operand
    if isinstance(node, ast.BoolOp):
        for dropped in range(len(node.values)):
            rest = [value for number, value in enumerate(node.values) if number != dropped]
            yield node, rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        yield node, ast.Compare(node.left, [_OTHER[type(node.ops[0])]()], node.comparators)
    if isinstance(node, ast.Compare | ast.Subscript | ast.BinOp | ast.Slice):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Constant) and type(child.value) is int:
                yield child, ast.Constant(child.value + 1)


def sample(root: Path, count: int, seed: int) -> list[Mutant]:
    """Choose mutants by chance, each module's share as large as the number of its conditions.

    Args:
        root: the package.
        count: how many.
        seed: the same one chooses the same ones for as long as no module changes.
    """
    found = [mutant for path in modules(root) for mutant in mutants_of(root, path)]
    chosen = random.Random(seed).sample(found, min(count, len(found)))
    return sorted(chosen, key=lambda mutant: (mutant.path, mutant.line, mutant.start))


def modules(root: Path, rooms: Sequence[str] = ROOMS) -> list[str]:
    """Return the modules in which mutants are made, below the package."""
    return sorted({path.relative_to(root).as_posix() for room in rooms for path in root.glob(room)})
