"""Version control and three-way sync for plans that live in JSON files and in a database.

Every public name can be imported from here and from the module that has it. A name is looked up when it is first asked
for, so that ``import epicvc`` loads nothing else. Public names stand below twice: in ``_HOMES``, which finds them at
run time, and in the imports that type checkers read.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it for true; importing that of typing would cost every command 2 ms
if TYPE_CHECKING:
    from epicvc.backup_manager import BackupManager as BackupManager
    from epicvc.bidirectional_sync import BidirectionalSync as BidirectionalSync
    from epicvc.cleanup_scripts import CacheCleanup as CacheCleanup
    from epicvc.cleanup_scripts import DatabaseCleanup as DatabaseCleanup
    from epicvc.cleanup_scripts import JSONCleanup as JSONCleanup
    from epicvc.data_base_strategy import DataBaseCalculator as DataBaseCalculator
    from epicvc.data_base_strategy import DateBaseStrategy as DateBaseStrategy
    from epicvc.data_base_strategy import PlannedDates as PlannedDates
    from epicvc.errors import DurationError as DurationError
    from epicvc.errors import EpicvcError as EpicvcError
    from epicvc.json_enrichment import JSONEnrichmentEngine as JSONEnrichmentEngine
    from epicvc.query_builder import SafeQueryBuilder as SafeQueryBuilder
    from epicvc.schema_migrations import Migration as Migration
    from epicvc.schema_migrations import MigrationConnection as MigrationConnection
    from epicvc.schema_migrations import MigrationRunner as MigrationRunner

__version__ = "0.1.0"

_HOMES = {
    "epicvc.backup_manager": ("BackupManager",),
    "epicvc.bidirectional_sync": ("BidirectionalSync",),
    "epicvc.cleanup_scripts": ("CacheCleanup", "DatabaseCleanup", "JSONCleanup"),
    "epicvc.data_base_strategy": ("DataBaseCalculator", "DateBaseStrategy", "PlannedDates"),
    "epicvc.errors": ("DurationError", "EpicvcError"),
    "epicvc.json_enrichment": ("JSONEnrichmentEngine",),
    "epicvc.query_builder": ("SafeQueryBuilder",),
    "epicvc.schema_migrations": ("Migration", "MigrationConnection", "MigrationRunner"),
}
"""The modules with public names, and the names that each of them has."""


def __getattr__(name: str) -> object:
    from importlib import import_module

    for home, names in _HOMES.items():
        if name in names:
            found: object = getattr(import_module(home), name)
            globals()[name] = found  # from now on the name is found without this function
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *(name for names in _HOMES.values() for name in names)})
