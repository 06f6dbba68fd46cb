"""The commands ``status``, ``diff`` and ``show``: look at sides and commits, and change nothing."""
