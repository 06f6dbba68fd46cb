"""The suffix of files that exist only while something is written."""

from __future__ import annotations

TEMPORARY_SUFFIX = ".epicvc-tmp"
"""The suffix. It is here and not in the module that writes such files, for modules that only pass them over."""
