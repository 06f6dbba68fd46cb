"""Trees of sorted keys and values, with one root for one set of entries."""
