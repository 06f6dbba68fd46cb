"""The merge of branches: makes one snapshot and its conflicts from base, ours and theirs."""
