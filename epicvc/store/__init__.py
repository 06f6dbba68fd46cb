"""The store: content-addressed objects, trees, refs and the operation log in one SQLite file.

Knows nothing of epics, files or databases: what a snapshot or a commit *means* is decided above. Import from
the modules; this package imports none of them, so that reading one ref stays cheap. The format is in
``docs/format.md``.
"""
