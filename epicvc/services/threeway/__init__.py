"""The merge of whole snapshots: base, ours and theirs in, one snapshot and its conflicts out. Applies nothing."""

from epicvc.services.threeway.snapshots import Merged, merge_snapshots

__all__ = ["Merged", "merge_snapshots"]
