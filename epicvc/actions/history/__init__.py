"""Looking at sides and commits: ``status``, ``diff``, ``show``. Changes nothing."""
