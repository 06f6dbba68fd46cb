"""Going back: restores whole states, single epics, tasks, fields and rows, and undoes any operation."""
