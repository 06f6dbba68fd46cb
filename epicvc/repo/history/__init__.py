"""Snapshots and commits, and how a user names them."""
