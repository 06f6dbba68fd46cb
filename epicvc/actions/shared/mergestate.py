"""A merge or revert that is waiting for answers, as the store keeps it.

It is a commit that no branch has, at the ref :data:`MERGING`: its parents are ours, theirs and the merge base, its
snapshot is what was applied, and its message is JSON that says the rest. So it is durable, ``gc`` keeps what it needs,
and undo and redo, which know refs and snapshots, need no special case. Values and their coding only; no decisions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from msgspec import Struct

from epicvc.base.jsonio import JSON, dumps_text, parse
from epicvc.errors import DamagedObject, EpicvcError, Refused
from epicvc.merge.threeway import ABSENT, Chosen, Conflict, Value
from epicvc.model.labels import Label, parse_label
from epicvc.repo.history.objects import CommitKind, Snapshot, get_commit, get_snapshot, put_commit, put_snapshot
from epicvc.repo.history.revisions import MERGING
from epicvc.repo.repository import Repo
from epicvc.store.objects import ObjectId, ObjectSink, ObjectSource

VERSION: Final = 1


class MergeState(Struct, frozen=True):
    """A merge or revert in progress.

    Attributes:
        command: ``merge`` or ``revert``.
        name: what is merged or reverted, as the user called it.
        message: of the commit to come.
        ours: the commit at HEAD.
        theirs: the commit whose changes come in; for a revert the parent of the reverted one.
        base: the commit that the two are compared with; for a revert the reverted one.
        answers: what was decided, by place.
        conflicts: what is open.
        applied: both sides as the command left them.
    """

    command: str
    name: str
    message: str
    ours: ObjectId
    theirs: ObjectId
    base: ObjectId
    answers: Mapping[Label, Chosen]
    conflicts: tuple[Conflict, ...]
    applied: Snapshot


def read_state(source: ObjectSource, repo: Repo) -> MergeState | None:
    """The merge or revert in progress, if there is one.

    Raises:
        DamagedObject: its record cannot be read.
    """
    ref = repo.store.ref(MERGING)
    if ref is None:
        return None
    commit = get_commit(source, bytes.fromhex(ref))
    try:
        value = parse(commit.message.encode())
    except EpicvcError as error:
        raise DamagedObject(ref, "is no record of a merge") from error
    if not isinstance(value, dict) or value.get("version") != VERSION or len(commit.parents) != 3:
        raise DamagedObject(ref, "is no record of a merge")
    record = cast("dict[str, dict[str, dict[str, JSON]]]", value)
    answers = {parse_label(text): Chosen(_value(answer, "value")) for text, answer in record["answers"].items()}
    conflicts = tuple(
        Conflict(parse_label(text), *(_value(found, side) for side in ("base", "ours", "theirs")))
        for text, found in record["conflicts"].items()
    )
    command, name, message = (str(value[member]) for member in ("command", "name", "message"))
    applied = get_snapshot(source, commit.snapshot)
    return MergeState(command, name, message, *commit.parents, answers, conflicts, applied)


def put_state(sink: ObjectSink, repo: Repo, state: MergeState) -> ObjectId:
    """Store the record of a merge in progress; the ref is the caller's to move."""
    value = {
        "version": VERSION,
        "command": state.command,
        "name": state.name,
        "message": state.message,
        "answers": {str(label): _members(value=chosen.value) for label, chosen in state.answers.items()},
        "conflicts": {
            str(found.label): _members(base=found.base, ours=found.ours, theirs=found.theirs)
            for found in state.conflicts
        },
    }
    return put_commit(
        sink,
        parents=(state.ours, state.theirs, state.base),
        snapshot=put_snapshot(sink, state.applied),
        author=repo.author,
        time=repo.now(),
        message=dumps_text(cast("JSON", value), indent=None, item_sep=",", key_sep=":"),
        kind=CommitKind.MERGE,
    )


def require_no_merge(repo: Repo) -> None:
    """Stop a command that an unfinished merge or revert would be mixed up with.

    Raises:
        Refused: there is one.
    """
    state = read_state(repo.store, repo)
    if state is not None:
        raise Refused(f"the {state.command} of {state.name} is not finished", hint=what_next(state))


def what_next(state: MergeState) -> str:
    """What to do about a merge in progress, one sentence."""
    finish = f"finish it with `epicvc {state.command} --continue`"
    if state.conflicts:
        count = len(state.conflicts)
        finish = f"settle {count} conflict{'s' if count != 1 else ''} with `epicvc resolve`"
    return f"{finish}, or give it up with `epicvc {state.command} --abort`"


def _members(**values: Value) -> dict[str, JSON]:
    return {name: value for name, value in values.items() if value is not ABSENT}


def _value(members: dict[str, JSON], name: str) -> Value:
    return members.get(name, ABSENT)
