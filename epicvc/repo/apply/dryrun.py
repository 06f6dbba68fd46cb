"""Dry runs: the work of an operation on a copy of the database, with no file touched.

Planning does not tell all that stops an operation: a constraint, a trigger or a foreign key speaks when rows are
written, and a value may come back as another one. So a dry run does the same work as the operation would. A transaction
on the database itself that is rolled back in the end was rejected: it would keep the application waiting, and needs
permission to write.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Self

from epicvc.base.fileio import check_directories
from epicvc.database.backend import Backend
from epicvc.files.names import check_name
from epicvc.repo.apply import Replan
from epicvc.repo.apply.apply import Request, Stage, writing
from epicvc.repo.apply.placing import FileChange
from epicvc.repo.repository import Repo
from epicvc.store.objects import ObjectId, ObjectType
from epicvc.store.staging import Staging


class DryRun:
    """Tries operations out, each on top of the ones before.

    Args:
        repo: the repo.
        staging: holds the states. Objects that are added to it need not be kept.
    """

    def __init__(self, repo: Repo, staging: Staging) -> None:
        self._repo = repo
        self._staging = staging
        self._leaving = ExitStack()
        self._copy: Backend | None = None
        self._alone = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.close()

    def perform(self, request: Request) -> None:
        """Try one operation out.

        Raises:
            Replan: a side has changed since it was captured.
            EpicvcError: the operation would fail with this error.
        """
        stage = _Unstaged(self._repo.config.files, "", self._staging)
        if request.prepare is not None:
            request.prepare(stage)
        if request.database is None:
            request.work(None, stage)
        else:
            copy = self._copy or self._copied(request.database, request)
            stage.alone = self._alone
            with writing(copy, request) as writer:
                request.work(writer, stage)
                writer.commit()  # deferred foreign keys are checked here
        stage.check_unchanged()

    def _copied(self, database: Backend, request: Request) -> Backend:
        self._copy = self._leaving.enter_context(database.scratch(copy=True))
        with database.read() as now:
            self._alone = now.version() == request.version
        if not self._alone and (request.as_restore or request.bulk):
            raise Replan
        return self._copy


class _Unstaged(Stage):
    """Takes file changes and leaves the files alone."""

    def write(self, path: str, old: ObjectId | None, data: bytes) -> ObjectId:
        """Note a file's new bytes."""
        check_name(path)
        check_directories((self._root / path).parent, self._root)
        blob = self.sink.put(ObjectType.BLOB, data)
        self.changes.append(FileChange(path, old, blob))
        return blob

    def remove(self, path: str, old: ObjectId) -> None:
        """Note that a file goes."""
        check_name(path)
        self.changes.append(FileChange(path, old, None))
