"""SQLite through the standard library.

Never through a second SQLite library: two copies in one process that open one file can corrupt it, because
closing a file drops the locks of the other.
"""
