"""The limits of what is read from outside; ``docs/configuration.md`` lists them. Imports nothing at first.

The user may set some of them in the environment, up or down. A repo's own configuration may only lower them: they
protect the user from what a repo holds.
"""

from __future__ import annotations

TYPE_CHECKING = False  # not that of typing, which takes longer to import than a fast command may run
if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_CONFIG = 100_000
"""The most bytes of a configuration. The time of the parser can grow with the square of them."""

MAX_DEPTH = 200
"""The most containers that may lie within each other."""

_UNITS = {"k": 10**3, "M": 10**6, "G": 10**9}


class Limit:
    """A limit that the user may set.

    Args:
        variable: the variable of the environment that sets it.
        default: the limit where the variable is not set.
        least: the lowest value that can be set.
        most: the highest value that can be set.
    """

    def __init__(self, variable: str, default: int, *, least: int, most: int) -> None:
        self.variable, self.default, self.least, self.most = variable, default, least, most

    def exceeded_by(self, number: int) -> int | None:
        """Return the limit, if a number is beyond it, or ``None``.

        The environment is only read for a number above the lowest value.
        """
        return most if number > self.least and number > (most := self.now) else None

    @property
    def now(self) -> int:
        """The limit of this process, if no repo lowers it."""
        import os

        return self.within(os.environ)

    def within(self, environment: Mapping[str, str]) -> int:
        """Return the limit that an environment sets.

        Raises:
            UsageError: the value of the variable is no allowed number.
        """
        text = environment.get(self.variable)
        if not text:
            return self.default
        digits, unit = (text[:-1], _UNITS[text[-1]]) if text[-1] in _UNITS else (text, 1)
        number = (
            int(digits) * unit if digits.isascii() and digits.isdigit() and len(digits) <= len(str(self.most)) else 0
        )
        if not self.least <= number <= self.most:
            # imported here, since hardly anybody sets a limit, and fewer set a wrong one
            from epicvc.errors import UsageError

            hint = f"for instance {self.variable}={self.default}; k, M and G stand for 000, 000000 and 000000000"
            raise UsageError(f"{self.variable}={text!r} is no number from {self.least:,} to {self.most:,}", hint=hint)
        return number


FILE_SIZE = Limit("EPICVC_MAX_FILE_SIZE", 256_000_000, least=1000, most=10**12)
"""The most bytes of a file that is read whole. A larger file is refused by its size, before memory runs out."""

OBJECT_SIZE = Limit("EPICVC_MAX_OBJECT_SIZE", 256_000_000, least=1_000_000, most=1_000_000_000 - 4096)
"""The most bytes of an object of the store. Its highest value is the most that a row of an ordinary SQLite holds."""

QUERY_SECONDS = Limit("EPICVC_QUERY_TIMEOUT", 300, least=1, most=10**6)
"""The most seconds that a database may take for one statement."""
