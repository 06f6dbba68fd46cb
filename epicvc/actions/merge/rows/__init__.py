"""The rows of a merge that belong to no merged document, and the tables that all rows are written into."""
