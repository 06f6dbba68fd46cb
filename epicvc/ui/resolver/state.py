"""The resolver as a state machine: a state and a key give the next state.

Pure; it knows no terminal and writes nothing.

An act outside of the state (editing, applying, leaving) is an effect that the state asks for. The loop carries it out
and reports the result to the state.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType

from msgspec import Struct, field
from msgspec.structs import replace

from epicvc.actions.decide.memory import Remembered
from epicvc.actions.resolve.choices import Pick, can_pick, has_items, is_order, take
from epicvc.actions.shared.questions import Answer, How, Question
from epicvc.merge.threeway import ABSENT, Chosen, Value
from epicvc.model.labels import Label
from epicvc.ui.text import count, printable


class Mode(Enum):
    """The kind of screen."""

    ASK = auto()
    ITEMS = auto()
    SUMMARY = auto()
    HELP = auto()


class Effect(Enum):
    """An act that the state asks the loop to carry out."""

    EDIT = auto()
    APPLY = auto()
    LEAVE = auto()
    INTERRUPT = auto()
    SUSPEND = auto()
    REDRAW = auto()


class ResolverView(Enum):
    """The placement of the three values: as the width allows, or as the user wants."""

    AUTO = auto()
    BESIDE = auto()
    STACKED = auto()


class ResolverState(Struct, frozen=True):
    """The state of the resolver.

    Attributes:
        questions: the conflicts, in the order in which they are asked.
        sides: the names of ours and theirs.
        answers: the answers so far. None of them is applied yet.
        remembered: the answers with which these conflicts were settled before.
        at: the index of the current question.
        mode: the kind of screen.
        back: the mode that help returns to.
        view: the placement of the values.
        scroll: the first line of the body that is shown.
        cursor: the item, or the line of the summary, that keys act on.
        picks: the items while they are chosen.
        past: the answers and the question before each choice, for undo.
        message: the last event, in one line.
        effect: the act that the loop has to carry out now.
        scratch: texts that the editor left and that did not fit, so that editing can go on with them.
    """

    questions: tuple[Question, ...]
    sides: tuple[str, str] = ("files", "db")
    answers: Mapping[Label, Answer] = field(default_factory=lambda: MappingProxyType({}))
    remembered: Mapping[Label, Remembered] = field(default_factory=lambda: MappingProxyType({}))
    at: int = 0
    mode: Mode = Mode.ASK
    back: Mode = Mode.ASK
    view: ResolverView = ResolverView.AUTO
    scroll: int = 0
    cursor: int = 0
    picks: tuple[Pick, ...] = ()
    past: tuple[tuple[Mapping[Label, Answer], int], ...] = ()
    message: str = ""
    effect: Effect | None = None
    scratch: Mapping[Label, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def question(self) -> Question:
        """The current question."""
        return self.questions[self.at]

    @property
    def answer(self) -> Answer | None:
        """The answer to the current question, or ``None``."""
        return self.answers.get(self.question.conflict.label)

    @property
    def keys(self) -> tuple[str, str]:
        """The keys that take ours and theirs: the first letters of their names."""
        return self.sides[0][0], self.sides[1][0]

    @property
    def open(self) -> int:
        """The number of questions without an answer."""
        return sum(question.conflict.label not in self.answers for question in self.questions)


def begin(
    questions: tuple[Question, ...],
    sides: tuple[str, str],
    answers: Mapping[Label, Answer],
    remembered: Mapping[Label, Remembered],
    dropped: int = 0,
) -> ResolverState:
    """Return the first state: resumed where the user left, at the first open question.

    Conflicts that were settled before get the same answers, which the summary says. Each can be changed.
    """
    replayed = {label: Answer(How.REMEMBERED, found.chosen) for label, found in remembered.items()}
    state = ResolverState(questions, sides, MappingProxyType({**replayed, **answers}), remembered)
    said = []
    if answers:
        said.append(f"resumed with {count(len(answers), 'answer')}")
    if fresh := len(replayed.keys() - answers.keys()):
        said.append(f"{fresh} answered as before")
    if dropped:
        said.append(f"dropped {count(dropped, 'answer')} to what is another conflict now, or none")
    return replace(to_open(replace(state, at=len(questions) - 1)), message="; ".join(said))


def edited(state: ResolverState, chosen: Chosen) -> ResolverState:
    """Return the state after the editor gave a value that fits."""
    label = state.question.conflict.label
    scratch = {name: text for name, text in state.scratch.items() if name != label}
    return choose(replace(state, effect=None, scratch=MappingProxyType(scratch)), How.VALUE, chosen)


def failed(state: ResolverState, reason: str, text: str | None = None) -> ResolverState:
    """Return the state after the editor gave nothing that fits. The text is kept, so that editing can go on with it."""
    scratch = dict(state.scratch)
    if text is not None:
        scratch[state.question.conflict.label] = text
    return replace(state, effect=None, message=reason, scratch=MappingProxyType(scratch))


def said(how: How, sides: tuple[str, str]) -> str:
    """Return the way in which an answer was given, in words."""
    words = {
        How.OURS: sides[0],
        How.THEIRS: sides[1],
        How.BASE: "base",
        How.BOTH: "both",
        How.ITEMS: "chosen items",
        How.VALUE: "edited",
        How.REMEMBERED: "as before",
    }
    return words[how]


def choose(state: ResolverState, how: How, chosen: Chosen) -> ResolverState:
    """Take an answer and go to the next open question, or to the summary after the last one."""
    label = state.question.conflict.label
    answers = MappingProxyType({**state.answers, label: Answer(how, chosen)})
    past = (*state.past, (state.answers, state.at))
    text = f"{printable(str(label))}: {said(how, state.sides)}"
    changed = replace(state, answers=answers, past=past, mode=Mode.ASK, picks=(), scroll=0)
    return replace(to_open(changed), message=text)


def to_open(state: ResolverState) -> ResolverState:
    """Go to the next open question, from the last one on to the first again, or to the summary if none is open."""
    number = len(state.questions)
    for step in range(1, number + 1):
        at = (state.at + step) % number
        if state.questions[at].conflict.label not in state.answers:
            return replace(state, at=at, mode=Mode.ASK, scroll=0, cursor=0)
    return replace(state, mode=Mode.SUMMARY, cursor=0, scroll=0)


def start_text(state: ResolverState) -> Value:
    """Return the value that editing begins with.

    It is the answer so far, else both sides together, else ours, theirs or the base.
    """
    conflict = state.question.conflict
    if state.answer is not None and state.answer.chosen.value is not ABSENT:
        return state.answer.chosen.value
    if can_pick(conflict) and has_items(conflict) and not is_order(conflict):
        return take(conflict, How.BOTH).value
    return next((value for value in (conflict.ours, conflict.theirs, conflict.base) if value is not ABSENT), ABSENT)
