"""The one crash-safe apply, and the way back after a crash."""
