"""The stored state of a merge or revert that waits for answers.

It is a commit without a branch, at the ref :data:`MERGING`. Its parents are ours, theirs and the merge base, its
snapshot is the applied state, and its message is JSON with all other facts. So the state is durable, ``gc`` keeps the
objects that it needs, and undo and redo need no special case, since they handle refs and snapshots. The module encodes
and decodes values. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from msgspec import Struct, field

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
    """A merge, revert or cherry-pick in progress.

    Attributes:
        command: ``merge``, ``revert`` or ``cherry-pick``.
        name: the revision, as the user named it.
        message: the message of the commit to come.
        ours: the commit at HEAD.
        theirs: the commit whose changes are merged; for a revert the parent of the reverted one.
        base: the commit with which the two are compared: for a revert the reverted one, for a cherry-pick the parent.
        applied: both sides as the command left them.
        answers: the decisions, by place.
        conflicts: the open conflicts.
    """

    command: str
    name: str
    message: str
    ours: ObjectId
    theirs: ObjectId
    base: ObjectId
    applied: Snapshot
    answers: Mapping[Label, Chosen] = field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()


def read_state(source: ObjectSource, repo: Repo) -> MergeState | None:
    """Return the merge or revert in progress, or ``None``.

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
    return MergeState(command, name, message, *commit.parents, applied, answers, conflicts)


def put_state(sink: ObjectSink, repo: Repo, state: MergeState) -> ObjectId:
    """Store the record of a merge in progress. The caller moves the ref."""
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
    """Make sure that no merge or revert is unfinished, with which a command would be mixed up.

    Raises:
        Refused: a merge or revert is unfinished.
    """
    state = read_state(repo.store, repo)
    if state is not None:
        raise Refused(f"the {state.command} of {state.name} is not finished", hint=what_next(state))


def what_next(state: MergeState) -> str:
    """Return one sentence with the next step of a merge in progress."""
    finish = f"finish it with `epicvc {state.command} --continue`"
    if state.conflicts:
        count = len(state.conflicts)
        finish = f"settle {count} conflict{'s' if count != 1 else ''} with `epicvc resolve`"
    return f"{finish}, or give it up with `epicvc {state.command} --abort`"


def _members(**values: Value) -> dict[str, JSON]:
    return {name: value for name, value in values.items() if value is not ABSENT}


def _value(members: dict[str, JSON], name: str) -> Value:
    return members.get(name, ABSENT)
