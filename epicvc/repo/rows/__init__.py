"""The db side: its captured rows, and the memory that saves reading them again."""
