"""Backups: states that no branch leads to, kept in the store and as bundles in another place.

``catalog`` lists and finds them, ``create`` makes them, ``bundles`` keeps them in a directory, ``state`` proves and
writes them, ``restore`` restores them, ``retention`` decides which to keep, ``forget`` drops the others.
"""
