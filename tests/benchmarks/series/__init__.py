"""What each command costs as its input grows: the same work at 1, 2, 4 and 8 times a size, by processor time."""
