"""Processes that read files for this one: parsing holds the interpreter's lock, so threads would not help.

Workers only save time. What a worker cannot do (a file that is no epic, a file that changed, the end of a worker that
died) the caller does itself, with its own errors. A worker changes nothing.

:mod:`multiprocessing` was rejected: it runs the main module of the program that has imported this library once more.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self, cast

if TYPE_CHECKING:
    import subprocess
    from concurrent.futures import Future
    from queue import SimpleQueue

LEAST: Final = 500
"""The number of files below which starting workers takes longer than they save."""

PORTION: Final = 50
"""The number of files that a worker is given at once."""

AHEAD: Final = 8
"""The number of portions that are in work or wait for the caller.

So a caller that takes many at once need not wait.
"""

_MOST: Final = 4
_START: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from epicvc.repo.files.chores import main; main()"
)
_LENGTH: Final = struct.Struct(">I")


def processors() -> int:
    """Return how many processors this process may use."""
    with suppress(AttributeError, OSError):  # macOS has no affinity
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def send(stream: BinaryIO, value: object) -> None:
    """Write one message."""
    import msgspec

    data = msgspec.msgpack.encode(value)
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def receive(stream: BinaryIO) -> Any:
    """Read one message; return ``None`` at the end."""
    data = _packed(stream)
    return None if data is None else _unpacked(data)


def _packed(stream: BinaryIO) -> bytes | None:
    """Read one message and leave it packed: so it takes half the memory."""
    head = stream.read(_LENGTH.size)
    return stream.read(_LENGTH.unpack(head)[0]) if len(head) == _LENGTH.size else None


def _unpacked(data: bytes | None) -> Any:
    """Return the value of a message; ``None`` for no message, and for one whose worker died in the middle of it."""
    import msgspec

    with suppress(ValueError):
        return None if data is None else msgspec.msgpack.decode(data)
    return None


class Workers:
    """A few worker processes for one kind of chore.

    Args:
        chore: a name in :data:`epicvc.repo.files.chores.CHORES`.
        setup: the values that the chore needs, sent once.
        beside: whether the caller is busy too, so that one processor is left to it. One more worker would slow all of
            them down by more than it adds.
    """

    def __init__(self, chore: str, setup: object, *, beside: bool = False) -> None:
        from concurrent.futures import ThreadPoolExecutor
        from queue import SimpleQueue

        self._greeting = (chore, setup)
        self._count = min(_MOST, max(1, processors() - beside))
        self._idle: SimpleQueue[subprocess.Popen[bytes] | None] = SimpleQueue()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._threads = ThreadPoolExecutor(self._count, "epicvc-worker")

    def __enter__(self) -> Self:
        for _ in range(self._count):
            self._idle.put(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()  # a worker holds nothing that would have to be written
        self._threads.shutdown(cancel_futures=True)
        for process in self._processes:
            process.communicate()

    def all(self, items: Sequence[Any]) -> WorkerAnswers:
        """Ask for all items at once, and return their answers as they come.

        In contrast to :meth:`map` nothing waits for the caller, so this is for answers that are small.
        """
        return WorkerAnswers((portion, self._threads.submit(self._ask, portion)) for portion in _portions(items))

    def map(self, items: Sequence[Any]) -> Iterator[Any]:
        """Yield the answer for each item, in order; ``None`` where a worker had none."""
        for portion, answers in self.each(_portions(items), ahead=AHEAD):
            yield from _answers(portion, answers)

    def each(self, portions: Iterable[Sequence[Any]], *, ahead: int = 0) -> Iterator[tuple[Sequence[Any], Any]]:
        """Yield each portion with a worker's answer for it as a whole, in order; ``None`` where it had none.

        Args:
            portions: taken from the iterable when their turn comes.
            ahead: how many portions are in work or wait for the caller; at least two a worker.
        """
        running: deque[tuple[Sequence[Any], Future[bytes | None]]] = deque()
        ahead = max(ahead, 2 * self._count)
        for portion in portions:
            running.append((portion, self._threads.submit(self._ask, portion)))
            if len(running) > ahead:
                asked, future = running.popleft()
                yield asked, _unpacked(future.result())
        while running:
            asked, future = running.popleft()
            yield asked, _unpacked(future.result())

    def _start(self) -> subprocess.Popen[bytes] | None:
        import subprocess

        # Without site, which takes time to look for packages: the worker is given this process's path instead.
        command = [sys.executable, "-S", "-c", _START, json.dumps([path for path in sys.path if path])]
        try:
            process = subprocess.Popen(  # noqa: S603  (our own interpreter and code)
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            self._processes.append(process)
            send(cast("BinaryIO", process.stdin), self._greeting)
        except OSError:
            return None
        return process

    def _ask(self, portion: Sequence[Any]) -> bytes | None:
        """Return the packed answer of a worker; ``None`` where there was none."""
        process = self._idle.get()
        answer = None
        if process is not None:
            with suppress(OSError, ValueError):
                send(cast("BinaryIO", process.stdin), portion)
                answer = _packed(cast("BinaryIO", process.stdout))
        self._idle.put(process if answer is not None else None)  # a dead worker is not asked again
        return answer


class WorkerAnswers:
    """The answers of workers for many items, in order; ``None`` where there was none.

    Args:
        asked: the portions, each with its future answer.
    """

    def __init__(self, asked: Iterable[tuple[Sequence[Any], Future[bytes | None]]]) -> None:
        self._asked = deque(asked)
        self._known = deque[Any]()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        if not self._known:
            if not self._asked:
                raise StopIteration
            portion, future = self._asked.popleft()
            self._known.extend(_answers(portion, _unpacked(future.result())))
        return self._known.popleft()

    @property
    def awaited(self) -> bool:
        """Tell whether the next answer would have to be waited for."""
        return not self._known and bool(self._asked) and not self._asked[0][1].done()


def _answers(portion: Sequence[Any], answers: Any) -> list[Any]:
    """Return the answer to each item of a portion."""
    sound = isinstance(answers, list) and len(answers) == len(portion)
    return cast("list[Any]", answers) if sound else [None] * len(portion)


def _portions(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[at : at + PORTION] for at in range(0, len(items), PORTION))


def many(items: Iterable[object]) -> bool:
    """Return whether so many files are better read by one other process, which also does more with them than read."""
    return sum(1 for _ in items) >= LEAST


def worth_it(items: Iterable[object]) -> bool:
    """Return whether so many files are better read by several processes."""
    return processors() > 1 and many(items)
