"""The pages of a SQLite file: which of them changed, and which rows they hold."""
