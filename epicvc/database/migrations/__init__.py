"""Schema migrations: numbered SQL files, the record of those that were applied, and how one leads to the next.

:mod:`.migration` and :mod:`.directory` read; :mod:`.checks` and :mod:`.planning` decide, without a database;
:mod:`.history` and :mod:`.running` act inside a write transaction that the caller opens and commits;
:mod:`.fit` and :mod:`.proving` compare. Nothing here knows of epics, snapshots or the command line.

SQLite's rules are in :mod:`.statements`, :mod:`.rules` and in what a backend does for ``write``,
``definitions`` and ``scratch``; another database needs its own of these, and definitions that are made and
dropped inside transactions.
"""

from typing import Final

TABLE: Final = "schema_migrations"
"""The table in which migrations are recorded. Here, where to know its name costs nothing else."""
