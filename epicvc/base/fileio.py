"""Files on disk: the one atomic writer, reading without following symlinks, and the lock of a repo.

The module does not know what the bytes mean. Almost every failure of the system becomes ``FileUnavailable`` with the
path and the system's own words; a function from which a caller can get an ``OSError`` says so.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Self

from epicvc.base import TEMPORARY_SUFFIX
from epicvc.base.limits import FILE_SIZE
from epicvc.base.logs import Log
from epicvc.errors import FileTooLarge, FileUnavailable, LinkInTheWay, Unavailable

if TYPE_CHECKING:
    from pathlib import Path  # importing it takes a third of an interpreter's start
    from types import TracebackType

_MAX_NAME: Final = 255  # bytes of one name on every file system in use
_CHUNK: Final = 4096  # bytes of one read at what should be the end
# O_NONBLOCK: opening a FIFO must not wait for somebody who writes to it.
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_POLL_SECONDS: Final = 0.02

_LOG: Final = Log("lock")


@contextlib.contextmanager
def reporting(path: Path) -> Iterator[None]:
    """Raise the system's errors in a block as :class:`FileUnavailable`, naming a path."""
    try:
        yield
    except OSError as error:
        raise _unavailable(path, error) from error


def _unavailable(path: Path, error: OSError) -> FileUnavailable:
    reason = "a symlink, which is not followed" if error.errno == errno.ELOOP else error.strerror
    return FileUnavailable(str(path), reason or str(error))


# --- writing ---


def atomic_write(path: Path, data: bytes | bytearray, *, mode: int | None = None, durable: bool = True) -> None:
    """Replace a file: after a crash it holds either the old bytes or the new ones.

    Args:
        path: the file. Its directory must exist.
        data: the new bytes.
        mode: permissions; by default those of the file that is replaced, else what the umask leaves.
        durable: false for a file that can be made again, such as a cache. Then a crash of the system may damage it.

    Raises:
        FileUnavailable: the file cannot be written, and is as it was.
    """
    staged = _stage(path, data, f"{os.getpid():x}-{time.monotonic_ns():x}", mode, durable)
    try:
        publish(staged, path)
    except FileUnavailable:
        with contextlib.suppress(OSError):
            staged.unlink()
        raise
    if durable:
        fsync_directory(path.parent)


def stage_file(target: Path, data: bytes, tag: str, *, mode: int | None = None) -> Path:
    """Write a file's new bytes durably beside it, to be moved into its place later.

    Args:
        target: the file that is to hold the bytes.
        data: the bytes.
        tag: names the operation, so that :func:`leftover_temporaries` finds its files.
        mode: as for :func:`atomic_write`.

    Returns:
        The temporary file. Its name is durable once its directory is synced. It is not checked here that no directory
        above it is a symlink: :func:`make_directories` does that.

    Raises:
        FileUnavailable: the file cannot be written; nothing is left behind.
    """
    return _stage(target, data, tag, mode, durable=True)


def _stage(target: Path, data: bytes | bytearray, tag: str, mode: int | None, durable: bool) -> Path:
    staged = temporary_of(target, tag)
    replaced = _mode_of(target)
    kept = replaced if mode is None else mode
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with reporting(target):
        # Group and others get nothing until the mode is known to be theirs.
        descriptor = os.open(staged, flags, 0o666 if kept is None else 0o600)
    try:
        with reporting(target):
            _write_out(descriptor, data, kept, durable)
    except FileUnavailable:
        with contextlib.suppress(OSError):
            staged.unlink()
        raise
    finally:
        os.close(descriptor)
    return staged


def publish(staged: Path, target: Path) -> None:
    """Move a staged file over any file of that name. It is durable after :func:`fsync_directory`.

    Raises:
        FileUnavailable: the file cannot be moved there, for instance because a directory has the name.
    """
    with reporting(target):
        staged.replace(target)


