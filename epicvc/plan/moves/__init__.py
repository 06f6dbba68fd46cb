"""Tasks that moved to another epic or got another id, found and taken along."""
