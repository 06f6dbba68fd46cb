"""The configuration: ``epicvc.toml``, which all users share, and ``.epicvc/config``, which is one user's own."""
