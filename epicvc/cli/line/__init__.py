"""The reading of command lines: declarations, the plain reader, the library's, help."""
