-- Forget which migrations have been applied.

DROP TABLE schema_migrations;
