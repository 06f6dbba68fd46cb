"""Settling conflicts without asking: the newer value, and resolutions that are remembered."""
