"""The three snapshots of a merge: what differs between them, and to whom each row belongs."""
