"""The command ``blame``: finds the commit, author, time and side of the last change to each field of an epic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from epicvc.actions.origin.tracing import BOTH, SIDES, Members, Place, Tracer, descend
from epicvc.actions.shared.questions import Origin
from epicvc.actions.shared.session import Session, look
from epicvc.base.jsonio import JSON, equal
from epicvc.errors import NotFound
from epicvc.model.document import Core, epic_body, natural_key
from epicvc.model.labels import SIBLINGS, Label
from epicvc.model.mapping import Mapping
from epicvc.repo.documents import Documents
from epicvc.repo.files.filestree import read_epic
from epicvc.repo.repository import Repo

IDENTITY = "id"


class Blamed(Struct, frozen=True):
    """The origin of a field.

    Attributes:
        label: the field.
        origin: its last change; the side is ``both`` if one commit changed both sides and nothing tells which side
            changed first.
        value: the value on the side that changed it last; ``None`` if the field is gone there.
    """

    label: Label
    origin: Origin
    value: JSON = None


def blame(repo: Repo, label: Label) -> list[Blamed]:
    """Find the origin of each field at or below a label, uncommitted changes included.

    Raises:
        NotFound: the place does not exist, and never did in the history.
        EpicvcError: the epic, or a side, cannot be read.
    """
    with look(repo) as session:
        session.working.files.require_usable()
        documents = _documents(session, label)
        fields = list(dict.fromkeys(field for document in documents for field in _fields(label, document)))
        places = [(side, field) for field in fields or [label] for side in SIDES]
        found = Tracer(session, label if label.table else Label(label.root)).origins(places)
        known: Members = {}
        result = [_latest(found, field, documents, known) for field in fields or [label]]
    blamed = [item for item in result if item is not None]
    if not blamed:
        raise NotFound(f"no field {label}" if label.path else f"no epic {label}", hint="see `epicvc diff` and `log`")
    return blamed


def _latest(found: dict[Place, Origin], field: Label, documents: list[JSON], known: Members) -> Blamed | None:
    """Return the origin of a field: the later change if the sides differ, the first one if they agree.

    A synchronisation brings one side to the value of the other. That later change is not the origin of the value.
    """
    origins = [found[side, field] for side in SIDES if (side, field) in found]
    if not origins:
        return None
    values = [descend(document, field.path, known) for document in documents] or [None, None]
    agreed = equal(values[0], values[1])
    origin = (min if agreed else max)(origins, key=_age)
    if len(origins) == len(SIDES) and _age(origins[0]) == _age(origins[1]) and origins[0].side != origins[1].side:
        origin = replace(origin, side=BOTH)
    shown = values[SIDES.index(origin.side)] if origin.side in SIDES else values[0]
    return Blamed(field, origin, values[0] if shown is None else shown)


def _age(origin: Origin) -> tuple[bool, float]:
    """Return a key that sorts by age. Uncommitted changes are the newest."""
    fresh = origin.commit is None
    return fresh, origin.time.timestamp() if origin.time and not fresh else 0.0


def _documents(session: Session, label: Label) -> list[JSON]:
    """Return the epic in the files and in the database, each as an object with siblings below ``@``."""
    if label.table:
        return []
    documents = Documents(session.repo, session.working, session.staging, session.reader)
    documents.held.require_readable(label.root)
    file: Core = {}
    tracked = session.working.files.by_epic.get(label.root)
    if tracked is not None:
        whole = read_epic(session.staging, tracked, session.repo.config).whole
        body = epic_body(whole)
        file = dict(body)
        if body is not whole:
            file[SIBLINGS] = {name: value for name, value in whole.items() if value is not body}
    (three,) = documents.load([label.root])
    return [cast("JSON", file), cast("JSON", {**three.calculated, **(three.db or {})})]


def _fields(label: Label, document: JSON) -> Iterator[Label]:
    """Yield the labels of the fields at or below a label: of the epic, and of each task."""
    path = label.path
    if path[:1] == (SIBLINGS,) or (path and path[0] != Mapping.TASKS) or len(path) > 2:
        yield label
        return
    epic = Label(label.root)
    if not path:
        for name, value in _members(document):
            if name == SIBLINGS:
                yield from (epic.child(SIBLINGS).child(inner) for inner, _ in _members(value))
            elif name != Mapping.TASKS:
                yield epic.child(name)
    for key, task in _tasks(document):
        if len(path) < 2 or path[1] == key:
            yield from (epic.child(Mapping.TASKS).child(key).child(name) for name, _ in _members(task))


def _members(value: JSON) -> Iterable[tuple[str, JSON]]:
    items = value.items() if isinstance(value, dict) else ()
    return ((name, inner) for name, inner in items if name != IDENTITY and inner is not None)


def _tasks(document: JSON) -> Iterator[tuple[str, JSON]]:
    tasks = document.get(Mapping.TASKS) if isinstance(document, dict) else None
    for task in tasks if isinstance(tasks, list) else ():
        key = natural_key(task.get(IDENTITY)) if isinstance(task, dict) else None
        if key is not None:
            yield key, task
