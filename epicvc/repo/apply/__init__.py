"""The one crash-safe apply, and the recovery after a crash."""


class Replan(Exception):  # not an error: the caller plans again
    """Raised where somebody changed a side between reading and writing. Nothing was done."""
