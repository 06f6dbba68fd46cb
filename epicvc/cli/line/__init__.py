"""Reads command lines: declarations, the plain reader, the library's reader, help."""
