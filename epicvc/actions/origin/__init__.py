"""The origin of values: finds the commit, author and side that gave a place its value."""
