"""The exception that is raised where a side has changed since an operation was planned.

It has a module of its own, so that a module that only catches it need not import :mod:`epicvc.repo.apply.apply`, which
writes.
"""

from __future__ import annotations


class Replan(Exception):  # not an error: the caller plans again
    """Raised where somebody changed a side between reading and writing. Nothing was done."""
