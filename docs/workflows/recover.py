"""Recover: restore a backup, by its id or by a time, into a new place, and validate what came back.

    python recover.py --from /mnt/backups --to plans
    python recover.py --from /mnt/backups --to plans --at 2025-08-17T10:00:00

Nothing but the directory of backups has to be left. Ends with 1 when there is no such backup or it is damaged.
"""

from __future__ import annotations

import argparse
import os
import sys

from epicvc import BackupManager, BidirectionalSync, EpicvcError


def recover(place: str, to: str, backup: str, at: str | None) -> int:
    """Restore, then look at it as the validating workflow does."""
    manager = BackupManager(remote=place)
    done = manager.restore_to_timestamp(at, to=to) if at else manager.restore_from_backup(backup, to=to)
    if not done["success"]:
        print(done["error"])
        return 1
    print(f"{done['restored_files']} files and {done['restored_rows']} rows of {done['commit'][:12]} are in {to}")

    os.chdir(to)
    found = BidirectionalSync().validate_data_integrity()
    for error in found["errors"]:
        print(f"  {error}")
    print("valid" if found["valid"] else "not valid, as it was when it was backed up")
    return 0


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--from", dest="place", required=True, help="the directory of backups")
    parser.add_argument("--to", required=True, help="a new directory")
    parser.add_argument("--backup", default="latest", help="which one")
    parser.add_argument("--at", help="the last one that is not later than this time")
    given = parser.parse_args()
    try:
        return recover(given.place, given.to, given.backup, given.at)
    except EpicvcError as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
