"""Validate: the store, both sides and what they agreed on, the enriched files, and the schema.

    python validate.py --db plans.db --files epics

Changes nothing. Ends with 1 when something is wrong.
"""

from __future__ import annotations

import argparse
import sys

from epicvc import BidirectionalSync, EpicvcError, JSONEnrichmentEngine, MigrationRunner


def validate(database: str, files: str) -> int:
    """Ask each part for its errors, and say them."""
    parts = {
        "sync": BidirectionalSync(db_path=database, json_dir=files).validate_data_integrity(),
        "enrichment": JSONEnrichmentEngine(db_path=database, json_dir=files).validate_all_enrichments(),
        "schema": MigrationRunner(db_path=database).validate_schema_integrity(),
    }
    for name, found in parts.items():
        print(f"{name:<11} {'valid' if found['valid'] else 'not valid'}")
        for error in found["errors"]:
            print(f"  {error}")
    return 0 if all(found["valid"] for found in parts.values()) else 1


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--db", default="framework.db", help="the database")
    parser.add_argument("--files", default="epics", help="the directory of JSON epics")
    given = parser.parse_args()
    try:
        return validate(given.db, given.files)
    except EpicvcError as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
