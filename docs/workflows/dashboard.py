"""Dashboard: schema, synchronisation, conflicts, integrity and quality at a glance.

    python dashboard.py --db plans.db --files epics

Changes nothing, and ends with 0 whatever it shows.
"""

from __future__ import annotations

import argparse
import sys

from epicvc import BidirectionalSync, EpicvcError, MigrationRunner


def show(database: str, files: str) -> int:
    """Print one line for each question that one asks every morning."""
    runner = MigrationRunner(db_path=database)
    sync = BidirectionalSync(db_path=database, json_dir=files)
    last, quality = sync.get_last_sync_time(), sync.get_data_quality_metrics()
    status, integrity = sync.get_sync_status(), sync.validate_data_integrity()
    lines = {
        "schema": f"version {runner.get_current_version()}, {len(runner.get_pending_migrations())} pending",
        "last sync": f"{last:%Y-%m-%d %H:%M} UTC" if last else "never",
        "epics": f"{status['total_epics']}, {'in sync' if status['in_sync'] else 'out of sync'}",
        "conflicts": ", ".join(conflict["field"] for conflict in sync.get_unresolved_conflicts()) or "none",
        "integrity": "valid" if integrity["valid"] else f"{len(integrity['errors'])} errors",
        "quality": ", ".join(
            f"{name} {quality[f'{name}_score']:g} %" for name in ("consistency", "completeness", "accuracy")
        ),
    }
    for name, text in lines.items():
        print(f"{name:<10} {text}")
    return 0


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--db", default="framework.db", help="the database")
    parser.add_argument("--files", default="epics", help="the directory of JSON epics")
    given = parser.parse_args()
    try:
        return show(given.db, given.files)
    except EpicvcError as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
