"""Backups: states kept apart from all branches, here and as bundles in another place.

``catalog`` says which there are, ``create`` makes them, ``bundles`` keeps them in a directory, ``state`` proves and
writes them, ``restore`` brings them back, ``retention`` decides which to keep, ``forget`` drops the others.
"""
