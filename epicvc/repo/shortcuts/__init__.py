"""Shortcuts: answers that are given before the repo is opened."""
