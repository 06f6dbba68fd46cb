#!/usr/bin/env bash
# SQLite: dropping an FTS5 table that was made with contentless_unindexed=1 leaves its %_content table behind.
#
# Guess:     DROP TABLE of a virtual table removes all of its shadow tables.
# Behaviour: f_content, which holds the unindexed columns, stays as an ordinary table of the schema. Whoever lists
#            the tables of an application, or makes the same table again, meets it.
# Seen with: SQLite 3.51.3 and 3.54.1, by apsw 3.51.3.0 and 3.54.1.0.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
for version in 3.51.3.0 3.54.1.0; do
  python3 -m venv --clear "$place/venv"
  "$place/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "apsw==$version"
  "$place/venv/bin/python" - <<'PY'
import apsw

db = apsw.Connection(":memory:")
db.execute("CREATE VIRTUAL TABLE f USING fts5(a, b UNINDEXED, content='', contentless_unindexed=1)")
db.execute("INSERT INTO f(rowid, a, b) VALUES (1, 'x', 'y')")
db.execute("DROP TABLE f")
left = [name for (name,) in db.execute("SELECT name FROM sqlite_master")]
print(f"SQLite {apsw.sqlitelibversion()}: left behind after DROP TABLE f: {left}")
assert left == ["f_content"], "the behaviour has changed"
PY
done
