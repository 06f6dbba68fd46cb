"""Clean-ups of files, databases and caches."""
