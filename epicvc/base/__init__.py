"""The ground floor, which every other package may import: JSON, files on disk, caches, limits, the log."""

TEMPORARY_SUFFIX = ".epicvc-tmp"
"""The suffix of files that exist only while something is written."""
