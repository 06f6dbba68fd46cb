"""The epic repo as one object: configuration, both sides, snapshots, and the one crash-safe apply."""
