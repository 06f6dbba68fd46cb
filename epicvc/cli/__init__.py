"""The command line: one file per command group, one table from error to exit code, one place that prints."""
