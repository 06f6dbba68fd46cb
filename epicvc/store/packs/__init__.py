"""Objects in files that travel: packs of objects, and bundles of packs with a log entry.

This package knows bytes and refs, and nothing of commits or snapshots. The format is in ``docs/format.md``.
"""
