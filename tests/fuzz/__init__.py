"""Mutated inputs: whatever epicvc reads may have been damaged, or made to do harm."""
