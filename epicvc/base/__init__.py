"""The ground that every room stands on: JSON, files on disk, caches, limits, the log."""
