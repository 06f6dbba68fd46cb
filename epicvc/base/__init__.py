"""The ground floor, which every other package may import: JSON, files on disk, caches, limits, the log."""
