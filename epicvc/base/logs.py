"""Logs events through :mod:`logging` where a program listens, at no cost where none does.

``logging`` is not imported here: it takes as long as a third of an interpreter's start, and a program that wants
records has imported it. The loggers are ``epicvc.*``, which an application configures like any others. Until then they
are silent.

Each record has the attributes ``label``, ``operation`` and ``seconds``, which are ``None`` where they mean nothing, and
has them in its text too. Values of plans are logged at DEBUG only, credentials never. Texts are escaped, since values
may be hostile.
"""

from __future__ import annotations

import sys

from epicvc.base.escape import printable

TYPE_CHECKING = False  # not that of typing, which takes as long to import as half an interpreter to start
if TYPE_CHECKING:
    from logging import Logger
    from typing import TypedDict, Unpack

    class LogFacts(TypedDict, total=False):
        """The facts of a record besides its text.

        Attributes:
            label: the place that the record is about.
            operation: the id of the operation that it belongs to.
            seconds: the duration in seconds.
        """

        label: object
        operation: str | None
        seconds: float | None


DEBUG, INFO, WARNING = 10, 20, 30
"""The levels of :mod:`logging` that are used."""

ROOT = "epicvc"
"""The logger above all loggers of epicvc."""


class Log:
    """One of the loggers.

    Args:
        topic: the topic of its records; the logger is ``epicvc.TOPIC``.
    """

    def __init__(self, topic: str) -> None:
        self._name = f"{ROOT}.{topic}"

    def wants(self, level: int) -> bool:
        """Return whether any program wants records of a level, for facts that are costly to compute."""
        logger = self._logger()
        return logger is not None and logger.isEnabledFor(level)

    def debug(self, text: str, *values: object, **facts: Unpack[LogFacts]) -> None:
        """Log a detail. Values of plans may be in it.

        Args:
            text: the event, with a ``%s`` for each value.
            values: the values for the places in the text.
            facts: see :class:`LogFacts`.
        """
        self._tell(DEBUG, text, values, facts)

    def info(self, text: str, *values: object, **facts: Unpack[LogFacts]) -> None:
        """Log a decision or an act, without values of plans. The parameters are those of :meth:`debug`."""
        self._tell(INFO, text, values, facts)

    def warning(self, text: str, *values: object, **facts: Unpack[LogFacts]) -> None:
        """Log an event that somebody should look at, without values of plans.

        The parameters are those of :meth:`debug`.
        """
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
        # passed as an argument, since a % in it must not be taken for a place
        logger.log(level, "%s", said, extra=extra, stacklevel=3)

    def _logger(self) -> Logger | None:
        logging = sys.modules.get("logging")
        if logging is None or not hasattr(logging, "NullHandler"):  # not imported, or just being imported
            return None
        root: Logger = logging.getLogger(ROOT)
        if not root.handlers:
            # without a handler Python would write warnings to stderr that nobody asked for
            root.addHandler(logging.NullHandler())
        found: Logger = logging.getLogger(self._name)
        return found
