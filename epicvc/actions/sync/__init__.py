"""The synchronisation of files and database."""