def fsync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    with reporting(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with reporting(path):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_file(path: Path) -> bool:
    """Remove a file. The removal is durable after :func:`fsync_directory`.

    Returns:
        Whether there was a file.
    """
    with reporting(path):
        try:
            path.unlink()
        except FileNotFoundError:
            return False
    return True


def make_directories(path: Path, root: Path, *, mode: int = 0o777) -> None:
    """Make a directory and those above it, durably, up to a root that exists.

    Args:
        path: the directory.
        root: the directory that exists.
        mode: the permissions of new directories, without those that the umask takes away.

    Raises:
        LinkInTheWay: a symlink is on the way.
        FileUnavailable: a directory cannot be made, or a file is on the way.
        ValueError: ``path`` is not below ``root``.
    """
    here = root
    for name in _inside(path, root):
        parent, here = here, here / name
        with reporting(here):
            try:
                here.mkdir(mode)
            except FileExistsError:
                _require_directory(here, here.lstat().st_mode)
                continue
        fsync_directory(parent)


def check_directories(path: Path, root: Path) -> None:
    """Make sure that :func:`make_directories` would find nothing in its way.

    Raises:
        LinkInTheWay: a symlink is on the way.
        FileUnavailable: a file is on the way.
        ValueError: ``path`` is not below ``root``.
    """
    here = root
    for name in _inside(path, root):
        here /= name
        with reporting(here):
            try:
                found = here.lstat()
            except FileNotFoundError:
                return
        _require_directory(here, found.st_mode)


def _require_directory(path: Path, mode: int) -> None:
    if stat.S_ISLNK(mode):
        raise LinkInTheWay(str(path))
    if not stat.S_ISDIR(mode):
        raise FileUnavailable(str(path), "not a directory")


def check_writable(directory: Path, tag: str) -> None:
    """Make sure that names in a directory can be made and removed, by doing both.

    To look at the permissions was rejected: the superuser has all of them, and a file system may be read-only.

    Args:
        directory: the directory.
        tag: as for :func:`stage_file`.

    Raises:
        FileUnavailable: they cannot.
    """
    probe = temporary_of(directory / "probe", tag)
    with reporting(directory):
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        try:
            probe.unlink()
        except OSError:
            with contextlib.suppress(OSError):
                probe.unlink()
            raise


class Reserve:
    """Space on a disk, held back for the steps of an operation that must not fail for want of it.

    It is a file without a name, so that nothing is left of it when its process dies.

    Args:
        directory: a directory on that disk.
        size: the space in bytes.

    Raises:
        FileUnavailable: the disk has less space.
    """

    def __init__(self, directory: Path, size: int) -> None:
        with reporting(directory):
            self._descriptor: int | None = _nameless(directory)
        try:
            with reporting(directory):
                _write_out(self._descriptor, bytes(size), None, durable=False)
        except FileUnavailable:
            self.release()
            raise

    def release(self) -> None:
        """Give the space back."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):  # closing the file gives the space back as well
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _nameless(directory: Path) -> int:
    flags = os.O_RDWR | os.O_CLOEXEC
    if hasattr(os, "O_TMPFILE"):
        with contextlib.suppress(OSError):  # not every file system has such files
            return os.open(directory, flags | os.O_TMPFILE, 0o600)
    named = temporary_of(directory / "reserve", f"{os.getpid():x}-{time.monotonic_ns():x}")
    descriptor = os.open(named, flags | os.O_CREAT | os.O_EXCL, 0o600)
    named.unlink()
    return descriptor


def leftover_temporaries(root: Path, tag: str | None = None, *, deep: bool = True) -> list[Path]:
    """Return the temporary files in a directory, sorted: those of :func:`stage_file` under a tag, or all.

    Args:
        root: the directory.
        tag: the tag; ``None`` for all.
        deep: whether the directories below it are searched too.

    Raises:
        FileUnavailable: a directory cannot be read.
    """
    from pathlib import Path

    found: list[Path] = []
    ending = TEMPORARY_SUFFIX if tag is None else f".{tag}{TEMPORARY_SUFFIX}"
    with reporting(root):
        for directory, _, names in os.walk(root, onerror=_raise):
            found += [Path(directory, name) for name in names if name.startswith(".") and name.endswith(ending)]
            if not deep:
                break
    return sorted(found)


def _raise(error: OSError) -> None:
    raise error


def temporary_of(target: Path, tag: str) -> Path:
    """Return the path of the temporary file that :func:`stage_file` makes for a file under a tag."""
    full = f".{target.name}.{tag}{TEMPORARY_SUFFIX}"
    # A hash of the name is short enough for every file system, and the same each time.
    if len(os.fsencode(full)) > _MAX_NAME:
        import hashlib

        full = f".{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:32]}.{tag}{TEMPORARY_SUFFIX}"
    return target.with_name(full)


def _mode_of(target: Path) -> int | None:
    with reporting(target):
        try:
            found = target.lstat()
        except FileNotFoundError:
            return None
    if not stat.S_ISREG(found.st_mode):
        raise FileUnavailable(str(target), "not a regular file, so it is not replaced")
    return stat.S_IMODE(found.st_mode)


def _write_out(descriptor: int, data: bytes | bytearray, mode: int | None, durable: bool) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    if mode is not None:
        os.fchmod(descriptor, mode)
    if durable:
        os.fsync(descriptor)


# --- reading ---


def read_file(path: Path, *, root: Path | None = None) -> bytes:
    """Return a regular file's bytes. Symlinks are not followed.

    Args:
        path: the file.
        root: if given, no directory between it and the file may be a symlink either; the root itself may.

    Raises:
        FileUnavailable: the file cannot be read, is a symlink, a directory or a device, or has more than ``FILE_SIZE``
            bytes.
        ValueError: ``path`` is not below ``root``.
    """
    if root is not None:
        return read_below(root, "/".join(_inside(path, root)))
    with reporting(path):
        return _read(os.open(path, _FILE), path)


def odd_companion(path: str | Path) -> str | None:
    """Return a file that SQLite would open beside a database and that is not regular, such as a FIFO; else ``None``.

    SQLite would wait for a FIFO.
    """
    for suffix in ("-journal", "-wal", "-shm"):
        name = f"{path}{suffix}"
        try:
            if not stat.S_ISREG(os.lstat(name).st_mode):
                return name
        except OSError:
            continue  # most often there is no such file
    return None


def read_followed(path: str | Path, limit: int | None = None) -> bytes:
    """Return a regular file's bytes, also behind a symlink. A FIFO or a device is never waited for.

    Args:
        path: the file.
        limit: the most bytes that it may have; by default as many as any file.

    Raises:
        FileTooLarge: the file has more.
        OSError: the file cannot be read, or is no regular file.
    """
    return _read(os.open(path, _FILE & ~os.O_NOFOLLOW), path, limit)


def read_below(root: Path, path: str, limit: int | None = None) -> bytes:
    """Return the bytes of a file below a root, as :func:`read_file` does. It is meant for loops over many files.

    Raises:
        FileUnavailable: as in :func:`read_file`.
        ValueError: the path may lead out of the root.
    """
    *directories, name = path.split("/")
    if ".." in directories or name == ".." or path.startswith("/"):
        raise ValueError(f"{path} is not below {root}")
    try:
        # Each directory is opened below the one before. To check the path first was rejected: it could change before it
        # is opened.
        here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for directory in directories:
                above, here = here, os.open(directory, _DIRECTORY, dir_fd=here)
                os.close(above)
            return _read(os.open(name, _FILE, dir_fd=here), root / path, limit)
        finally:
            os.close(here)
    except OSError as error:
        raise _unavailable(root / path, error) from error


def _read(descriptor: int, path: str | Path, limit: int | None = None) -> bytes:
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(0, "not a regular file")
        if limit is not None and found.st_size > limit:
            raise FileTooLarge(str(path), found.st_size, limit)
        if limit is None and (most := FILE_SIZE.exceeded_by(found.st_size)) is not None:
            raise FileTooLarge(str(path), found.st_size, most, FILE_SIZE.variable)
        parts = [os.read(descriptor, found.st_size + 1)]  # one byte more, so that a file that has grown is noticed
        while part := os.read(descriptor, _CHUNK):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def _inside(path: Path, root: Path) -> tuple[str, ...]:
    names = path.relative_to(root).parts
    if ".." in names:
        raise ValueError(f"{path} is not below {root}")
    return names


# --- the lock ---


class RepoLock:
    """An exclusive lock between processes and threads, which the operating system releases when its process ends.

    The lock file is never deleted: a process that waits for a deleted file would get a lock that the others do not see.
    The file has the process id of the last holder, as information only.

    Args:
        path: the lock file. Its directory must exist.
        timeout: seconds to wait before giving up.
    """

    def __init__(self, path: Path, *, timeout: float = 0.0) -> None:
        self.path, self.timeout = path, timeout
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            Unavailable: another process or thread holds the lock for longer than the timeout.
            FileUnavailable: the lock file cannot be opened or written.
            RuntimeError: this object holds the lock already.
        """
        if self._descriptor is not None:
            raise RuntimeError("the lock is held already")
        with reporting(self.path):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self.path, flags, 0o600)
        try:
            self._acquire(descriptor)
            with reporting(self.path):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _acquire(self, descriptor: int) -> None:
        with reporting(self.path):
            if _locked(descriptor, self.timeout, self.path):
                return
        raise self._held(descriptor)

    def _held(self, descriptor: int) -> Unavailable:
        with reporting(self.path):
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        who = f"process {holder}" if holder.isdigit() else "another process"
        return Unavailable(
            f"{self.path} is locked by {who} (waited {self.timeout:g} s)",
            hint="wait for the other epicvc to end, then run the command again",
        )


