"""The db side: captured rows, and what is remembered so that few are read again."""
