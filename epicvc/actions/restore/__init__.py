"""Going back: whole states, single epics, tasks, fields and rows, and the inverse of any operation."""
