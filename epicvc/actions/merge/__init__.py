"""The merge of branches: base, ours and theirs in, one snapshot and its conflicts out."""
