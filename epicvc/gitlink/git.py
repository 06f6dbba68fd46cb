"""Runs git: with argument lists and no shell, in its environment (``GIT_DIR``, ``GIT_INDEX_FILE``), its errors as ours.

Imports next to nothing, since git starts the users of this module for every commit.
"""

from __future__ import annotations

import subprocess

from epicvc.errors import NotFound, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike
    from typing import IO, Self

_PATIENCE_S = 120.0
"""The seconds that any of git's own work on one machine may take."""

_INSTALL = "install git, or put it on the PATH"


class Git:
    """The git of one directory.

    Args:
        directory: the directory in which git runs; the current one by default.
    """

    def __init__(self, directory: str | PathLike[str] | None = None) -> None:
        self.directory = directory

    def run(self, *arguments: str, expect: tuple[int, ...] = (0,)) -> bytes:
        """Run a git command that must succeed.

        Args:
            arguments: the words of the command.
            expect: exit codes that are answers, not failures.

        Returns:
            The output of the command.

        Raises:
            NotFound: the directory is in no git repository.
            Unavailable: git is missing, does not end, or fails.
        """
        done = self._run(arguments)
        if done.returncode in expect:
            return done.stdout
        where = self._run(("rev-parse", "--git-dir"))
        if where.returncode:
            raise NotFound(f"git: {_reason(where)}", hint="run this inside a git repository; `git init` makes one")
        raise Unavailable(f"git {arguments[0]}: {_reason(done)}")

    def line(self, *arguments: str, expect: tuple[int, ...] = (0,)) -> str:
        """Return the one line that a git command writes, without its end; see :meth:`run`."""
        import os

        return os.fsdecode(self.run(*arguments, expect=expect).removesuffix(b"\n"))

    def blobs(self) -> Blobs:
        """Return the contents of git's objects, as a context manager."""
        return Blobs(self)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a git command that reads from a pipe and writes into one.

        Raises:
            Unavailable: git is missing.
        """
        words = ("git", *arguments)
        try:
            return subprocess.Popen(words, cwd=self.directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:
            raise _missing(error) from error

    def _run(self, arguments: tuple[str, ...]) -> subprocess.CompletedProcess[bytes]:
        words = ("git", *arguments)
        try:
            return subprocess.run(words, cwd=self.directory, capture_output=True, check=False, timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"git {arguments[0]} did not end within {_PATIENCE_S:g} s") from error
        except OSError as error:
            raise _missing(error) from error


def _reason(done: subprocess.CompletedProcess[bytes]) -> str:
    """Return the reason why a command failed, in git's own words."""
    lines = done.stderr.decode(errors="replace").splitlines()
    return (lines[0] if lines else f"exit code {done.returncode}").removeprefix("fatal: ")


def _missing(error: OSError) -> Unavailable:
    return Unavailable(f"git cannot be run: {error.strerror or error}", hint=_INSTALL)


class Blobs:
    """The contents of git's objects by their ids.

    One ``git cat-file`` is started for all of them, when the first is read.
    """

    def __init__(self, git: Git) -> None:
        self._git = git
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.communicate()

    def __getitem__(self, object_id: str) -> bytes:
        """Return the bytes of an object.

        Raises:
            Unavailable: git does not have the object, or it is no file.
        """
        if self._process is None:
            self._process = self._git.start("cat-file", "--batch")
        requests, answers = _pipes(self._process)
        try:
            requests.write(object_id.encode() + b"\n")
            requests.flush()
            _, kind, size = answers.readline().split()
            data = answers.read(int(size) + 1)[:-1]
        except (OSError, ValueError) as error:
            raise Unavailable(f"git cat-file does not give object {object_id}", hint="run `git fsck`") from error
        if kind != b"blob":
            raise Unavailable(f"object {object_id} of git is a {kind.decode()}, no file")
        return data


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None, "started with pipes"
    assert process.stdout is not None, "started with pipes"
    return process.stdin, process.stdout
