"""The resolver as a state machine: a state and a key give the next state. Pure; knows no terminal and writes nothing.

What only the world can do (edit in an editor, apply, leave) is an effect that the state asks for; the loop carries it
out and tells the state how it went.
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
    """What the screen shows."""

    ASK = auto()
    ITEMS = auto()
    SUMMARY = auto()
    HELP = auto()


class Effect(Enum):
    """What the world is asked to do."""

    EDIT = auto()
    APPLY = auto()
    LEAVE = auto()
    INTERRUPT = auto()
    SUSPEND = auto()
    REDRAW = auto()


class ResolverView(Enum):
    """How the three values stand: as the width allows, or as the user wants."""

    AUTO = auto()
    BESIDE = auto()
    STACKED = auto()


class ResolverState(Struct, frozen=True):
    """Where the resolver is.

    Attributes:
        questions: the conflicts, in the order in which they are asked.
        sides: what ours and theirs are called.
        answers: what was chosen so far; applied by nobody yet.
        remembered: how these conflicts were settled before.
        at: the question that is asked.
        mode: what the screen shows.
        back: the mode that help returns to.
        view: how the values stand.
        scroll: the first line of the body that is shown.
        cursor: the item, or the line of the summary, that keys are about.
        picks: the items while they are chosen.
        past: the answers and the question before each choice, for undo.
        message: what happened last, for one line.
        effect: what the world shall do now.
        scratch: a text that the editor left and that did not fit, to go on with.
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
        """The question that is asked."""
        return self.questions[self.at]

    @property
    def answer(self) -> Answer | None:
        """The answer to it so far."""
        return self.answers.get(self.question.conflict.label)

    @property
    def keys(self) -> tuple[str, str]:
        """The keys that take ours and theirs: the first letters of what they are called."""
        return self.sides[0][0], self.sides[1][0]

    @property
    def open(self) -> int:
        """How many questions have no answer."""
        return sum(question.conflict.label not in self.answers for question in self.questions)


def begin(
    questions: tuple[Question, ...],
    sides: tuple[str, str],
    answers: Mapping[Label, Answer],
    remembered: Mapping[Label, Remembered],
    dropped: int = 0,
) -> ResolverState:
    """The first state: resumed where somebody left, at the first open question.

    Conflicts that were settled before are answered as they were, which the summary says; each can be changed.
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
    """The editor gave a value that fits."""
    label = state.question.conflict.label
    scratch = {name: text for name, text in state.scratch.items() if name != label}
    return choose(replace(state, effect=None, scratch=MappingProxyType(scratch)), How.VALUE, chosen)


def failed(state: ResolverState, reason: str, text: str | None = None) -> ResolverState:
    """The editor gave nothing that fits; the text is kept, so that editing goes on with it."""
    scratch = dict(state.scratch)
    if text is not None:
        scratch[state.question.conflict.label] = text
    return replace(state, effect=None, message=reason, scratch=MappingProxyType(scratch))


def said(how: How, sides: tuple[str, str]) -> str:
    """An answer's way, for people."""
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
    """Take an answer and go to the next open question; to the summary after the last."""
    label = state.question.conflict.label
    answers = MappingProxyType({**state.answers, label: Answer(how, chosen)})
    past = (*state.past, (state.answers, state.at))
    text = f"{printable(str(label))}: {said(how, state.sides)}"
    changed = replace(state, answers=answers, past=past, mode=Mode.ASK, picks=(), scroll=0)
    return replace(to_open(changed), message=text)


def to_open(state: ResolverState) -> ResolverState:
    """The next open question after this one, from the front again; the summary where there is none."""
    number = len(state.questions)
    for step in range(1, number + 1):
        at = (state.at + step) % number
        if state.questions[at].conflict.label not in state.answers:
            return replace(state, at=at, mode=Mode.ASK, scroll=0, cursor=0)
    return replace(state, mode=Mode.SUMMARY, cursor=0, scroll=0)


def start_text(state: ResolverState) -> Value:
    """What the editor begins with: the answer so far, else what both sides amount to, else ours, theirs or the base."""
    conflict = state.question.conflict
    if state.answer is not None and state.answer.chosen.value is not ABSENT:
        return state.answer.chosen.value
    if can_pick(conflict) and has_items(conflict) and not is_order(conflict):
        return take(conflict, How.BOTH).value
    return next((value for value in (conflict.ours, conflict.theirs, conflict.base) if value is not ABSENT), ABSENT)
