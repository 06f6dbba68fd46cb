-- Which migrations have been applied, when, by whom, and what they said.
--
-- epicvc makes this table with its first record and keeps it by itself: here it is for those who run the files by
-- other means.

CREATE TABLE IF NOT EXISTS schema_migrations (
    version TEXT PRIMARY KEY,
    name TEXT,
    applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    applied_by TEXT DEFAULT 'system',
    checksum TEXT,
    kind TEXT DEFAULT 'applied',
    rollback_sql TEXT
);
