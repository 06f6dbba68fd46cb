"""Durations, working days and start dates as pure rules: no files, no database, no clock."""
