"""An epic's file as one document, extra keys included, and the bytes of a merged file.

A merged document does not tell how its file is written. So :func:`merged_bytes` takes one version's bytes and changes
only what has to change. Pure.
"""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple, cast

from epicvc.base.jsonio import JSON, equal
from epicvc.files.format.rewrite import rewrite
from epicvc.model.document import CALCULATED, WRAPPER, Core, FileEpic, epic_body, natural_key, tasks_of
from epicvc.model.edit import graft, with_core
from epicvc.model.labels import SIBLINGS
from epicvc.model.mapping import Mapping

Object = dict[str, JSON]


class Text(NamedTuple):
    """A version of an epic's file.

    Attributes:
        raw: the bytes of the file.
        file: the epic that the bytes hold.
        left_out: the tasks that ``file`` has by their ids alone, since they are the same in all versions.
        value: the value of the bytes with these tasks; ``None`` where none is left out.
    """

    raw: bytes
    file: FileEpic
    left_out: Container[str] = frozenset()
    value: JSON = None


def of_file(file: FileEpic, mapping: Mapping) -> Core:
    """Return a file's core with its extra keys. Keys beside ``epic`` stand below :data:`SIBLINGS`."""
    fields = {*mapping.epic_fields, "id"}
    whole = {**file.core, **{name: value for name, value in file.body.items() if name not in fields}}
    if file.body is not file.whole:
        beside = {name: value for name, value in file.whole.items() if name not in (WRAPPER, CALCULATED)}
        if beside:
            whole[SIBLINGS] = cast("JSON", beside)
    inner = {*mapping.task_fields, "id"}
    given = tasks_of(file.body)
    tasks = [
        {**task, **{name: value for name, value in item.items() if name not in inner}}
        for task, item in zip(tasks_of(file.core), given, strict=True)
    ]
    if tasks:
        whole[Mapping.TASKS] = cast("JSON", tasks)
    return without_null(whole)


def core_part(whole: Core | None, mapping: Mapping) -> Core | None:
    """Return the core of a whole document."""
    if whole is None:
        return None
    names, inner = {*mapping.epic_fields}, {*mapping.task_fields, "id"}
    core = {name: value for name, value in whole.items() if name in names}
    tasks = [{name: value for name, value in task.items() if name in inner} for task in tasks_of(whole)]
    if tasks:
        core[Mapping.TASKS] = cast("JSON", tasks)
    return core


def without_null(whole: Core) -> Core:
    """Return a document without its null members, which count as absent."""
    result: Core = {name: value for name, value in whole.items() if value is not None}
    if tasks := tasks_of(result):
        result[Mapping.TASKS] = cast(
            "JSON", [{name: value for name, value in task.items() if value is not None} for task in tasks]
        )
    return result


def merged_bytes(
    mapping: Mapping,
    merged: Core,
    base: Text | None,
    ours: Text | None,
    theirs: Text | None,
    *,
    calculated: Core | None = None,
    form_of_ours: bool = False,
) -> bytes | None:
    """Return the bytes of a merged file; ``None`` where no version has the epic.

    Args:
        mapping: says which fields are core.
        merged: the core with its extra keys, as :func:`of_file` gives them.
        base: the base's version of the file.
        ours: our version.
        theirs: their version.
        calculated: the calculated fields to write beside the epic; ``None`` leaves them alone.
        form_of_ours: keep our formatting even where ours was not touched and theirs says all.
    """
    untouched = ours is None or (base is not None and ours.raw == base.raw and not form_of_ours)
    for version in (theirs if untouched else None, ours):
        if version is not None and _says(version, mapping, merged, calculated):
            return version.raw
    versions = [version for version in (ours, theirs, base) if version is not None]
    if not versions:
        return None
    start = versions[0]
    if SIBLINGS in merged:  # a bare epic has no place beside it
        start = next((version for version in versions if version.file.body is not version.file.whole), start)
    donors = [version.file for version in versions if version is not start]
    whole = _with_whole(start.file, merged, donors, mapping)
    if calculated is not None and WRAPPER in whole:
        whole.pop(CALCULATED, None)
        if calculated:
            whole[CALCULATED] = cast("JSON", calculated)
    content = start.file.whole if start.value is None else cast("Object", start.value)
    if content is not start.file.whole:
        _put_back(whole, start.left_out, epic_body(content))
    return rewrite(start.raw, cast("JSON", whole), cast("JSON", content))


