"""The care of a repo: making, adopting, verifying, mending and shrinking it."""
