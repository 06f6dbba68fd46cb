"""A load of made epics, as large and as repetitive as those of real teams.

Measured over a real set: five kinds of plan that repeat, 26 tasks in an epic (8 to 44), 34 kB a file, so that
10,000 epics are about 345 MB and 266,000 tasks; text in a language with accents, in UTF-8; half of the files without
a final newline. Titles, descriptions and summaries are each file's own, everything else repeats, and what compresses
in a real set compresses here. The same count gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEED = 41
FEWEST_TASKS, MOST_TASKS = 8, 44
FILES_IN_A_DIRECTORY = 1000

_VOCABULARY = """
acordo agenda ajuste alerta alocação além amostra ano aplicação após aprovação área arquivo até atraso auditoria
avaliação aviso balanço base cadastro cada calendário campo canal capítulo catálogo chamada chave cidade coleta com
como compra conferência conta contrato conversão cópia cota crédito critério curva dado de depósito desde desvio
diário direção documento e edição em ensaio entrada entrega envio equipe escala escopo espaço estágio estoque etapa
exceção exemplo falha fase fatura fila filtro fluxo fonte formato fórmula frota gestão grade gráfico histórico hora
horário imagem índice início inscrição instância inventário item junção largura laudo leitura limiar limite linha
lista lote malha mapa margem medição média meta modelo módulo mudança nível norma nota número ordem origem padrão
página painel parcela parâmetro passo pauta pedido período peça planilha por porta posição prazo preço previsão prévia
processo produção quadro quando quantia que recibo região registro regra relatório remessa repetição reserva resumo
retorno reunião revisão risco rota rotina saída saldo seção sem semana sensor sequência série serviço sessão sob
sistema sobre solicitação soma tabela taxa tela tempo teste título total transporte trecho turno unidade usuário vaga
valor vazão versão vínculo vistoria volume zona
"""
_WORDS = _VOCABULARY.split()

_PHASES = ("red", "green", "refactor")
_PREFIX = {"red": "TEST", "green": "IMPL", "refactor": "REFACTOR"}


@dataclass(frozen=True)
class _Kind:
    """A kind of plan: how many different tasks it has, how many of them come before any test, and how full they are.

    Attributes:
        tasks: tasks before they repeat.
        analyses: those of them that are analyses.
        full: every task has all fields; else the analyses alone.
        goals: letters in the goals; likewise the following.
        done: in the definition of done.
        checklist: in the checklist.
        constraints: in the performance constraints.
        gates: in the quality gates.
        criteria: in a task's acceptance criteria.
        duration: the epic's duration.
    """

    tasks: int
    analyses: int
    full: bool
    goals: int
    done: int
    checklist: int
    constraints: int
    gates: int
    criteria: int
    duration: str


_KINDS = (
    _Kind(39, 4, False, 400, 440, 370, 530, 360, 75, "2 dias"),
    _Kind(19, 4, True, 360, 300, 760, 700, 480, 115, "1 semana"),
    _Kind(18, 3, True, 400, 710, 800, 500, 460, 130, "1.5 dias"),
    _Kind(12, 3, True, 540, 800, 870, 640, 960, 150, "1.5 dias"),
    _Kind(8, 2, True, 410, 650, 810, 700, 1160, 140, "1 dia"),
)


class _Writer:
    """Text of given lengths out of one source of randomness."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def words(self, count: int) -> str:
        return " ".join(self.random.choices(_WORDS, k=count))

    def phrase(self, letters: int) -> str:
        text = self.words(max(1, letters // 5))[:letters].strip()
        return text[:1].upper() + text[1:]

    def phrases(self, letters: int, each: int = 75) -> list[str]:
        count = max(1, round(letters / each))
        return [self.phrase(letters // count) for _ in range(count)]

    def name(self, words: int = 2) -> str:
        return "_".join(word for word in self.random.choices(_WORDS, k=words))

    def sections(self, letters: int) -> dict[str, dict[str, str]]:
        return {self.name(): {self.name(3): self.phrase(24) for _ in range(4)} for _ in range(max(1, letters // 210))}


def _task(writer: _Writer, kind: _Kind, position: int) -> dict[str, Any]:
    analysis = position < kind.analyses
    phase = _PHASES[position % len(_PHASES)]
    task: dict[str, Any] = {
        "id": "",
        "title": f"{'Analisar' if analysis else _PREFIX[phase] + ':'} {writer.phrase(42)}",
    }
    if analysis:
        task["tdd_skip_reason"] = "analysis/documentation"
    else:
        task["tdd_phase"] = phase
    task["estimate_minutes"] = 0
    if kind.full or analysis:
        task["story_points"] = 1 + position % 5
    task["description"] = ""
    if not analysis:
        task["test_specs"] = [f"test_{writer.name(6)}" for _ in range(2)]
    task["acceptance_criteria"] = writer.phrases(kind.criteria, 42)
    task["deliverables"] = [f"tests/test_{writer.name(3)}.py", f"módulos/{writer.name(2)}.py"]
    task["dependencies"] = []
    if kind.full or analysis:
        task["branch"] = f"feature/{writer.name(2)}"
        task["files_touched"] = [f"módulos/{writer.name(3)}.py"]
        if not kind.full:
            task["test_plan"] = writer.phrases(120, 55)
        task["risk"] = writer.phrase(50)
        task["mitigation"] = writer.phrase(56)
    return task


def _plan(writer: _Writer, kind: _Kind) -> dict[str, Any]:
    labels = [writer.name(1) for _ in range(4)]
    return {
        "id": "",
        "name": writer.phrase(34),
        "summary": "",
        "tdd_enabled": True,
        "methodology": "Test-Driven Development",
        "goals": writer.phrases(kind.goals),
        "definition_of_done": writer.phrases(kind.done, 60),
        "duration": kind.duration,
        "labels": labels,
        "checklist_epic_level": writer.phrases(kind.checklist, 65),
        "automation_hooks": {
            "create_labels": labels,
            "project_board": {"name": writer.phrase(22), "columns": [writer.phrase(14) for _ in range(4)]},
            "coverage_threshold": 90,
            "pre_commit_hooks": [writer.name(1) for _ in range(4)],
            "issue_template_fields": ["title", "description", "tdd_phase", "test_specs", "dependencies", "risk"],
            "milestone": writer.phrase(40),
        },
        "performance_constraints": writer.sections(kind.constraints),
        "quality_gates": writer.sections(kind.gates),
        "tasks": [_task(writer, kind, position) for position in range(kind.tasks)],
    }


def render(number: int, plan: dict[str, Any], writer: _Writer) -> bytes:
    """One epic's file: a plan with the parts that are its own."""
    epic = {**plan, "id": str(number), "name": f"{plan['name']} {number}", "summary": writer.words(30)}
    tasks = []
    for position in range(writer.random.randint(FEWEST_TASKS, MOST_TASKS)):
        task = dict(plan["tasks"][position % len(plan["tasks"])])
        task["id"] = f"{number}.{position + 1}"
        task["title"] = f"{task['title']} {writer.random.randrange(10**6)}"
        task["estimate_minutes"] = writer.random.choice((5, 10, 20, 30, 60))
        task["description"] = writer.words(20)
        task["dependencies"] = [f"{number}.{position}"] if position else []
        tasks.append(task)
    epic["tasks"] = tasks
    text = json.dumps({"epic": epic}, ensure_ascii=False, indent=2)
    return (text + "\n" if number % 2 else text).encode()


def path_of(number: int) -> str:
    """Where an epic's file lies, relative to the directory of epics."""
    return f"{number // FILES_IN_A_DIRECTORY:03d}/epico_{number}.json"


def write_load(count: int, directory: Path) -> None:
    """Write ``count`` epics below a directory."""
    writer = _Writer(SEED)
    plans = [_plan(writer, kind) for kind in _KINDS]
    for number in range(count):
        target = directory / path_of(number)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(render(number, plans[number % len(plans)], writer))


def version() -> str:
    """Names this generator: another text of it may give another load."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]


def kept_load(count: int, kept: Path) -> Path:
    """The load of ``count`` epics in a directory where loads are kept between runs; made when it is not there."""
    wanted = kept / f"load-{version()}-{count}"
    if not wanted.exists():
        partial = kept / f"partial-{count}"
        shutil.rmtree(partial, ignore_errors=True)
        write_load(count, partial)
        partial.rename(wanted)
    return wanted
