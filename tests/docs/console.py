"""Documented shell sessions: fenced ``console`` blocks as commands with the output that they show.

In the output ``…`` stands for anything within a line (ids, times, paths); a line that is only ``…`` for any lines.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

# The entry point of the installed project, also where the project is not installed.
SHIM = """#!{python}
import sys
from epicvc.__main__ import main
sys.argv[0] = "epicvc"
sys.exit(main())
"""
SQLITE_SHIM = """#!{python}
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
if sys.argv[2].lstrip().upper().startswith("SELECT"):
    for row in connection.execute(sys.argv[2]):
        print("|".join(map(str, row)))
else:
    connection.executescript(sys.argv[2])
"""
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def fenced(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return [match[2] for match in _FENCE.finditer(text) if match[1] == language]


@dataclass
class Step:
    """A documented command and the output that is shown for it."""

    command: str
    lines: list[str] = field(default_factory=list)

    @property
    def output(self) -> str:
        return "\n".join(self.lines).rstrip("\n")


def steps(blocks: list[str]) -> Iterator[Step]:
    """The commands of ``console`` blocks, in order."""
    for block in blocks:
        step: Step | None = None
        for line in block.splitlines():
            if line.startswith("$ "):
                if step is not None:
                    yield step
                step = Step(line[2:])
            else:
                assert step is not None, f"output before any command: {line!r}"
                step.lines.append(line)
        if step is not None:
            yield step


def matches(shown: str, actual: str) -> bool:
    """Whether an output is what is shown."""
    parts = []
    for line in shown.split("\n"):
        if line == "…":
            parts.append(r"(?s:.*?)")
        else:
            parts.append(r"[^\n]*?".join(map(re.escape, line.split("…"))))
    return re.fullmatch(r"\n".join(parts), actual) is not None


@dataclass
class Shell:
    """Runs commands one after the other in one shell session."""

    home: Path
    environment: dict[str, str]

    def run(self, commands: list[str]) -> list[tuple[int, str]]:
        """Run commands in one session, in which ``cd`` and ``$?`` carry over.

        Returns:
            For each command its exit code and its output, messages included.
        """
        script = ["exec 2>&1"]
        for command in commands:
            script += [command, r"""__code=$?; printf '\001%s\002' "$__code"; (exit "$__code")"""]
        done = subprocess.run(
            ["bash", "-c", "\n".join(script)],
            cwd=self.home,
            env=self.environment,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            check=False,
            timeout=300,
        )
        found = re.findall(r"(.*?)\x01(\d+)\x02", done.stdout, re.DOTALL)
        assert len(found) == len(commands), done.stdout
        return [(int(code), output.rstrip("\n")) for output, code in found]

    def follow(self, blocks: list[str]) -> None:
        """Run the commands of ``console`` blocks and compare their outputs with what is shown.

        A command must succeed unless the next one shows its exit code, or it is ``diff``, which reports by it.
        """
        wanted = list(steps(blocks))
        results = self.run([step.command for step in wanted])
        following = [step.command for step in wanted[1:]] + [""]
        for step, (code, output), after in zip(wanted, results, following, strict=True):
            assert code == 0 or after == "echo $?" or step.command.startswith("diff "), (
                f"$ {step.command}\nexit code {code}\n{output}"
            )
            assert matches(step.output, output), f"$ {step.command}\nshown:\n{step.output}\nactual:\n{output}"
