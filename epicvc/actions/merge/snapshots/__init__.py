"""The three snapshots of a merge: finds their differences, and the epic of each row."""
