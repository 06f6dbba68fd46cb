"""Snapshots and commits, and the names by which a user refers to them."""
