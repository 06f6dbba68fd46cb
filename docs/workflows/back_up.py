"""Back up: a full backup where there is none, else an incremental one, into another place too, and verified.

    python back_up.py --db plans.db --files epics --to /mnt/backups
    python back_up.py --db plans.db --files epics --to /mnt/backups --full

Ends with 1 when the backup that was made cannot be restored.
"""

from __future__ import annotations

import argparse
import sys

from epicvc import BackupManager, EpicvcError
from epicvc.errors import NotFound


def back_up(database: str, files: str, to: str, *, full: bool) -> int:
    """Make one backup and prove it."""
    manager = BackupManager(db_path=database, json_dir=files, remote=to)
    made = manager.create_full_backup() if full else _next(manager)

    (backup,) = (one for one in manager.list_backups() if one["id"] == made)
    print(f"{backup['kind']} backup {made[:12]}: {backup['files']} files, {backup['rows']} rows")
    proof = manager.verify_backup(made)
    for error in proof["errors"]:
        print(f"  {error}")
    print(f"{proof['objects']} objects verified" if proof["valid"] else "it cannot be restored")
    return 0 if proof["valid"] else 1


def _next(manager: BackupManager) -> str:
    """An incremental backup after the newest one that was written to the other place."""
    try:
        return manager.create_incremental_backup(since="latest")
    except NotFound:
        return manager.create_full_backup()


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--db", default="framework.db", help="the database")
    parser.add_argument("--files", default="epics", help="the directory of JSON epics")
    parser.add_argument("--to", required=True, help="the other place: a directory on another disk")
    parser.add_argument("--full", action="store_true", help="begin a new chain")
    given = parser.parse_args()
    try:
        return back_up(given.db, given.files, given.to, full=given.full)
    except EpicvcError as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
