"""The command line: one file for each group of commands, one table from errors to exit codes, one place that prints."""
