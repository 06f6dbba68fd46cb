-- Which migrations have been applied, when, by whom, and what they said.

CREATE TABLE schema_migrations (
    version TEXT PRIMARY KEY,
    applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    applied_by TEXT DEFAULT 'system',
    rollback_sql TEXT,
    checksum TEXT
);
