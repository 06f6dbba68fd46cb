"""What happens, told to :mod:`logging` where somebody listens, at no cost where nobody does.

``logging`` is not imported here: it takes as long as a third of an interpreter's start, and who wants records has
imported it. The loggers are ``epicvc.*``; an application configures them as any others. Until then they are silent.

Each record has ``label``, ``operation`` and ``seconds`` as attributes, ``None`` where they mean nothing, and in its
text. Values of plans are told at DEBUG only, credentials never. Texts come escaped, since values may be hostile.
"""

from __future__ import annotations

import sys

from epicvc.base.escape import printable

TYPE_CHECKING = False  # not typing's, which takes as long to import as half an interpreter to start
if TYPE_CHECKING:
    from logging import Logger
    from typing import TypedDict, Unpack

    class LogFacts(TypedDict, total=False):
        """What a record says besides its text.

        Attributes:
            label: the place that it is about.
            operation: the id of the operation that it is of.
            seconds: how long it took.
        """

        label: object
        operation: str | None
        seconds: float | None


DEBUG, INFO, WARNING = 10, 20, 30
"""The levels of :mod:`logging` that are used."""

ROOT = "epicvc"
"""The logger above all of these."""


class Log:
    """One of the loggers.

    Args:
        topic: what it tells of; the logger is ``epicvc.TOPIC``.
    """

    def __init__(self, topic: str) -> None:
        self._name = f"{ROOT}.{topic}"

    def wants(self, level: int) -> bool:
        """Whether anybody wants records of a level; for what is not worth working out otherwise."""
        logger = self._logger()
        return logger is not None and logger.isEnabledFor(level)

    def debug(self, text: str, *values: object, **facts: Unpack[LogFacts]) -> None:
        """Tell a detail. Values of plans may be in it.

        Args:
            text: what happened, with a ``%s`` for each value.
            values: what they stand for.
            facts: see :class:`LogFacts`.
        """
        self._tell(DEBUG, text, values, facts)

    def info(self, text: str, *values: object, **facts: Unpack[LogFacts]) -> None:
        """Tell what was decided or done, without values of plans; as :meth:`debug`."""
        self._tell(INFO, text, values, facts)

    def warning(self, text: str, *values: object, **facts: Unpack[LogFacts]) -> None:
        """Tell what somebody should look at, without values of plans; as :meth:`debug`."""
        self._tell(WARNING, text, values, facts)

    def _tell(self, level: int, text: str, values: tuple[object, ...], facts: LogFacts) -> None:
        logger = self._logger()
        if logger is None or not logger.isEnabledFor(level):
            return
        label, operation, seconds = facts.get("label"), facts.get("operation"), facts.get("seconds")
        place = None if label is None else printable(str(label))
        said = printable(text % values if values else text)
        known = [f"operation {operation}"] if operation is not None else []
        known += [f"{seconds:.3f} s"] if seconds is not None else []
        said += (f": {place}" if place is not None else "") + (f" ({', '.join(known)})" if known else "")
        extra = {"label": place, "operation": operation, "seconds": seconds}
        logger.log(level, "%s", said, extra=extra, stacklevel=3)  # an argument: a % in it is no place for one

    def _logger(self) -> Logger | None:
        logging = sys.modules.get("logging")
        if logging is None or not hasattr(logging, "NullHandler"):  # nobody has imported it, or is just about to
            return None
        root: Logger = logging.getLogger(ROOT)
        if not root.handlers:
            root.addHandler(logging.NullHandler())  # else Python writes warnings to stderr that nobody asked for
        found: Logger = logging.getLogger(self._name)
        return found
