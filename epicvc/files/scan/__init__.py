"""Finding the tracked files, and telling those that changed at the cost of one ``stat`` each."""
