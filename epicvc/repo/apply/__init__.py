"""The one crash-safe apply, and the recovery after a crash."""
