"""The configuration: ``epicvc.toml``, which all share, and ``.epicvc/config``, which nobody does."""