def _put_back(whole: Object, left_out: Container[str], before: Object) -> None:
    """Give a new file the tasks that were left out of it."""
    body = epic_body(whole)
    known = {natural_key(item["id"]): item for item in tasks_of(before)}
    tasks = [known[key] if (key := natural_key(item["id"])) in left_out else item for item in tasks_of(body)]
    filled = {**body, Mapping.TASKS: cast("JSON", tasks)} if tasks else body
    whole.update({WRAPPER: cast("JSON", filled)} if body is not whole else filled)


def _says(version: Text, mapping: Mapping, merged: Core, calculated: Core | None) -> bool:
    """Tell whether a file is what is wanted, calculated fields included."""
    if not equal(cast("JSON", of_file(version.file, mapping)), cast("JSON", merged)):
        return False
    whole = version.file.whole
    return calculated is None or WRAPPER not in whole or equal(whole.get(CALCULATED), cast("JSON", calculated or None))


def _with_whole(start: FileEpic, merged: Core, donors: list[FileEpic], mapping: Mapping) -> Object:
    before = of_file(start, mapping)
    whole = with_core(start.whole, start.core, core_part(merged, mapping) or {}, mapping)
    body = dict(epic_body(whole))
    _set_extra(body, before, merged, {*mapping.epic_fields, "id", SIBLINGS})
    if mapping.TASKS in body:
        body[mapping.TASKS] = cast("JSON", _tasks(body, before, merged, donors, mapping))
    if epic_body(whole) is whole:
        return body
    result = {**whole, WRAPPER: cast("JSON", body)}
    old, new = (cast("Core", value.get(SIBLINGS) or {}) for value in (before, merged))
    _set_extra(result, old, new, {WRAPPER, CALCULATED})
    return result


def _tasks(body: Object, before: Core, merged: Core, donors: list[FileEpic], mapping: Mapping) -> list[Object]:
    own = {*mapping.task_fields, "id"}
    links = mapping.links.field if mapping.links else None
    sources = _tasks_of_donors(donors)
    old, new = ({cast("str", task["id"]): task for task in tasks_of(core)} for core in (before, merged))
    result = []
    for item in tasks_of(body):
        key = cast("str", natural_key(item["id"]))
        if key in old:
            if not equal(cast("JSON", old[key]), cast("JSON", new.get(key))):
                item = dict(item)
                _set_extra(item, old[key], new.get(key, {}), own)
        else:
            item = {**item, **new.get(key, {}), "id": key}
            if key in sources:
                item = _as_donor(item, sources[key], links)
        result.append(item)
    return result


def _tasks_of_donors(donors: list[FileEpic]) -> dict[str | None, Object]:
    """Return the tasks of files by id; of several tasks with one id the first."""
    found: dict[str | None, Object] = {}
    for donor in donors:
        for task in tasks_of(donor.body):
            found.setdefault(natural_key(task["id"]), task)
    return found


def _as_donor(item: Object, source: Object, links: str | None) -> Object:
    """Return a task that this file did not have, in the order and spelling of the file that it comes from.

    Members that say nothing in that file, as null does, are no part of the merge; they come along.
    """
    known = {
        name: graft(value, item[name]) if name in item else value
        for name, value in source.items()
        if name in item or value is None or (name == links and not value)
    }
    return {**known, "id": source["id"], **{name: v for name, v in item.items() if name not in known}}


def _set_extra(target: Object, before: Core, after: Core, own: set[str]) -> None:
    """Set the members that are no core fields. A member that does not differ keeps the author's spelling."""
    for name in dict.fromkeys([*before, *after]):
        if name in own or equal(before.get(name), after.get(name)):
            continue
        if after.get(name) is None:
            target.pop(name, None)
        else:
            target[name] = graft(target.get(name), after[name])
