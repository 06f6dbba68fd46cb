"""Made epics, as teams write them.

Each file is in another hand, so that a rewrite of any of them would show.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

JSONObject = dict[str, Any]

_SHORT_ARRAY = re.compile(r'\[\s+("[^"\[\]{}]*"(?:,\s+"[^"\[\]{}]*")*)\s+\]')


def plain(value: JSONObject) -> bytes:
    """Return the text of ``json.dumps(indent=2, ensure_ascii=False)``, which has no final newline."""
    return json.dumps(value, indent=2, ensure_ascii=False).encode()


def inline_arrays(value: JSONObject) -> bytes:
    """Return a text with arrays of a few short texts on one line, and with a final newline."""

    def join(match: re.Match[str]) -> str:
        joined = "[" + re.sub(r",\\s+", ", ", match[1]) + "]"
        joined = re.sub(r"\s*\n\s*", " ", joined)
        return joined if len(joined) <= 70 else match[0]

    return (_SHORT_ARRAY.sub(join, plain(value).decode()) + "\n").encode()


def escaped(value: JSONObject) -> bytes:
    """Return a text with ``\\u`` escapes for all beyond ASCII, indented by four spaces, with a final newline."""
    return (json.dumps(value, indent=4, ensure_ascii=True) + "\n").encode()


def spacious(value: JSONObject) -> bytes:
    """Return a text with blanks before colons, and with Windows line ends."""
    text = json.dumps(value, indent=1, ensure_ascii=False, separators=(",", " : "))
    return (text + "\n").replace("\n", "\r\n").encode()


def task(key: str, title: str, **fields: Any) -> JSONObject:
    """Return a task."""
    return {"id": key, "title": title, **fields}


PLAIN: JSONObject = {
    "epic": {
        "id": "1",
        "name": "Integração de cache",
        "summary": "Invalidar caches de forma independente — sem violar o limite de chamadas.",
        "tdd_enabled": True,
        "methodology": "Test-Driven Development",
        "goals": ["Invalidação manual", "Coordenação entre caches", "Estatísticas de uso"],
        "definition_of_done": ["Cobertura ≥ 90%", "Documentação publicada"],
        "duration": "1.5 dias",
        "labels": ["tdd", "cache", "performance"],
        "performance_constraints": {"max_calls": 2, "p95_ms": 12.5},
        "quality_gates": {"coverage": {"min": 90, "tool": "coverage"}, "lint": True},
        "tasks": [
            task(
                "1.1",
                "Escrever testes de invalidação",
                tdd_phase="red",
                estimate_minutes=10,
                story_points=2,
                description="Primeira linha.\nSegunda linha.\nTerceira linha.",
                dependencies=[],
                test_specs=["limpa tudo", "limpa uma"],
            ),
            task(
                "1.2",
                "Implementar invalidação",
                tdd_phase="green",
                estimate_minutes=60,
                story_points=1,
                dependencies=["1.1"],
                acceptance_criteria=["uma", "duas"],
                branch="feature/cache",
            ),
            task("1.3", "Refatorar", tdd_phase="refactor", estimate_minutes=30, dependencies=["1.1", "1.2"]),
            task("1.4", "Revisar", tdd_phase="review", dependencies=["1.3", "2.1a", "9.9"]),
        ],
    }
}

INLINE: JSONObject = {
    "epic": {
        "id": "2",
        "name": "Interactive warnings",
        "summary": "Ask once, remember for ever.",
        "goals": ["capture", "ask", "persist"],
        "labels": ["tdd", "interactive"],
        "automation_hooks": {"on_start": ["branch", "notify"], "on_done": []},
        "checklist_epic_level": ["reviewed", "released"],
        "tasks": [
            task(
                "2.1a",
                "Capture",
                tdd_skip_reason="analysis",
                estimate_minutes=5,
                dependencies=[],
                deliverables=["spec.md"],
            ),
            task("2.1b.1", "Capture, red", tdd_phase="red", estimate_minutes=8, dependencies=["2.1a"]),
            task("2.1b.2", "Capture, green", tdd_phase="green", estimate_minutes=12, dependencies=["2.1b.1"]),
        ],
    }
}

ESCAPED: JSONObject = {
    "epic": {
        "id": "3",
        "name": "Migração \U0001f680",
        "summary": 'Tabulação\te aspas " e barra / e emoji \U0001f3af',
        "duration": "2 semanas",
        "labels": ["dados", "migração"],
        "tasks": [
            task("3.1", "Mapear municípios", estimate_minutes=90, story_points=5, risk="Acentuação", mitigation="NFC"),
            task("3.2", "Carregar", estimate_minutes=120, story_points=8, dependencies=["3.1"], priority_tags=["alta"]),
        ],
    }
}

BARE: JSONObject = {
    "id": "4",
    "name": "Bare",
    "summary": "An epic without a wrapper",
    "tdd_enabled": False,
    "goals": [],
    "tasks": [task("4.1", "Only task", estimate_minutes=15, files_touched=["a.py", "b.py"], test_plan=["unit"])],
}

EXTRA: JSONObject = {
    "_metadata": {"author": "planning", "schema": 3, "reviewed": None},
    "epic": {
        "id": 5,
        "name": "With more than the database knows",
        "owner_notes": {"text": "not a column", "score": 1.0},
        "tasks": [
            {"id": "5.1", "title": "Extra keys", "estimate_minutes": 20, "reviewers": ["one", "two"], "cost": 1e2},
            {"id": "5.2", "title": "Null is absent", "estimate_minutes": 25, "risk": None},
        ],
    },
    "trailer": [1, 2.50, True],
}

NESTED: JSONObject = {
    "epic": {
        "id": "6",
        "name": "In a directory of its own",
        "summary": "Windows line ends",
        "tasks": [task("6.1", "First", estimate_minutes=10), task("6.2", "Second", estimate_minutes=11)],
    }
}

MADE: dict[str, bytes] = {
    "epico_1.json": plain(PLAIN),
    "epico_2.json": inline_arrays(INLINE),
    "epico_3.json": escaped(ESCAPED),
    "epico_4.json": plain(BARE),
    "epico_5.json": plain(EXTRA) + b"\n",
    "later/plan for six.json": spacious(NESTED),
}
"""The bytes of all made epics, by path."""


def write_epics(directory: Path, files: dict[str, bytes] | None = None) -> None:
    """Write files below a directory."""
    for path, data in (MADE if files is None else files).items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
