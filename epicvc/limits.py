"""How large what comes from outside may be; ``docs/configuration.md`` lists these limits. Imports nothing."""

MAX_FILE = 256_000_000
"""The most bytes of a file that is read whole: a larger one is refused by its size, before memory runs out."""

MAX_CONFIG = 100_000
"""The most bytes of a configuration: the time of the parser can go with the square of them."""

MAX_DEPTH = 200
"""The most containers within containers."""
