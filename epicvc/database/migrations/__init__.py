"""Schema migrations: numbered SQL files, the record of the applied ones, and the steps from one state to the next.

:mod:`.migration` and :mod:`.directory` read; :mod:`.checks` and :mod:`.planning` decide, without a database;
:mod:`.history` and :mod:`.running` act inside a write transaction that the caller opens and commits; :mod:`.fit` and
:mod:`.proving` compare. Nothing here knows of epics, snapshots or the command line.

SQLite's rules are in :mod:`.statements`, in :mod:`.rules`, and in a backend's ``write``, ``definitions`` and
``scratch``. Another database needs its own version of these, and must be able to make and drop definitions inside
transactions.
"""

from typing import Final

TABLE: Final = "schema_migrations"
"""The table in which migrations are recorded. Kept here, so that its name can be imported without anything else."""
