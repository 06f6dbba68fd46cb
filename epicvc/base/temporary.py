"""What names the files that are only there while something is written."""

from __future__ import annotations

TEMPORARY_SUFFIX = ".epicvc-tmp"
"""Here, and not where they are written, for those who only pass them over."""
