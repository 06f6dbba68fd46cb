"""The SQLite file of a store: its tables, and what is written to them in one transaction."""
