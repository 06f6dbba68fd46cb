"""What ``make bench`` runs: epicvc against a named reference, work by work, in the same run."""
