"""Processes that read files for this one: parsing holds the interpreter's lock, so threads would not help.

They only ever save time. What a worker cannot do (a file that is no epic, one that changed, a worker that died) it
leaves undone, and the caller does it itself, with its own errors. Nothing is changed by a worker.

Not :mod:`multiprocessing`: that runs the main module of whatever program has imported this library once more.
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
"""Files below which starting workers takes longer than they save."""

PORTION: Final = 50
"""Files that a worker is given at once."""

AHEAD: Final = 8
"""Portions that are worked at, or wait for who takes them, so that who takes many at once need not wait himself."""

_MOST: Final = 4
_START: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from epicvc.repo.files.chores import main; main()"
)
_LENGTH: Final = struct.Struct(">I")


def processors() -> int:
    """How many processors this process may use."""
    with suppress(AttributeError, OSError):  # macOS has none
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def send(stream: BinaryIO, value: object) -> None:
    """Write one message."""
    import msgspec

    data = msgspec.msgpack.encode(value)
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def receive(stream: BinaryIO) -> Any:
    """Read one message; ``None`` at the end."""
    data = _packed(stream)
    return None if data is None else _unpacked(data)


def _packed(stream: BinaryIO) -> bytes | None:
    """Read one message and leave it packed, as which it takes half the memory."""
    head = stream.read(_LENGTH.size)
    return stream.read(_LENGTH.unpack(head)[0]) if len(head) == _LENGTH.size else None


def _unpacked(data: bytes | None) -> Any:
    """A message; ``None`` for none, and for one of a worker that died in the middle of it."""
    import msgspec

    with suppress(ValueError):
        return None if data is None else msgspec.msgpack.decode(data)
    return None


class Workers:
    """A few worker processes for one kind of chore.

    Args:
        chore: a name in :data:`epicvc.repo.files.chores.CHORES`.
        setup: what the chore needs to know, once.
        beside: whoever asks is as busy himself, and has a processor left to him. With one process more they are all
            slower, by more than it adds.
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
            process.kill()  # they hold nothing
        self._threads.shutdown(cancel_futures=True)
        for process in self._processes:
            process.communicate()

    def all(self, items: Sequence[Any]) -> WorkerAnswers:
        """What :meth:`map` gives, begun at once and without waiting for who takes it: for answers that are small."""
        return WorkerAnswers((portion, self._threads.submit(self._ask, portion)) for portion in _portions(items))

    def map(self, items: Sequence[Any]) -> Iterator[Any]:
        """What the workers make of each item, in order; ``None`` where they could not."""
        for portion, answers in self.each(_portions(items), ahead=AHEAD):
            yield from _answers(portion, answers)

    def each(self, portions: Iterable[Sequence[Any]], *, ahead: int = 0) -> Iterator[tuple[Sequence[Any], Any]]:
        """Each portion with what a worker makes of it as a whole, in order; ``None`` where it could not.

        Args:
            portions: taken when their turn comes.
            ahead: how many are worked at, or wait for who takes them; two a worker at least.
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
        """What a worker answers, packed; ``None`` where it did not."""
        process = self._idle.get()
        answer = None
        if process is not None:
            with suppress(OSError, ValueError):
                send(cast("BinaryIO", process.stdin), portion)
                answer = _packed(cast("BinaryIO", process.stdout))
        self._idle.put(process if answer is not None else None)  # one that died is asked no more
        return answer


class WorkerAnswers:
    """What workers make of each of many items, in order; ``None`` where they could not.

    Args:
        asked: portions, and who works at them.
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
        """Whether the next one would have to be waited for."""
        return not self._known and bool(self._asked) and not self._asked[0][1].done()


def _answers(portion: Sequence[Any], answers: Any) -> list[Any]:
    """The answer to each item of a portion."""
    sound = isinstance(answers, list) and len(answers) == len(portion)
    return cast("list[Any]", answers) if sound else [None] * len(portion)


def _portions(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[at : at + PORTION] for at in range(0, len(items), PORTION))


def many(items: Iterable[object]) -> bool:
    """Whether so many files are better read by another process, which does more with them than this one would."""
    return sum(1 for _ in items) >= LEAST


def worth_it(items: Iterable[object]) -> bool:
    """Whether so many files are better read by several processes."""
    return processors() > 1 and many(items)
