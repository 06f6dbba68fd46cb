"""The database side: backends, rows and schema, and the documents read from and written to them."""
