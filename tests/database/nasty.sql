PRAGMA foreign_keys=OFF;
PRAGMA user_version=42;
PRAGMA application_id=-7;

CREATE TABLE "weird ""name" ("select" INTEGER PRIMARY KEY, "a b" TEXT DEFAULT 'x''y', [bracket] NUMERIC, `tick` BLOB);
INSERT INTO "weird ""name" VALUES (-9223372036854775808, 'min', '12.50', x'00ff'), (9223372036854775807, NULL, 1e300, x''),
  (0, 'nul' || char(0) || 'inside', '007x', 'text in a blob column'), (3, CAST(x'ff00fe' AS TEXT), -0.0, 5);

CREATE TABLE "order" (a, b TEXT, c INTEGER, PRIMARY KEY (b, a));
INSERT INTO "order" VALUES (1, 'x', 1), (1.5, 'x', 2), (2, 'x', 3), (x'01', 'x', 4), ('1', 'x', 5), (NULL, 'x', 6), (NULL, 'x', 7),
  (NULL, NULL, 8), (NULL, NULL, 9), (1, CAST(x'ff' AS TEXT), 10), (1, 'X', 11), (1e999, 'x', 12), (-1e999, 'x', 13);

CREATE TABLE no_key (value, rowid TEXT, "_rowid_" INT);
INSERT INTO no_key(oid, value, rowid, _rowid_) VALUES (5, 'five', 'r', 1), (-3, NULL, NULL, NULL), (100, 9007199254740993, 'x', 0);

CREATE TABLE without_number (name TEXT COLLATE NOCASE, n REAL, note TEXT, PRIMARY KEY (name DESC, n)) WITHOUT ROWID;
INSERT INTO without_number VALUES ('b', 1, 'x'), ('A', 2, CAST(x'c3' AS TEXT)), ('a', 3.5, NULL), ('C', -1, '');

CREATE TABLE not_an_alias (id INTEGER PRIMARY KEY DESC, v);
INSERT INTO not_an_alias VALUES (3, 'c'), (1, 'a'), (NULL, 'null'), (NULL, 'null again');

CREATE TABLE generated (id INTEGER PRIMARY KEY, price REAL, n INTEGER,
  total REAL GENERATED ALWAYS AS (price * n) STORED, label TEXT AS ('n' || n) VIRTUAL, after TEXT);
INSERT INTO generated(id, price, n, after) VALUES (1, 2.5, 4, 'end'), (2, 1, NULL, NULL);

CREATE TABLE strict_one (id INTEGER PRIMARY KEY, i INT, r REAL, t TEXT, b BLOB, a ANY) STRICT;
INSERT INTO strict_one VALUES (1, 1, 1, '1', x'31', '1'), (2, NULL, 1e999, CAST(x'80' AS TEXT), NULL, 1), (3, 0, 0, '', x'', 1.0);

CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT UNIQUE ON CONFLICT REPLACE, CHECK (length(v) < 9));
INSERT INTO counted(v) VALUES ('a'), ('b'), ('c');
DELETE FROM counted WHERE v = 'c';
UPDATE counted SET id = 90 WHERE v = 'b';
PRAGMA ignore_check_constraints=ON;
INSERT INTO counted(id, v) VALUES (50, 'breaks the check');
UPDATE sqlite_sequence SET seq = 4;
CREATE TABLE counted_too (id INTEGER PRIMARY KEY AUTOINCREMENT);
CREATE TABLE never_counted (id INTEGER PRIMARY KEY AUTOINCREMENT, "group" TEXT);

CREATE TABLE parent (id INTEGER PRIMARY KEY, code TEXT UNIQUE);
CREATE TABLE child (id INTEGER PRIMARY KEY, p INTEGER REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE,
  code TEXT REFERENCES parent(code) ON DELETE SET NULL, self INTEGER REFERENCES child(id));
INSERT INTO parent VALUES (1, 'one'), (2, 'two');
INSERT INTO child VALUES (1, 1, 'one', NULL), (2, 99, 'two', 1), (3, 2, 'missing', 77);
CREATE TABLE child_without (p INTEGER, q TEXT, PRIMARY KEY (p, q), FOREIGN KEY (p) REFERENCES parent) WITHOUT ROWID;
INSERT INTO child_without VALUES (1, 'fine'), (98, 'orphan');
CREATE TABLE lost (x REFERENCES nowhere(y));
INSERT INTO lost VALUES (1), (NULL);
CREATE TABLE mismatch (x REFERENCES no_key(value));
INSERT INTO mismatch VALUES (1);
CREATE TABLE log (what, "when");

CREATE INDEX "index" ON parent (code DESC) WHERE code IS NOT NULL;
CREATE UNIQUE INDEX expression ON generated (abs(n), coalesce(after, id));
CREATE INDEX on_generated ON generated (total);
CREATE INDEX "weird ""index" ON "weird ""name" ("a b" COLLATE NOCASE);
CREATE INDEX b_first ON child (p);
CREATE INDEX a_second ON child (p, code);

CREATE VIEW z_base AS SELECT id, code FROM parent;
CREATE VIEW "a view" AS SELECT z.id, c.self FROM z_base z LEFT JOIN child c ON c.p = z.id;
CREATE VIEW broken AS SELECT * FROM table_that_is_not_there;
CREATE VIEW m_third AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT * FROM n, "a view";

CREATE TRIGGER z_log AFTER INSERT ON parent BEGIN INSERT INTO log VALUES ('insert ' || NEW.id, 'now'); END;
CREATE TRIGGER a_log AFTER DELETE ON parent BEGIN INSERT INTO log VALUES ('delete ' || OLD.id, 'now'); END;
CREATE TRIGGER "m ""log" BEFORE UPDATE OF code ON parent WHEN OLD.code IS NOT NEW.code BEGIN
  INSERT INTO log VALUES ('update; not the END', 'now'); END;
CREATE TRIGGER forbid BEFORE DELETE ON child BEGIN SELECT RAISE(ABORT, 'no deleting'); END;
CREATE TRIGGER through INSTEAD OF INSERT ON z_base BEGIN INSERT INTO parent VALUES (NEW.id, NEW.code); END;
CREATE TRIGGER counted_log AFTER INSERT ON counted BEGIN INSERT INTO counted_too VALUES (NULL); END;
INSERT INTO z_base VALUES (3, 'three');
ANALYZE;
