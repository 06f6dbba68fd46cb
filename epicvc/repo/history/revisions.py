"""Revisions as a user names them: ``HEAD~2``, a branch, an id prefix, ``@{1}``, a time, ``A..B``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Final

from epicvc.errors import NotFound, UsageError
from epicvc.store.objects import ObjectId, ObjectType
from epicvc.store.store import Store

if TYPE_CHECKING:
    from epicvc.repo.history.objects import Commit

HEAD: Final = "HEAD"
BRANCHES: Final = "refs/heads/"
TAGS: Final = "refs/tags/"
CHECKPOINTS: Final = "refs/checkpoints/"
REMOTES: Final = "refs/remotes/"
BACKUPS: Final = "refs/backups/"
MERGING: Final = "refs/merge/state"
"""The ref of the record of a merge or revert that waits for answers."""
SYMBOLIC: Final = "ref: "

_MANY_DIGITS: Final = 15
_NAMESPACES: Final = (TAGS, CHECKPOINTS, BRANCHES, REMOTES, BACKUPS)
# Compiled when they are used, since most commands use none of them.
_SUFFIX: Final = r"([~^]\d*)"
_HEX: Final = r"[0-9a-f]{4,64}"
_BAD_NAME: Final = r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|\.lock(/|$)|^[-/.]|[/.]$|/\.|^@$|^HEAD$"


def check_ref_name(name: str) -> str:
    """Return the name of a branch, tag or checkpoint, if it is allowed. The rules are those of git.

    Raises:
        UsageError: the name is not allowed.
    """
    if not name or re.search(_BAD_NAME, name):
        raise UsageError(f"{name!r} cannot be a name", hint="use letters, digits, - _ . and /")
    return name


def parse_when(text: str) -> datetime:
    """Read a point in time. A time without a zone is local.

    Raises:
        UsageError: the text is no ISO 8601 time.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no time", hint="write it as 2025-08-17T10:00:00, with Z for UTC") from error
    try:
        return time.astimezone(UTC)
    except (OverflowError, ValueError) as error:
        raise UsageError(f"{text!r} lies outside of what a clock can say") from error


def _count(digits: str) -> int:
    """Return a number of steps. A number larger than any history is cut."""
    return int(digits) if len(digits) < _MANY_DIGITS else 10**_MANY_DIGITS


