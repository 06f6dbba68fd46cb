"""Planned dates, and the timetable of all tasks."""
