"""Set up: bring the database to its newest schema, files and database together, and write the enriched files.

    python set_up.py --db plans.db --files epics

Running it again changes nothing. Ends with 1 when a conflict or an error is left.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from epicvc import BidirectionalSync, EpicvcError, JSONEnrichmentEngine, MigrationRunner


def set_up(database: str, files: str) -> int:
    """Migrate, synchronise, enrich."""
    applied = MigrationRunner(db_path=database).apply_migrations()
    print(f"schema    {len(applied)} migrations applied")

    results = BidirectionalSync(db_path=database, json_dir=files).sync_all_epics()
    created = sum(result["created"] for result in results)
    left = [result for result in results if not result["success"]]
    print(f"sync      {len(results)} epics, {created} new, {len(left)} with something left to decide")

    enricher = JSONEnrichmentEngine(db_path=database, json_dir=files)
    enriched = enricher.enrich_all_epics(input_dir=files, output_dir=Path(files) / "enriched")
    print(f"enriched  {len(enriched['written'])} files written, {enriched['unchanged']} as they were")
    for error in enriched["errors"]:
        print(f"          {error}")
    return 0 if not left and enriched["success"] else 1


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--db", default="framework.db", help="the database")
    parser.add_argument("--files", default="epics", help="the directory of JSON epics")
    given = parser.parse_args()
    try:
        return set_up(given.db, given.files)
    except EpicvcError as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