def _locked(descriptor: int, timeout: float, what: Path) -> bool:
    """Lock an open file or directory. Return whether that was possible in time."""
    began = time.monotonic()
    free = _locked_until(descriptor, began + timeout)
    waited = time.monotonic() - began
    if not free:
        _LOG.info("gave up waiting for %s", what, seconds=waited)
    elif waited >= _POLL_SECONDS:
        _LOG.info("waited for %s", what, seconds=waited)
    else:
        _LOG.debug("took %s", what)
    return free


def _locked_until(descriptor: int, deadline: float) -> bool:
    # Asked again and again: flock has no timeout, and an alarm signal would work in the main thread only.
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            left = deadline - time.monotonic()
        else:
            return True
        if left <= 0:
            return False
        time.sleep(min(_POLL_SECONDS, left))


@contextlib.contextmanager
def directory_locked(directory: Path, timeout: float) -> Iterator[None]:
    """Lock a directory against others who do the same. No lock file is left in it.

    File systems such as NFS lock only files that are open for writing. They cannot lock a directory, so there nobody
    waits.

    Args:
        directory: the directory, which must exist.
        timeout: seconds to wait for another process or thread.

    Raises:
        Unavailable: another process or thread holds it for longer.
        FileUnavailable: the directory cannot be opened.
    """
    with reporting(directory):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            free = _locked(descriptor, timeout, directory)
        except OSError as error:
            if error.errno not in (errno.EBADF, errno.ENOLCK):
                raise _unavailable(directory, error) from error
            free = True
        if not free:
            raise Unavailable(
                f"{directory} is held by another process (waited {timeout:g} s)",
                hint="wait for the other epicvc to end, then run the command again",
            )
        yield
    finally:
        os.close(descriptor)
