-- Forget which migrations have been applied; epicvc keeps the record of those that still are.

DROP TABLE IF EXISTS schema_migrations;
