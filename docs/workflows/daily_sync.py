"""Synchronise: look for conflicts, bring both sides together, renew the enriched files, and report.

    python daily_sync.py --db plans.db --files epics --report report.md

Ends with 1 when a conflict is left for a person. `--conflicts json_wins`, `database_wins` or `newest_wins` settles
them instead.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from epicvc import BidirectionalSync, EpicvcError, JSONEnrichmentEngine


def synchronise(database: str, files: str, policy: str, report: Path | None) -> int:
    """Both directions, then what is calculated, then the report."""
    sync = BidirectionalSync(db_path=database, json_dir=files, conflict_resolution=policy)
    for conflict in sync.check_for_conflicts():
        print(f"{conflict['field']}: {conflict['json_value']!r} in the file, {conflict['db_value']!r} in the database")

    to_database = sync.sync_json_to_database()
    to_files = sync.sync_database_to_json()
    print(f"{_moved(to_database)} places changed in the database, {_moved(to_files)} in files")

    JSONEnrichmentEngine(db_path=database, json_dir=files).update_enriched_files()

    found = sync.generate_sync_report()
    if report is not None:
        report.write_text(found["text"], encoding="utf-8")
    print(f"{found['total_epics']} epics, {found['conflict_count']} conflicts")
    return 1 if found["conflict_count"] else 0


def _moved(results: list[dict]) -> int:
    return sum(len(result["changes"]) for result in results)


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--db", default="framework.db", help="the database")
    parser.add_argument("--files", default="epics", help="the directory of JSON epics")
    parser.add_argument("--conflicts", default="manual", help="manual, json_wins, database_wins or newest_wins")
    parser.add_argument("--report", type=Path, help="a file that gets the report, in Markdown")
    given = parser.parse_args()
    try:
        return synchronise(given.db, given.files, given.conflicts, given.report)
    except EpicvcError as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
