"""Documents of the mapped tables: rows read as epics, and epics written as rows."""
