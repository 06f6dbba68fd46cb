"""The loop of the resolver: keys to states, states to screens, effects to the world.

Answers are kept at every change.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from io import StringIO

from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console
from rich.text import Text
from rich.theme import Theme

from epicvc.actions.decide.memory import Memory
from epicvc.actions.resolve.drafts import Drafts
from epicvc.actions.shared.questions import Dispute, Origins, Question
from epicvc.errors import EpicvcError
from epicvc.merge.threeway import Chosen, Conflict
from epicvc.model.labels import Label
from epicvc.ui.resolver import lines
from epicvc.ui.resolver.editor import Draft, EditFailed, edit
from epicvc.ui.resolver.press import press
from epicvc.ui.resolver.screen import fit, screen
from epicvc.ui.resolver.state import Effect, Mode, ResolverState, begin, edited, failed, start_text
from epicvc.ui.resolver.terminal import RESIZED, Ended, Terminal
from epicvc.ui.resolver.versions import Look
from epicvc.ui.terminal import STYLES


class ResolverEnd(Enum):
    """The way in which the user left."""

    APPLY = auto()
    LEFT = auto()
    INTERRUPTED = auto()


class ResolverOutcome(Struct, frozen=True):
    """The outcome of asking.

    Attributes:
        end: the way in which the user left.
        chosen: the answers, for ``APPLY``.
        answered: the number of conflicts with an answer.
        total: the number of conflicts.
    """

    end: ResolverEnd
    chosen: Sequence[tuple[Conflict, Chosen]]
    answered: int
    total: int


class Asking:
    """Asks a person about open conflicts.

    Args:
        dispute: the conflicts.
        drafts: keeps the answers until they are applied.
        memory: finds how conflicts were settled before.
        environment: names the editor and the terminal.
        colour: whether the terminal shows colours.
    """

    def __init__(
        self, dispute: Dispute, drafts: Drafts, memory: Memory, environment: Mapping[str, str], *, colour: bool
    ) -> None:
        self._dispute = dispute
        self._drafts = drafts
        self._memory = memory
        self._environment = environment
        self._colour = colour
        self._known: dict[Label, Origins] = {}

    def ask(self, conflicts: Sequence[Conflict]) -> ResolverOutcome:
        """Ask until the user applies or leaves. The caller applies the answers."""
        questions = tuple(Question(conflict, spec=self._dispute.spec(conflict)) for conflict in conflicts)
        answers, dropped = self._drafts.load(conflicts)
        recalled = {conflict.label: self._memory.recall(conflict) for conflict in conflicts}
        known = {label: found for label, found in recalled.items() if found is not None}
        state = begin(questions, (self._dispute.ours, self._dispute.theirs), answers, known, dropped)
        if self._environment.get("TERM", "dumb") in ("dumb", "unknown", ""):
            return self._outcome(lines.ask(self._informed(state), self._step, self._edited, plain=_is_plain()))
        terminal = Terminal()
        try:
            with terminal.opened():
                state = self._loop(self._informed(state), terminal)
        except Ended as ended:
            # Answers are kept already, and the terminal is restored. Now the signal may do what it does to other
            # programs.
            signal.signal(ended.number, signal.SIG_DFL)
            if ended.number == signal.SIGINT:
                raise KeyboardInterrupt from ended
            signal.raise_signal(ended.number)
        return self._outcome(state)

    def _loop(self, state: ResolverState, terminal: Terminal) -> ResolverState:
        while True:
            look = Look(*terminal.size(), colour=self._colour, plain=_is_plain())
            state = fit(state, look)
            terminal.show(self._painted(screen(state, look), look))
            key = terminal.key()
            if key == RESIZED:
                continue
            state = self._step(state, key)
            if state.effect in (Effect.APPLY, Effect.LEAVE, Effect.INTERRUPT):
                return state
            if state.effect is Effect.SUSPEND:
                terminal.suspend()
            if state.effect is Effect.EDIT:
                with terminal.lent():
                    state = self._edited(state)
            state = replace(state, effect=None)

    def _step(self, state: ResolverState, key: str) -> ResolverState:
        after = press(state, key)
        if after.answers != state.answers:
            self._keep(after)
        return self._informed(after)

    def _informed(self, state: ResolverState) -> ResolverState:
        """Return the state with the origins of the shown values.

        They are found epic by epic, when an epic is shown, since that goes through history.
        """
        asked = state.question.conflict.label
        if state.mode is Mode.SUMMARY or asked in self._known:
            return state
        own = [item.conflict for item in state.questions if item.conflict.label.root == asked.root]
        self._known.update(zip((conflict.label for conflict in own), self._dispute.origins(own), strict=True))
        questions = tuple(
            replace(item, origins=self._known.get(item.conflict.label, item.origins)) for item in state.questions
        )
        return replace(state, questions=questions)

    def _keep(self, state: ResolverState) -> None:
        self._drafts.save([question.conflict for question in state.questions], state.answers)

    def _edited(self, state: ResolverState) -> ResolverState:
        after = self._edit(state)
        self._keep(after)
        return self._informed(after)

    def _edit(self, state: ResolverState) -> ResolverState:
        """Let the user edit the value of the current question."""
        question = state.question
        conflict = question.conflict
        draft = Draft.of(conflict, question.spec, start_text(state))
        text = state.scratch.get(conflict.label, draft.text)
        found: str | None = None
        try:
            found = edit(text, str(conflict.label), self._environment, plain=draft.plain)
            chosen = self._dispute.fit(conflict, draft.read(found))
        except EditFailed as error:
            return failed(state, error.reason, error.text)
        except EpicvcError as error:
            return failed(state, f"{error.message}; e goes on editing", found)
        return edited(state, chosen)

    def _painted(self, drawn: Sequence[Text], look: Look) -> list[str]:
        """Return lines with the escapes that this terminal understands."""
        out = StringIO()
        console = Console(
            file=out,
            theme=Theme(STYLES),
            width=look.width + 1,
            force_terminal=True,
            color_system="auto" if self._colour else "standard",
            no_color=not self._colour,
            markup=False,
            emoji=False,
            highlight=False,
            legacy_windows=False,
        )
        for line in drawn:
            console.print(line, no_wrap=True, overflow="crop", crop=False, end="\n")
        return out.getvalue().split("\n")[: len(drawn)]

    def _outcome(self, state: ResolverState) -> ResolverOutcome:
        ends = {Effect.APPLY: ResolverEnd.APPLY, Effect.INTERRUPT: ResolverEnd.INTERRUPTED}
        chosen = [
            (question.conflict, state.answers[question.conflict.label].chosen)
            for question in state.questions
            if question.conflict.label in state.answers
        ]
        end = ends.get(state.effect, ResolverEnd.LEFT) if state.effect else ResolverEnd.LEFT
        return ResolverOutcome(end, chosen, len(chosen), len(state.questions))


def _is_plain() -> bool:
    """Return whether the terminal's encoding lacks the characters that lines are drawn with."""
    try:
        "│─✓·↑…".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return True
    return False
