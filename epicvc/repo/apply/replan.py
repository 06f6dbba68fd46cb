"""What is raised where a side is not as it was when an operation was planned.

Alone here, so that who catches it needs nothing of what writes (:mod:`epicvc.repo.apply.apply`).
"""

from __future__ import annotations


class Replan(Exception):  # not an error: the caller plans again
    """Somebody changed a side between reading and writing; nothing was done."""
