"""Epic files as single documents, merged without a repo."""
