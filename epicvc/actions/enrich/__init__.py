"""Calculated fields in files of their own."""
