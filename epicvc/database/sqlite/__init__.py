"""The backend for SQLite, through the standard library.

No second SQLite library may be used: of two copies in one process that open one file, one drops the locks of the other
when it closes the file, and the file can be corrupted.
"""