class Revisions:
    """Finds the commits that revisions name, in a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def head(self) -> ObjectId | None:
        """Return the commit at HEAD; ``None`` before the first commit."""
        value = self._store.ref(HEAD)
        if value is not None and value.startswith(SYMBOLIC):
            value = self._store.ref(value.removeprefix(SYMBOLIC))
        return bytes.fromhex(value) if value else None

    def branch(self) -> str | None:
        """Return the name of the current branch; ``None`` when HEAD is detached."""
        value = self._store.ref(HEAD) or ""
        target = value.removeprefix(SYMBOLIC)
        return target.removeprefix(BRANCHES) if value.startswith(SYMBOLIC) else None

    def commit(self, text: str) -> Commit:
        """Return the commit that a revision names.

        Raises:
            NotFound: there is no such commit.
            UsageError: the prefix fits several commits, or the text cannot be a revision.
        """
        return self._get(self.resolve(text))

    def _get(self, oid: ObjectId) -> Commit:
        # imported here, since callers that look at refs alone do not need it
        from epicvc.repo.history.objects import get_commit

        return get_commit(self._store, oid)

    def resolve(self, text: str) -> ObjectId:
        """Return the id of the commit that a revision names. Raises as :meth:`commit` does."""
        name, *rest = re.split(_SUFFIX, text)
        if not name:
            raise UsageError(f"{text!r} is no revision", hint="HEAD, HEAD~1, a branch, tag or checkpoint, an id")
        oid = self._resolve_name(name)
        for suffix in rest[::2]:
            oid = self._step(oid, suffix, text)
        if any(rest[1::2]):
            raise UsageError(f"{text!r} is no revision")
        return oid

    def _step(self, oid: ObjectId, suffix: str, text: str) -> ObjectId:
        number = _count(suffix[1:] or "1")
        if suffix.startswith("^"):
            parents = self._get(oid).parents
            if number == 0:
                return oid
            if number > len(parents):
                raise NotFound(f"{text}: the commit has no parent {number}", hint="see `epicvc log`")
            return parents[number - 1]
        for _ in range(number):
            parents = self._get(oid).parents
            if not parents:
                raise NotFound(f"{text}: history does not go back that far", hint="see `epicvc log`")
            oid = parents[0]
        return oid

    def _resolve_name(self, name: str) -> ObjectId:
        if name.startswith("@{") and name.endswith("}"):
            return self._resolve_reflog(name, name[2:-1])
        if name in (HEAD, "@"):
            head = self.head()
            if head is None:
                raise NotFound("there is no commit yet", hint="run `epicvc commit -m MESSAGE`")
            return head
        for namespace in ("", *_NAMESPACES):
            value = self._store.ref(namespace + name)
            if value and not value.startswith(SYMBOLIC) and (namespace or name.startswith("refs/")):
                return bytes.fromhex(value)
        if re.fullmatch(_HEX, name):
            found = self._store.resolve_prefix(name, ObjectType.COMMIT)
            if len(found) > 1:
                listed = ", ".join(oid.hex()[:12] for oid in found[:4])
                raise UsageError(f"{name} is ambiguous: {listed}", hint="give more digits")
            if found:
                return found[0]
        raise NotFound(f"no revision {name}", hint="see `epicvc log`, `epicvc branch` and `epicvc tag`")

    def _resolve_reflog(self, name: str, inner: str) -> ObjectId:
        if inner.isdecimal() and inner.isascii():
            position = _count(inner)
            values = islice(self._head_values(), position, position + 1)
            for oid in values:
                return oid
            raise NotFound(f"{name}: the operation log does not go back that far", hint="see `epicvc op log`")
        return self.at(parse_when(inner)).id

    def _head_values(self) -> Iterator[ObjectId]:
        """Yield the commits at HEAD: now, before the last operation that moved it, and so on."""
        last = self.head()
        if last is not None:
            yield last
        for operation in self._store.operations():
            value = view_head(operation.before.refs)
            if value is not None and value != last:
                yield value
                last = value

    def at(self, time: datetime) -> Commit:
        """Return the last commit of the current history that is not later than a time.

        Raises:
            NotFound: history begins later.
        """
        head = self.head()
        first: Commit | None = None
        for commit in self.history([head] if head else []):
            if commit.time <= time:
                return commit
            first = commit
        if first is None:
            raise NotFound("there is no commit yet", hint="run `epicvc commit -m MESSAGE`")
        raise NotFound(
            f"there is no commit at or before {time.isoformat()}", hint=f"history begins at {first.time.isoformat()}"
        )

    def history(self, starts: list[ObjectId], exclude: frozenset[ObjectId] = frozenset()) -> Iterator[Commit]:
        """Yield the commits that are reachable from ``starts``, newest first, without those in ``exclude``."""
        from heapq import heappop, heappush  # imported here, since only this method needs it

        queue: list[tuple[float, ObjectId]] = []
        seen = set(exclude)
        commits: dict[ObjectId, Commit] = {}

        def push(oid: ObjectId) -> None:
            if oid not in seen:
                seen.add(oid)
                commits[oid] = self._get(oid)
                heappush(queue, (-commits[oid].time.timestamp(), oid))

        for oid in starts:
            push(oid)
        while queue:
            _, oid = heappop(queue)
            commit = commits.pop(oid)
            yield commit
            for parent in commit.parents:
                push(parent)

    def ancestors(self, start: ObjectId) -> frozenset[ObjectId]:
        """Return the ids of a commit and of all its ancestors."""
        return frozenset(commit.id for commit in self.history([start]))

    def range(self, text: str | None) -> Iterator[Commit]:
        """Yield the commits of ``A..B`` (in B, not in A), ``A...B`` (in one, not in both), ``REV``, or HEAD."""
        if text and "..." in text:
            left, _, right = text.partition("...")
            ends = [self.resolve(left or HEAD), self.resolve(right or HEAD)]
            one, other = map(self.ancestors, ends)
            return self.history(ends, one & other)
        if text and ".." in text:
            left, _, right = text.partition("..")
            exclude = self.ancestors(self.resolve(left or HEAD))
            return self.history([self.resolve(right or HEAD)], exclude)
        return self.history([self.resolve(text or HEAD)])


def view_head(refs: object) -> ObjectId | None:
    """Return the commit at HEAD in an operation's view of the refs."""
    assert isinstance(refs, dict)  # a view's refs are a dict by construction
    value = refs.get(HEAD)
    if isinstance(value, str) and value.startswith(SYMBOLIC):
        value = refs.get(value.removeprefix(SYMBOLIC))
    return bytes.fromhex(value) if value else None
