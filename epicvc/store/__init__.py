"""The store: content-addressed objects, trees, refs and the operation log in one SQLite file.

The store knows nothing of epics, files or databases: snapshots and commits get their meaning above. Import from the
modules; this package imports none of them, so that reading one ref stays cheap. The format is in ``docs/format.md``.
"""
