#!/usr/bin/env bash
# SQLite 3.38 to 3.40: with trusted_schema=OFF the JSON functions count as unsafe in CHECK constraints and views.
#
# Guess:     json_valid() and its neighbours are harmless ("innocuous"), as in the extension that they were before 3.38,
#            so that PRAGMA trusted_schema=OFF lets a CHECK of an ordinary application call them.
# Behaviour: 3.40.1 refuses with "unsafe use of json_valid()"; upper() is let through. 3.41.2 lets both through.
# Seen with: apsw 3.40.1.0 and 3.41.2.0.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
for version in 3.40.1.0 3.41.2.0; do
  python3 -m venv --clear "$place/venv"
  "$place/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "apsw==$version"
  "$place/venv/bin/python" - <<'PY'
import apsw

def tried(function):
    db = apsw.Connection(":memory:")
    db.cursor().execute("PRAGMA trusted_schema=OFF")
    try:
        db.cursor().execute(f"CREATE TABLE a(d TEXT CHECK ({function}(d) IS NOT NULL))")
        db.cursor().execute("INSERT INTO a VALUES ('{}')")
    except apsw.Error as error:
        return str(error).removeprefix("SQLError: ")
    return "runs"

version = apsw.sqlitelibversion()
found = {name: tried(name) for name in ("json_valid", "upper")}
print(f"SQLite {version}: {found}")
assert found["upper"] == "runs", "the behaviour has changed"
assert ("unsafe use" in found["json_valid"]) == (version == "3.40.1"), "the behaviour has changed"
PY
done
